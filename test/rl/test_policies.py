"""Who sees what, what a model does after a file, and what leaves it as ONNX."""

import io

import numpy as np
import onnxruntime
import pytest
import torch
from stable_baselines3 import PPO

from racer_rl.training.algorithms import RacerPPO, RacerSAC, build_model
from racer_rl.training.hyperparameters import PPOHyperparameters, SACHyperparameters
from racer_rl.training.policies import AsymmetricPolicy, AsymmetricSACPolicy, actor_module
from racer_vehicle.errors import ConfigError, ModelMismatchError

SHALLOW = 'DEEP_CONVOLUTIONAL_NETWORK_SHALLOW'
DEEPEST = 'DEEP_CONVOLUTIONAL_NETWORK_DEEP'
CASES = pytest.mark.parametrize(('settings', 'network', 'sizes'), [
    (PPOHyperparameters, 'FAST', {}),
    (PPOHyperparameters, 'FAST', {'actions': 3, 'lidar': 8}),
    (PPOHyperparameters, 'FAST', {'shape': (12, 10, 20)}),
    (PPOHyperparameters, SHALLOW, {'shape': (2, 40, 48), 'lidar': 8}),
    (PPOHyperparameters, DEEPEST, {'shape': (1, 76, 80), 'actions': 3}),
    (SACHyperparameters, 'FAST', {'lidar': 8}),
    (SACHyperparameters, SHALLOW, {'shape': (1, 40, 48)}),
], ids=['ppo', 'ppo-discrete-lidar', 'ppo-many-channels', 'ppo-conv', 'ppo-deep', 'sac-lidar',
        'sac-conv'])


def trained(toy_env, settings, network, sizes, seed=1, steps=64):
    extra = {'n_steps': 16} if settings is PPOHyperparameters else {
        'learning_starts': 16, 'buffer_size': 1000}
    chosen = settings(n_envs=4, batch_size=32, **extra)
    return build_model(chosen, network, toy_env(**sizes), seed).learn(steps)


def observe(model, cars=5, seed=0):
    rng = np.random.default_rng(seed)
    return {key: (rng.integers(0, 256, (cars, *part.shape), dtype=np.uint8)
                  if part.dtype == np.uint8 else rng.random((cars, *part.shape), dtype=np.float32))
            for key, part in model.observation_space.spaces.items()}


def sensors(observation):
    return {key: part for key, part in observation.items() if key != 'privileged'}


def values(model, observation):
    tensors = {key: torch.from_numpy(part) for key, part in observation.items()}
    with torch.no_grad():
        if isinstance(model, RacerPPO):
            return model.policy.predict_values(tensors)
        return model.critic(tensors, torch.zeros(len(observation['camera']), 2))[0]


def output(model, observation):
    """Of the acting part, as an action."""
    tensors = {key: torch.from_numpy(part) for key, part in sensors(observation).items()}
    with torch.no_grad():
        result = actor_module(model)(**tensors).numpy()
    return result if model.action_space.shape else result.argmax(axis=1)


@CASES
def test_the_action_needs_the_sensors_only(toy_env, settings, network, sizes):
    model = trained(toy_env, settings, network, sizes)
    observation = observe(model)
    whole, _ = model.predict(observation, deterministic=True)
    alone, _ = model.predict(sensors(observation), deterministic=True)
    assert np.array_equal(whole, alone)


@CASES
def test_the_value_needs_the_truth_only(toy_env, settings, network, sizes):
    model = trained(toy_env, settings, network, sizes)
    model.policy.set_training_mode(False)
    observation = observe(model)
    blind = {**observation, 'camera': np.zeros_like(observation['camera'])}
    elsewhere = {**observation, 'privileged': observation['privileged'] + 1.0}
    assert torch.equal(values(model, observation), values(model, blind))
    assert not torch.equal(values(model, observation), values(model, elsewhere))


@CASES
def test_the_acting_part_does_what_the_model_does(toy_env, settings, network, sizes):
    model = trained(toy_env, settings, network, sizes)
    observation = observe(model)
    action, _ = model.predict(observation, deterministic=True)
    np.testing.assert_allclose(output(model, observation), action, rtol=0, atol=1e-6)


@CASES
def test_a_saved_model_acts_the_same(toy_env, settings, network, sizes):
    model = trained(toy_env, settings, network, sizes)
    file = io.BytesIO()
    model.save(file)
    file.seek(0)
    again = type(model).load(file)
    observation = observe(model)
    assert np.array_equal(model.predict(observation, deterministic=True)[0],
                          again.predict(observation, deterministic=True)[0])


@pytest.mark.filterwarnings('ignore::DeprecationWarning')
@CASES
def test_onnx_runtime_acts_the_same_on_raw_bytes(toy_env, settings, network, sizes):
    model = trained(toy_env, settings, network, sizes)
    module, one = actor_module(model), sensors(observe(model, cars=1))
    graph = io.BytesIO()
    torch.onnx.export(
        module, tuple(torch.from_numpy(one[key]) for key in ('camera', 'lidar') if key in one),
        graph, dynamo=False, opset_version=17, input_names=sorted(one), output_names=['action'],
        dynamic_axes={key: {0: 'cars'} for key in [*one, 'action']})
    session = onnxruntime.InferenceSession(graph.getvalue(), providers=['CPUExecutionProvider'])
    observation = observe(model)
    result, = session.run(None, sensors(observation))
    if not model.action_space.shape:
        result = result.argmax(axis=1)
    np.testing.assert_allclose(result, output(model, observation), rtol=0, atol=1e-5)


