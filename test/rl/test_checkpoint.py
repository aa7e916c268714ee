"""A checkpoint survives a kill at any moment, and training goes on as if it had not stopped."""

import json
import multiprocessing
import random
import zipfile

import numpy as np
import pytest
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback

from racer_rl.training.algorithms import RacerPPO, build_model
from racer_rl.training.checkpoint import load_checkpoint, save_checkpoint
from racer_rl.training.hyperparameters import PPOHyperparameters, SACHyperparameters
from racer_vehicle.errors import ModelMismatchError

PPO_SETTINGS = PPOHyperparameters(n_envs=4, n_steps=16, batch_size=32, value_loss='huber',
                                  clip_range=0.15)
SAC_SETTINGS = SACHyperparameters(n_envs=4, batch_size=32, learning_starts=100, buffer_size=1000)
LEARNT_SAC = SACHyperparameters(n_envs=4, batch_size=32, learning_starts=8, buffer_size=1000,
                                ent_coef='auto')
SHALLOW = 'DEEP_CONVOLUTIONAL_NETWORK_SHALLOW'


def everything(model):
    """All numbers that decide what a model does next: weights and optimizers."""
    flat = {}

    def flatten(prefix, value):
        if isinstance(value, dict):
            for key, part in value.items():
                flatten(f'{prefix}/{key}', part)
        elif isinstance(value, list):
            flatten(prefix, dict(enumerate(value)))
        else:
            flat[prefix] = value.clone() if isinstance(value, torch.Tensor) else value
    flatten('', model.get_parameters())
    return flat


def assert_same(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(value, theirs[name]), name
        else:
            assert value == theirs[name], name


def disturb():
    """Another run in the same process uses up random numbers."""
    random.random(), np.random.rand(), torch.rand(1)


@pytest.mark.parametrize(('chosen', 'network', 'sizes', 'steps'), [
    (PPO_SETTINGS, 'FAST', {}, 256),
    (PPO_SETTINGS, 'FAST', {'actions': 3, 'lidar': 8}, 256),
    (PPO_SETTINGS, SHALLOW, {'shape': (1, 36, 40)}, 128),
    (SAC_SETTINGS, 'FAST', {}, 80),
    (LEARNT_SAC, 'FAST', {'lidar': 8}, 80),
], ids=['ppo', 'ppo-discrete', 'ppo-conv', 'sac-warming-up', 'sac-learnt-entropy'])
def test_training_goes_on_bit_for_bit(toy_env, tmp_path, chosen, network, sizes, steps):
    path = tmp_path / 'last.zip'
    whole_env = toy_env(**sizes)
    whole = build_model(chosen, network, whole_env, seed=7).learn(steps)
    save_checkpoint(path, whole, whole_env.state())
    whole.learn(steps, reset_num_timesteps=False)

    disturb()
    env = toy_env(**sizes)
    resumed, state = load_checkpoint(path, env)
    env.restore(state)
    assert resumed.num_timesteps == steps
    resumed.learn(steps, reset_num_timesteps=False)

    assert resumed.num_timesteps == whole.num_timesteps == 2 * steps
    assert_same(everything(resumed), everything(whole))
    assert list(resumed.ep_info_buffer) == list(whole.ep_info_buffer)
    for key, seen in whole._last_obs.items():
        assert np.array_equal(resumed._last_obs[key], seen)


class SaveEachRollout(BaseCallback):
    def __init__(self, path, env, stop_after=None):
        super().__init__()
        self.path, self.env, self.stop_after, self.rollouts = path, env, stop_after, 0

    def _on_rollout_start(self):
        save_checkpoint(self.path, self.model, self.env.state())
        self.rollouts += 1

    def _on_step(self):
        return self.rollouts != self.stop_after


def test_a_run_stopped_in_a_rollout_goes_on_from_its_start(toy_env, tmp_path):
    whole = build_model(PPO_SETTINGS, 'FAST', toy_env(), seed=7).learn(256)
    env = toy_env()
    stopped = build_model(PPO_SETTINGS, 'FAST', env, seed=7)
    stopped.learn(256, callback=SaveEachRollout(tmp_path / 'last.zip', env, stop_after=3))

    env = toy_env()
    resumed, state = load_checkpoint(tmp_path / 'last.zip', env)
    env.restore(state)
    assert resumed.num_timesteps == 128
    resumed.learn(128, reset_num_timesteps=False)
    assert_same(everything(resumed), everything(whole))


def test_what_the_caller_keeps_comes_back(toy_env, tmp_path):
    model = build_model(PPO_SETTINGS, 'FAST', toy_env(), seed=1)
    kept = {'lap': 3, 'names': ['a', 'b'], 'nested': {'best': None}, 'speed': np.float32(1.5),
            'grid': np.arange(6, dtype=np.int16).reshape(2, 3), 'none': np.zeros(0)}
    save_checkpoint(tmp_path / 'c.zip', model, kept)
    _, state = load_checkpoint(tmp_path / 'c.zip')
    assert state.keys() == kept.keys()
    assert {key: state[key] for key in ('lap', 'names', 'nested', 'speed')} == {
        'lap': 3, 'names': ['a', 'b'], 'nested': {'best': None}, 'speed': 1.5}
    assert state['grid'].dtype == np.int16
    assert np.array_equal(state['grid'], kept['grid'])
    with pytest.raises(TypeError, match='neither an array nor a JSON value'):
        save_checkpoint(tmp_path / 'c.zip', model, {'what': object()})
    assert load_checkpoint(tmp_path / 'c.zip')[1]['lap'] == 3


def test_a_model_without_environment_predicts(toy_env, tmp_path):
    model = build_model(PPO_SETTINGS, 'FAST', toy_env(), seed=1).learn(64)
    save_checkpoint(tmp_path / 'c.zip', model, {})
    seen = model._last_obs
    again, _ = load_checkpoint(tmp_path / 'c.zip')
    assert np.array_equal(again.predict(seen, deterministic=True)[0],
                          model.predict(seen, deterministic=True)[0])
    assert again.value_loss == 'huber'
    assert again.clip_range(1.0) == 0.15
    library, _ = RacerPPO.load(tmp_path / 'c.zip').predict(seen, deterministic=True)
    assert np.array_equal(library, model.predict(seen, deterministic=True)[0])


def _save_for_ever(path, model):
    for count in range(1, 10**9):
        with torch.no_grad():
            model.policy.action_net.bias.fill_(float(count))
        save_checkpoint(path, model, {'count': count, 'counts': np.full(1000, count)})


def test_a_kill_at_any_moment_leaves_a_whole_checkpoint(toy_env, tmp_path):
    path = tmp_path / 'last.zip'
    model = build_model(PPO_SETTINGS, 'FAST', toy_env(), seed=1)
    save_checkpoint(path, model, {'count': 0, 'counts': np.zeros(1000)})
    # Forked, so that twenty processes do not import torch twenty times.
    context = multiprocessing.get_context('fork')
    moments = random.Random(4)
    survivors = set()
    tries = 0
    # On a busy machine twenty moments may all come before the first whole write.
    while tries < 20 or (len(survivors) < 2 and tries < 200):
        tries += 1
        process = context.Process(target=_save_for_ever, args=(path, model), daemon=True)
        process.start()
        process.join(timeout=moments.uniform(0.005, 0.15))
        assert process.is_alive()
        process.kill()
        process.join()
        loaded, state = load_checkpoint(path)
        assert (state['counts'] == state['count']).all()
        if state['count']:
            assert (loaded.policy.action_net.bias == state['count']).all()
        survivors.add(state['count'])
    assert len(survivors) > 1


def test_every_truncated_file_is_refused_in_one_line(toy_env, tmp_path):
    path = tmp_path / 'c.zip'
    save_checkpoint(path, build_model(PPO_SETTINGS, 'FAST', toy_env(), seed=1), {})
    content = path.read_bytes()
    sizes = random.Random(5).sample(range(len(content)), 60)
    for size in [0, 1, *sizes, len(content) - 1]:
        path.write_bytes(content[:size])
        with pytest.raises(ModelMismatchError, match='is truncated, or no checkpoint') as caught:
            load_checkpoint(path)
        assert '\n' not in str(caught.value)


def test_a_changed_byte_is_noticed(toy_env, tmp_path):
    path = tmp_path / 'c.zip'
    save_checkpoint(path, build_model(PPO_SETTINGS, 'FAST', toy_env(), seed=1), {})
    with zipfile.ZipFile(path) as archive:
        place = archive.getinfo('policy.pth').header_offset + 2000
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelMismatchError, match=r'policy\.pth in checkpoint .* is damaged'):
        load_checkpoint(path)


