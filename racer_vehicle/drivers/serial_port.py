"""A serial port in raw mode, by the means of Linux alone."""

from __future__ import annotations

import fcntl
import os
import select
import struct
import termios
from pathlib import Path
from typing import Final, Protocol

from racer_vehicle.errors import ConfigError, DeviceError

_DTR: Final = struct.pack('I', termios.TIOCM_DTR)


class Port(Protocol):
    """Bytes in, bytes out."""

    @property
    def name(self) -> str:
        """Of the port, for messages."""
        ...

    def read(self, timeout_s: float) -> bytes:
        """Whatever has come, waiting for the first byte; empty after the time-out.

        Raises:
            DeviceError: The port is lost.
        """
        ...

    def write(self, content: bytes) -> None:
        """Send everything.

        Raises:
            DeviceError: The port is lost, or takes nothing for a second.
        """
        ...

    def set_dtr(self, on: bool) -> None:
        """Switch the modem line *data terminal ready*, where the port has one."""
        ...

    def close(self) -> None:
        """Let go of the port; a second time does nothing."""
        ...


class SerialPort:
    """One `/dev/tty*`: 8 data bits, no parity, 1 stop bit, nothing translated, for us alone."""

    def __init__(self, device: Path, baud: int) -> None:
        """Open it.

        Raises:
            DeviceError: It is missing, taken, or no serial port.
            ConfigError: No rate of serial ports.
        """
        speed = getattr(termios, f'B{baud}', None)
        if speed is None:
            raise ConfigError(f'baud is {baud}; allowed: a usual rate, e.g. 115200 or 256000.')
        self.name = str(device)
        self._handle = -1
        try:
            self._handle = os.open(device, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
            fcntl.ioctl(self._handle, termios.TIOCEXCL)
            # iflag, oflag, cflag, lflag, speeds, control characters
            flags = [0, 0, termios.CS8 | termios.CREAD | termios.CLOCAL, 0, speed, speed,
                     termios.tcgetattr(self._handle)[6]]
            termios.tcsetattr(self._handle, termios.TCSANOW, flags)
        except (OSError, termios.error) as error:
            self.close()
            raise DeviceError(f'cannot open serial port {device} ({error}); check its plug, and '
                              'join the group dialout.') from None

    def read(self, timeout_s: float) -> bytes:
        """Whatever has come, waiting for the first byte; empty after the time-out.

        Raises:
            DeviceError: The port is lost.
        """
        try:
            if not select.select([self._handle], [], [], timeout_s)[0]:
                return b''
            content = os.read(self._handle, 4096)
        except OSError as error:
            raise self._lost(error.strerror) from None
        if not content:
            raise self._lost('hung up')
        return content

    def write(self, content: bytes) -> None:
        """Send everything.

        Raises:
            DeviceError: The port is lost, or takes nothing for a second.
        """
        while content:
            if not select.select([], [self._handle], [], 1.0)[1]:
                raise self._lost('it takes no bytes')
            try:
                content = content[os.write(self._handle, content):]
            except OSError as error:
                raise self._lost(error.strerror) from None

    def set_dtr(self, on: bool) -> None:
        """Switch *data terminal ready*; a port without modem lines has nothing on them."""
        try:
            fcntl.ioctl(self._handle, termios.TIOCMBIS if on else termios.TIOCMBIC, _DTR)
        except OSError:
            return

    def close(self) -> None:
        """Let go of the port; a second time does nothing."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _lost(self, cause: str | None) -> DeviceError:
        return DeviceError(f'serial port {self.name} is lost: {cause}; check its plug.')
