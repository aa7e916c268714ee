"""Evaluation: what counts as a lap, what costs time, what ends a run, and who is better."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from racer_rl.envs.build import RaceSetup
from racer_rl.evaluation.laps import (
    EvaluationPlan,
    evaluate,
    with_course,
)
from racer_sim.privileged import PRIVILEGED_SIZE
from racer_sim.race_format import Bots, RaceFormat
from racer_sim.rules import Status
from racer_vehicle.errors import ConfigError
from racer_vehicle.spec import CarSpec, MotorSpec

OVAL = RaceSetup(track='oval')
ONE_LAP = EvaluationPlan(laps=1, starts=2)


def driver(observation):
    """Keeps to the middle by the truth that only tests and critics may see."""
    lateral, sine, bend = (observation['privileged'][:, column] for column in (0, 2, 13))
    steering = np.clip(1.2 * bend - 0.8 * lateral - 1.5 * sine, -1.0, 1.0)
    return np.stack((steering, np.full_like(steering, -0.5)), axis=1).astype(np.float32)


def passing(observation):
    """As `driver`, but in the lane that whoever is ahead is not in."""
    truth = observation['privileged'].copy()
    near, beside = truth[:, PRIVILEGED_SIZE], truth[:, PRIVILEGED_SIZE + 1]
    truth[:, 0] += np.where(near > 0.5, 0.5 * np.sign(beside + truth[:, 0]), 0.0)
    return driver({'privileged': truth})


def straight_on(observation):
    return np.tile(np.float32([0.0, 0.0]), (len(observation['camera']), 1))


def in_circles(observation):
    return np.tile(np.float32([1.0, -1.0]), (len(observation['camera']), 1))


@pytest.mark.parametrize('direction', ['forward', 'reverse', 'both'])
def test_a_good_driver_has_only_clean_laps(direction):
    shown = evaluate(driver, replace(OVAL, direction=direction), EvaluationPlan(laps=2, starts=2))
    directions = ['forward', 'reverse'] if direction == 'both' else [direction]
    assert [(run.direction, run.start) for run in shown.runs] == [
        (name, start) for name in directions for start in (0.0, 0.5)]
    assert shown.is_clean
    assert shown.clean_laps == shown.total_laps == 4 * len(directions)
    assert shown.completion == pytest.approx(1.0)
    assert {run.status for run in shown.runs} == {Status.LAP_COMPLETE}
    for run in shown.runs:
        # A lap ends between two steps, the run with the step after it.
        assert run.time_s - 0.066 <= sum(lap.time_s for lap in run.laps) <= run.time_s
    assert shown.best_lap_s <= shown.mean_lap_s


def test_several_tracks_are_each_driven():
    shown = evaluate(driver, RaceSetup(track=('oval', 'pebble')), ONE_LAP)
    assert [run.track for run in shown.runs] == ['oval', 'oval', 'pebble', 'pebble']


def test_the_first_incident_ends_a_run_without_resets():
    shown = evaluate(straight_on, OVAL, ONE_LAP)
    assert {run.status for run in shown.runs} == {Status.OFF_TRACK}
    assert {run.incidents for run in shown.runs} == {1}
    assert 0.0 < shown.completion < 0.5
    assert shown.mean_lap_s is None and shown.best_lap_s is None and not shown.is_clean


def test_resets_cost_their_penalty_and_are_counted():
    without = evaluate(straight_on, OVAL, ONE_LAP)
    survived = evaluate(straight_on, OVAL, replace(ONE_LAP, resets=2))
    for once, again in zip(without.runs, survived.runs, strict=True):
        assert again.incidents == 3
        assert again.status is Status.OFF_TRACK
        assert again.time_s > once.time_s + 2 * 2.0
        assert again.completion >= once.completion


def test_a_lap_with_a_reset_counts_but_is_not_clean():
    calls = iter(range(10_000))

    def careless(observation):
        return straight_on(observation) if next(calls) < 60 else driver(observation)
    shown = evaluate(careless, OVAL, EvaluationPlan(laps=2, starts=1, resets=5))
    run = shown.runs[0]
    assert run.status is Status.LAP_COMPLETE and run.incidents >= 1
    assert [lap.clean for lap in run.laps] == [False, True]
    assert run.laps[0].time_s > run.laps[1].time_s + 2.0
    assert (shown.clean_laps, shown.total_laps, shown.is_clean) == (1, 2, False)


def test_the_clock_ends_a_run():
    shown = evaluate(driver, OVAL, EvaluationPlan(laps=3, starts=1, lap_time_limit_s=2.0))
    run = shown.runs[0]
    assert run.status is Status.TIME_UP
    assert 6.0 <= run.time_s < 6.0 + 0.066
    assert 0.0 < run.completion < 1.0


def test_driving_backward_is_reversed():
    assert {run.status for run in evaluate(in_circles, OVAL, ONE_LAP).runs} == {Status.REVERSED}


def test_a_standing_car_is_immobilized():
    stuck = replace(CarSpec(), motor=MotorSpec(stall_accel_mps2=0.1, rolling_accel_mps2=5.0))
    shown = evaluate(driver, replace(OVAL, car=stuck), ONE_LAP)
    assert {run.status for run in shown.runs} == {Status.IMMOBILIZED}
    assert shown.completion == pytest.approx(0.0, abs=1e-3)


def test_an_evaluation_repeats_itself_whatever_the_seed_of_training():
    texts = set()
    for seed in (1, 2):
        torch.manual_seed(seed)
        np.random.seed(seed)
        texts.add(json.dumps(evaluate(driver, OVAL, ONE_LAP).as_dict()))
    assert len(texts) == 1
    other = evaluate(driver, OVAL, replace(ONE_LAP, seed=1)).as_dict()
    assert other['runs'] != json.loads(texts.pop())['runs']


def test_as_dict_is_plain_and_complete():
    shown = evaluate(driver, OVAL, ONE_LAP)
    record = json.loads(json.dumps(shown.as_dict(), allow_nan=False))
    assert record == shown.as_dict()
    assert set(record) == {
        'laps', 'clean_laps', 'total_laps', 'clean_runs', 'overtaking_runs', 'completion',
        'mean_lap_s', 'best_lap_s', 'status_counts', 'starts', 'resets', 'seed', 'runs'}
    assert set(record['runs'][0]) == {
        'track', 'direction', 'start', 'status', 'incidents', 'completion', 'time_s',
        'overtakes', 'lap_times_s', 'lap_clean'}
    assert record['clean_runs'] == 2 and record['overtaking_runs'] is None
    assert record['status_counts'] == {'lap_complete': 2}


@pytest.mark.parametrize('wrong', [
    {'laps': 0}, {'starts': 0}, {'resets': -1}, {'lap_time_limit_s': float('nan')}, {'seed': -1},
])
def test_plans_are_checked(wrong):
    with pytest.raises(ConfigError, match=r'EvaluationPlan\..* allowed: '):
        EvaluationPlan(**wrong)


def test_who_passes_a_bot_has_overtaken_and_who_has_nobody_to_pass_has_not():
    slow = RaceFormat(bots=Bots(count=1, slowest_mps=0.0, fastest_mps=0.0))
    shown = evaluate(passing, replace(OVAL, race=slow), ONE_LAP)
    assert shown.is_clean
    assert (shown.overtaking_runs, [run.overtakes for run in shown.runs]) == (2, [1, 1])
    assert {run.overtakes for run in evaluate(driver, OVAL, ONE_LAP).runs} == {None}


def test_the_starts_of_cars_that_share_a_track_are_whole_races():
    with pytest.raises(ConfigError, match=r'starts is 2 in a race of 3 cars; allowed: 3, or a'):
        evaluate(driver, replace(OVAL, race=RaceFormat(cars=3)), ONE_LAP)


def test_with_course_changes_only_the_course():
    changed = with_course(OVAL, track='pebble', direction='reverse')
    assert (changed.tracks, changed.direction) == (('pebble',), 'reverse')
    assert replace(changed, track=OVAL.track, direction=OVAL.direction) == OVAL
    assert with_course(OVAL) == OVAL
    assert with_course(OVAL, race=RaceFormat(cars=2)).race.cars == 2
