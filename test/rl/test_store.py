"""The model store: names, what a folder holds, and damage that is named rather than guessed at."""

import json
import math

import pytest

from racer_rl.envs.build import RaceSetup
from racer_rl.reward.library import find_reward
from racer_rl.store.models import ModelFolder, model_folder, model_names, open_model
from racer_rl.training.hyperparameters import PPOHyperparameters, SACHyperparameters
from racer_vehicle.action import ContinuousActions, DiscreteActions
from racer_vehicle.errors import ConfigError, ModelMismatchError, UnknownNameError
from racer_vehicle.metadata import ModelMetadata, TrainingAlgorithm
from racer_vehicle.observation import Sensor
from racer_vehicle.spec import CarSpec, MotorSpec

pytestmark = pytest.mark.usefixtures('racer_home')

SETUPS = {
    'usual': RaceSetup(),
    'unusual': RaceSetup(
        track=('oval', 'pebble'), direction='both', colour='rgb', stack=3,
        actions=DiscreteActions(steering_rad=(0.0, math.radians(15)), speed_mps=(1.0, 2.0)),
        sensors=(Sensor.STEREO_CAMERAS, Sensor.SECTOR_LIDAR), image_age_s=(0.01, 0.02),
        car=CarSpec(mass_kg=2.0, motor=MotorSpec(lag_s=0.1)),
    ),
    'speeds': RaceSetup(actions=ContinuousActions(speed_high_mps=3.7)),
}


def create(name, setup=SETUPS['usual'], settings=PPOHyperparameters()):  # noqa: B008 (frozen)
    folder = model_folder(name)
    folder.create(setup, settings, find_reward(setup.reward), 5, 'ppo')
    return folder


@pytest.mark.parametrize('setup', SETUPS.values(), ids=SETUPS)
def test_a_setup_comes_back_as_it_went(setup):
    folder = create('m', setup)
    restored = folder.setup
    for name in ('actions', 'sensors', 'lidar', 'network', 'colour', 'stack', 'image_age_s',
                 'car', 'direction', 'tracks', 'observation'):
        assert getattr(restored, name) == getattr(setup, name), name
    assert folder.reward_path.read_text() == find_reward(setup.reward).source


def test_files_of_a_new_model_are_deepracers_and_ours():
    folder = create('m', settings=SACHyperparameters())
    assert sorted(path.name for path in folder.path.iterdir()) == [
        'hyperparameters.json', 'model_metadata.json', 'reward_function.py', 'run.json']
    metadata = ModelMetadata.from_json((folder.path / 'model_metadata.json').read_text())
    assert metadata.training_algorithm is TrainingAlgorithm.SAC
    assert json.loads((folder.path / 'hyperparameters.json').read_text())['lr'] == 3e-4
    run = folder.run
    assert run['seed'] == 5
    assert run['reward']['sha256'] == find_reward('progress').sha256
    assert {'python', 'racer', 'torch'} <= run['versions'].keys()
    assert folder.progress == {}


@pytest.mark.parametrize('name', ['', '.', '..', '.hidden', 'a/b', '../x', 'a b', 'x' * 65, 'ä'])
def test_names_that_are_no_folder(name):
    with pytest.raises(ConfigError, match=r'model name is .* allowed: letters, digits'):
        model_folder(name)


def test_opening_what_is_not_there():
    with pytest.raises(ConfigError, match=r'there is none yet\. Train one: racer train'):
        open_model('fast')
    create('fast-one')
    create('slow')
    assert model_names() == ['fast-one', 'slow']
    assert open_model('slow').exists
    with pytest.raises(UnknownNameError, match=r"unknown model 'fats-one'; did you mean fast-one"):
        open_model('fats-one')


def test_a_folder_without_a_run_is_no_model(racer_home):
    (racer_home / 'models' / 'half').mkdir(parents=True)
    assert model_names() == []
    assert not model_folder('half').exists


def test_checkpoints_have_two_names():
    folder = create('m')
    with pytest.raises(ConfigError, match="checkpoint is 'newest'; allowed: best or last"):
        folder.checkpoint('newest')
    with pytest.raises(ModelMismatchError, match="'m' has no best checkpoint yet; there is: none"):
        folder.policy()


@pytest.mark.parametrize(('name', 'content', 'words'), [
    ('run.json', '{', r'run\.json is damaged'),
    ('run.json', '[]', r'run\.json is damaged \(it holds a list, not an object\)'),
    ('run.json', '{"format": 1}', r'run\.json lacks car, colour, .*; allowed: format 1, complete'),
    ('progress.json', 'x', r'progress\.json is damaged'),
    ('model_metadata.json', '{', 'model metadata is not JSON'),
    ('model_metadata.json', None, r'cannot read .*model_metadata\.json'),
])
def test_damage_is_named(name, content, words):
    folder = create('m')
    path = folder.path / name
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    with pytest.raises((ModelMismatchError, ConfigError), match=words) as caught:
        _ = folder.setup, folder.progress
    assert '\n' not in str(caught.value)


def test_a_run_of_another_format_is_refused():
    folder = create('m')
    folder_run = {**folder.run, 'format': 2}
    (folder.path / 'run.json').write_text(json.dumps(folder_run))
    with pytest.raises(ModelMismatchError, match='has format 2; allowed: format 1'):
        _ = folder.setup


def test_a_folder_anywhere_is_a_model(tmp_path):
    assert ModelFolder(tmp_path / 'm').name == 'm'
