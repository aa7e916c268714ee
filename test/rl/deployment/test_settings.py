"""A car's settings: what a person chose, in every node's file, and refused where it cannot be."""

from dataclasses import replace

import pytest

from racer_rl.deployment.settings import NODES, CarChoices, car_settings
from racer_vehicle.calibration import Calibration
from racer_vehicle.errors import ConfigError, ModelMismatchError, UnknownNameError


@pytest.fixture
def settle(repository, tiny_bundle):
    """Settings out of the project's own parameter files, for a policy."""
    templates = {node: (repository / 'config' / f'{node}.yaml').read_text('utf-8')
                 for node in NODES}

    def settle(card=tiny_bundle.card, signed=False, **choices):
        return car_settings(templates, CarChoices(**choices), card, signed=signed)

    return settle


def test_a_car_begins_slow_and_disabled(settle):
    files = settle()
    assert files['motor'].values['max_speed_mps'] == 1.0
    assert files['motor'].values['start_enabled'] is False
    assert files['inference'].values['bundle'] == '@RELEASE@/policy.racer'
    assert files['inference'].values['trusted_keys'] == ''


def test_choices_reach_their_nodes(settle, tmp_path):
    Calibration().write(tmp_path / 'car.json')
    files = settle(camera='fake', motor='pca9685', max_speed_mps=2.5, signed=True,
                   calibration=tmp_path / 'car.json',
                   parameters=('motor.i2c_address=65', 'camera.device=/dev/v4l/by-id/cam'))
    assert files['camera'].values['driver'] == 'fake'
    assert files['camera'].values['device'] == '/dev/v4l/by-id/cam'
    assert files['motor'].values['driver'] == 'pca9685'
    assert files['motor'].values['i2c_address'] == 65
    assert files['motor'].values['calibration'] == '@RELEASE@/config/calibration.json'
    assert files['inference'].values['trusted_keys'] == '@RELEASE@/keys'


def test_the_car_as_built_is_told_to_every_node(settle):
    files = settle(spec=('car.mass_kg=1.9',))
    assert all(file.values['car.mass_kg'] == 1.9 for file in files.values())


def test_a_policy_of_another_car_is_refused_here_already(settle, tiny_bundle):
    with pytest.raises(ModelMismatchError, match='trained for camera hfov_rad'):
        settle(spec=('camera.hfov_rad=1.5',))
    car = replace(tiny_bundle.card.car, wheelbase_m=0.2)
    with pytest.raises(ModelMismatchError, match=r'trained for car wheelbase_m 0\.2'):
        settle(card=replace(tiny_bundle.card, car=car))
    settle(card=replace(tiny_bundle.card, car=car), spec=('car.wheelbase_m=0.2',))


@pytest.mark.parametrize(('choices', 'error', 'words'), [
    ({'parameters': ('motr.x=1',)}, UnknownNameError, 'did you mean motor'),
    ({'parameters': ('motor.x=1',)}, UnknownNameError, 'unknown parameter of motor.yaml'),
    ({'parameters': ('motor.start_enabled=true',)}, ConfigError, 'a person enables a car'),
    ({'parameters': ('motor.calibration=/x',)}, ConfigError, 'allowed: --calibration'),
    ({'parameters': ('motor.i2c_address=x',)}, ConfigError, 'allowed: int'),
    ({'spec': ('car.wheelbase=1',)}, UnknownNameError, r'did you mean .*car\.wheelbase_m'),
    ({'spec': ('car.wheelbase_m=9.0',)}, ConfigError, 'wheelbase_m is 9.0; allowed: 0.05 to 1'),
])
def test_what_cannot_be_is_refused(settle, choices, error, words):
    with pytest.raises(error, match=words):
        settle(**choices)


def test_files_that_cannot_be_used_are_refused_here_already(settle, tmp_path):
    (tmp_path / 'broken').write_text('{')
    with pytest.raises(ConfigError, match='broken is not JSON'):
        settle(calibration=tmp_path / 'broken')
    with pytest.raises(ConfigError, match='absent'):
        settle(lens=tmp_path / 'absent')
