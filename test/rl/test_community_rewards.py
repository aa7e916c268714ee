"""Rewards in the styles that people write and share: none has an error, and all of them train."""

import math
from pathlib import Path

import pytest

from racer_rl.envs.build import RaceSetup
from racer_rl.evaluation.laps import EvaluationPlan
from racer_rl.reward.library import included_rewards
from racer_rl.reward.loading import read_reward
from racer_rl.reward.validation.validate import validate
from racer_rl.store.models import ModelFolder
from racer_rl.training.hyperparameters import PPOHyperparameters
from racer_rl.training.plan import Limits, StopReason, TrainingPlan
from racer_rl.training.train import train
from racer_sim.track_library import find_track

COMMUNITY = sorted((Path(__file__).parent / 'community').glob('*.py'))
NAMES = [path.stem for path in COMMUNITY]

LETS_BAD_DRIVERS_WIN = {
    'centre_line': 'slow crawl',
    'lap_bonus': 'circling on the spot',
    'prevent_zigzag': 'slow crawl',
    'speed_and_steering': 'circling on the spot',
    'speed_threshold': 'circling on the spot',
    'stay_inside': 'slow crawl',
    'waypoint_heading': 'slow crawl',
}
"""What validation says of those that do not pay for headway."""


def test_there_are_ten():
    assert len(COMMUNITY) == 10


@pytest.mark.parametrize('path', COMMUNITY, ids=NAMES)
def test_validates_without_an_error(path):
    verdict, practice = validate(read_reward(path), [find_track('oval')])
    assert [str(each) for each in verdict.findings if each.severity == 'error'] == []
    assert practice is not None
    winners = {exploit.driver for exploit in verdict.exploits}
    if path.stem in LETS_BAD_DRIVERS_WIN:
        assert LETS_BAD_DRIVERS_WIN[path.stem] in winners
    else:
        assert winners == set()


@pytest.mark.parametrize('name', sorted(included_rewards()))
def test_included_rewards_validate_without_a_warning(name):
    verdict, _ = validate(read_reward(included_rewards()[name]), [find_track('pebble')])
    assert [str(each) for each in verdict.findings] == []
    assert verdict.ok


@pytest.mark.parametrize('path', COMMUNITY, ids=NAMES)
def test_trains(path, tmp_path):
    settings = PPOHyperparameters(n_envs=4, n_steps=32, batch_size=64, n_epochs=2)
    plan = TrainingPlan(setup=RaceSetup(reward=str(path)), hyperparameters=settings,
                        limits=Limits(steps=384), evaluation=EvaluationPlan(laps=1, starts=1))
    seen = []
    reason, standing = train(ModelFolder(tmp_path / 'model'), plan, seen.append)
    assert reason is StopReason.STEPS
    assert standing.steps >= 384
    assert len(seen) == 3
    assert standing.mean_reward is None or math.isfinite(standing.mean_reward)
