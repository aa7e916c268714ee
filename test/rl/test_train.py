"""Training: every kind of car learns, the best model is kept, and an error costs nothing."""

import math
from dataclasses import replace

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from racer_rl.envs.build import RaceSetup
from racer_rl.evaluation.laps import Evaluation, EvaluationPlan, Run, evaluate
from racer_rl.store.models import ModelFolder
from racer_rl.training import judgement
from racer_rl.training.checkpoint import load_checkpoint
from racer_rl.training.hyperparameters import PPOHyperparameters, SACHyperparameters
from racer_rl.training.plan import Limits, StopReason, TrainingPlan
from racer_rl.training.train import train
from racer_sim.rules import Lap, Status
from racer_vehicle.action import DiscreteActions
from racer_vehicle.errors import ConfigError, ModelMismatchError, RewardError
from racer_vehicle.observation import Sensor

PPO = PPOHyperparameters(n_envs=4, n_steps=32, batch_size=64, n_epochs=2)
SAC = SACHyperparameters(n_envs=4, batch_size=32, learning_starts=64, buffer_size=1000,
                         train_freq=8)
SHORT = EvaluationPlan(laps=1, starts=2)
CAMERA = Sensor.FRONT_FACING_CAMERA
THREE_ACTIONS = DiscreteActions(steering_rad=(-math.radians(30), 0.0, math.radians(30)),
                                speed_mps=(1.0, 1.5, 1.0))

VARIANTS = {
    'ppo': ({}, PPO),
    'sac': ({}, SAC),
    'discrete': ({'actions': THREE_ACTIONS}, PPO),
    'lidar': ({'sensors': (CAMERA, Sensor.LIDAR)}, PPO),
    'sector-lidar': ({'sensors': (CAMERA, Sensor.SECTOR_LIDAR)}, SAC),
    'discretized-lidar': ({'sensors': (CAMERA, Sensor.DISCRETIZED_SECTOR_LIDAR)}, PPO),
    'stereo': ({'sensors': (Sensor.STEREO_CAMERAS,)}, PPO),
    'rgb': ({'colour': 'rgb'}, PPO),
    'stack': ({'stack': 2}, PPO),
    'both-directions': ({'direction': 'both'}, PPO),
    'two-tracks': ({'track': ('oval', 'pebble')}, PPO),
}


def watch(standing):
    """Nobody looks."""


def plan_for(steps, settings=PPO, **setup):
    return TrainingPlan(setup=RaceSetup(**setup), hyperparameters=settings, evaluation=SHORT,
                        limits=Limits(steps=steps), seed=3)


def weights(folder, which='last'):
    return load_checkpoint(folder.checkpoint(which))[0].policy.state_dict()


def steps_of(folder, which):
    return load_checkpoint(folder.checkpoint(which))[0].num_timesteps


def assert_same_weights(ours, theirs):
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.fixture
def folder(tmp_path):
    return ModelFolder(tmp_path / 'model')


@pytest.mark.parametrize(('setup', 'settings'), VARIANTS.values(), ids=VARIANTS)
def test_trains_saves_loads_evaluates_and_goes_on(folder, setup, settings):
    plan = plan_for(256, settings, **setup)
    reason, standing = train(folder, plan, watch)
    assert reason is StopReason.STEPS
    assert standing.steps >= 256
    assert folder.setup.metadata() == plan.setup.metadata()
    assert (folder.setup.tracks, folder.setup.direction, folder.setup.colour,
            folder.setup.stack) == (plan.setup.tracks, plan.setup.direction, plan.setup.colour,
                                    plan.setup.stack)

    shown = evaluate(folder.policy('best'), folder.setup, SHORT)
    courses = len(plan.setup.tracks) * (2 if plan.setup.direction == 'both' else 1)
    assert len(shown.runs) == 2 * courses
    nothing = {'confirmation': None, 'robust_score': None}
    assert shown.as_dict() | nothing == folder.progress['best']

    more = plan_for(standing.steps + 1, settings, **setup)
    _, resumed = train(folder, more, watch, resume=True)
    assert resumed.steps > standing.steps
    assert resumed.episodes >= standing.episodes


def test_another_car_is_not_resumed(folder):
    train(folder, plan_for(128), watch)
    with pytest.raises(ModelMismatchError, match=r'has actions Discrete\(3\); allowed'):
        train(folder, plan_for(256, actions=THREE_ACTIONS), watch, resume=True)


