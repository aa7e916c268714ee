"""A second process that holds the car neutral when the first is killed, or hangs.

Chips repeat the last pulse for ever, and a process that is killed cannot send another. So a small
one watches the pipe between them: its end closes with the death of the other, whatever the cause.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from racer_vehicle.children import independent
from racer_vehicle.drivers.pca9685 import LinuxI2c, Pca9685
from racer_vehicle.drivers.pulses import PulseOutput
from racer_vehicle.drivers.pwm import SysfsPwm
from racer_vehicle.errors import ConfigError, DeviceError

SILENT_S: Final = 0.25
"""Silence after which the other process counts as hung; the motor node speaks at 15 Hz or more."""

START_S: Final = 20.0
RETRY_S: Final = 0.05
RETRIES: Final = 40


class GuardedOutput:
    """A pulse output with a guard: neutral when this process is killed or stops calling."""

    def __init__(self, output: PulseOutput, device: Sequence[str]) -> None:
        """Prepare; `open` starts the guard.

        Args:
            output: The output.
            device: The same output as `output_of` understands it.
        """
        self._output, self._device = output, tuple(device)
        self._guard: subprocess.Popen[bytes] | None = None
        self._pipe = -1

    @property
    def name(self) -> str:
        """Of the device."""
        return self._output.name

    def open(self, pulses_ns: Mapping[int, int]) -> None:
        """Open the output; these pulses are the neutral ones that the guard falls back to.

        Raises:
            DeviceError: The device is missing or refuses, or the guard does not start.
        """
        self._output.open(pulses_ns)
        words = [f'{channel}={pulse_ns}' for channel, pulse_ns in pulses_ns.items()]
        guard = self._guard = subprocess.Popen(
            [sys.executable, '-m', 'racer_vehicle.drivers.deadman', *self._device, *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
            env=independent(os.environ))  # whoever tidies up must not end what holds a car still
        assert guard.stdin is not None and guard.stdout is not None
        self._pipe = guard.stdin.fileno()
        # A guard that does not read any more must not hold up the motor.
        os.set_blocking(self._pipe, False)
        if not select.select([guard.stdout], [], [], START_S)[0] or not guard.stdout.read(1):
            self.close()
            raise DeviceError(f'the guard of {self.name} did not start within {START_S:g} s; '
                              'see what it printed above.')

    def set_pulse(self, channel: int, pulse_ns: int) -> None:
        """Change one channel, and tell the guard that we live.

        Raises:
            DeviceError: The device refuses, or the guard has died.
        """
        self._output.set_pulse(channel, pulse_ns)
        if self._guard is None:
            return
        try:
            os.write(self._pipe, b'.')
        except (BrokenPipeError, BlockingIOError):
            raise DeviceError(f'the guard of {self.name} has ended; start the node again: without '
                              'it nothing stops a car whose motor node dies.') from None

    def close(self) -> None:
        """Let go of the output; the guard says neutral once more and ends."""
        if self._guard is not None:
            guard, self._guard = self._guard, None
            try:
                guard.communicate(timeout=START_S)
            except subprocess.TimeoutExpired:
                guard.kill()
                guard.communicate()
        self._output.close()


def output_of(words: Sequence[str]) -> PulseOutput:
    """The output that words name: `pwm FOLDER`, or `pca9685 BUS ADDRESS`.

    Raises:
        ConfigError: They name none.
    """
    match words:
        case ('pwm', folder):
            return SysfsPwm(Path(folder))
        case ('pca9685', bus, address):
            return Pca9685(LinuxI2c(Path(bus), int(address, 0)))
        case _:
            raise ConfigError(f'output is {" ".join(words)!r}; allowed: pwm FOLDER, pca9685 BUS '
                              'ADDRESS.')


def watch(output: PulseOutput, neutral_ns: Mapping[int, int]) -> None:
    """Hold neutral whenever the other process is silent; return when it has ended.

    Standard input brings a byte for each sign of life, and its end with the other's.
    """
    pipe, living = sys.stdin.fileno(), True
    while living:
        if select.select([pipe], [], [], SILENT_S)[0]:
            living = bool(os.read(pipe, 4096))
            if living:
                continue
        _hold(output, neutral_ns)
        if living:
            select.select([pipe], [], [])


def _hold(output: PulseOutput, neutral_ns: Mapping[int, int]) -> None:
    for _ in range(RETRIES):
        try:
            output.open(neutral_ns)
            output.close()
        except DeviceError as error:
            sys.stderr.write(f'{error}\n')
            time.sleep(RETRY_S)
        else:
            return


def main() -> None:
    """Watch over the process that started this one."""
    # Whatever ends the other process must not end this one before.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    device = [word for word in sys.argv[1:] if '=' not in word]
    pairs = (word.split('=') for word in sys.argv[1:] if '=' in word)
    neutral_ns = {int(channel): int(pulse_ns) for channel, pulse_ns in pairs}
    output = output_of(device)
    sys.stdout.write('.')
    sys.stdout.flush()
    watch(output, neutral_ns)


if __name__ == '__main__':
    main()
