"""Devices that exist in memory only: every frame and scan follows from its number."""

from __future__ import annotations

import time
from collections import deque
from types import TracebackType
from typing import Final, Self

import numpy as np

from racer_vehicle.drivers.protocols import Clock
from racer_vehicle.drivers.reader import Reader
from racer_vehicle.errors import DeviceError
from racer_vehicle.signals import NEUTRAL, DriveCommand, Frame, Scan
from racer_vehicle.spec import CONTROL_PERIOD_S, CameraSpec, LidarSpec

REMEMBERED: Final = 256


class _Ticks:
    """Numbers that come once a period, with an interruption where one is wanted."""

    def __init__(self, name: str, period_s: float, lost_at: int | None) -> None:
        self.name = name
        self._period_s, self._lost_at = period_s, lost_at
        self._number = -1
        self._due_s = 0.0

    def open(self) -> None:
        self._due_s = time.monotonic()

    def close(self) -> None:
        """Nothing is held."""

    def tick(self) -> int:
        """Wait for the next number, 0 the first.

        Raises:
            DeviceError: It is the one at which the device is lost; the next open finds it again.
        """
        time.sleep(max(0.0, self._due_s - time.monotonic()))
        self._due_s += self._period_s
        self._number += 1
        if self._number == self._lost_at:
            raise DeviceError(f'{self.name} was unplugged at {self._number}; plug it in.')
        return self._number


class FakeCameraSource(_Ticks):
    """Diagonal stripes that move by eight pixels a frame."""

    def __init__(self, camera: CameraSpec, clock: Clock, *, rgb: bool = False,
                 period_s: float = CONTROL_PERIOD_S, lost_at: int | None = None) -> None:
        """Prepare.

        Args:
            camera: Gives the size.
            clock: Of the stamps.
            rgb: Three planes, each a third of the way further.
            period_s: Between frames.
            lost_at: Number of the frame in whose place the device fails once.
        """
        super().__init__('fake camera', period_s, lost_at)
        self._clock = clock
        rows, columns = np.indices((camera.height_px, camera.width_px))
        stripes = rows + columns
        self._stripes = stripes[..., np.newaxis] + (0, 85, 170) if rgb else stripes

    def next(self) -> Frame:
        """Wait for the next frame."""
        image = (self._stripes + 8 * self.tick()).astype(np.uint8)
        return Frame(image, self._clock())


class FakeLidarSource(_Ticks):
    """A room whose walls breathe between one and two metres."""

    def __init__(self, lidar: LidarSpec, clock: Clock, *, period_s: float = 0.1,
                 lost_at: int | None = None) -> None:
        """Prepare.

        Args:
            lidar: Gives the rays.
            clock: Of the stamps.
            period_s: Between scans.
            lost_at: Number of the scan in whose place the device fails once.
        """
        super().__init__('fake lidar', period_s, lost_at)
        self._clock = clock
        self._angles_rad = np.array(lidar.angles_rad)

    def next(self) -> Scan:
        """Wait for the next scan."""
        ranges_m = 1.5 + 0.5 * np.sin(self._angles_rad + 0.1 * self.tick())
        return Scan(ranges_m.astype(np.float32), self._clock())


def fake_camera(camera: CameraSpec, clock: Clock, *, rgb: bool = False,
                period_s: float = CONTROL_PERIOD_S) -> Reader[Frame]:
    """A camera of stripes; arguments as `FakeCameraSource`."""
    return Reader(FakeCameraSource(camera, clock, rgb=rgb, period_s=period_s), clock)


def fake_lidar(lidar: LidarSpec, clock: Clock, *, period_s: float = 0.1) -> Reader[Scan]:
    """A lidar in a breathing room; arguments as `FakeLidarSource`."""
    return Reader(FakeLidarSource(lidar, clock, period_s=period_s), clock)


class FakeActuator:
    """Remembers what it was told.

    Attributes:
        current: What it does now.
        history: The last commands and neutrals, oldest first.
    """

    def __init__(self) -> None:
        """Stand still, unconnected."""
        self.current = NEUTRAL
        self.history: deque[DriveCommand] = deque(maxlen=REMEMBERED)
        self._is_open = False

    def connect(self) -> None:
        """Neutral."""
        self._is_open = True
        self._do(NEUTRAL)

    def apply(self, command: DriveCommand, stamp_s: float) -> DriveCommand:
        """Do as told.

        Raises:
            DeviceError: It is not connected.
        """
        if not self._is_open:
            raise DeviceError('fake actuator is not connected; connect first.')
        return self._do(command)

    def close(self) -> None:
        """Neutral; a second time does nothing."""
        if self._is_open:
            self._is_open = False
            self._do(NEUTRAL)

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Close."""
        self.close()

    def _do(self, command: DriveCommand) -> DriveCommand:
        self.current = command
        self.history.append(command)
        return command
