"""The painted ground shows the track where the geometry says it is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from racer_sim.ground import LARGEST_IMAGE_PX, GroundStyle, paint_ground
from racer_sim.track_generator import generate_track
from racer_sim.track_library import find_track
from racer_vehicle.errors import ConfigError

STYLE = GroundStyle()


def colours_at(ground, points):
    row, column = ground.texel_at(np.asarray(points))
    return ground.image[row, column]


def is_(colours, colour):
    return (colours == colour).all(axis=-1)


@settings(max_examples=8)
@given(seed=st.integers(0, 10_000))
def test_field_is_painted_exactly_off_the_surface(seed):
    track = generate_track(seed)
    ground = paint_ground(track, m_per_px=0.02)
    x_min, y_min, x_max, y_max = track.bounds_m
    points = np.random.default_rng(seed).uniform((x_min, y_min), (x_max, y_max), (4000, 2))
    lateral = track.project(points).lateral_m
    clear = np.abs(np.abs(lateral) - 0.4) > 0.04  # two texels, and the chords of the border
    painted = ~is_(colours_at(ground, points), STYLE.field)
    assert np.array_equal(painted[clear], track.is_on_surface(points)[clear])


@pytest.mark.parametrize('name', ['Bowtie_track', 'Oval_track', 'Monaco', 'reinvent_base'])
def test_real_tracks_are_painted_where_they_are(real_tracks, name):
    track = find_track(real_tracks / f'{name}.npy')
    ground = paint_ground(track, m_per_px=0.01)
    s = np.linspace(0.0, track.length_m, 500)
    half = np.array([track.left_m.min(), track.right_m.min()])
    for lateral in (half[0] - 0.08, -half[1] + 0.08, 0.1):
        points = np.stack(track.pose_at(s, lateral)[:2], axis=-1)
        assert is_(colours_at(ground, points), STYLE.asphalt).mean() > 0.97
    for lateral in (track.left_m.max() + 0.08, -track.right_m.max() - 0.08):
        points = np.stack(track.pose_at(s, lateral)[:2], axis=-1)
        assert is_(colours_at(ground, points), STYLE.field).mean() > 0.9


def test_lines_lie_inside_the_borders_and_dashes_on_the_centre():
    track = find_track('oval')
    ground = paint_ground(track)
    s = np.linspace(0.0, track.length_m, 2000, endpoint=False)

    def share(lateral, colour):
        points = np.stack(track.pose_at(s, lateral)[:2], axis=-1)
        return is_(colours_at(ground, points), colour).mean()

    assert share(0.475, STYLE.border) > 0.99
    assert share(-0.475, STYLE.border) > 0.99
    assert share(0.42, STYLE.asphalt) > 0.99
    assert share(0.53, STYLE.field) > 0.99
    assert share(0.0, STYLE.dashes) == pytest.approx(0.5, abs=0.08)
    assert share(0.0, STYLE.dashes) + share(0.0, STYLE.asphalt) > 0.95


@pytest.mark.parametrize('name', ['oval', 'meander', 'gauntlet'])
def test_both_directions_share_one_picture(name):
    track = find_track(name)
    one, other = paint_ground(track, m_per_px=0.02), paint_ground(track.reversed(), m_per_px=0.02)
    assert np.array_equal(one.image, other.image)
    assert (one.x_min_m, one.y_max_m) == (other.x_min_m, other.y_max_m)


def test_north_is_up_and_the_corner_is_where_it_says():
    track = find_track('oval')
    ground = paint_ground(track, m_per_px=0.01, margin_m=0.5)
    x_min, _, _, y_max = track.bounds_m
    assert (ground.x_min_m, ground.y_max_m) == pytest.approx((x_min - 0.5, y_max + 0.5))
    corner = np.array([ground.x_min_m + 0.005, ground.y_max_m - 0.005])
    assert [int(index) for index in ground.texel_at(corner)] == [0, 0]
    row, _ = ground.texel_at(corner - (0.0, 1.0))
    assert int(row) == 100
    assert is_(ground.image[0, 0], STYLE.field)


def test_edges_are_smooth():
    ground = paint_ground(find_track('pebble'), m_per_px=0.01)
    pure = [is_(ground.image, getattr(STYLE, c)) for c in ('asphalt', 'border', 'dashes', 'field')]
    assert 0.001 < 1.0 - np.any(pure, axis=0).mean() < 0.05


def test_colours_are_rgb_and_luma_weighs_green_most():
    style = GroundStyle(field=(0, 200, 0), asphalt=(200, 0, 0))
    ground = paint_ground(find_track('pebble'), style, m_per_px=0.02)
    assert ground.image.dtype == np.uint8
    assert ground.image[0, 0].tolist() == [0, 200, 0]
    assert ground.luma()[0, 0] == pytest.approx(0.587 * 200, abs=1)
    assert ground.luma().shape == ground.image.shape[:2]


def test_lines_can_be_left_out():
    style = GroundStyle(border_width_m=0.0, dash_width_m=0.0)
    ground = paint_ground(find_track('pebble'), style, m_per_px=0.02)
    assert not is_(ground.image, STYLE.border).any()
    assert not is_(ground.image, STYLE.dashes).any()
    assert is_(ground.image, STYLE.asphalt).any()


def test_a_large_track_is_painted_more_coarsely():
    track = find_track('pebble')
    ground = paint_ground(track, m_per_px=1e-4)
    rows, columns = ground.image.shape[:2]
    assert 0.99 * LARGEST_IMAGE_PX < rows * columns < 1.001 * LARGEST_IMAGE_PX
    assert ground.m_per_px > 1e-4


def test_the_picture_is_read_only():
    ground = paint_ground(find_track('pebble'), m_per_px=0.02)
    with pytest.raises(ValueError, match='read-only'):
        ground.image[0, 0] = 0


@pytest.mark.parametrize(
    ('wrong', 'message'),
    [
        ({'border_width_m': -0.1}, r'GroundStyle.border_width_m is -0.1; allowed: 0 to 0.3'),
        ({'field': (0, 0, 256)}, r'GroundStyle.field is \(0, 0, 256\); allowed: three values'),
        ({'dash_m': float('nan')}, r'GroundStyle.dash_m is nan'),
    ],
)
def test_unusable_styles_are_refused(wrong, message):
    with pytest.raises(ConfigError, match=message):
        GroundStyle(**wrong)
