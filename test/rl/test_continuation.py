"""A run that was stopped or killed goes on as if it had not been: same steps, same weights."""

import json
import multiprocessing
import os
import signal
import time

import numpy as np
import pytest

from racer_rl.cli.main import run
from racer_rl.envs.build import RaceSetup, build_batch
from racer_rl.reward.library import find_reward
from racer_rl.store.models import model_folder, open_model
from racer_rl.training.checkpoint import load_checkpoint
from racer_rl.training.hyperparameters import PPOHyperparameters
from racer_rl.training.plan import Limits, StopReason, TrainingPlan
from racer_rl.training.train import train as train_model

TINY = {'n_envs': 4, 'n_steps': 64, 'batch_size': 64, 'num_epochs': 2}
REMEMBERS = """
seen = {'progress': 0.0, 'sum': 0.0}
def reward_function(params):
    if params['steps'] <= 1:
        seen.update(progress=0.0, sum=0.0)
    gain = params['progress'] - seen['progress']
    seen['progress'] = params['progress']
    seen['sum'] += gain
    return gain + 0.01 * seen['sum']
"""
KINDS = {
    'ppo': ('--hyperparameters', 'tiny.json'),
    'conditions': ('--hyperparameters', 'stack.json', '--randomization', 'default',
                   '--direction', 'both'),
    'curriculum': ('--hyperparameters', 'slow.json', '--max-speed', '3'),
    'sac': ('--hyperparameters', 'sac.json', '--algorithm', 'sac'),
}


@pytest.fixture
def train(racer_home, tmp_path, monkeypatch, capfd):
    """Train a model to a number of steps, new or resumed."""
    monkeypatch.chdir(tmp_path)
    files = {'tiny': TINY, 'stack': {**TINY, 'stack_size': 2},
             'slow': {**TINY, 'start_speed_mps': 0.7},
             'sac': {'n_envs': 4, 'learning_starts': 200, 'gradient_steps': 1}}
    for name, settings in files.items():
        (tmp_path / f'{name}.json').write_text(json.dumps(settings))
    (tmp_path / 'remembers.py').write_text(REMEMBERS)

    def call(name, steps, *words):
        more = words or ('--resume',)
        code = run(['train', '--name', name, '--steps', str(steps), '--until-laps', *more])
        assert code == 0, capfd.readouterr().err

    return call


def weights(name):
    model = load_checkpoint(open_model(name).checkpoint('last'))[0]
    return model.num_timesteps, {key: tensor.numpy()
                                 for key, tensor in model.policy.state_dict().items()}


def assert_same(one, other):
    (steps, ours), (their_steps, theirs) = weights(one), weights(other)
    assert steps == their_steps
    for key, value in ours.items():
        assert np.array_equal(value, theirs[key]), key


@pytest.mark.parametrize('kind', KINDS)
def test_a_stopped_run_ends_with_the_same_weights(train, kind):
    begin = ('--track', 'oval', '--reward', 'remembers.py', *KINDS[kind])
    train('whole', 1200, *begin)
    train('parts', 300, *begin)
    train('parts', 700)
    train('parts', 1200)
    assert_same('whole', 'parts')


@pytest.mark.slow
def test_a_killed_run_ends_with_the_same_weights(train):
    begin = ('--track', 'oval', *KINDS['ppo'])
    train('whole', 3000, *begin)
    train('killed', 300, *begin)
    last = model_folder('killed').checkpoint('last')

    def on():
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        run(['train', '--name', 'killed', '--resume', '--until-laps', '--steps', '3000'])

    for after_s in (0.0, 0.05):
        written, process = last.stat().st_mtime_ns, multiprocessing.get_context('fork').Process(
            target=on)
        process.start()
        while process.is_alive() and last.stat().st_mtime_ns == written:
            time.sleep(0.01)
        process.join(after_s)
        process.kill()
        process.join()
        assert process.exitcode in {0, -signal.SIGKILL}
        assert last.stat().st_mtime_ns > written
    train('killed', 3000)
    assert_same('whole', 'killed')


@pytest.mark.parametrize('stack', [1, 3])
def test_a_batch_goes_on_bit_for_bit(stack, tmp_path):
    (tmp_path / 'remembers.py').write_text(REMEMBERS)
    setup = RaceSetup(track=('oval', 'pebble'), direction='both', stack=stack,
                      reward=str(tmp_path / 'remembers.py'))
    actions = np.random.default_rng(1).uniform(-1.0, 1.0, (80, 4, 2))

    def batch():
        return build_batch(setup, cars=4, seed=3, reward=find_reward(setup.reward))

    def drive(cars, some):
        seen = []
        for action in some:
            step = cars.step(action)
            ended = step.terminated | step.truncated
            if ended.any():
                cars.reset(np.flatnonzero(ended))
            seen.append((step.rewards, cars.observe(ended)['camera']))
        return seen

    one, other = batch(), batch()
    try:
        one.reset()
        one.observe(np.ones(4, dtype=bool))
        drive(one, actions[:50])
        other.restore(one.snapshot())
        for (reward, camera), (their_reward, their_camera) in zip(
                drive(one, actions[50:]), drive(other, actions[50:]), strict=True):
            assert np.array_equal(reward, their_reward)
            assert np.array_equal(camera, their_camera)
    finally:
        one.close()
        other.close()


def test_a_model_that_drives_is_not_trained_for_it_again(train, capfd):
    """Resumed until laps, it is judged first: learning on could unlearn them."""
    assert run(['train', '--track', 'oval', '--name', 'm', '--until-laps']) == 0
    steps, _ = weights('m')
    capfd.readouterr()
    assert run(['train', '--name', 'm', '--resume', '--until-laps']) == 0
    assert f'every evaluation lap was clean after {steps:,} steps' in capfd.readouterr().out


def test_a_run_that_was_cut_short_keeps_its_schedule(racer_home):
    """The learning rate falls over the whole run, not once for each part of it."""
    plan = TrainingPlan(
        setup=RaceSetup(track='oval'), limits=Limits(steps=2500), confirmed=False,
        hyperparameters=PPOHyperparameters(n_envs=4, n_steps=64, batch_size=64, n_epochs=2,
                                           learning_rate_decay=1.0))

    def brake(rounds):
        left = iter([None] * rounds)
        return lambda: next(left, StopReason.COST)

    whole, parts = model_folder('whole'), model_folder('parts')
    assert train_model(whole, plan, lambda standing: None)[0] is StopReason.STEPS
    for rounds, resume in ((2, False), (5, True)):
        reason, standing = train_model(parts, plan, lambda standing: None, resume=resume,
                                       brake=brake(rounds))
        assert reason is StopReason.COST
    assert standing.steps == 7 * 256
    assert parts.sessions[-1].stopped == 'the cost limit was reached'
    assert train_model(parts, plan, lambda standing: None, resume=True)[0] is StopReason.STEPS
    assert_same('whole', 'parts')
