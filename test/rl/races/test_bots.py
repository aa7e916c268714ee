"""The yardsticks: clean laps, at their own pace, also where something is in the way."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from racer_rl.races.bots import MEDIUM_MPS, SLOW_MPS
from racer_rl.races.entrants import Entrant
from racer_rl.races.lines import BRAKE_MPS2, EASY_GRIP_MPS2, easy_line
from racer_rl.races.passing import Moment, Passing, Place
from racer_rl.races.plan import RacePlan
from racer_rl.races.run import run_race
from racer_sim.courses import courses_of
from racer_sim.encounters import ENCOUNTER
from racer_sim.lap_bound import lap_bound
from racer_sim.race_format import Obstacles, RaceFormat
from racer_sim.rules import RaceRules
from racer_sim.track_library import find_track
from racer_vehicle.spec import CarSpec

CAR = CarSpec()


def driven(bot, track, laps=2, format_=None, **rules):
    plan = RacePlan(track=track, format=format_ or RaceFormat(),
                    rules=RaceRules(laps=laps, time_limit_s=600.0, **rules))
    return run_race(plan, [Entrant(name=bot, bot=bot)]).entries[0]


@pytest.mark.parametrize(('bot', 'speed_mps'), [('slow', SLOW_MPS), ('medium', MEDIUM_MPS)])
def test_a_lap_along_the_centre_line_takes_as_long_as_it_is(bot, speed_mps):
    track = find_track('kidney')
    entry = driven(bot, 'kidney')
    assert entry.lap_clean == (True, True)
    assert entry.lap_times_s[1] == pytest.approx(track.length_m / speed_mps, rel=0.05)


def test_the_optimal_one_comes_near_what_nobody_can_beat(racer_home):
    bound_s = lap_bound(find_track('pebble'), CAR, CAR.max_speed_mps).bound_s
    entry = driven('optimal', 'pebble', laps=20)
    assert entry.lap_clean == (True,) * 20
    assert bound_s < np.mean(entry.lap_times_s[1:]) < 1.5 * bound_s
    assert entry.lap_times_s[1] < 0.7 * find_track('pebble').length_m / MEDIUM_MPS


def test_boxes_are_passed_without_touching_one():
    boxes = RaceFormat(obstacles=Obstacles(
        count=4, places=((0.15, 1), (0.4, -1), (0.65, 1), (0.9, -1))))
    entry = driven('medium', 'oval', format_=boxes)
    assert entry.lap_clean == (True, True)


def test_bends_are_taken_slower_and_braked_for_in_time():
    line = easy_line(courses_of([find_track('switchback')])[0], 4.0)
    assert (line.speed_mps**2 * line.bend <= EASY_GRIP_MPS2 + 1e-9).all()
    assert line.speed_mps.max() > 2.0 * line.speed_mps.min()
    slowing = line.speed_mps**2 - np.roll(line.speed_mps, -1) ** 2
    assert slowing.max() <= 2.0 * BRAKE_MPS2 * 0.1 + 1e-9


def road(s_m):
    return Place(0.0, 0.5, 0.5, 0.0)


def body(gap_m, lateral_m, speed_mps=0.0, moves=False):
    met = np.zeros(1, dtype=ENCOUNTER)
    for name, value in (('is_there', True), ('gap_m', gap_m), ('lateral_m', lateral_m),
                        ('speed_mps', speed_mps), ('moves', moves)):
        met[name] = value
    return met


@settings(max_examples=200)
@given(st.floats(-0.5, 0.5), st.floats(0.6, 1.4), st.floats(0.0, 3.0), st.booleans())
def test_beside_a_body_there_is_room_for_both(lateral_m, gap_m, speed_mps, moves):
    # Steers to a place beside the body, wherever that is on a road of a metre.
    me = Moment(10.0, 0.0, 10.0 + gap_m, speed_mps, 3.0)
    way = Passing(CAR).find(body(gap_m, lateral_m, moves=moves), road, me)
    half_m = 0.5 * (CAR.width_m + (CAR.width_m if moves else 0.3))
    assert abs(way.lateral_m - lateral_m) >= half_m


@settings(max_examples=200)
@given(st.floats(0.6, 6.0), st.floats(0.0, 3.0))
def test_where_there_is_no_way_past_it_stops_in_time(gap_m, speed_mps):
    def lane(s_m):
        return Place(0.0, 0.15, 0.15, 0.0)

    way = Passing(CAR).find(body(gap_m, 0.0), lane, Moment(0.0, 0.0, 0.5, speed_mps, 3.0))
    free_m = gap_m - 0.5 * (0.4 + CAR.length_m)
    if gap_m < 1.5:
        assert way.speed_mps**2 <= 2.0 * 6.0 * max(free_m, 0.0), 'with all that the brakes have'
    assert way.lateral_m == 0.0


def test_who_is_hardly_slower_is_followed():
    quick, slow = body(1.0, 0.0, 1.0, moves=True), body(1.0, 0.0, 0.3, moves=True)
    me = Moment(0.0, 0.0, 1.0, 1.0, 1.1)
    assert Passing(CAR).find(quick, road, me).lateral_m == 0.0
    assert abs(Passing(CAR).find(slow, road, me).lateral_m) > CAR.width_m


def test_two_close_together_are_passed_on_one_side_and_neither_is_driven_into():
    both = np.concatenate((body(0.2, 0.0, 1.0, moves=True), body(0.8, -0.1, 1.0, moves=True)))
    passing = Passing(CAR)
    # Beside the first, on its left; the second alone would be passed on its left or right.
    for gap_m in (0.3, 0.2, 0.1):
        both['gap_m'] = gap_m, gap_m + 0.6
        way = passing.find(both, road, Moment(0.0, 0.3, 0.8, 2.0, 3.0))
        assert way.lateral_m >= CAR.width_m
