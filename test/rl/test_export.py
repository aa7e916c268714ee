"""Train a little, export, load on the car's side: the same sensors give the same action."""

import json
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch

from racer_rl.envs.batch import RaceBatch
from racer_rl.envs.build import RaceSetup, build_batch
from racer_rl.envs.vector import RaceVecEnv
from racer_rl.export import Origin, export_bundle, make_bundle
from racer_rl.store.models import model_folder, open_model
from racer_rl.training.acting import deterministic_policy
from racer_rl.training.algorithms import build_model
from racer_rl.training.hyperparameters import PPOHyperparameters, SACHyperparameters
from racer_rl.training.plan import Limits, TrainingPlan
from racer_rl.training.train import train
from racer_sim.bodies import Box
from racer_sim.courses import courses_of
from racer_sim.simulator import Simulator
from racer_sim.simulator_config import SimulatorConfig
from racer_sim.track_library import find_track
from racer_vehicle.action import DiscreteActions
from racer_vehicle.errors import ModelMismatchError
from racer_vehicle.observation import Sensor
from racer_vehicle.policy import LoadedPolicy, PolicyBundle
from racer_vehicle.spec import CarSpec

CARS = 16
PERIODS = 63
TABLE = DiscreteActions(steering_rad=(-0.4, -0.2, 0.0, 0.2, 0.4), speed_mps=(1.0,) * 5)
LIDAR = (Sensor.FRONT_FACING_CAMERA, Sensor.SECTOR_LIDAR)
PPO = PPOHyperparameters(n_envs=4, n_steps=64, batch_size=64, learning_rate=2e-3)
SAC = SACHyperparameters(n_envs=4, buffer_size=1000, batch_size=64)


def trained(setup, settings=PPO, steps=512):
    torch.set_num_threads(1)
    batch = build_batch(setup, cars=settings.n_envs, seed=1)
    model = build_model(settings, setup.network, RaceVecEnv(batch), seed=1)
    return model.learn(steps)


def among_boxes(setup):
    """Cars on a course with boxes along it, so that lidars have something to see."""
    course = courses_of([find_track(setup.track)], setup.direction)
    x, y, yaw = course[0].track.pose_at(np.linspace(0.0, 10.0, 8), 0.25)
    boxes = tuple(Box(x_m=a, y_m=b, yaw_rad=c) for a, b, c in zip(x, y, yaw, strict=True))
    config = SimulatorConfig(cars=CARS, rgb=setup.colour == 'rgb', boxes=boxes)
    simulator = Simulator(course, setup.car, config, seed=7)
    return RaceBatch(simulator, setup.observation, setup.actions, None)


def origin(setup):
    return Origin(model='toy', setup=setup, reward_sha256='ab' * 32, seed=1, versions={'a': '1'})


def model_of_the_store():
    plan = TrainingPlan(setup=RaceSetup(), hyperparameters=PPO, limits=Limits(steps=256), seed=3)
    train(model_folder('toy'), plan, lambda standing: None)
    return open_model('toy')


@pytest.mark.parametrize(('setup', 'settings'), [
    (RaceSetup(), PPO),
    (RaceSetup(), SAC),
    (RaceSetup(actions=TABLE, sensors=LIDAR, stack=3), PPO),
    (RaceSetup(colour='rgb', stack=2), PPO),
], ids=['ppo', 'sac', 'discrete, lidar, three frames', 'colour, two frames'])
def test_the_car_acts_as_the_training_did_on_1000_frames(setup, settings):
    model = trained(setup, settings)
    bundle = PolicyBundle.read(make_bundle(model, origin(setup)).content)
    policy, batch = deterministic_policy(model), among_boxes(setup)
    cars = [LoadedPolicy(bundle, setup.car) for _ in range(CARS)]
    batch.reset()
    fresh, apart, near = np.ones(CARS, dtype=np.bool_), [], False
    for _ in range(PERIODS):
        images, scans = batch.simulator.images().transpose(0, 2, 3, 1), batch.simulator.scans()
        near |= bool((scans < 0.5).any())
        output = policy(batch.observe(fresh))
        acted = [car.act(images[i].squeeze(), scans[i], bool(fresh[i]))
                 for i, car in enumerate(cars)]
        apart.append(setup.actions.decode(output)
                     - [(command.steering_rad, command.speed_mps) for command in acted])
        step = batch.step(output)
        fresh = step.terminated | step.truncated
        batch.reset(np.flatnonzero(fresh))
    assert near and np.size(apart) // 2 >= 1000
    assert np.abs(apart).max() <= (0.0 if setup.actions is TABLE else 1e-5)


