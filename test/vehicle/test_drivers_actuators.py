"""What every actuator must do: what it is told, and neutral on every way out."""

import math
import os
import shutil
import threading
import time
from pathlib import Path

import pytest

from racer_vehicle.calibration import PULSE_PERIOD_NS, Calibration
from racer_vehicle.drivers.fake import REMEMBERED, FakeActuator
from racer_vehicle.drivers.pca9685 import LinuxI2c, Pca9685
from racer_vehicle.drivers.pulses import PulseActuator
from racer_vehicle.drivers.pwm import SysfsPwm
from racer_vehicle.errors import ConfigError, DeviceError
from racer_vehicle.signals import NEUTRAL, DriveCommand

CALIBRATION = Calibration()
COMMAND = DriveCommand(steering_rad=0.2, speed_mps=1.5)


class ActuatorContract:
    """Inherited once for each driver, with the fixtures `actuator`, unconnected, and `state`.

    `state()` is the command that the hardware carries out, to the tolerances below.
    """

    steering_tolerance_rad = 1e-4
    throttle_tolerance_mps = 1e-3

    def require(self, found, wanted):
        assert found.steering_rad == pytest.approx(wanted.steering_rad,
                                                   abs=self.steering_tolerance_rad)
        assert found.speed_mps == pytest.approx(wanted.speed_mps, abs=self.throttle_tolerance_mps)

    def test_it_begins_neutral(self, actuator, state):
        with actuator:
            actuator.connect()
            self.require(state(), NEUTRAL)

    def test_it_does_what_it_is_told_and_says_so(self, actuator, state):
        with actuator:
            actuator.connect()
            for command in (COMMAND, DriveCommand(-0.3, 0.5), DriveCommand(0.0, -1.0), NEUTRAL):
                assert actuator.apply(command, 0.0) == command
                self.require(state(), command)

    def test_closing_is_neutral_and_may_be_repeated(self, actuator, state):
        actuator.connect()
        actuator.apply(COMMAND, 0.0)
        actuator.close()
        self.require(state(), NEUTRAL)
        actuator.close()
        with pytest.raises(DeviceError, match='is not connected; connect first'):
            actuator.apply(COMMAND, 0.0)
        self.require(state(), NEUTRAL)

    def test_an_exception_is_neutral(self, actuator, state):
        with pytest.raises(ZeroDivisionError), actuator:
            actuator.connect()
            actuator.apply(COMMAND, 0.0)
            raise ZeroDivisionError
        self.require(state(), NEUTRAL)

    def test_it_can_be_connected_again(self, actuator, state):
        for _ in range(2):
            actuator.connect()
            actuator.apply(COMMAND, 0.0)
            self.require(state(), COMMAND)
            actuator.close()

    def test_nothing_before_it_is_connected(self, actuator):
        with pytest.raises(DeviceError, match='is not connected; connect first'):
            actuator.apply(COMMAND, 0.0)


class TestFakeActuator(ActuatorContract):
    @pytest.fixture
    def actuator(self):
        return FakeActuator()

    @pytest.fixture
    def state(self, actuator):
        return lambda: actuator.current

    def test_it_remembers_the_last_commands(self, actuator):
        actuator.connect()
        for index in range(1000):
            actuator.apply(DriveCommand(0.0, index / 1000), 0.0)
        actuator.close()
        assert len(actuator.history) == REMEMBERED
        assert actuator.history[-1] == NEUTRAL and actuator.history[-2].speed_mps == 0.999


def command_of(throttle_ns, steering_ns):
    """The command whose pulses these are, by searching: independent of the driver's own sums."""
    throttle = CALIBRATION.throttle.value(throttle_ns)
    speeds = [index / 1000 for index in range(3000)]
    speed = min(speeds, key=lambda mps: abs(CALIBRATION.speed.throttle(mps) - abs(throttle)))
    steering = CALIBRATION.steering.value(steering_ns) * CALIBRATION.max_steering_rad
    return DriveCommand(steering, math.copysign(speed, throttle))


