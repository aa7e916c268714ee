"""Track files: what is read, what is written, what is refused."""

import numpy as np
import pytest

from racer_sim.track import Track
from racer_sim.track_files import load_track, save_csv, save_npy
from racer_sim.track_generator import generate_track
from racer_vehicle.errors import TrackError

REAL = (
    '2022_summit_speedway',
    'Bowtie_track',
    'Monaco',
    'Oval_track',
    'Spain_track',
    'reinvent_base',
)
CLOCKWISE = {'Monaco', 'Spain_track'}


@pytest.fixture
def track():
    """Counter-clockwise, so that the infield is left."""
    made = generate_track(5, name='five')
    return made.reversed() if made.is_clockwise else made


def same(one, other, tolerance_m=0.0):
    return all(
        np.allclose(getattr(one, line), getattr(other, line), rtol=0.0, atol=tolerance_m)
        for line in ('centre_m', 'left_border_m', 'right_border_m')
    )


@pytest.mark.parametrize('backwards', [False, True])
def test_npy_round_trip_is_exact_in_both_directions(track, tmp_path, backwards):
    track = track.reversed() if backwards else track
    save_npy(track, tmp_path / 'new' / 'a.npy')
    loaded = load_track(tmp_path / 'new' / 'a.npy', 'five')
    assert loaded.name == 'five'
    assert loaded.is_clockwise is backwards
    assert same(loaded, track)


@pytest.mark.parametrize('backwards', [False, True])
def test_npy_has_the_layout_of_deepracer(track, tmp_path, backwards):
    track = track.reversed() if backwards else track
    save_npy(track, tmp_path / 'a.npy')
    rows = np.load(tmp_path / 'a.npy')
    assert rows.shape == (len(track.centre_m) + 1, 6)
    assert rows.dtype == np.float64
    assert np.array_equal(rows[0], rows[-1])
    infield, outer = (np.hypot(*np.diff(rows[:, k : k + 2], axis=0).T).sum() for k in (2, 4))
    assert infield < outer


def test_csv_round_trip_is_exact_to_the_micrometre(track, tmp_path):
    save_csv(track, tmp_path / 'a.csv', ('a comment',))
    assert (tmp_path / 'a.csv').read_text().startswith('# a comment\n# x_m, y_m, w_tr_right_m')
    loaded = load_track(tmp_path / 'a.csv')
    assert loaded.name == 'a'
    assert same(loaded, track, tolerance_m=1e-5)


def test_csv_of_a_track_with_a_long_closing_straight_reads_as_closed(tmp_path):
    angle = np.linspace(0.5, 5.8, 60)
    centre = 3.0 * np.stack((np.cos(angle), np.sin(angle)), axis=1)
    made = Track.from_centre_line('gap', np.concatenate((centre, centre[:1])), 0.4, 0.4)
    save_csv(made, tmp_path / 'gap.csv')
    assert same(load_track(tmp_path / 'gap.csv'), made, tolerance_m=1e-5)


def test_semicolons_headings_and_byte_order_marks_are_read(track, tmp_path):
    lines = ['# x_m; y_m; w_tr_right_m; w_tr_left_m', '']
    lines += [f'{x}; {y}; 0.3; 0.5  # widths differ' for x, y in track.centre_m]
    (tmp_path / 'a.csv').write_text('\n'.join(lines), encoding='utf-8-sig')
    loaded = load_track(tmp_path / 'a.csv')
    assert loaded.right_m == pytest.approx(np.full(len(loaded.centre_m), 0.3))
    assert loaded.left_m == pytest.approx(np.full(len(loaded.centre_m), 0.5))


