"""A world small enough to train in within a test, whose whole state can be kept and restored."""

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv


class ToyEnv(VecEnv):
    """Cars on a line that should steer back to its middle; every pixel shows where they are."""

    def __init__(self, cars=4, shape=(1, 10, 20), lidar=0, actions=0, privileged=3):
        parts = {
            'camera': spaces.Box(0, 255, shape, np.uint8),
            'privileged': spaces.Box(-np.inf, np.inf, (privileged,), np.float32),
        }
        if lidar:
            parts['lidar'] = spaces.Box(0.0, 1.0, (lidar,), np.float32)
        action = spaces.Discrete(actions) if actions else spaces.Box(-1.0, 1.0, (2,), np.float32)
        self.render_mode = None
        super().__init__(cars, spaces.Dict(parts), action)
        self.rng = np.random.default_rng(3)
        self.position = np.zeros(cars)
        self.age = np.zeros(cars, dtype=np.int64)

    def state(self):
        return {'position': self.position.copy(), 'age': self.age.copy(),
                'rng': self.rng.bit_generator.state}

    def restore(self, state):
        self.position, self.age = state['position'].copy(), state['age'].copy()
        self.rng.bit_generator.state = state['rng']

    def reset(self):
        self.position = self.rng.uniform(-1.0, 1.0, self.num_envs)
        self.age[:] = 0
        return self._observe()

    def step_async(self, actions):
        moves = actions[:, 0] if self.action_space.shape else actions - 1.0
        self.position = np.clip(self.position + 0.2 * moves, -2.0, 2.0)

    def step_wait(self):
        self.age += 1
        rewards = (1.0 - np.abs(self.position)).astype(np.float32)
        dones = (self.age >= 20) | (np.abs(self.position) > 1.5)
        observation = self._observe()
        infos = [{} for _ in range(self.num_envs)]
        for car in np.flatnonzero(dones):
            infos[car] = {
                'terminal_observation': {key: part[car] for key, part in observation.items()},
                'episode': {'r': float(rewards[car]), 'l': int(self.age[car]), 't': 0.0},
            }
        self.position[dones] = self.rng.uniform(-1.0, 1.0, int(dones.sum()))
        self.age[dones] = 0
        return self._observe(), rewards, dones, infos

    def _observe(self):
        parts = self.observation_space.spaces
        grey = np.clip(128 + 60 * self.position, 0, 255).astype(np.uint8)
        noise = self.rng.integers(0, 8, (self.num_envs, *parts['camera'].shape), dtype=np.uint8)
        seen = {
            'camera': grey[:, None, None, None] // 2 + noise,
            'privileged': np.repeat(self.position[:, None], parts['privileged'].shape[0],
                                    axis=1).astype(np.float32),
        }
        if 'lidar' in parts:
            seen['lidar'] = np.repeat(np.abs(self.position[:, None]) / 2, parts['lidar'].shape[0],
                                      axis=1).astype(np.float32)
        return seen

    def close(self):
        pass

    def get_attr(self, attr_name, indices=None):
        return [getattr(self, attr_name)] * self.num_envs

    def set_attr(self, attr_name, value, indices=None):
        setattr(self, attr_name, value)

    def env_method(self, method_name, *args, indices=None, **kwargs):
        return [getattr(self, method_name)(*args, **kwargs)] * self.num_envs

    def env_is_wrapped(self, wrapper_class, indices=None):
        return [False] * self.num_envs


@pytest.fixture
def toy_env():
    """The class, so that a test chooses sizes and can make two alike."""
    torch.set_num_threads(1)
    return ToyEnv


@pytest.fixture(scope='session')
def tiny_bundle():
    """A bundle of FAST with random weights, which drives somewhere."""
    from racer_rl.envs.build import RaceSetup, build_batch
    from racer_rl.envs.vector import RaceVecEnv
    from racer_rl.export import Origin, make_bundle
    from racer_rl.training.algorithms import build_model
    from racer_rl.training.hyperparameters import PPOHyperparameters

    setup = RaceSetup()
    settings = PPOHyperparameters(n_envs=2, n_steps=32, batch_size=64)
    env = RaceVecEnv(build_batch(setup, cars=2, seed=0))
    model = build_model(settings, setup.network, env, 0)
    return make_bundle(model, Origin(model='tiny', setup=setup, reward_sha256='0' * 64, seed=0,
                                     versions={}))
