"""The policy without exploration is the model's own deterministic prediction, and a copy."""

import numpy as np
import pytest

from racer_rl.training.acting import deterministic_policy
from racer_rl.training.algorithms import build_model
from racer_rl.training.hyperparameters import PPOHyperparameters, SACHyperparameters

PPO = PPOHyperparameters(n_envs=4, n_steps=16, batch_size=32)
SAC = SACHyperparameters(n_envs=4, batch_size=32, learning_starts=16, buffer_size=1000)
DEEPEST = 'DEEP_CONVOLUTIONAL_NETWORK_DEEP'


@pytest.mark.parametrize(('settings', 'network', 'sizes', 'tolerance'), [
    (PPO, 'FAST', {}, 0.0),
    (PPO, 'FAST', {'lidar': 8}, 0.0),
    (PPO, 'FAST', {'actions': 5}, 0.0),
    # Batch norm and dropout, which act differently while learning.
    (PPO, DEEPEST, {'shape': (1, 120, 160)}, 0.0),
    # Stable-Baselines3 scales to the action space's range and back, which may round.
    (SAC, 'FAST', {'lidar': 8}, 1e-6),
], ids=['ppo', 'lidar', 'discrete', 'dropout', 'sac'])
def test_it_equals_the_models_prediction(toy_env, settings, network, sizes, tolerance):
    model = build_model(settings, network, toy_env(**sizes), seed=2).learn(64)
    seen = toy_env(**sizes).reset()
    expected, _ = model.predict(seen, deterministic=True)
    acted = deterministic_policy(model)(seen)
    assert acted.shape == expected.shape
    np.testing.assert_allclose(acted, expected, rtol=0.0, atol=tolerance)


def test_it_reads_no_privileged_value(toy_env):
    policy = deterministic_policy(build_model(PPO, 'FAST', toy_env(), seed=2))
    seen = toy_env().reset()
    blind = {**seen, 'privileged': np.full_like(seen['privileged'], np.nan)}
    assert np.array_equal(policy(seen), policy(blind))


def test_training_on_does_not_change_it(toy_env):
    model = build_model(PPO, 'FAST', toy_env(), seed=2)
    policy, seen = deterministic_policy(model), toy_env().reset()
    before = policy(seen)
    model.learn(128)
    assert np.array_equal(policy(seen), before)
    assert not np.array_equal(deterministic_policy(model)(seen), before)
