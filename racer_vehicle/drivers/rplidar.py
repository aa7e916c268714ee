"""An RPLIDAR A1 or A2 on a serial port."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from racer_vehicle.drivers import rplidar_protocol as protocol
from racer_vehicle.drivers.protocols import Clock
from racer_vehicle.drivers.reader import Reader
from racer_vehicle.drivers.rplidar_protocol import Revolution, ScanDecoder, request
from racer_vehicle.drivers.serial_port import Port, SerialPort
from racer_vehicle.errors import DeviceError
from racer_vehicle.signals import Scan
from racer_vehicle.spec import LidarSpec, require_range

Floats = NDArray[np.float64]

ANSWER_S: Final = 1.0
"""How long the scanner may take to answer a request."""

REVOLUTION_S: Final = 1.5
"""How long a whole revolution may take; the slowest turn takes 0.5 s, spinning up 1 s."""

_QUIET_S: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class RplidarSettings:
    """How the scanner is connected and mounted.

    Attributes:
        device: Serial port, better a name below `/dev/serial/by-id`.
        baud: 115200 (A1, A2M8), 256000 (A2M12, A3).
        motor_pwm: Duty of the motor, 0 to 1023, for A2 and later (660 usual); 0 for the A1, whose
            motor hangs on the port's DTR line.
        yaw_rad: Direction of the scanner's front, counter-clockwise from the car's.
        lidar: What the policy was trained with, to which scans are resampled.
    """

    device: Path = Path('/dev/ttyUSB0')
    baud: int = 115_200
    motor_pwm: int = 0
    yaw_rad: float = 0.0
    lidar: LidarSpec = field(default_factory=LidarSpec)

    def __post_init__(self) -> None:
        require_range(self, motor_pwm=(0, 1023), yaw_rad=(-math.tau, math.tau))

    def open_port(self) -> Port:
        """The serial port.

        Raises:
            DeviceError: It is missing, taken, or no serial port.
        """
        return SerialPort(self.device, self.baud)


class RplidarSource:
    """Scans of one scanner."""

    def __init__(self, settings: RplidarSettings, clock: Clock,
                 open_port: Callable[[], Port] | None = None) -> None:
        """Prepare; nothing is touched before `open`.

        Args:
            settings: Connection and mounting.
            clock: Of the stamps.
            open_port: Instead of the settings' serial port.
        """
        self._settings, self._clock = settings, clock
        self._open_port = open_port or settings.open_port
        self._port: Port | None = None
        self._decoder = ScanDecoder()

    @property
    def name(self) -> str:
        """The scanner's port."""
        return f'RPLIDAR on {self._settings.device}'

    def open(self) -> None:
        """Ask for the scanner's health, turn it on and begin to scan.

        Raises:
            DeviceError: It is missing, silent or unwell.
        """
        port = self._port = self._open_port()
        port.write(request(protocol.STOP))
        deadline_s = time.monotonic() + ANSWER_S
        while port.read(_QUIET_S) and time.monotonic() < deadline_s:
            pass
        self._require_health(port)
        port.set_dtr(False)
        if self._settings.motor_pwm:
            self._set_motor(port, self._settings.motor_pwm)
        port.write(request(protocol.SCAN))
        _, rest = self._answer(port, protocol.SCAN_DESCRIPTOR, 0)
        self._decoder = ScanDecoder()
        self._decoder.feed(rest, self._clock())

    def next(self) -> Scan:
        """Wait for the next whole revolution.

        Raises:
            DeviceError: The scanner is lost, silent, or talks nonsense.
        """
        if self._port is None:
            raise DeviceError(f'{self.name} is not open; open it first.')
        deadline_s = time.monotonic() + REVOLUTION_S
        while time.monotonic() < deadline_s:
            revolutions = self._decoder.feed(self._port.read(_QUIET_S), self._clock())
            if revolutions:
                newest = revolutions[-1]
                ranges_m = resample(newest, self._settings.lidar, self._settings.yaw_rad)
                return Scan(ranges_m, newest.stamp_s)
        raise DeviceError(
            f'{self.name} gave no whole revolution in {REVOLUTION_S:g} s '
            f'({self._decoder.skipped_bytes} bytes skipped, {self._decoder.dropped} revolutions '
            'with holes); check that it turns, its plug and baud.'
        )

    def close(self) -> None:
        """Stop scan and motor as far as the port still lives, and let go of it."""
        port, self._port = self._port, None
        if port is None:
            return
        try:
            port.write(request(protocol.STOP))
            if self._settings.motor_pwm:
                self._set_motor(port, 0)
            port.set_dtr(True)
        except DeviceError:
            # It was unplugged: there is nobody left to stop.
            return
        finally:
            port.close()

    def _require_health(self, port: Port) -> None:
        port.write(request(protocol.GET_HEALTH))
        health, _ = self._answer(port, protocol.HEALTH_DESCRIPTOR, 3)
        if health[0] == protocol.HEALTH_FAILED:
            port.write(request(protocol.RESET))
            raise DeviceError(f'{self.name} reports failure {int.from_bytes(health[1:], "little")}'
                              ' and was reset; if it stays, look whether its head turns freely.')

    def _set_motor(self, port: Port, pwm: int) -> None:
        port.write(request(protocol.SET_MOTOR_PWM, pwm.to_bytes(2, 'little')))

    def _answer(self, port: Port, descriptor: bytes, size: int) -> tuple[bytes, bytes]:
        """Content of a response, and whatever came after it; what came before is passed over."""
        received, deadline_s = b'', time.monotonic() + ANSWER_S
        while time.monotonic() < deadline_s:
            received += port.read(_QUIET_S)
            begin = received.find(descriptor) + len(descriptor)
            if begin >= len(descriptor) and len(received) >= begin + size:
                return received[begin:begin + size], received[begin + size:]
        raise DeviceError(f'{self.name} does not answer ({received[:16].hex(" ") or "nothing"}); '
                          'check its plug, power and baud.')


