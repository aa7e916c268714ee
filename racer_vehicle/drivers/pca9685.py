"""Pulses from a PCA9685, the 16-channel chip of most servo boards, over I2C.

Registers and the order of start-up: NXP, *PCA9685 product data sheet*, revision 4, sections 7.3.1
(mode), 7.3.5 (prescaler). At 50 Hz a step is 4.9 us: some 50 steps from straight to full lock.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

from racer_vehicle.calibration import PULSE_PERIOD_NS
from racer_vehicle.errors import ConfigError, DeviceError

OSCILLATOR_HZ: Final = 25_000_000
STEPS: Final = 4096
PRESCALE: Final = round(OSCILLATOR_HZ * PULSE_PERIOD_NS / STEPS / 1e9) - 1
STEP_NS: Final = (PRESCALE + 1) * 1e9 / OSCILLATOR_HZ
WAKE_S: Final = 0.0005

_MODE1, _MODE2, _LED0, _PRE_SCALE = 0x00, 0x01, 0x06, 0xFE
_RESTART, _AUTO_INCREMENT, _SLEEP = 0x80, 0x20, 0x10
_TOTEM_POLE: Final = 0x04
_I2C_SLAVE: Final = 0x0703
"""ioctl request that chooses the address, `linux/i2c-dev.h`."""


class I2cBus(Protocol):
    """Writes to one chip of a bus."""

    @property
    def name(self) -> str:
        """Of bus and chip, for messages."""
        ...

    def open(self) -> None:
        """Reach the chip.

        Raises:
            DeviceError: The bus is missing, or the chip taken.
        """
        ...

    def write(self, content: bytes) -> None:
        """One write transfer: register, then values.

        Raises:
            DeviceError: Nobody acknowledged.
        """
        ...

    def close(self) -> None:
        """Let go of the bus."""
        ...


class LinuxI2c:
    """A chip behind `/dev/i2c-N`."""

    def __init__(self, device: Path = Path('/dev/i2c-1'), address: int = 0x40) -> None:
        """Prepare; nothing is touched before `open`.

        Args:
            device: The bus.
            address: Of the chip, 7 bits.

        Raises:
            ConfigError: No address of a chip.
        """
        if not 0x08 <= address <= 0x77:
            raise ConfigError(f'I2C address is {address:#x}; allowed: 0x8 to 0x77.')
        self._device, self._address = device, address
        self._handle = -1

    @property
    def name(self) -> str:
        """Bus and address."""
        return f'{self._device} {self._address:#x}'

    def open(self) -> None:
        """Open the bus and choose the chip.

        Raises:
            DeviceError: The bus is missing, or the chip taken by a driver of the kernel.
        """
        try:
            self._handle = os.open(self._device, os.O_RDWR | os.O_CLOEXEC)
            fcntl.ioctl(self._handle, _I2C_SLAVE, self._address)
        except OSError as error:
            self.close()
            raise DeviceError(f'cannot open {self.name}: {error.strerror}; enable I2C, and join '
                              'the group that may use it.') from None

    def write(self, content: bytes) -> None:
        """One write transfer.

        Raises:
            DeviceError: Nobody acknowledged.
        """
        try:
            os.write(self._handle, content)
        except OSError as error:
            raise DeviceError(f'cannot write to {self.name}: {error.strerror}; check wiring, '
                              'power and address.') from None

    def close(self) -> None:
        """Let go of the bus."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


class Pca9685:
    """Channels of one chip."""

    def __init__(self, bus: I2cBus) -> None:
        """Prepare; nothing is touched before `open`."""
        self._bus = bus

    @property
    def name(self) -> str:
        """Of the chip."""
        return f'PCA9685 on {self._bus.name}'

    def open(self, pulses_ns: Mapping[int, int]) -> None:
        """Set the chip up asleep, and wake it with these pulses.

        Raises:
            DeviceError: The bus or the chip is missing.
            ConfigError: A channel is none of the chip's.
        """
        if not all(0 <= channel <= 15 for channel in pulses_ns):
            raise ConfigError(f'PCA9685 channels are {sorted(pulses_ns)}; allowed: 0 to 15.')
        self._bus.open()
        self._bus.write(bytes((_MODE1, _AUTO_INCREMENT | _SLEEP)))
        self._bus.write(bytes((_PRE_SCALE, PRESCALE)))
        self._bus.write(bytes((_MODE2, _TOTEM_POLE)))
        for channel, pulse_ns in pulses_ns.items():
            self.set_pulse(channel, pulse_ns)
        self._bus.write(bytes((_MODE1, _AUTO_INCREMENT)))
        time.sleep(WAKE_S)
        self._bus.write(bytes((_MODE1, _AUTO_INCREMENT | _RESTART)))

    def set_pulse(self, channel: int, pulse_ns: int) -> None:
        """Change one channel.

        Raises:
            DeviceError: The chip did not acknowledge.
        """
        steps = round(pulse_ns / STEP_NS)
        # On at step 0, off at `steps`, in one transfer: the chip takes all four bytes at once.
        self._bus.write(bytes((_LED0 + 4 * channel, 0, 0, steps & 0xFF, steps >> 8)))

    def close(self) -> None:
        """Leave the chip running, let go of the bus."""
        self._bus.close()
