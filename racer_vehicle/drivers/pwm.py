"""Pulses from the PWM hardware of the board, through Linux's `/sys/class/pwm`.

The files are described in the kernel's `Documentation/driver-api/pwm.rst`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from racer_vehicle.calibration import PULSE_PERIOD_NS
from racer_vehicle.errors import DeviceError

EXPORT_S: Final = 1.0
"""How long a channel's files may take to appear, and udev to make them writable."""

_POLL_S: Final = 0.01


class SysfsPwm:
    """Channels of one PWM chip."""

    def __init__(self, chip: Path = Path('/sys/class/pwm/pwmchip0')) -> None:
        """Prepare; nothing is touched before `open`.

        Args:
            chip: Its folder.
        """
        self._chip = chip

    @property
    def name(self) -> str:
        """Folder of the chip."""
        return str(self._chip)

    def open(self, pulses_ns: Mapping[int, int]) -> None:
        """Export the channels and begin with these pulses.

        Raises:
            DeviceError: The chip is missing, or a file of it refuses.
        """
        for channel, pulse_ns in pulses_ns.items():
            self._export(channel)
            # The kernel refuses a period below the pulse that a process before us may have left.
            self._write(channel, 'duty_cycle', 0)
            self._write(channel, 'period', PULSE_PERIOD_NS)
            self.set_pulse(channel, pulse_ns)
            self._write(channel, 'enable', 1)

    def set_pulse(self, channel: int, pulse_ns: int) -> None:
        """Change one channel.

        Raises:
            DeviceError: The file refuses.
        """
        self._write(channel, 'duty_cycle', pulse_ns)

    def close(self) -> None:
        """Leave the channels exported and running: a controller without pulses may hold its own.

        Every write opened and closed its file, so there is nothing to let go of.
        """

    def _export(self, channel: int) -> None:
        duty = self._chip / f'pwm{channel}' / 'duty_cycle'
        if not duty.exists():
            _write_file(self._chip / 'export', channel)
        deadline_s = time.monotonic() + EXPORT_S
        while not os.access(duty, os.W_OK):
            if time.monotonic() > deadline_s:
                raise DeviceError(f'{duty} is not writable after {EXPORT_S:g} s; allowed: a '
                                  'channel that this user may write; add a udev rule for pwm.')
            time.sleep(_POLL_S)

    def _write(self, channel: int, file: str, value: int) -> None:
        _write_file(self._chip / f'pwm{channel}' / file, value)


def _write_file(path: Path, value: int) -> None:
    try:
        # Without O_CREAT: what is not there must not be made.
        handle = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
        try:
            os.write(handle, b'%d' % value)
        finally:
            os.close(handle)
    except OSError as error:
        raise DeviceError(f'cannot write {value} to {path}: {error.strerror}; check the chip and '
                          'the permissions of its files.') from None