class PulseContract(ActuatorContract):
    """What hardware that makes pulses must do besides."""

    def test_what_is_not_finite_is_neutral(self, actuator, state):
        with actuator:
            actuator.connect()
            for bad in (DriveCommand(math.nan, 1.0), DriveCommand(0.1, math.inf)):
                actuator.apply(COMMAND, 0.0)
                with pytest.raises(ConfigError, match='allowed: finite numbers'):
                    actuator.apply(bad, 0.0)
                self.require(state(), NEUTRAL)

    def test_beyond_the_ends_is_cut(self, actuator, state):
        with actuator:
            actuator.connect()
            applied = actuator.apply(DriveCommand(5.0, 0.0), 0.0)
            assert applied == DriveCommand(CALIBRATION.max_steering_rad, 0.0)
            self.require(state(), applied)


class TestSysfsPwm(PulseContract):
    @pytest.fixture
    def chip(self, tmp_path):
        chip = tmp_path / 'pwmchip0'
        for channel in (0, 1):
            (chip / f'pwm{channel}').mkdir(parents=True)
            for file, value in (('period', '0'), ('duty_cycle', '9999999'), ('enable', '0')):
                (chip / f'pwm{channel}' / file).write_text(value)
        (chip / 'export').touch()
        return chip

    @pytest.fixture
    def actuator(self, chip):
        return PulseActuator(SysfsPwm(chip), CALIBRATION)

    @pytest.fixture
    def state(self, chip):
        def read():
            for channel in (0, 1):
                assert (chip / f'pwm{channel}' / 'period').read_text() == str(PULSE_PERIOD_NS)
                assert (chip / f'pwm{channel}' / 'enable').read_text() == '1', 'pulses stopped'
            return command_of(*(int((chip / f'pwm{channel}' / 'duty_cycle').read_text())
                                for channel in (0, 1)))
        return read

    def test_the_files_hold_deepracers_numbers(self, actuator, chip):
        with actuator:
            actuator.connect()
            actuator.apply(DriveCommand(math.radians(30.0), 4.0), 0.0)
            assert (chip / 'pwm0' / 'duty_cycle').read_text() == '1311000'
            assert (chip / 'pwm1' / 'duty_cycle').read_text() == '1700000'
        assert (chip / 'pwm0' / 'duty_cycle').read_text() == '1446000'
        assert (chip / 'pwm1' / 'duty_cycle').read_text() == '1450000'
        assert not (chip / 'export').read_text(), 'both channels were there already'

    def test_a_channel_is_exported_when_it_is_not_there(self, actuator, chip, state, tmp_path):
        (chip / 'pwm1').rename(tmp_path / 'pwm1')

        def kernel():
            deadline = time.monotonic() + 60.0
            while (chip / 'export').read_text() != '1' and time.monotonic() < deadline:
                time.sleep(0.001)
            (tmp_path / 'pwm1').rename(chip / 'pwm1')

        thread = threading.Thread(target=kernel)
        thread.start()
        with actuator:
            actuator.connect()
            self.require(state(), NEUTRAL)
        thread.join()

    def test_a_chip_that_is_not_there_is_refused(self, tmp_path):
        actuator = PulseActuator(SysfsPwm(tmp_path / 'none'), CALIBRATION)
        with pytest.raises(DeviceError, match=r'cannot write 0 to .*none/export: No such file'):
            actuator.connect()
        assert not (tmp_path / 'none').exists()

    def test_a_channel_that_never_comes_is_refused(self, actuator, chip):
        shutil.rmtree(chip / 'pwm1')
        with pytest.raises(DeviceError, match=r'pwm1/duty_cycle is not writable after 1 s; allow'):
            actuator.connect()
        assert (chip / 'pwm0' / 'duty_cycle').read_text() == '1446000'

    def test_a_failing_channel_leaves_the_other_neutral(self, actuator, chip):
        actuator.connect()
        actuator.apply(COMMAND, 0.0)
        (chip / 'pwm1' / 'duty_cycle').unlink()
        with pytest.raises(DeviceError, match=r'cannot write \d+ to .*pwm1/duty_cycle'):
            actuator.apply(COMMAND, 0.0)
        assert (chip / 'pwm0' / 'duty_cycle').read_text() == '1446000'
        actuator.close()
        assert not (chip / 'pwm1' / 'duty_cycle').exists(), 'the driver made a file of its own'


