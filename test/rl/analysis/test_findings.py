"""Planted causes are found, with their figures; a healthy run raises no alarm."""

import numpy as np
import pandas as pd
import pytest

from racer_rl.analysis.findings import Severity, findings_of
from racer_rl.analysis.findings_driving import (
    incident_cluster,
    reliable,
    slow_section,
    unstable_timing,
    unused_actions,
    zigzag,
)
from racer_rl.analysis.findings_training import (
    best_long_ago,
    faster_laps_pay_no_more,
    few_complete_laps,
    prints_flood,
    reward_without_progress,
    still_improving,
)
from racer_vehicle.action import DiscreteActions
from racer_vehicle.metadata import ModelMetadata


def test_a_healthy_run_raises_no_alarm(healthy):
    found = findings_of(healthy)
    assert {finding.severity for finding in found} <= {Severity.GOOD, Severity.HINT}
    assert 'Drives reliably' in found[-1].title
    assert '1.1' in reliable(healthy).evidence  # times the bound


def test_findings_come_worst_first(plant):
    run = plant(lambda iteration, number: {'stop': 0.5, 'period_s': 0.1})
    order = [list(Severity).index(finding.severity) for finding in findings_of(run)]
    assert order == sorted(order) and len(order) >= 2


def test_a_slow_section_is_named_with_both_speeds(plant, healthy):
    section = healthy.sections[3]
    first, last = (row / healthy.road.waypoints for row in (section.first - 2, section.last + 2))

    def crawls(share):
        return np.where((share >= first) & (share <= last), 1.1, 1.9)

    found = slow_section(plant(lambda iteration, number: {'speed_mps': crawls}))
    assert found.title.startswith(f'Slow through {section.label}')
    assert '1.1 m/s against a possible 2.0' in found.title
    assert slow_section(healthy) is None


def test_slow_everywhere_is_not_blamed_on_one_section(plant):
    found = slow_section(plant(lambda iteration, number: {'speed_mps': 1.0}))
    assert found.title == 'Slow all the way round: 1.0 m/s against a possible 2.0'
    assert 'asks for no more' in found.advice


def test_slow_though_more_is_asked_for(plant):
    found = slow_section(plant(lambda iteration, number: {'speed_mps': 1.0, 'command_mps': 2.0}))
    assert 'asks for more than the car reaches' in found.advice


def test_nothing_is_slow_without_a_bound(plant):
    run = plant(lambda iteration, number: {'speed_mps': 1.0}, with_bound=False, iterations=2)
    assert slow_section(run) is None


@pytest.mark.parametrize(('angle', 'limit'), [(30.0, True), (5.0, False)])
def test_a_crash_cluster_is_found_and_full_steering_named(plant, angle, limit):
    stop_at = 61

    def steering(share):
        return np.where(np.abs(share - stop_at / 137) < 0.06, angle, 10.0)

    def episode(iteration, number):
        return {'stop': stop_at / 137 if number < 5 else (0.08 * number + 0.1 * iteration) % 0.9
                + 0.05, 'steering_deg': steering}

    found = incident_cluster(plant(episode))
    share, waypoint = int(found.title.split(' %')[0].split('%')[0]), int(
        found.title.split('waypoint ')[1].split(';')[0])
    assert 50 <= share <= 65 and abs(waypoint - stop_at) <= 1
    assert ('steering is at its limit there' in found.title) is limit
    assert found.severity is Severity.ALARM


def test_incidents_all_round_are_no_cluster(plant):
    run = plant(lambda iteration, number: {'stop': (0.0931 * number + 0.0617 * iteration) % 0.85
                                           + 0.1})
    assert incident_cluster(run) is None


