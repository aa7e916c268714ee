"""The robustness suite: every range is tried, drawn by the seed, and scored field by field."""

import numpy as np
import pytest

from racer_rl.envs.build import RaceSetup
from racer_rl.evaluation import suite
from racer_rl.evaluation.suite import (
    CONDITIONS,
    HELD_OUT_TRACKS,
    SuitePlan,
    race_everywhere,
    run_suite,
)
from racer_sim.courses import courses_of
from racer_sim.race_format import Obstacles, RaceFormat
from racer_sim.randomization import NAMES
from racer_sim.track_library import find_track
from racer_vehicle.errors import ConfigError

OVAL = RaceSetup(track='oval')


def driver(observation):
    """Drives by what only the critic sees: along the middle, ahead of its bends."""
    truth = observation['privileged']
    steering = 0.5 * truth[:, 14] - 0.7 * truth[:, 0] - 1.5 * truth[:, 2]
    return np.column_stack((np.clip(steering, -1, 1), np.zeros(len(truth)))).astype(np.float32)


def standing(observation):
    return np.tile(np.float32((0.0, -1.0)), (len(observation['camera']), 1))


@pytest.fixture(scope='module')
def driven():
    return run_suite(driver, OVAL, SuitePlan(starts=1, tracks=1))


def test_every_range_is_in_one_condition():
    named = [name for names in CONDITIONS.values() for name in names]
    assert sorted(named) == sorted(NAMES)


def test_the_matrix_has_every_condition_at_two_strengths(driven):
    fields = [(cell.condition, cell.strength) for cell in driven.cells]
    assert fields[0] == ('as specified', '')
    assert len(set(fields)) == len(fields) == 1 + 2 * len(CONDITIONS) + 2 + 3 + 3
    assert {(condition, strength) for condition in CONDITIONS
            for strength in ('mild', 'hard')} <= set(fields)
    courses = {cell.condition: {(run.track, run.direction) for run in cell.runs}
               for cell in driven.cells}
    assert courses['all at once'] == {('oval', 'forward')}
    assert courses['the other way round'] == {('oval', 'reverse')}
    assert courses['unknown tracks'] == {('kidney', 'forward'), ('kidney', 'reverse')}


def test_the_score_is_the_mean_share_of_clean_laps(driven):
    shares = [cell.clean_share for cell in driven.cells]
    assert driven.score == pytest.approx(np.mean(shares))
    assert driven.cells[0].clean_share == 1.0
    by_sight = {cell.condition: cell for cell in driven.cells}['blur and noise']
    assert by_sight.clean_share == 1.0, 'this driver does not look'
    lap_steps = driven.cells[0].runs[0].time_s / 0.066
    assert driven.car_steps > 20 * lap_steps


def test_the_same_seed_meets_the_same_conditions():
    plan = SuitePlan(starts=1, tracks=0, single=False, lap_time_limit_s=20.0)
    one, same = (run_suite(driver, OVAL, plan) for _ in range(2))
    other = run_suite(driver, OVAL, SuitePlan(starts=1, tracks=0, single=False, seed=1,
                                              lap_time_limit_s=20.0))
    assert one.as_dict() == same.as_dict()
    assert one.as_dict() != other.as_dict()


def test_what_stands_scores_nothing():
    result = run_suite(standing, OVAL, SuitePlan(starts=1, tracks=0, single=False,
                                                 lap_time_limit_s=3.0))
    assert result.score == 0.0 and result.completion < 0.2
    assert all(cell.mean_lap_s is None for cell in result.cells)


def test_what_was_trained_on_is_not_unknown():
    known = RaceSetup(track=(HELD_OUT_TRACKS[0], 'oval'), direction='both')
    _, other, unknown = suite._courses(known, SuitePlan(tracks=2))
    assert other == ()
    assert {course.track.name for course in unknown} == set(HELD_OUT_TRACKS[1:3])


@pytest.mark.parametrize('wrong', [{'starts': 0}, {'tracks': 9}, {'lap_time_limit_s': 0.0}])
def test_plans_are_checked(wrong):
    with pytest.raises(ConfigError, match=r'SuitePlan\..* allowed: '):
        SuitePlan(**wrong)


def test_what_has_no_room_everywhere_is_left_out_and_cars_drive_alone():
    short, long = (courses_of([find_track(name)])[0] for name in ('pebble', 'needle'))
    boxes = RaceFormat(obstacles=Obstacles(count=6, min_gap_m=3.0))
    assert race_everywhere(boxes, [long]) == boxes
    assert race_everywhere(boxes, [long, short]) == RaceFormat()
    assert race_everywhere(RaceFormat(cars=4), [long]) == RaceFormat()
