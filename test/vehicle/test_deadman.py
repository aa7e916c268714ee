"""A killed, hung or finished process leaves neutral pulses on the wires."""

import os
import signal
import subprocess
import sys
import time

import pytest

from racer_vehicle.drivers.deadman import GuardedOutput, output_of
from racer_vehicle.drivers.pca9685 import Pca9685
from racer_vehicle.drivers.pwm import SysfsPwm
from racer_vehicle.errors import ConfigError, DeviceError

NEUTRAL_NS = {0: 1_446_000, 1: 1_450_000}
PATIENCE_S = 20.0

DRIVES = """
import sys, time
from racer_vehicle.drivers.deadman import GuardedOutput, output_of
device = ('pwm', sys.argv[1])
output = GuardedOutput(output_of(device), device)
output.open({0: 1_446_000, 1: 1_450_000})
output.set_pulse(0, 1_600_000)
print('driving', flush=True)
while True:
    time.sleep(0.05)
    output.set_pulse(0, 1_600_000)
"""


@pytest.fixture
def chip(tmp_path):
    for channel in NEUTRAL_NS:
        folder = tmp_path / f'pwm{channel}'
        folder.mkdir()
        for file in ('period', 'duty_cycle', 'enable'):
            (folder / file).write_text('0')
    return tmp_path


def pulses_ns(chip):
    return {channel: int((chip / f'pwm{channel}/duty_cycle').read_text() or 0)
            for channel in NEUTRAL_NS}


def until(condition):
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.005)


@pytest.fixture
def driver(chip):
    child = subprocess.Popen([sys.executable, '-c', DRIVES, str(chip)], stdout=subprocess.PIPE,
                             start_new_session=True)
    try:
        assert child.stdout.readline() == b'driving\n'
        yield child
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate(timeout=PATIENCE_S)


def guarded(chip):
    device = ('pwm', str(chip))
    output = GuardedOutput(output_of(device), device)
    output.open(NEUTRAL_NS)
    return output


def test_a_killed_process_leaves_neutral(chip, driver):
    assert pulses_ns(chip)[0] == 1_600_000
    driver.kill()
    until(lambda: pulses_ns(chip) == NEUTRAL_NS)


def test_a_hung_process_is_held_neutral_until_it_speaks_again(chip, driver):
    driver.send_signal(signal.SIGSTOP)
    until(lambda: pulses_ns(chip) == NEUTRAL_NS)
    driver.send_signal(signal.SIGCONT)
    until(lambda: pulses_ns(chip)[0] == 1_600_000)
    driver.kill()
    until(lambda: pulses_ns(chip) == NEUTRAL_NS)


def test_closing_ends_the_guard_with_neutral(chip):
    output = guarded(chip)
    output.set_pulse(0, 1_600_000)
    output.close()
    assert pulses_ns(chip) == NEUTRAL_NS
    output.close()


def test_a_car_without_its_guard_does_not_drive(chip):
    output = guarded(chip)
    output._guard.kill()
    output._guard.wait(PATIENCE_S)
    with pytest.raises(DeviceError, match=r'guard of .* has ended; start the node again'):
        output.set_pulse(0, 1_600_000)
    output.close()


def test_a_missing_device_starts_no_guard(tmp_path):
    device = ('pwm', str(tmp_path / 'pwmchip3'))
    output = GuardedOutput(output_of(device), device)
    with pytest.raises(DeviceError, match='pwmchip3'):
        output.open(NEUTRAL_NS)
    output.close()


def test_outputs_are_named_by_words():
    assert isinstance(output_of(('pwm', '/sys/class/pwm/pwmchip0')), SysfsPwm)
    assert isinstance(output_of(('pca9685', '/dev/i2c-1', '0x40')), Pca9685)
    with pytest.raises(ConfigError, match=r"output is 'smoke'; allowed: pwm FOLDER"):
        output_of(('smoke',))
