"""A run paid again: the same function pays the same, another one says what it prefers."""

import numpy as np
import pytest

from racer_rl.analysis.rescore import rescore_chapter, rescored, trace_numbers
from racer_rl.reward.loading import read_reward
from racer_rl.reward.params import CAR
from racer_vehicle.errors import ConfigError, RewardError

FAST = """
seen = []

def reward_function(params):
    seen.append(params['steps'])
    assert seen[-1] == 1 or seen[-1] == seen[-2] + 1, 'episodes are mixed up'
    return params['speed'] ** 2
"""


def written(tmp_path, text):
    path = tmp_path / 'mine.py'
    path.write_text(text)
    return read_reward(path)


@pytest.fixture(scope='module')
def steady(plant):
    return plant(lambda iteration, number: {
        'speed_mps': 1.2 + 0.05 * number, 'stop': 0.5 if number == 3 else None,
        'reward': lambda rows: np.ones(len(rows))}, iterations=6, episodes=8)


def test_the_numbers_are_those_of_the_trace(steady, track):
    numbers = dict(zip(CAR, trace_numbers(steady.steps, track, measured=True), strict=True))
    assert np.abs(numbers['lateral']).max() < 0.01
    assert set(np.unique(numbers['wheels'])) == {0.0, 4.0}
    moving = numbers['steps'] > 1
    assert np.allclose(np.median(numbers['speed'][moving]), 1.4, atol=0.2)
    assert np.allclose(numbers['width'], track.width_m.mean(), rtol=0.2)


def test_every_episode_is_paid_in_order_by_one_instance(steady, tmp_path):
    result = rescored(steady, written(tmp_path, FAST))
    speeds = steady.steps.groupby('unique_episode')['speed'].apply(lambda values: (
        values.astype(float) ** 2).sum())
    assert np.allclose(result.episodes['new'], speeds, rtol=1e-4)
    assert np.allclose(result.episodes['old'], steady.episodes['steps'])
    assert result.lap_time_relation('old') > 0.95  # a reward a step pays slow laps
    assert result.lap_time_relation('new') < -0.95
    assert result.preferred('new')['time_s'].max() < result.preferred('old')['time_s'].min()


def test_the_chapter_says_what_a_trace_cannot_tell(steady, tmp_path):
    chapter = rescore_chapter(rescored(steady, written(tmp_path, FAST)))
    text = str(chapter.blocks)
    assert 'objects_*' in text and 'steering_angle' in text and 'commanded speed' in text


def test_a_function_that_fails_names_its_line(steady, tmp_path):
    reward = written(tmp_path, 'def reward_function(params):\n    return params["speeed"]\n')
    with pytest.raises(RewardError, match=r'mine\.py:2'):
        rescored(steady, reward)


def test_without_a_track_there_is_no_reward(lap_log, tmp_path, racer_home):
    from racer_rl.analysis.run import Run
    from racer_sim.track_library import find_track

    run = Run.of(lap_log(find_track('practice-3')))
    with pytest.raises(ConfigError, match='give it with --track'):
        rescored(run, written(tmp_path, FAST))
