"""Laps beside the lap bound: which count, and what is said where something is missing."""

import json

import numpy as np
import pytest

from racer_rl.envs.build import RaceSetup
from racer_rl.evaluation.comparison import Comparison, mean_ratio
from racer_rl.evaluation.laps import Evaluation, EvaluationPlan, Run, evaluate
from racer_sim.lap_bound import LapBound, compute_lap_bound
from racer_sim.rules import Lap, Status
from racer_sim.track_library import find_track
from racer_vehicle.action import ContinuousActions


def bound(lap_s):
    return LapBound(bound_s=lap_s, margin_s=0.0, max_speed_mps=2.0, qss_s=lap_s,
                    line=np.zeros((4, 2)), speed_mps=np.ones(4))


def driven(*times_s, dirty=()):
    laps = tuple(Lap(0, number, time_s, number not in dirty)
                 for number, time_s in enumerate(times_s, start=1))
    return Run(track='oval', direction='forward', start=0.0, status=Status.LAP_COMPLETE,
               incidents=len(dirty), completion=1.0, time_s=sum(times_s), laps=laps)


def compared(runs, bounds=(), starts=2):
    return Comparison(Evaluation(EvaluationPlan(laps=3, starts=starts), tuple(runs)), bounds)


def test_first_laps_and_laps_with_an_incident_do_not_count():
    shown = compared([driven(99.0, 12.0, 14.0), driven(1.0, 77.0, 10.0, dirty={2})], (bound(8.0),))
    assert shown.mean_flying_lap_s == pytest.approx(12.0)
    assert shown.ratio == pytest.approx(1.5)
    assert shown.lap_bound_s == 8.0


def test_courses_have_their_own_bounds():
    runs = [driven(9.0, 10.0), driven(9.0, 12.0), driven(9.0, 20.0), driven(9.0, 40.0)]
    shown = compared(runs, (bound(10.0), bound(20.0)))
    assert [each.bound_s for _, each in shown.runs] == [10.0, 10.0, 20.0, 20.0]
    assert shown.ratio == pytest.approx((1.0 + 1.2 + 1.0 + 2.0) / 4)
    assert shown.lap_bound_s is None


def test_a_ratio_leaves_no_lap_out():
    runs = [driven(9.0, 10.0), driven(9.0, 12.0)]
    shown = compared(runs, (bound(10.0), None), starts=1)
    assert [mean_ratio([pair]) for pair in shown.runs] == [1.0, None]
    assert shown.ratio is None
    unfinished = compared([runs[0], driven(9.0)], (bound(10.0), None), starts=1)
    assert unfinished.ratio == 1.0


@pytest.mark.parametrize('bounds', [(), (None,)])
def test_without_bounds_nothing_is_claimed(bounds):
    shown = compared([driven(9.0, 10.0), driven(9.0, 10.0)], bounds)
    assert (shown.ratio, shown.lap_bound_s) == (None, None)
    assert {line['ratio'] for line in shown.as_dict()['runs']} == {None}


def test_as_dict_is_the_evaluations_and_more():
    shown = compared([driven(9.0, 10.0), driven(9.0)], (bound(8.0),))
    record = json.loads(json.dumps(shown.as_dict(), allow_nan=False))
    assert record == shown.as_dict()
    assert (record['lap_bound_s'], record['ratio']) == (8.0, 1.25)
    assert [(line['lap_bound_s'], line['ratio']) for line in record['runs']] == [
        (8.0, 1.25), (8.0, None)]
    for line in (record, *record['runs']):
        del line['lap_bound_s'], line['ratio']
    assert record == shown.evaluation.as_dict()


def keep_to_the_centre(observation):
    privileged = observation['privileged']
    offset, error, bend = privileged[:, 0], privileged[:, 2], privileged[:, 14]
    steering = np.clip(-0.7 * offset - 1.5 * error + 0.5 * bend, -1.0, 1.0)
    return np.column_stack((steering, np.ones(len(steering))))


def test_the_centre_line_at_full_speed_is_slower_than_the_bound():
    actions = ContinuousActions(speed_low_mps=0.5, speed_high_mps=1.5)
    setup = RaceSetup(track='oval', actions=actions, image_age_s=(0.0, 0.0))
    shown = Comparison(
        evaluate(keep_to_the_centre, setup, EvaluationPlan(laps=2, starts=2)),
        (compute_lap_bound(find_track('oval'), setup.car, actions.top_speed_mps),))
    assert shown.evaluation.is_clean
    assert 1.05 < shown.ratio < 1.6