class Chip:
    """A PCA9685 by its registers: it sleeps until woken, and counts only asleep its prescaler."""

    name = 'fake bus 0x40'

    def __init__(self):
        self.registers = bytearray(256)
        self.registers[0x00] = 0x11
        self.registers[0xFE] = 0x1E
        self.is_open, self.mute = False, False
        self.first_pulses = None

    def open(self):
        self.is_open = True

    def write(self, content):
        assert self.is_open
        if self.mute:
            raise DeviceError('cannot write to fake bus 0x40: no acknowledge; check wiring.')
        register, *values = content
        assert len(values) == 1 or self.registers[0x00] & 0x20, 'no auto-increment'
        for value in values:
            if register != 0xFE or self.registers[0x00] & 0x10:
                self.registers[register] = value
            register += 1
        if self.first_pulses is None and not self.registers[0x00] & 0x10:
            self.first_pulses = [self.pulse_ns(channel) for channel in (0, 1)]

    def close(self):
        self.is_open = False

    def pulse_ns(self, channel):
        on_low, on_high, off_low, off_high = self.registers[6 + 4 * channel:10 + 4 * channel]
        steps = (off_high << 8 | off_low) - (on_high << 8 | on_low)
        return round(steps * (self.registers[0xFE] + 1) / 25e6 * 1e9)


class TestPca9685(PulseContract):
    # Half a step of 4.88 us, in the units of the command.
    steering_tolerance_rad = 2.5 / 250 * math.radians(30.0)
    throttle_tolerance_mps = 0.06

    @pytest.fixture
    def chip(self):
        return Chip()

    @pytest.fixture
    def actuator(self, chip):
        return PulseActuator(Pca9685(chip), CALIBRATION)

    @pytest.fixture
    def state(self, chip):
        def read():
            assert not chip.registers[0x00] & 0x10, 'the chip sleeps'
            assert 25e6 / 4096 / (chip.registers[0xFE] + 1) == pytest.approx(50.0, rel=0.01)
            return command_of(chip.pulse_ns(0), chip.pulse_ns(1))
        return read

    def test_it_wakes_up_neutral(self, actuator, chip):
        actuator.connect()
        assert chip.first_pulses == pytest.approx([1_446_000, 1_450_000], abs=2_500)
        actuator.close()
        assert not chip.is_open

    def test_a_chip_that_does_not_answer_is_refused_and_let_go(self, actuator, chip):
        chip.mute = True
        with pytest.raises(DeviceError, match='cannot write to fake bus 0x40: no acknowledge'):
            actuator.connect()
        assert not chip.is_open

    def test_a_chip_that_stops_answering_is_an_error_and_closing_still_works(self, actuator, chip):
        actuator.connect()
        chip.mute = True
        with pytest.raises(DeviceError, match='no acknowledge'):
            actuator.apply(COMMAND, 0.0)
        actuator.close()
        assert not chip.is_open

    def test_channels_the_chip_does_not_have_are_refused(self, chip):
        actuator = PulseActuator(Pca9685(chip), CALIBRATION, throttle_channel=16)
        with pytest.raises(ConfigError, match=r'channels are \[1, 16\]; allowed: 0 to 15'):
            actuator.connect()


def test_two_devices_on_one_channel_are_refused(tmp_path):
    with pytest.raises(ConfigError, match='both on channel 1; allowed: two channels'):
        PulseActuator(SysfsPwm(tmp_path), CALIBRATION, throttle_channel=1)


def test_an_i2c_bus_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DeviceError, match=r'cannot open .*i2c-9 0x40: No such file'):
        LinuxI2c(tmp_path / 'i2c-9').open()
    # A file opens, but does not know the request of an I2C bus.
    (tmp_path / 'i2c-9').touch()
    handles = len(os.listdir('/proc/self/fd'))
    with pytest.raises(DeviceError, match=r'cannot open .*i2c-9 0x40: Inappropriate ioctl'):
        LinuxI2c(tmp_path / 'i2c-9').open()
    assert len(os.listdir('/proc/self/fd')) == handles
    with pytest.raises(ConfigError, match=r'I2C address is 0x99; allowed: 0x8 to 0x77'):
        LinuxI2c(Path('/dev/i2c-1'), 0x99)