@pytest.mark.usefixtures('racer_home')
def test_a_trained_model_of_the_store_becomes_a_bundle_file(tmp_path, capfd):
    folder = model_of_the_store()
    capfd.readouterr()
    bundle = export_bundle(folder, tmp_path / 'out' / 'toy.racer', 'last')
    card = bundle.card
    assert capfd.readouterr() == ('', '')
    assert PolicyBundle.read(tmp_path / 'out' / 'toy.racer') == bundle
    assert (card.model, card.track, card.seed) == ('toy', ('oval',), 3)
    assert card.observation == folder.setup.observation
    assert card.action == folder.setup.actions
    assert card.steps == folder.progress['steps'] > 0
    assert card.reward_sha256 == folder.run['reward']['sha256']
    assert card.versions == folder.run['versions']
    assert len(card.git_hash) in {0, 40, 46}
    # The same model gives the same bytes, so the same identity.
    assert export_bundle(folder, tmp_path / 'again.racer', 'last').sha256 == bundle.sha256


def test_the_car_needs_no_torch_to_drive(tmp_path):
    bundle = make_bundle(trained(RaceSetup()), origin(RaceSetup()))
    bundle.write(tmp_path / 'toy.racer')
    program = (
        'import sys, pathlib, numpy\n'
        "sys.modules.update(dict.fromkeys(('torch', 'stable_baselines3', 'gymnasium', 'onnx')))\n"
        'from racer_vehicle.policy import LoadedPolicy, PolicyBundle\n'
        'from racer_vehicle.spec import CarSpec\n'
        'policy = LoadedPolicy(PolicyBundle.read(pathlib.Path(sys.argv[1])), CarSpec())\n'
        'command = policy.act(numpy.zeros((120, 160), numpy.uint8), None, True)\n'
        'print([command.steering_rad, command.speed_mps])\n'
    )
    result = subprocess.run([sys.executable, '-c', program, tmp_path / 'toy.racer'], check=True,
                            capture_output=True, text=True, timeout=120, env=os.environ)
    here = LoadedPolicy(bundle, CarSpec()).act(np.zeros((120, 160), np.uint8), None, True)
    assert json.loads(result.stdout) == [here.steering_rad, here.speed_mps]


def test_exporting_does_not_change_the_training():
    def weights(exports):
        model = trained(RaceSetup(), steps=256)
        if exports:
            make_bundle(model, origin(RaceSetup()))
        return list(model.learn(256, reset_num_timesteps=False).policy.parameters())

    assert all(map(torch.equal, weights(False), weights(True)))


def test_a_network_without_finite_weights_is_refused():
    model = trained(RaceSetup(), steps=256)
    with torch.no_grad():
        model.policy.action_net.bias[0] = float('nan')
    with pytest.raises(ModelMismatchError, match=r'differs from the trained one by nan; allowed'):
        make_bundle(model, origin(RaceSetup()))


def test_a_setup_that_is_not_the_models_is_refused():
    model = trained(RaceSetup(), steps=256)
    with pytest.raises(ModelMismatchError, match=r'sees images \(1, 10, 20\); allowed by its '
                                                 r'setup: \(2, 10, 20\)'):
        make_bundle(model, origin(RaceSetup(stack=2)))


@pytest.mark.usefixtures('racer_home')
def test_a_missing_checkpoint_is_refused_by_name(tmp_path):
    folder = model_of_the_store()
    folder.checkpoint('best').unlink(missing_ok=True)
    with pytest.raises(ModelMismatchError, match=r'has no best checkpoint yet'):
        export_bundle(folder, tmp_path / 'toy.racer')
    assert not (tmp_path / 'toy.racer').exists()


def test_the_bundle_is_a_zip_of_two_plain_files(tmp_path):
    make_bundle(trained(RaceSetup(), steps=256), origin(RaceSetup())).write(tmp_path / 'a.racer')
    with zipfile.ZipFile(tmp_path / 'a.racer') as archive:
        assert sorted(archive.namelist()) == ['card.json', 'policy.onnx']
        assert json.loads(archive.read('card.json'))['model'] == 'toy'
