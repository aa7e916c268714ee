"""Commands to pulses: DeepRacer's numbers, never past the ends, never without a middle."""

import json
import math
from itertools import pairwise

import hypothesis.strategies as st
import pytest
from hypothesis import given

from racer_vehicle.calibration import Calibration, PulseCalibration, SpeedCurve
from racer_vehicle.errors import ConfigError
from racer_vehicle.signals import NEUTRAL, DriveCommand

DEFAULT = Calibration()
PULSE = PulseCalibration(min_ns=1_200_000, mid_ns=1_450_000, max_ns=1_800_000, polarity=1)


@pytest.mark.parametrize(('command', 'steering_ns', 'throttle_ns'), [
    (NEUTRAL, 1_450_000, 1_446_000),
    (DriveCommand(math.radians(30.0), 0.0), 1_700_000, 1_446_000),
    (DriveCommand(math.radians(-15.0), 0.0), 1_325_000, 1_446_000),
    (DriveCommand(0.0, 4.0), 1_450_000, 1_311_000),
    (DriveCommand(0.0, 2.0), 1_450_000, 1_446_000 - 108_000),
    (DriveCommand(0.0, -4.0), 1_450_000, 1_603_500),
    (DriveCommand(9.0, 99.0), 1_700_000, 1_311_000),
])
def test_the_defaults_are_deepracers(command, steering_ns, throttle_ns):
    assert DEFAULT.pulses_ns(command) == (steering_ns, throttle_ns)


@given(st.floats(-2.0, 2.0), st.sampled_from([1, -1]))
def test_pulses_stay_between_the_ends_and_come_back(value, polarity):
    pulse = PulseCalibration(min_ns=PULSE.min_ns, mid_ns=PULSE.mid_ns, max_ns=PULSE.max_ns,
                             polarity=polarity)
    pulse_ns = pulse.pulse_ns(value)
    assert pulse.min_ns <= pulse_ns <= pulse.max_ns
    assert pulse.value(pulse_ns) == pytest.approx(max(-1.0, min(1.0, value)), abs=1e-5)


@pytest.mark.parametrize('command', [DriveCommand(math.nan, 0.0), DriveCommand(0.0, math.inf),
                                     DriveCommand(-math.inf, math.nan)])
def test_what_is_not_finite_makes_no_pulse(command):
    with pytest.raises(ConfigError, match=r'a command is (nan|-?inf); allowed: finite numbers'):
        DEFAULT.pulses_ns(command)


@pytest.mark.parametrize('half', [0.25, 0.5, 0.8])
def test_the_throttle_curve_goes_through_its_three_points(half):
    curve = SpeedCurve(full_speed_mps=3.0, half_throttle=half)
    for speed, throttle in ((0.0, 0.0), (1.5, half), (3.0, 1.0), (7.0, 1.0)):
        assert curve.throttle(speed) == pytest.approx(throttle)
        assert curve.throttle(-speed) == pytest.approx(-throttle)
    steps = [curve.throttle(0.01 * index) for index in range(301)]
    assert all(low <= high <= 1.0 for low, high in pairwise(steps[:262]))


def test_what_the_car_cannot_do_is_cut():
    assert DEFAULT.reachable(DriveCommand(1.0, -9.0)) == DriveCommand(math.radians(30.0), -4.0)
    assert DEFAULT.reachable(DriveCommand(-0.1, 2.0)) == DriveCommand(-0.1, 2.0)


def test_the_file_comes_back(tmp_path):
    written = Calibration(steering=PULSE, max_steering_rad=0.4,
                          speed=SpeedCurve(full_speed_mps=2.5))
    written.write(tmp_path / 'car' / 'calibration.json')
    assert Calibration.read(tmp_path / 'car' / 'calibration.json') == written


@pytest.mark.parametrize(('path', 'value', 'message'), [
    (('steering', 'min_ns'), 1_460_000, 'pulses are 1460000, 1450000, 1700000 ns; allowed: min_n'),
    (('steering', 'max_ns'), 9_000_000, r'PulseCalibration\.max_ns is 9000000; allowed: 500000 t'),
    (('throttle', 'polarity'), 0, r'polarity is 0; allowed: 1, -1'),
    (('throttle', 'mid_ns'), 1.5e6, r'throttle\.mid_ns is 1500000\.0; allowed: a int'),
    (('speed', 'half_throttle'), 1.0, r'SpeedCurve\.half_throttle is 1\.0; allowed: 0\.25 to'),
    (('trim',), 3, 'has unknown trim; allowed: exactly steering, throttle'),
])
def test_a_wrong_file_is_refused_by_field(tmp_path, path, value, message):
    file = tmp_path / 'calibration.json'
    DEFAULT.write(file)
    content = json.loads(file.read_text())
    place = content
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    file.write_text(json.dumps(content))
    with pytest.raises(ConfigError, match=message):
        Calibration.read(file)


def test_a_missing_or_broken_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r'cannot read calibration .*: No such file.*calibrate'):
        Calibration.read(tmp_path / 'none.json')
    (tmp_path / 'half.json').write_text('{"steering": {')
    with pytest.raises(ConfigError, match=r'half\.json is not JSON'):
        Calibration.read(tmp_path / 'half.json')