def test_unused_actions_are_listed(plant, healthy):
    space = DiscreteActions(steering_rad=(-0.3, 0.0, 0.3, 0.5), speed_mps=(1.0, 2.0, 1.0, 3.0))
    metadata = ModelMetadata(action_space=space)
    run = plant(lambda iteration, number: {}, metadata=metadata)
    run.training['action'] = np.where(np.arange(len(run.training)) % 2, 1, 2)
    found = unused_actions(run)
    assert found.title == '2 of 4 actions are hardly ever taken'
    assert '+29° at 3.0 m/s' in found.evidence
    assert unused_actions(healthy) is None


def test_zigzag_is_found_and_smooth_steering_is_not(plant, healthy):
    def left_right(share):
        return np.where(np.arange(len(share)) % 2, 20.0, -20.0)

    found = zigzag(plant(lambda iteration, number: {'steering_deg': left_right}))
    assert '9' in found.title.split('%')[0]
    assert zigzag(healthy) is None


def test_slow_control_periods_are_an_alarm(plant, healthy):
    found = unstable_timing(plant(lambda iteration, number: {'period_s': 0.085}, iterations=2))
    assert found.title == 'Timing was unstable: 85 ms a step instead of 66'
    assert unstable_timing(healthy) is None


def test_reward_up_completion_flat(plant, healthy):
    def episode(iteration, number):
        return {'stop': 0.3, 'reward': lambda rows: np.full(len(rows), 1.0 + 0.2 * iteration)}

    found = reward_without_progress(plant(episode))
    assert found.severity is Severity.ALARM and 'gets no further' in found.title
    assert '30 % to 30 %' in found.evidence
    assert reward_without_progress(healthy) is None


def test_the_best_model_long_before_the_end(plant, healthy):
    def episode(iteration, number):
        return {'stop': 0.9 if 3 <= iteration <= 6 else 0.4}

    found = best_long_ago(plant(episode))
    assert found.title.startswith('The best model was at iteration 4')
    assert best_long_ago(healthy) is None


def test_still_improving(plant, healthy):
    def episode(iteration, number):
        return {'stop': 0.1 + 0.045 * iteration + 0.002 * number}

    assert 'still getting better' in still_improving(plant(episode)).title
    assert still_improving(healthy) is None


def test_still_getting_faster(plant):
    run = plant(lambda iteration, number: {'speed_mps': 1.0 + 0.05 * iteration})
    assert 'the median lap' in still_improving(run).evidence


@pytest.mark.parametrize(('reward', 'title'), [
    (lambda rows: np.ones(len(rows)), 'The reward pays slower laps more'),
    (lambda rows: np.full(len(rows), (len(rows) * 7919) % 13 / len(rows)),
     'The reward pays no more for faster laps'),
])
def test_rewards_that_do_not_want_speed(plant, reward, title):
    run = plant(lambda iteration, number: {'speed_mps': 1.2 + 0.02 * iteration + 0.03 * number,
                                           'reward': reward})
    assert faster_laps_pay_no_more(run).title == title


def test_a_reward_for_speed_is_fine(plant):
    run = plant(lambda iteration, number: {
        'speed_mps': 1.2 + 0.05 * number, 'reward': lambda rows: rows['pace'] ** 2})
    assert faster_laps_pay_no_more(run) is None


def test_a_flood_of_prints(healthy, plant):
    printed = pd.DataFrame({'text': ['speed 1.0'], 'count': [50_000], 'first_episode': [1]})
    found = prints_flood(plant(lambda iteration, number: {}, iterations=2, printed=printed))
    assert found.title == 'The reward function printed 50,000 lines'
    few = pd.DataFrame({'text': ['speed 1.0'], 'count': [30], 'first_episode': [1]})
    assert prints_flood(plant(lambda iteration, number: {}, iterations=2, printed=few)) is None


def test_too_few_complete_laps(plant, healthy):
    found = few_complete_laps(plant(lambda iteration, number: {'stop': 0.4}))
    assert found.title == '0% of the last episodes are complete laps'
    assert few_complete_laps(healthy) is None


def test_little_data_finds_nothing(plant):
    run = plant(lambda iteration, number: {'stop': 0.4}, iterations=1, episodes=2)
    assert findings_of(run) == ()
