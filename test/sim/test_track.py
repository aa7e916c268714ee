"""Track geometry: projection axioms, derived quantities, and what is refused."""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from racer_sim.frenet import nearest_on_loop, rays_to_loop
from racer_sim.track import Track
from racer_sim.track_generator import generate_track
from racer_vehicle.errors import TrackError

TRACKS = {seed: generate_track(seed) for seed in range(4)}


def ring(radius_m=3.0, count=96, width_m=1.0, name='ring'):
    """A counter-clockwise circle around the origin."""
    angle = np.linspace(0.0, 2.0 * math.pi, count, endpoint=False)
    centre = radius_m * np.stack((np.cos(angle), np.sin(angle)), axis=1)
    return Track.from_centre_line(name, centre, width_m / 2.0, width_m / 2.0)


def borders(track):
    return track.centre_m.copy(), track.left_border_m.copy(), track.right_border_m.copy()


def test_a_ring_has_the_numbers_of_a_circle():
    track = ring()
    assert track.length_m == pytest.approx(2.0 * math.pi * 3.0, rel=1e-3)
    assert track.min_radius_m == pytest.approx(3.0, rel=1e-2)
    assert track.width_m == pytest.approx(np.ones(96), abs=1e-9)
    assert not track.is_clockwise
    assert track.bounds_m == pytest.approx((-3.5, -3.5, 3.5, 3.5), abs=1e-9)
    assert track.s_m[0] == 0.0
    assert len(track.s_m) == len(track.centre_m) + 1


def test_lateral_is_positive_towards_the_infield_of_a_counter_clockwise_track():
    at = ring().project([[2.8, 0.0], [3.3, 0.0], [np.nan, 0.0]])
    assert at.lateral_m[:2] == pytest.approx([0.2, -0.3], abs=2e-3)
    assert np.isnan(at.lateral_m[2])


def test_projection_keeps_the_shape_of_its_input():
    at = ring().project(np.full((2, 5, 2), 0.1))
    assert all(part.shape == (2, 5) for part in at)
    assert ring().project((3.0, 0.1)).s_m.shape == ()


@pytest.mark.parametrize('seed', TRACKS)
@pytest.mark.parametrize('lateral_m', [-0.35, 0.0, 0.35])
def test_projecting_a_pose_gives_it_back(seed, lateral_m):
    track = TRACKS[seed]
    s = (track.s_m[:-1] + track.s_m[1:]) / 2.0  # exact where a polygon has a definite normal
    x, y, yaw = track.pose_at(s, lateral_m)
    at = track.project(np.stack((x, y), axis=-1))
    assert at.s_m == pytest.approx(s, abs=1e-9)
    assert at.lateral_m == pytest.approx(np.full_like(s, lateral_m), abs=1e-9)
    assert at.heading_rad == pytest.approx(yaw)


@given(seed=st.sampled_from(sorted(TRACKS)), s=st.floats(-100.0, 100.0), d=st.floats(-0.4, 0.4))
def test_anywhere_else_the_pose_comes_back_within_a_point_spacing(seed, s, d):
    track = TRACKS[seed]
    x, y, _ = track.pose_at(s, d)
    at = track.project((x, y))
    spacing = float(np.diff(track.s_m).max())
    away = (float(at.s_m) - s + track.length_m / 2.0) % track.length_m - track.length_m / 2.0
    assert abs(away) <= spacing
    assert abs(float(at.lateral_m) - d) <= 0.02
    assert 0.0 <= at.s_m < track.length_m


@given(seed=st.sampled_from(sorted(TRACKS)), x=st.floats(-3, 12), y=st.floats(-3, 12))
def test_nearest_agrees_with_a_plain_search(seed, x, y):
    track = TRACKS[seed]
    start, step = track.centre_m, np.roll(track.centre_m, -1, axis=0) - track.centre_m
    part = (((x, y) - start) * step).sum(axis=1) / (step**2).sum(axis=1)
    part = np.clip(part, 0.0, 1.0)
    nearest = np.hypot(*(start + part[:, None] * step - (x, y)).T).min()
    _, _, s, lateral = nearest_on_loop(track.centre_m, track.s_m, x, y)
    assert abs(lateral) == pytest.approx(nearest, abs=1e-9)
    px, py, _ = track.pose_at(s)
    assert math.hypot(px - x, py - y) == pytest.approx(nearest, abs=1e-9)