def test_files_of_others_are_refused(toy_env, tmp_path):
    with pytest.raises(ModelMismatchError, match=r'cannot read checkpoint .*absent.*No such file'):
        load_checkpoint(tmp_path / 'absent.zip')
    (tmp_path / 'text').write_text('not a zip')
    with pytest.raises(ModelMismatchError, match='truncated, or no checkpoint'):
        load_checkpoint(tmp_path / 'text')
    PPO('MultiInputPolicy', toy_env(shape=(1, 40, 48))).save(tmp_path / 'library.zip')
    with pytest.raises(ModelMismatchError, match='no checkpoint of racer; give a'):
        load_checkpoint(tmp_path / 'library.zip')


def rewrite(path, change):
    """The same archive with its library data changed."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    data = json.loads(members['data'])
    change(data)
    members['data'] = json.dumps(data).encode()
    with zipfile.ZipFile(path, 'w') as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def test_nothing_in_the_file_is_unpickled(toy_env, tmp_path):
    path = tmp_path / 'c.zip'
    save_checkpoint(path, build_model(PPO_SETTINGS, 'FAST', toy_env(), seed=1), {})

    def poison(data):
        for value in data.values():
            if isinstance(value, dict) and ':serialized:' in value:
                value[':serialized:'] = 'would fail if it were decoded'
    rewrite(path, poison)
    load_checkpoint(path, toy_env())

    rewrite(path, lambda data: data.update(gamma={':serialized:': 'gASVAAA='}))
    with pytest.raises(ModelMismatchError, match='holds pickled gamma, which could run any code'):
        load_checkpoint(path)


def test_another_environment_is_refused(toy_env, tmp_path):
    path = tmp_path / 'c.zip'
    save_checkpoint(path, build_model(PPO_SETTINGS, 'FAST', toy_env(), seed=1), {})
    with pytest.raises(ModelMismatchError, match=r'has 5 cars; allowed .* 4; set n_envs to 4'):
        load_checkpoint(path, toy_env(cars=5))
    with pytest.raises(ModelMismatchError, match=r'has actions Discrete\(3\); allowed .* Box'):
        load_checkpoint(path, toy_env(actions=3))
    with pytest.raises(ModelMismatchError, match=r'has observations Dict.*lidar'):
        load_checkpoint(path, toy_env(lidar=8))