def test_two_columns_need_a_width(track, tmp_path):
    path = tmp_path / 'xy.csv'
    path.write_text('\n'.join(f'{x},{y}' for x, y in track.centre_m))
    assert load_track(path, width_m=0.7).width_m.max() == pytest.approx(0.7)
    with pytest.raises(TrackError, match=r'xy\.csv has no widths; give one'):
        load_track(path)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('x,y\n', r"a\.csv, line 1: 'x,y' is no row of numbers; start .* with #"),
        ('1,2,3,4\n1,2\n', r'a\.csv, line 2: 2 columns; allowed: 4'),
        ('1,2,3\n', r'a\.csv has 3 columns; allowed: 2 \(x, y\) or 4'),
        ('# nothing\n', r'a\.csv has 0 columns'),
        ('1,2,3,nan\n' * 9, r'distinct points'),
    ],
)
def test_malformed_csv_is_refused(tmp_path, text, message):
    (tmp_path / 'a.csv').write_text(text)
    with pytest.raises(TrackError, match=message):
        load_track(tmp_path / 'a.csv')


def test_binary_csv_is_refused(tmp_path):
    (tmp_path / 'a.csv').write_bytes(b'\xff\xfe\x00\x81')
    with pytest.raises(TrackError, match='not a text file'):
        load_track(tmp_path / 'a.csv')


@pytest.mark.parametrize(
    ('rows', 'message'),
    [
        (np.zeros((9, 4)), r'shape \(9, 4\); allowed: \(N, 6\)'),
        (np.array(['a']), 'no array of numbers'),
        (np.array([{}], dtype=object), 'not a plain numpy array'),
        (np.full((9, 6), np.nan), r'\[nan, nan\] in row 0'),
        (np.zeros((0, 6)), '0 distinct points'),
    ],
)
def test_malformed_npy_is_refused(tmp_path, rows, message):
    np.save(tmp_path / 'a.npy', rows)
    with pytest.raises(TrackError, match=message):
        load_track(tmp_path / 'a.npy')


def test_npy_that_is_a_broken_archive_is_refused(tmp_path):
    path = tmp_path / 'broken.npy'
    path.write_bytes(b'PK\x03\x04 but no archive')
    with pytest.raises(TrackError, match=r'broken\.npy is not a plain numpy array'):
        load_track(path)


def test_truncated_npy_is_refused(track, tmp_path):
    save_npy(track, tmp_path / 'a.npy')
    content = (tmp_path / 'a.npy').read_bytes()
    for length in (0, 20, len(content) // 2):
        (tmp_path / 'a.npy').write_bytes(content[:length])
        with pytest.raises(TrackError, match='not a plain numpy array'):
            load_track(tmp_path / 'a.npy')


def test_a_width_beside_widths_is_refused(track, tmp_path):
    save_npy(track, tmp_path / 'a.npy')
    save_csv(track, tmp_path / 'a.csv')
    for name in ('a.npy', 'a.csv'):
        with pytest.raises(TrackError, match='leave the width out'):
            load_track(tmp_path / name, width_m=0.8)


def test_missing_files_and_other_endings_are_refused(tmp_path):
    with pytest.raises(TrackError, match='there is no track file'):
        load_track(tmp_path / 'absent.npy')
    (tmp_path / 'a.txt').touch()
    with pytest.raises(TrackError, match=r'a\.txt is no track file; allowed: \.npy or \.csv'):
        load_track(tmp_path / 'a.txt')


@pytest.mark.parametrize('name', REAL)
def test_real_tracks_load_and_survive_both_formats(real_tracks, tmp_path, name):
    track = load_track(real_tracks / f'{name}.npy')
    assert track.is_clockwise is (name in CLOCKWISE)
    assert track.width_m.max() < 1.25 * track.width_m.min()
    assert 15.0 < track.length_m < 61.0
    save_npy(track, tmp_path / 'a.npy')
    assert same(load_track(tmp_path / 'a.npy'), track)
    save_csv(track, tmp_path / 'a.csv')
    again = load_track(tmp_path / 'a.csv')
    assert again.left_m == pytest.approx(track.left_m, abs=1e-5)
    assert again.right_m == pytest.approx(track.right_m, abs=1e-5)
