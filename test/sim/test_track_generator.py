"""Generated tracks: whatever the seed, what was asked for."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from racer_sim.track_generator import generate_track
from racer_vehicle.errors import TrackError

seeds = st.integers(min_value=0, max_value=2**32)
demands = st.fixed_dictionaries({
    'length_m': st.floats(10.0, 60.0),
    'width_m': st.floats(0.6, 1.1),
    'min_radius_m': st.floats(0.3, 0.9),
})


def closest_parts_m(track):
    """Distance between the nearest centre points that do not belong to one bend."""
    s = track.s_m[:-1]
    along = np.abs(s[:, None] - s)
    along = np.minimum(along, track.length_m - along)
    apart = np.linalg.norm(track.centre_m[:, None] - track.centre_m, axis=2)
    return apart[along > math.pi / 2.0 * (track.width_m.max() + 0.15)].min()


def left_and_right_turning_rad(track):
    turn = np.diff(track.heading_rad, append=track.heading_rad[:1])
    turn = (turn + math.pi) % (2.0 * math.pi) - math.pi
    return turn[turn > 0].sum(), -turn[turn < 0].sum()


@settings(max_examples=25)
@given(seed=seeds, demand=demands)
def test_every_demand_is_met(seed, demand):
    track = generate_track(seed, **demand)
    assert track.length_m == pytest.approx(demand['length_m'], rel=0.02)
    assert track.min_radius_m >= demand['min_radius_m']
    assert track.width_m == pytest.approx(np.full(len(track.s_m) - 1, demand['width_m']), abs=1e-6)
    assert closest_parts_m(track) > demand['width_m'] + 0.1


@settings(max_examples=15)
@given(seed=seeds)
def test_the_surface_never_overlaps_itself(seed):
    track = generate_track(seed)
    s = np.linspace(0.0, track.length_m, 500, endpoint=False)
    for lateral in (-0.39, 0.39):
        # A point near one border would project elsewhere if another part lay over it.
        at = track.project(np.stack(track.pose_at(s, lateral)[:2], axis=-1))
        away = np.abs(at.s_m - s)
        assert np.minimum(away, track.length_m - away).max() < 0.3


@settings(max_examples=10)
@given(seed=seeds)
def test_the_same_seed_gives_the_same_track(seed):
    one, other = generate_track(seed), generate_track(seed)
    assert np.array_equal(one.centre_m, other.centre_m)
    assert np.array_equal(one.left_border_m, other.left_border_m)


def test_shapes_vary():
    tracks = [generate_track(seed) for seed in range(20)]
    assert len({round(track.bounds_m[2], 3) for track in tracks}) == 20
    assert {track.is_clockwise for track in tracks} == {False, True}
    both = [min(left_and_right_turning_rad(track)) for track in tracks]
    assert max(both) > math.pi  # an S of half a turn or more: not just ovals
    assert sum(turning > math.radians(45.0) for turning in both) > 10


def test_names():
    assert generate_track(3).name == 'generated-3'
    assert generate_track(3, name='mine').name == 'mine'


@pytest.mark.parametrize(
    ('demand', 'message'),
    [
        ({'seed': -1}, r'seed is -1; allowed: 0 to inf'),
        ({'length_m': 1.0}, r'length_m is 1; allowed: 4 to 500'),
        ({'width_m': math.nan}, r'width_m is nan; allowed: 0.2 to 5'),
        ({'min_radius_m': 4.0}, r'length_m 20 is too short .*allowed: 27.6 m or more'),
        ({'min_radius_m': 2.8, 'seed': 2}, 'min_radius_m is the strictest demand: lower it or'),
        ({'width_m': 5.0, 'length_m': 18.0, 'seed': 2}, 'width_m is the strictest demand'),
    ],
)
def test_impossible_demands_are_refused(demand, message):
    with pytest.raises(TrackError, match=message):
        generate_track(**({'seed': 0} | demand))