def test_the_side_of_a_sharp_corner_is_judged_from_both_of_its_segments():
    corners = np.array([(x, 0.0) for x in range(4)] + [(3.0, 1.0), (0.2, 0.9), (0.0, 0.6)])
    s = np.concatenate(([0.0], np.cumsum(np.hypot(*(np.roll(corners, -1, 0) - corners).T))))
    assert nearest_on_loop(corners, s, 3.1, -0.2)[3] == pytest.approx(-math.hypot(0.1, 0.2))


def test_poses_wrap_at_the_length():
    track = ring()
    assert track.pose_at(track.length_m + 0.5)[0] == pytest.approx(track.pose_at(0.5)[0])
    assert track.pose_at(-0.5)[1] == pytest.approx(track.pose_at(track.length_m - 0.5)[1])
    x, y, yaw = track.pose_at(0.0, [0.0, 0.2])
    assert x.shape == y.shape == yaw.shape == (2,)


@pytest.mark.parametrize('seed', TRACKS)
def test_driving_the_other_way_mirrors_progress_and_side(seed):
    track, back = TRACKS[seed], TRACKS[seed].reversed()
    s = (track.s_m[:-1] + track.s_m[1:]) / 2.0
    points = np.stack(track.pose_at(s, 0.2)[:2], axis=-1)
    assert back.project(points).s_m == pytest.approx(track.length_m - s)
    assert back.project(points).lateral_m == pytest.approx(np.full_like(s, -0.2))
    assert back.is_clockwise != track.is_clockwise
    assert back.name == track.name
    again = back.reversed()
    for line in ('centre_m', 'left_border_m', 'right_border_m'):
        assert np.array_equal(getattr(again, line), getattr(track, line))


def test_the_surface_ends_at_the_interpolated_borders():
    track = TRACKS[0]
    s = np.linspace(0.0, track.length_m, 300)
    for lateral, expected in ((0.38, True), (-0.38, True), (0.42, False), (-0.42, False)):
        points = np.stack(track.pose_at(s, lateral)[:2], axis=-1)
        assert (track.is_on_surface(points) == expected).mean() > 0.97
    assert not track.is_on_surface((np.nan, 0.0))


def test_widths_are_measured_along_the_normal_not_to_the_row_of_the_file():
    centre, left, right = borders(ring())
    slid = Track.from_borders('slid', centre, np.roll(left, 3, axis=0), np.roll(right, -3, axis=0))
    assert slid.width_m == pytest.approx(np.ones(96), abs=5e-3)


def test_a_ray_that_meets_nothing_reaches_infinity():
    square = np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)])
    origins, away = np.array([(0.5, 0.5), (3.0, 0.5)]), np.array([(1.0, 0.0), (1.0, 0.0)])
    assert rays_to_loop(square, origins, away).tolist() == [0.5, math.inf]


def test_arrays_are_read_only_copies():
    centre, left, right = borders(ring())
    track = Track.from_borders('copy', centre, left, right)
    centre[0] = 99.0
    assert track.centre_m[0, 0] == pytest.approx(3.0)
    for array in (track.centre_m, track.s_m, track.left_m, track.heading_rad):
        with pytest.raises(ValueError, match='read-only'):
            array[0] = 0.0


def test_duplicates_and_the_repeated_first_row_are_merged():
    rows = [0, 0, *range(1, 96), 95, 0]
    track = Track.from_borders('rows', *(line[rows] for line in borders(ring())))
    assert np.array_equal(track.centre_m, ring().centre_m)
    with pytest.raises(TrackError, match=r'Track.from_borders merges'):
        centre, left, right = (line[rows] for line in borders(ring()))
        Track(name='raw', centre_m=centre, left_border_m=left, right_border_m=right)


