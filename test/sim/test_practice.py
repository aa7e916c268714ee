"""Practice tracks: any number, each different and always the same."""

import numpy as np
import pytest

from racer_sim.practice import LENGTH_M, MIN_RADIUS_M, WIDTH_M, expand_pool, practice_track
from racer_sim.track_library import find_track
from racer_vehicle.errors import ConfigError, UnknownNameError


def test_a_number_is_a_track():
    track = find_track('Practice-7')
    assert track.name == 'practice-7'
    assert np.array_equal(track.centre_m, practice_track.__wrapped__(7).centre_m)


@pytest.mark.parametrize('number', [0, 1, 17, 255, 123_456_789])
def test_every_track_is_inside_the_ranges(number):
    track = practice_track(number)
    assert 0.97 * LENGTH_M[0] < track.length_m < 1.03 * LENGTH_M[1]
    assert WIDTH_M[0] <= track.width_m.min() <= track.width_m.max() <= WIDTH_M[1]
    assert track.min_radius_m >= 0.97 * MIN_RADIUS_M[0]


def test_no_two_are_alike():
    tracks = [practice_track(number) for number in range(12)]
    assert len({round(track.length_m, 3) for track in tracks}) == 12
    assert len({track.is_clockwise for track in tracks}) == 2


def test_a_pool_is_its_tracks_and_another_name_itself():
    assert expand_pool('practice:3') == ('practice-0', 'practice-1', 'practice-2')
    assert expand_pool('oval') == ('oval',)
    assert expand_pool('practice-3') == ('practice-3',)


@pytest.mark.parametrize('name', ['practice:0', 'practice:257'])
def test_a_pool_of_none_or_too_many_is_refused(name):
    with pytest.raises(ConfigError, match=rf'{name} asks for .* allowed: 1 to 256'):
        expand_pool(name)


def test_a_name_that_only_looks_like_one_is_unknown():
    with pytest.raises(UnknownNameError, match="unknown track 'practice-x'"):
        find_track('practice-x')
