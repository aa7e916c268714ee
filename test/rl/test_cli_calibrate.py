"""`racer calibrate`, on the files of a PWM chip: what a person types is what the wheels do."""

import math

import pytest
from typer.testing import CliRunner

from racer_rl.cli.calibrate import calibrate_app, next_pulse_us
from racer_vehicle.calibration import Calibration
from racer_vehicle.errors import ConfigError

THROTTLE, STEERING = 0, 1


@pytest.fixture
def chip(tmp_path):
    chip = tmp_path / 'pwmchip0'
    for channel in (THROTTLE, STEERING):
        (chip / f'pwm{channel}').mkdir(parents=True)
        for file in ('period', 'duty_cycle', 'enable'):
            (chip / f'pwm{channel}' / file).write_text('0')
    (chip / 'export').touch()
    return chip


def pulse_us(chip, channel):
    return int((chip / f'pwm{channel}' / 'duty_cycle').read_text()) // 1000


def answer(chip, path, *lines):
    return CliRunner().invoke(calibrate_app, [str(path), '--pwm-chip', str(chip)],
                              input='\n'.join((*lines, '')))


def test_enter_keeps_everything(chip, tmp_path):
    path = tmp_path / 'car.json'
    # The motor's search begins at standing still, so full speed has to be typed.
    result = answer(chip, path, 'y', '', '', '', '', '1310', '', '', '1603', '', '')
    assert result.exit_code == 0, result.output
    found, default = Calibration.read(path), Calibration()
    assert found.steering == default.steering
    assert (found.throttle.min_ns, found.throttle.mid_ns, found.throttle.max_ns) == (
        1_310_000, 1_446_000, 1_603_000)
    assert found.throttle.polarity == -1, 'forward is the shorter pulse'
    assert found.max_steering_rad == pytest.approx(math.radians(30.0))
    assert 'LIFT THE CAR' in result.output


def test_steps_and_numbers_move_the_wheels_and_the_end_is_neutral(chip, tmp_path):
    path = tmp_path / 'car.json'
    result = answer(chip, path, 'y',
                    '++', '-', '',        # straight: 1450 + 50 - 10
                    '1300', '',           # left is the shorter pulse on this car
                    '1700', '',           # right
                    '+', '',              # standing still: 1446 + 10
                    '1600', '',           # forward
                    '',                   # standing still again
                    '1300', '',           # backward
                    '25')
    assert result.exit_code == 0, result.output
    found = Calibration.read(path)
    assert (found.steering.min_ns, found.steering.mid_ns, found.steering.max_ns,
            found.steering.polarity) == (1_300_000, 1_490_000, 1_700_000, -1)
    assert (found.throttle.mid_ns, found.throttle.polarity) == (1_456_000, 1)
    assert found.max_steering_rad == pytest.approx(math.radians(25.0))
    assert (pulse_us(chip, STEERING), pulse_us(chip, THROTTLE)) == (1490, 1456)


def test_a_file_that_exists_is_where_the_search_begins(chip, tmp_path):
    path = tmp_path / 'car.json'
    answer(chip, path, 'y', '1500', '', '', '', '', '1310', '', '', '1603', '', '28')
    result = answer(chip, path, 'y', '', '', '', '', '1310', '', '', '1603', '', '')
    assert 'wheels straight ahead? 1500 us' in result.output
    assert Calibration.read(path).max_steering_rad == pytest.approx(math.radians(28.0))


def test_without_wheels_in_the_air_nothing_is_touched(chip, tmp_path):
    result = answer(chip, tmp_path / 'car.json', 'n')
    assert result.exit_code == 1
    assert pulse_us(chip, THROTTLE) == 0
    assert not (tmp_path / 'car.json').exists()


def test_leaving_at_full_speed_stops_the_motor(chip, tmp_path):
    # The input ends where the motor runs forward.
    result = answer(chip, tmp_path / 'car.json', 'y', '', '', '', '1450', '', '1600')
    assert result.exit_code == 1
    assert pulse_us(chip, THROTTLE) == 1450, 'what was found to be standing still'
    assert not (tmp_path / 'car.json').exists()


def test_what_makes_no_sense_is_asked_again(chip, tmp_path):
    result = answer(chip, tmp_path / 'car.json', 'y', 'fast', '9000', '', '', '', '', '1310', '',
                    '', '1603', '', '')
    assert result.exit_code == 0, result.output
    assert "answer is 'fast'; allowed: + - (10 us)" in result.output
    assert 'pulse is 9000 us; allowed: 500 to 2500.' in result.output


def test_a_middle_outside_of_the_ends_is_refused(chip, tmp_path):
    result = answer(chip, tmp_path / 'car.json', 'y', '1450', '', '1500', '', '1600', '', '', '')
    assert isinstance(result.exception, ConfigError)
    assert 'allowed: min_ns < mid_ns < max_ns' in str(result.exception)
    assert not (tmp_path / 'car.json').exists()


@pytest.mark.parametrize(('given', 'pulse'), [('+', 1510), ('-', 1490), ('++', 1550),
                                              ('--', 1450), ('1234', 1234)])
def test_answers(given, pulse):
    assert next_pulse_us(1500, given) == pulse


def test_two_channels_are_needed(tmp_path):
    result = CliRunner().invoke(calibrate_app, [str(tmp_path / 'f'), '--throttle-channel', '1'])
    assert isinstance(result.exception, ConfigError)