def test_the_acting_part_is_a_copy(toy_env):
    model = trained(toy_env, PPOHyperparameters, 'FAST', {})
    observation = {key: torch.from_numpy(part) for key, part in sensors(observe(model)).items()}
    module = actor_module(model)
    before = module(**observation)
    model.learn(128)
    assert torch.equal(module(**observation), before)


@pytest.mark.parametrize('actions', [0, 3])
def test_the_update_is_the_librarys_to_the_last_bit(toy_env, actions):
    def weights(algorithm):
        model = algorithm(AsymmetricPolicy, toy_env(actions=actions), n_steps=32, batch_size=64,
                          n_epochs=3, ent_coef=0.01, seed=5)
        return model.learn(512).policy.state_dict()
    ours, theirs = weights(RacerPPO), weights(PPO)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_the_huber_loss_limits_the_pull_of_a_far_return(toy_env):
    def value_weights(loss):
        env = toy_env()
        step_wait = env.step_wait
        env.step_wait = lambda: (lambda o, r, d, i: (o, r * 100, d, i))(*step_wait())
        model = RacerPPO(AsymmetricPolicy, env, n_steps=32, batch_size=128, n_epochs=1, seed=5,
                         value_loss=loss, max_grad_norm=1e9)
        model.learn(128)
        return model.policy.value_net.weight.grad.abs().max()
    assert value_weights('huber') < 0.1 * value_weights('mse')


@pytest.mark.parametrize('settings', [PPOHyperparameters, SACHyperparameters])
def test_a_model_learns_from_pixels(toy_env, settings):
    model = trained(toy_env, settings, 'FAST', {}, steps=64)
    model.learning_rate = 2e-3
    model._setup_lr_schedule()
    model.learn(4096 if settings is PPOHyperparameters else 1500)
    left = {'camera': np.full((1, 1, 10, 20), (128 - 60) // 2, np.uint8)}
    right = {'camera': np.full((1, 1, 10, 20), (128 + 60) // 2, np.uint8)}
    steer_left, steer_right = (model.predict(seen, deterministic=True)[0][0, 0]
                               for seen in (left, right))
    assert steer_left > 0 > steer_right


def test_the_spread_of_first_actions_is_the_settings(toy_env):
    model = build_model(PPOHyperparameters(n_envs=4, init_std=0.25), 'FAST', toy_env(), 1)
    assert model.policy.log_std.exp().tolist() == pytest.approx([0.25, 0.25])


def test_weights_start_orthogonal_and_actions_near_neutral(toy_env):
    model = build_model(PPOHyperparameters(n_envs=4), 'FAST', toy_env(), 1)
    first = model.policy.mlp_extractor.actor.torso.middleware[0].weight
    torch.testing.assert_close(first @ first.T, 2.0 * torch.eye(64), atol=1e-4, rtol=0)
    assert np.abs(model.predict(observe(model), deterministic=True)[0]).max() < 0.1


def test_a_diverged_loss_ends_training(toy_env):
    env = toy_env()
    step_wait = env.step_wait
    env.step_wait = lambda: (lambda o, r, d, i: (o, r * np.nan, d, i))(*step_wait())
    with pytest.raises(ConfigError, match=r'loss is nan after 64 steps; allowed: finite numbers'):
        trained(lambda: env, PPOHyperparameters, 'FAST', {})


def test_what_does_not_fit_is_refused(toy_env):
    with pytest.raises(ConfigError, match=r'SAC needs continuous actions.*clipped_ppo'):
        build_model(SACHyperparameters(n_envs=4), 'FAST', toy_env(actions=3), 1)
    with pytest.raises(ConfigError, match='environment has 4 cars; allowed by n_envs: 16'):
        build_model(PPOHyperparameters(), 'FAST', toy_env(), 1)
    with pytest.raises(ConfigError, match='too small for network DEEP'):
        build_model(PPOHyperparameters(n_envs=4), SHALLOW, toy_env(), 1)
    with pytest.raises(ConfigError, match='clip_range_vf and target_kl are not supported'):
        RacerPPO(AsymmetricPolicy, toy_env(), target_kl=0.1)
    with pytest.raises(ConfigError, match='use_sde is True; allowed: False'):
        RacerSAC(AsymmetricSACPolicy, toy_env(), use_sde=True)
    env = toy_env()
    del env.observation_space.spaces['privileged']
    with pytest.raises(ConfigError, match="'privileged' is None; allowed: a Box with 1 axes"):
        build_model(PPOHyperparameters(n_envs=4), 'FAST', env, 1)


def test_only_our_policies_have_an_acting_part(toy_env):
    model = PPO('MultiInputPolicy', toy_env(shape=(1, 40, 48)))
    with pytest.raises(ModelMismatchError, match='the model has a MultiInputActorCriticPolicy'):
        actor_module(model)