def refused(message, change):
    lines = list(borders(ring()))
    lines = change(lines) or lines
    with pytest.raises(TrackError, match=message) as caught:
        Track.from_borders('bad', *lines)
    assert '\n' not in str(caught.value)


def test_a_row_that_is_not_finite_is_named():
    def spoil(lines):
        lines[1][7, 1] = np.inf

    refused(r"track 'bad': the left border holds .*inf.* in row 7; allowed: finite metres", spoil)


def test_a_wrong_shape_is_refused():
    refused(
        r'centre line has shape \(96, 1\); allowed: \(N, 2\)',
        lambda lines: [lines[0][:, :1], *lines[1:]],
    )
    refused(r'96 centre, 90 left and 96 right rows', lambda x: [x[0], x[1][:90], x[2]])


def test_too_few_distinct_points_are_refused():
    refused(
        r'has 6 distinct points; allowed: 8 or more',
        lambda lines: [line[[0, 0, 0, 16, 32, 48, 64, 80]] for line in lines],
    )


def test_an_open_line_is_refused():
    refused(
        r'is open: \S+ m between its last and first point; .*repeat the first row',
        lambda lines: [line[:60] for line in lines],
    )


def test_a_long_closing_straight_is_allowed_when_the_first_row_is_repeated():
    rows = [*range(80), 0]
    track = Track.from_borders('closed', *(line[rows] for line in borders(ring())))
    assert len(track.centre_m) == 80


def test_a_line_that_crosses_itself_is_refused():
    angle = np.linspace(0.0, 2.0 * math.pi, 200, endpoint=False)
    eight = np.stack((4.0 * np.sin(angle + 0.3), 2.0 * np.sin(2.0 * (angle + 0.3))), axis=1)
    with pytest.raises(TrackError, match=r'crosses itself near \(-?0\.\d+, -?0\.\d+\)'):
        Track.from_centre_line('eight', eight, 0.2, 0.2)


def test_a_waist_that_does_not_touch_is_no_crossing():
    angle = np.linspace(0.0, 2.0 * math.pi, 200, endpoint=False)
    x, y = 4.0 * np.cos(angle), np.sin(angle) * (0.6 + 1.4 * np.cos(angle) ** 2)
    waist = np.stack((x, y), axis=1)
    assert Track.from_centre_line('waist', waist, 0.2, 0.2).length_m > 10.0


@pytest.mark.parametrize('width_m', [0.0, -0.3])
def test_a_width_of_nothing_is_refused_at_its_row(width_m):
    widths = np.full(96, 0.5)
    widths[11] = width_m
    message = re.escape(f'the left border is {width_m:.3g} m to the left of the centre in row 11')
    with pytest.raises(TrackError, match=message):
        Track.from_centre_line('thin', ring().centre_m, widths, 0.5)


def test_exchanged_borders_are_refused():
    refused('the left border is -0.5 m to the left', lambda x: [x[0], x[2], x[1]])


@pytest.mark.parametrize('scale', [0.01, 100.0])
def test_absurd_lengths_are_refused(scale):
    refused(
        r'm long; allowed: 2 to 1000 m; scale its coordinates',
        lambda lines: [scale * line for line in lines],
    )


@settings(max_examples=20)
@given(turn=st.floats(0.0, 6.3), dx=st.floats(-50, 50), dy=st.floats(-50, 50))
def test_moving_a_track_changes_none_of_its_measures(turn, dx, dy):
    track = TRACKS[1]
    c, s = math.cos(turn), math.sin(turn)
    moved = Track.from_borders(
        'moved', *(line @ [[c, s], [-s, c]] + (dx, dy) for line in borders(track))
    )
    assert moved.length_m == pytest.approx(track.length_m)
    assert moved.width_m == pytest.approx(track.width_m, abs=1e-6)
    assert moved.min_radius_m == pytest.approx(track.min_radius_m, rel=1e-5)
    assert moved.is_clockwise == track.is_clockwise