@pytest.mark.parametrize(('limits', 'settings', 'reason'), [
    (Limits(time_s=0.1), PPO, StopReason.TIME),
    (Limits(steps=129), PPO, StopReason.STEPS),
    (Limits(), PPOHyperparameters(n_envs=4, n_steps=32, batch_size=64, max_episodes=5),
     StopReason.EPISODES),
    (Limits(), PPOHyperparameters(n_envs=4, n_steps=32, batch_size=64, stop_mean_return=-1e9),
     StopReason.RETURN),
])
def test_every_limit_ends_a_run(folder, limits, settings, reason):
    plan = TrainingPlan(setup=RaceSetup(), hyperparameters=settings, limits=limits,
                        evaluation=SHORT)
    assert train(folder, plan, watch)[0] is reason
    assert steps_of(folder, 'last') == folder.progress['steps'] > 0


@pytest.mark.parametrize('wrong', [{'time_s': 0.0}, {'time_s': math.nan}, {'steps': 0}])
def test_limits_are_checked(wrong):
    with pytest.raises(ConfigError, match=r'Limits\..* allowed: '):
        Limits(**wrong)


@pytest.mark.parametrize('seed', [-1, 2**32])
def test_seed_is_checked(seed):
    with pytest.raises(ConfigError, match=r'TrainingPlan\.seed is .* allowed: 0 to '):
        TrainingPlan(setup=RaceSetup(), hyperparameters=PPO, limits=Limits(), seed=seed)


def test_how_it_is_judged_does_not_change_what_it_learns(tmp_path):
    judged, long_judged = ModelFolder(tmp_path / 'one'), ModelFolder(tmp_path / 'two')
    plan = plan_for(384)
    train(judged, plan, watch)
    longer = EvaluationPlan(laps=2, starts=5, resets=1, seed=9)
    train(long_judged, replace(plan, evaluation=longer), watch)
    assert_same_weights(weights(judged), weights(long_judged))


def scripted(monkeypatch, *clean_laps):
    """Evaluations come out as written here, in order."""
    remaining = list(clean_laps)

    def judge(_policy, _setup, plan, simulator=None, *, blind=False):
        assert simulator is None, 'it drives in the embedded simulator'
        laps = tuple(Lap(0, number, 10.0, True) for number in range(remaining.pop(0)))
        return Evaluation(plan, (Run(track='oval', direction='forward', start=0.0,
                                     status=Status.OFF_TRACK, incidents=1, completion=0.5,
                                     time_s=9.0, laps=laps),))
    monkeypatch.setattr(judgement, 'evaluate', judge)


def test_best_is_kept_beside_the_last_and_ties_take_the_newer(folder, monkeypatch):
    scripted(monkeypatch, 0, 2, 2, 1)
    _, standing = train(folder, plan_for(4 * 128), watch)
    assert (steps_of(folder, 'best'), steps_of(folder, 'last')) == (3 * 128, 4 * 128)
    assert standing.best.clean_laps == 2
    assert standing.evaluation.clean_laps == 1
    assert folder.progress['best_steps'] == 3 * 128
    assert folder.progress['best']['clean_laps'] == 2


def test_a_kill_between_best_and_last_does_not_lose_the_best(folder, monkeypatch):
    scripted(monkeypatch, 0, 2)
    train(folder, plan_for(128), watch)
    older = folder.checkpoint('last').read_bytes()
    train(folder, plan_for(256), watch, resume=True)
    folder.checkpoint('last').write_bytes(older)

    scripted(monkeypatch, 1)
    train(folder, plan_for(256), watch, resume=True)
    assert steps_of(folder, 'best') == folder.progress['best_steps'] == 256
    assert folder.progress['best']['clean_laps'] == 2


def test_nothing_is_a_model_before_it_can_be_resumed(folder, monkeypatch):
    """As if killed at the first write that follows the first checkpoint."""
    def killed(*_, **__):
        raise KeyboardInterrupt
    monkeypatch.setattr(ModelFolder, 'create', killed)
    with pytest.raises(KeyboardInterrupt):
        train(folder, plan_for(128), watch)
    assert not folder.exists
    monkeypatch.undo()
    assert train(folder, plan_for(128), watch)[0] is StopReason.STEPS


def test_leftovers_of_a_kill_are_removed(folder):
    train(folder, plan_for(128), watch)
    leftover = folder.path / 'checkpoints' / '.last.zip.0123456789abcdef.part'
    leftover.write_bytes(b'half')
    train(folder, plan_for(256), watch, resume=True)
    assert not leftover.exists()


