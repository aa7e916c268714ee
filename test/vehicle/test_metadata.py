"""DeepRacer's model_metadata.json is read, written and, where malformed, refused by field."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from racer_vehicle.action import ContinuousActions, DiscreteActions
from racer_vehicle.errors import ConfigError
from racer_vehicle.lidar_encoding import LidarConfig
from racer_vehicle.metadata import ModelMetadata, TrainingAlgorithm
from racer_vehicle.observation import Sensor

REAL_SAMPLE = (Path(__file__).parents[3]
               / 'shared/data/logs/console-2022/model/model_metadata.json')

DISCRETE = [{'steering_angle': -15, 'speed': 1},
            {'steering_angle': 30.0, 'speed': 0.4, 'index': 1}]
CONTINUOUS = {'steering_angle': {'low': -30, 'high': 20.5}, 'speed': {'low': 0.5, 'high': 4}}


def read(**content):
    return ModelMetadata.from_json(json.dumps({'action_space': DISCRETE, **content}))


degrees = st.integers(-300, 300).map(lambda tenths: math.radians(tenths / 10))
speeds = st.integers(10, 400).map(lambda centimetres: centimetres / 100)
actions = st.lists(st.tuples(degrees, speeds), min_size=2, max_size=40).map(
    lambda pairs: DiscreteActions(steering_rad=tuple(pair[0] for pair in pairs),
                                  speed_mps=tuple(pair[1] for pair in pairs)))
boxes = st.tuples(st.lists(degrees, min_size=2, max_size=2, unique=True).map(sorted),
                  st.lists(speeds, min_size=2, max_size=2, unique=True).map(sorted)).map(
    lambda ends: ContinuousActions(
        steering_low_rad=ends[0][0], steering_high_rad=ends[0][1],
        speed_low_mps=ends[1][0], speed_high_mps=ends[1][1]))
settings = st.fixed_dictionaries({
    'sensors': st.sampled_from([
        (Sensor.FRONT_FACING_CAMERA,), (Sensor.STEREO_CAMERAS, Sensor.LIDAR),
        (Sensor.DISCRETIZED_SECTOR_LIDAR, Sensor.FRONT_FACING_CAMERA),
    ]),
    'neural_network': st.text(min_size=1),
    'version': st.integers(2, 6),
    'lidar': st.builds(LidarConfig, num_sectors=st.sampled_from([1, 4, 16, 64]),
                       num_values_per_sector=st.integers(1, 20),
                       clipping_dist_m=st.floats(0.15, 12.0)),
})


@given(actions, settings)
def test_discrete_metadata_survives_writing_and_reading(action_space, others):
    metadata = ModelMetadata(action_space=action_space, **others)
    assert ModelMetadata.from_json(metadata.to_json()) == metadata


@given(boxes, st.sampled_from(TrainingAlgorithm), settings)
def test_continuous_metadata_survives_writing_and_reading(action_space, algorithm, others):
    metadata = ModelMetadata(action_space=action_space, training_algorithm=algorithm, **others)
    assert ModelMetadata.from_json(metadata.to_json()) == metadata


def test_a_real_file_of_the_console_is_read():
    if not REAL_SAMPLE.exists():
        pytest.skip(f'no DeepRacer console sample at {REAL_SAMPLE}: the real file is NOT tested')
    metadata = ModelMetadata.from_json(REAL_SAMPLE.read_text())
    assert isinstance(metadata.action_space, DiscreteActions)
    assert len(metadata.action_space) == 14
    assert metadata.action_space.steering_rad[4] == math.radians(-10.0)
    assert metadata.sensors == (Sensor.FRONT_FACING_CAMERA,)
    assert metadata.version == 4
    assert ModelMetadata.from_json(metadata.to_json()) == metadata


def test_missing_fields_take_deepracers_defaults():
    metadata = read()
    assert metadata.training_algorithm == 'clipped_ppo'
    assert metadata.neural_network == 'DEEP_CONVOLUTIONAL_NETWORK_SHALLOW'
    assert metadata.sensors == (Sensor.FRONT_FACING_CAMERA,)
    assert metadata.lidar == LidarConfig()
    assert metadata.version == 1
    assert read(sensor=['STEREO_CAMERAS']).version == 2
    assert read(lidar_config={'num_sectors': 4}).lidar == LidarConfig(num_sectors=4)


@pytest.mark.parametrize('version', [4, 4.0, '4', '4.0'])
def test_the_version_may_be_a_number_or_a_string(version):
    assert read(sensor=['FRONT_FACING_CAMERA'], version=version).version == 4


def test_version_1_ignores_the_sensor_field_as_deepracer_does():
    assert read(version=1, sensor=['observation']).sensors == (Sensor.FRONT_FACING_CAMERA,)


def test_degrees_become_radians_and_fields_of_other_tools_are_read_over():
    metadata = read(action_space=CONTINUOUS, action_space_type='Continuous', colour='red')
    assert metadata.action_space == ContinuousActions(
        steering_low_rad=math.radians(-30), steering_high_rad=math.radians(20.5),
        speed_low_mps=0.5, speed_high_mps=4.0)


def test_written_degrees_are_the_decimals_a_person_wrote():
    written = json.loads(read().to_json())
    assert [action['steering_angle'] for action in written['action_space']] == [-15.0, 30.0]


def changed(**fields):
    return [{**DISCRETE[0], **fields}, DISCRETE[1]]


@pytest.mark.parametrize(('content', 'message'), [
    ({'action_space': None},
     'action_space is missing and action_space_type is discrete; allowed: a list'),
    ({'action_space': CONTINUOUS}, 'action_space is {.*and action_space_type is discrete'),
    ({'action_space': DISCRETE[:1]}, 'allowed: a list of at least 2 objects'),
    ({'action_space': [1, 2]}, r'action_space\[0\] is 1; allowed: a JSON object'),
    ({'action_space': changed(speed=None)}, r'action_space\[0\].speed is missing; allowed: a num'),
    ({'action_space': changed(speed='1')}, r"action_space\[0\].speed is '1'"),
    ({'action_space': changed(speed=True)}, r'action_space\[0\].speed is True'),
    ({'action_space': changed(speed=8)}, r'action_space\[0\].speed is 8; allowed: .* 0.1 to 4'),
    ({'action_space': changed(speed=math.nan)}, r'action_space\[0\].speed is nan'),
    ({'action_space': changed(steering_angle=31)}, 'steering_angle is 31; .* from -30 to 30'),
    ({'action_space': changed(index=1)}, r'action_space\[0\].index is 1; allowed: 0'),
    ({'action_space_type': 'continuous'}, r'action_space \(.*continuous\) is \[.*a JSON object'),
    ({'action_space_type': 'box'}, "action_space_type is 'box'; allowed: discrete, continuous"),
    ({'action_space_type': 3}, 'action_space_type is 3; allowed: discrete, continuous'),
    ({'action_space_type': 'continuous', 'action_space': {'speed': {'low': 1, 'high': 2}}},
     'action_space.steering_angle is missing'),
    ({'action_space_type': 'continuous', 'action_space': {
        **CONTINUOUS, 'speed': {'low': 2, 'high': 1}}}, 'action_space.speed.low is 2; allowed'),
    ({'training_algorithm': 'dqn'}, "training_algorithm is 'dqn'; allowed: clipped_ppo, sac"),
    ({'training_algorithm': 'SAC'}, 'training_algorithm is sac and action_space_type is discrete'),
    ({'sensor': 'LIDAR'}, "sensor is 'LIDAR'; allowed: a list"),
    ({'version': 5}, 'sensor is missing; allowed: a list'),
    ({'sensor': [3]}, r'sensor\[0\] is 3; allowed: a string'),
    ({'sensor': ['CAMERA']}, "unknown sensor 'CAMERA'"),
    ({'sensor': ['LIDAR']}, 'sensors are LIDAR; allowed: exactly one of'),
    ({'neural_network': 7}, 'neural_network is 7; allowed: a string'),
    ({'version': 7}, 'version is 7; allowed: a whole number from 1 to 6'),
    ({'version': 'new'}, "version is 'new'"),
    ({'version': 4.5}, 'version is 4.5'),
    ({'version': 'inf'}, 'version is inf'),
    ({'lidar_config': []}, r'lidar_config is \[\]; allowed: a JSON object'),
    ({'lidar_config': {'num_sectors': 7}}, 'num_sectors is 7; allowed: a divisor of 64'),
    ({'lidar_config': {'num_sectors': '8'}}, "lidar_config.num_sectors is '8'; allowed: a whole"),
    ({'lidar_config': {'num_values_per_sector': 0}}, 'num_values_per_sector is 0'),
    ({'lidar_config': {'clipping_dist': 13}}, 'lidar_config.clipping_dist is 13; .* 0.15 to 12'),
])
def test_every_malformed_field_is_named_in_one_line(content, message):
    with pytest.raises(ConfigError, match=message) as failure:
        read(**content)
    assert '\n' not in str(failure.value)


@pytest.mark.parametrize('text', ['', '{', '[' * 100_000, '{"action_space": ' + '9' * 5000 + '}'])
def test_what_is_not_json_is_refused(text):
    with pytest.raises(ConfigError, match='model metadata is not JSON'):
        ModelMetadata.from_json(text)


def test_json_that_is_no_object_is_refused():
    with pytest.raises(ConfigError, match='model metadata is 3; allowed: a JSON object'):
        ModelMetadata.from_json('3')


def test_version_1_knows_one_camera_only():
    with pytest.raises(ConfigError, match='version is 1 and sensor is STEREO_CAMERAS'):
        ModelMetadata(action_space=ContinuousActions(), version=1,
                      sensors=(Sensor.STEREO_CAMERAS,))
