"""What a camera, a lidar and an actuator are to the nodes, whatever stands behind them.

Nothing here blocks: a node calls these from its callbacks. Sensors tell through `notify` that
something new has come, from a thread of their own if they have one, and hand it out when asked.
A sensor that is unplugged looks for its device until it is closed; meanwhile reading it says why
there is nothing. Everything that goes wrong with a device is a `DeviceError`.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self, TypeAlias

from racer_vehicle.signals import DriveCommand, Frame, Scan

Clock: TypeAlias = Callable[[], float]
"""Seconds on the clock that stamps are given in; a node hands in its own."""

Notify: TypeAlias = Callable[[], None]
"""Called when something can be read, from any thread; it must not block."""


class Device(Protocol):
    """What opens must close; `with` does it on every way out."""

    def close(self) -> None:
        """Let go of the device; a second time does nothing."""
        ...

    def __enter__(self) -> Self:
        """Itself; opening is `connect`."""
        ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Close."""
        ...


class Camera(Device, Protocol):
    """A source of images."""

    def connect(self, notify: Notify) -> None:
        """Begin to look for the device, and to read it; returns at once."""
        ...

    def read(self, max_age_s: float) -> Frame | None:
        """The newest frame, once; None while the last one handed out is still fresh.

        Args:
            max_age_s: Older frames are of no use.

        Raises:
            DeviceError: Nothing so fresh exists: the device is missing or has stalled.
        """
        ...


class Lidar(Device, Protocol):
    """A source of scans."""

    def connect(self, notify: Notify) -> None:
        """Begin to look for the device, and to read it; returns at once."""
        ...

    def read(self, max_age_s: float) -> Scan | None:
        """The newest scan, once; None while the last one handed out is still fresh.

        Args:
            max_age_s: Older scans are of no use.

        Raises:
            DeviceError: Nothing so fresh exists: the device is missing or has stalled.
        """
        ...


class Actuator(Device, Protocol):
    """Steering and motor. Every way out, `close` above all, leaves the car neutral."""

    def connect(self) -> None:
        """Open the device and put it into neutral.

        Raises:
            DeviceError: It is missing or refuses.
        """
        ...

    def apply(self, command: DriveCommand, stamp_s: float) -> DriveCommand:
        """Do what is commanded, as far as the device can.

        Args:
            command: Finite, inside the car's limits.
            stamp_s: Of the image behind the command, which a simulator needs.

        Returns:
            What the device does now.

        Raises:
            DeviceError: The device refuses; neutral was tried before this was raised.
        """
        ...