def scalars(folder):
    events = EventAccumulator(str(folder.path / 'tensorboard'))
    events.Reload()
    return {tag: {event.step: event.value for event in events.Scalars(tag)}
            for tag in events.Tags()['scalars']}


@pytest.mark.parametrize('settings', [PPO, SAC], ids=['ppo', 'sac'])
def test_tensorboard_holds_reward_completion_and_every_evaluation(folder, settings):
    _, standing = train(folder, plan_for(512, settings), watch)
    seen = scalars(folder)
    assert seen['evaluation/completion'][standing.steps] == pytest.approx(
        standing.evaluation.completion)
    assert seen['evaluation/clean_laps'][standing.steps] == standing.evaluation.clean_laps
    assert 0.0 <= seen['rollout/completion'][max(seen['rollout/completion'])] <= 1.0
    assert all(math.isfinite(value) for value in seen['rollout/ep_rew_mean'].values())


FAILING = """calls = {'count': 0}


def reward_function(params):
    calls['count'] += 1
    if calls['count'] > LIMIT:
        return FAILURE
    return 1.0
"""


@pytest.mark.parametrize(('failure', 'words'), [
    ('1.0 / 0.0', r'reward\.py:7: `return 1\.0 / 0\.0` raised ZeroDivisionError'),
    ("float('nan')", r'reward\.py: reward_function returned nan \(float\)'),
    ('None', r'reward\.py: reward_function returned None'),
])
def test_a_reward_that_fails_keeps_the_model_of_the_last_update(tmp_path, failure, words):
    """Every car has its own count, so that the failure comes 8 steps into the third rollout."""
    reward = tmp_path / 'reward.py'
    reward.write_text(FAILING.replace('LIMIT', '72').replace('FAILURE', failure))
    failed, whole = ModelFolder(tmp_path / 'failed'), ModelFolder(tmp_path / 'whole')
    train(whole, plan_for(256, reward=str(reward)), watch)
    with pytest.raises(RewardError, match=words):
        train(failed, plan_for(512, reward=str(reward)), watch)
    assert_same_weights(weights(failed), weights(whole))
    assert evaluate(failed.policy('last'), failed.setup, SHORT).runs


def test_a_reward_that_fails_before_the_first_update_leaves_the_name_free(tmp_path):
    reward = tmp_path / 'reward.py'
    reward.write_text(FAILING.replace('LIMIT', '3').replace('FAILURE', 'None'))
    folder = ModelFolder(tmp_path / 'model')
    with pytest.raises(RewardError, match=r'returned None'):
        train(folder, plan_for(512, reward=str(reward)), watch)
    assert not folder.path.exists()


def test_a_disk_that_refuses_is_one_line(tmp_path):
    blocked = tmp_path / 'file'
    blocked.write_text('not a folder')
    with pytest.raises(ConfigError, match=r'cannot write .*file.*; free space there, or set '
                                          'RACER_HOME'):
        train(ModelFolder(blocked / 'model'), plan_for(128), watch)


PRINTING = """\
def reward_function(params):
    print('at', params['steps'])
    return params['speed']
"""
HANGING = """\
calls = 0
def reward_function(params):
    global calls
    calls += 1
    while calls > 100:
        pass
    return params['speed']
"""


def reward_file(tmp_path, text):
    path = tmp_path / 'mine.py'
    path.write_text(text)
    return str(path)


def test_what_a_reward_prints_is_in_the_models_log(folder, tmp_path):
    train(folder, plan_for(128, reward=reward_file(tmp_path, PRINTING)), watch)
    first, *others = (folder.path / 'reward.log').read_text().splitlines()
    assert first == 'episode 1, step 1, car 0: at 1'
    assert any(line.endswith('more lines left out; 20 a second are kept.') for line in others)


def test_a_reward_that_hangs_costs_no_update(folder, tmp_path):
    plan = plan_for(10_000, reward=reward_file(tmp_path, HANGING))
    with pytest.raises(RewardError, match=r'mine.py:[56]: `.*` did not return within'):
        train(folder, plan, watch)
    assert 0 < steps_of(folder, 'last') <= 400
    assert evaluate(folder.policy('last'), folder.setup, SHORT).runs


def test_compat_is_remembered(folder):
    assert folder.exists is False
    train(folder, plan_for(64, compat=True), watch)
    assert folder.run['compat'] is True
    assert folder.setup.compat is True
