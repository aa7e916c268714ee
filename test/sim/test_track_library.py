"""Tracks by name: the shipped ones, own ones, and names that are refused."""

from pathlib import Path

import numpy as np
import pytest

import racer_sim
from racer_sim.track_files import save_csv, save_npy
from racer_sim.track_generator import generate_track
from racer_sim.track_library import (
    SHIPPED,
    find_track,
    import_track,
    keep_track,
    track_names,
)
from racer_vehicle.errors import TrackError, UnknownNameError

pytestmark = pytest.mark.usefixtures('racer_home')


@pytest.fixture
def file(tmp_path):
    path = tmp_path / 'some file.npy'
    save_npy(generate_track(1), path)
    return path


def test_the_catalogue_is_the_folder():
    folder = Path(racer_sim.__file__).parent / 'tracks'
    assert sorted(SHIPPED) == sorted(path.stem for path in folder.glob('*.csv'))
    assert track_names() == [(name, 'shipped') for name in SHIPPED]
    assert SHIPPED[0] == 'oval'


@pytest.mark.parametrize('name', SHIPPED)
def test_shipped_tracks_can_be_raced(name):
    track = find_track(name)
    assert track.name == name
    assert 12.0 <= track.length_m <= 60.5
    assert track.width_m.min() >= 0.7 - 1e-5
    assert track.width_m.max() <= 1.1 + 1e-5
    assert track.min_radius_m >= 0.5
    s = np.linspace(0.0, track.length_m, 400)
    for lateral in (-0.34, 0.34):
        points = np.stack(track.pose_at(s, lateral)[:2], axis=-1)
        away = np.abs(track.project(points).s_m - s)
        assert np.minimum(away, track.length_m - away).max() < 0.3
    x_min, y_min, _, _ = track.bounds_m
    assert min(x_min, y_min) > -0.5


def test_shipped_tracks_say_whose_they_are():
    for path in (Path(racer_sim.__file__).parent / 'tracks').glob('*.csv'):
        assert 'SPDX-License-Identifier: Apache-2.0' in path.read_text()


def test_both_directions_of_travel_are_shipped():
    assert {find_track(name).is_clockwise for name in SHIPPED} == {False, True}


def test_an_imported_track_is_found_by_its_name_in_any_case(file):
    imported = import_track(file, 'My_Track-1')
    assert track_names()[-1] == ('My_Track-1', 'own')
    found = find_track('my_track-1')
    assert found.name == 'My_Track-1'
    assert np.array_equal(found.centre_m, imported.centre_m)


def test_a_path_is_a_track_too(file, tmp_path):
    assert find_track(file).name == 'some file'
    save_csv(generate_track(1), tmp_path / 'b.csv')
    assert find_track(str(tmp_path / 'b.csv')).name == 'b'


def test_a_file_is_read_again_only_when_it_has_changed(file):
    first = find_track(file)
    assert find_track(str(file)) is first
    save_npy(generate_track(2), file)
    changed = find_track(file)
    assert changed.length_m == pytest.approx(generate_track(2).length_m, rel=1e-6)
    assert changed.length_m != first.length_m


def test_an_unknown_name_offers_near_ones():
    with pytest.raises(UnknownNameError, match=r"unknown track 'oval2'; did you mean oval\?") as e:
        find_track('oval2')
    assert 'racer tracks list' in str(e.value)


@pytest.mark.parametrize('name', ['', 'a b', '../evil', 'ä', 'x' * 65, 'a.npy'])
def test_unusable_names_are_refused(file, name):
    with pytest.raises(TrackError, match='allowed: 1 to 64 letters, digits, - and _'):
        keep_track(generate_track(1, name=name or None) if name else _nameless())
    assert track_names() == [(shipped, 'shipped') for shipped in SHIPPED]


def _nameless():
    track = generate_track(1)
    return type(track)(
        name='',
        centre_m=track.centre_m,
        left_border_m=track.left_border_m,
        right_border_m=track.right_border_m,
    )


def test_shipped_tracks_cannot_be_shadowed(file):
    with pytest.raises(TrackError, match="track 'oval' is shipped with racer; choose another"):
        import_track(file, 'Oval', overwrite=True)


def test_own_tracks_are_overwritten_only_when_asked(file, tmp_path):
    import_track(file, 'mine')
    other = tmp_path / 'other.csv'
    save_csv(generate_track(2), other)
    with pytest.raises(TrackError, match=r"own track 'mine' exists; .* --overwrite"):
        import_track(other, 'mine')
    with pytest.raises(TrackError, match="differs only in case; overwrite it as 'mine'"):
        import_track(other, 'MINE', overwrite=True)
    import_track(other, 'mine', overwrite=True)
    assert find_track('mine').length_m == pytest.approx(generate_track(2).length_m)
    assert len(track_names()) == len(SHIPPED) + 1


def test_a_bad_file_is_not_imported(tmp_path):
    np.save(tmp_path / 'bad.npy', np.zeros((20, 6)))
    with pytest.raises(TrackError):
        import_track(tmp_path / 'bad.npy', 'bad')
    assert len(track_names()) == len(SHIPPED)


def test_real_names_can_be_imported(real_tracks):
    for name in ('reinvent_base', '2022_summit_speedway', 'Monaco'):
        assert import_track(real_tracks / f'{name}.npy', name).name == name
    assert [name for name, origin in track_names() if origin == 'own'] == [
        '2022_summit_speedway',
        'Monaco',
        'reinvent_base',
    ]