def resample(revolution: Revolution, lidar: LidarSpec, yaw_rad: float) -> NDArray[np.float32]:
    """The rays that the policy was trained with, out of a revolution.

    A ray takes the measurement nearest to it in angle that had a return, within half a step.

    Args:
        revolution: As measured.
        lidar: Rays and range.
        yaw_rad: Direction of the scanner's front, counter-clockwise from the car's.

    Returns:
        float32, (rays,), REP-117: +inf where measurements found nothing in range, -inf too close,
        NaN where there was no measurement.
    """
    directions_rad = yaw_rad - revolution.angles_rad
    hit = revolution.ranges_m > 0.0
    reach_rad = lidar.fov_rad / (lidar.rays - 1) / 2.0
    rays_rad = np.array(lidar.angles_rad)
    _, measured = _nearest(rays_rad, directions_rad, reach_rad)
    which, returned = _nearest(rays_rad, directions_rad[hit], reach_rad)
    ranges_m = np.where(measured, math.inf, math.nan)
    ranges_m[returned] = revolution.ranges_m[hit][which[returned]]
    ranges_m[ranges_m > lidar.range_max_m] = math.inf
    ranges_m[ranges_m < lidar.range_min_m] = -math.inf
    return ranges_m.astype(np.float32)


def _nearest(rays_rad: Floats, directions_rad: Floats,
             reach_rad: float) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Index of the direction nearest to each ray, and whether it is within reach."""
    if not len(directions_rad):
        return np.zeros(len(rays_rad), np.int64), np.zeros(len(rays_rad), np.bool_)
    apart = np.remainder(directions_rad - rays_rad[:, np.newaxis] + math.pi, math.tau) - math.pi
    which = np.abs(apart).argmin(axis=1)
    near = np.abs(apart[np.arange(len(rays_rad)), which]) <= reach_rad
    return which, near


def rplidar(settings: RplidarSettings, clock: Clock) -> Reader[Scan]:
    """The scanner as nodes use it, found again when it was unplugged."""
    return Reader(RplidarSource(settings, clock), clock)
