"""What a point must be allowed so that no simulated car can do more, and a lap on a given line.

The point is the car's mass centre; its course angle is free, so the body's yaw costs no time. Its
forces are those of one tyre with the whole car's load, driven along a direction that makes a slip
angle with the course. It is at least as strong as the car of `racer_sim.vehicle`:

- Loads of the axles sum to the weight, so the two friction circles sum to one of radius mu g; and
  because a circle's lateral share is concave in the drive force, two axles never get more of both
  than one with their sum.
- Sliding costs power: lateral force times slip speed. A magic-formula tyre's slip grows more than
  in proportion with its force, so two axles never lose less than one with their summed force.
- The motor's limits hold at the rolling speed, which is below the point's speed by the slip angle
  and by the angle at which the mass centre moves in a turn; both are taken off, although they have
  opposite signs. Front wheels roll faster in a turn and so drive a little better: granted.
- Braking is granted up to all that the tyres grip. The motor brakes less, but a car may slide.
- A turning car holds energy in its yaw, which it gives back when it straightens. The point holds
  as much, at the yaw rate of its course, and may take it up and give it back at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from racer_sim.vehicle import GRAVITY_MPS2
from racer_vehicle.errors import ConfigError
from racer_vehicle.spec import CarSpec

Floats = NDArray[np.float64]

FULL_GRIP: Final = 0.98
"""Share of the grip that drive or brake may take: a tyre's lateral slope is infinite at all."""

SPEEDS: Final = 60
DRIVES: Final = 61
SLIPS: Final = 61
LATERALS: Final = 41
LOWEST_MPS: Final = 0.2


class Motion(NamedTuple):
    """What forces do to the point; floats, arrays or CasADi expressions.

    Attributes:
        along: Acceleration along the course, m/s^2.
        across: Acceleration to the left of it, m/s^2.
        rolling: Speed of the wheels, m/s.
    """

    along: Any
    across: Any
    rolling: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class PointCar:
    """The limits of a car as a point; see the module.

    Attributes:
        max_speed_mps: Highest commanded speed.
        half_wheelbase_m: From the mass centre to an axle.
        yaw_inertia_m2: Over mass.
        grip_mps2: Radius of the friction circle, mu g.
        stiffness: Of the magic formula, per radian.
        shape: Of the magic formula.
        stall_mps2: Drive at standstill.
        no_load_mps: Speed at which drive is nothing.
        gain_per_s: Drive per m/s below the commanded speed.
        lag_s: Of the drive behind its demand.
        rolling_mps2: Rolling resistance.
        drag_per_m: Resistance by speed squared.
    """

    max_speed_mps: float
    half_wheelbase_m: float
    yaw_inertia_m2: float
    grip_mps2: float
    stiffness: float
    shape: float
    stall_mps2: float
    no_load_mps: float
    gain_per_s: float
    lag_s: float
    rolling_mps2: float
    drag_per_m: float

    @classmethod
    def of(cls, car: CarSpec, max_speed_mps: float) -> PointCar:
        """The limits of a car that is commanded no more than a speed.

        Raises:
            ConfigError: The speed is out of range, or the car would lift an axle.
        """
        if not 0.5 <= max_speed_mps <= 20.0:
            raise ConfigError(f'max_speed_mps is {max_speed_mps:g}; allowed: 0.5 to 20.')
        tyre, motor = car.tyre, car.motor
        lift = tyre.friction * car.cog_height_m / car.wheelbase_m
        if lift > 0.5:
            raise ConfigError(
                f'friction {tyre.friction:g} at a mass centre {car.cog_height_m:g} m high lifts '
                f'an axle of a {car.wheelbase_m:g} m wheelbase; allowed for a lap bound: friction '
                f'up to {tyre.friction * 0.5 / lift:.2f}. Lower the friction or the mass centre.')
        return cls(
            max_speed_mps=max_speed_mps, half_wheelbase_m=car.wheelbase_m / 2.0,
            yaw_inertia_m2=car.yaw_inertia_kgm2 / car.mass_kg,
            grip_mps2=tyre.friction * GRAVITY_MPS2, stiffness=tyre.stiffness, shape=tyre.shape,
            stall_mps2=motor.stall_accel_mps2, no_load_mps=motor.no_load_speed_mps,
            gain_per_s=motor.speed_gain_per_s, lag_s=motor.lag_s,
            rolling_mps2=motor.rolling_accel_mps2, drag_per_m=motor.drag_per_m,
        )

    @property
    def peak_slip_rad(self) -> float:
        """Slip angle of the greatest lateral force, at most half a radian."""
        return self.slip_for(1.0)

    def slip_for(self, share: Any) -> Any:
        """Slip angle, rad, that gives a share, -1 to 1, of the lateral grip."""
        slip = np.tan(np.arcsin(share) / self.shape) / self.stiffness
        return np.clip(slip, -0.5, 0.5)

    def motion(self, speed: Any, slip: Any, drive: Any) -> Motion:
        """What happens at a speed, m/s, with a slip angle, rad, and a drive force, m/s^2."""
        share = drive / self.grip_mps2
        lateral_grip = self.grip_mps2 * np.sqrt(1.0 - share * share + 1e-6)
        side = lateral_grip * np.sin(self.shape * np.arctan(self.stiffness * slip))
        sine, cosine = np.sin(slip), np.cos(slip)
        across = side * cosine + drive * sine
        nose = self.half_wheelbase_m * across / (speed * speed)
        rolling = speed * (1.0 - (nose * nose + slip * slip) / 2.0)
        resistance = self.rolling_mps2 + self.drag_per_m * rolling * rolling
        along = (drive * (cosine + nose * nose / 2.0) - side * sine
                 - resistance * rolling / speed)
        return Motion(along, across + resistance * nose, rolling)

    def energy(self, speed: Any, across: Any) -> Any:
        """Kinetic energy over mass, m^2/s^2, of a car that yaws as its course does."""
        yaw_rate = across / speed
        return (speed * speed + self.yaw_inertia_m2 * yaw_rate * yaw_rate) / 2.0

    def drive_limits(self, rolling: Any) -> tuple[Any, Any]:
        """What the speed controller asks for at most, and what the motor has, m/s^2."""
        return (self.gain_per_s * (self.max_speed_mps - rolling),
                self.stall_mps2 * (1.0 - rolling / self.no_load_mps))


class Envelope(NamedTuple):
    """Steady limits of a point by speed (rows) and share of the greatest lateral acceleration.

    Attributes:
        speeds: float64 (SPEEDS,), m/s.
        lateral: float64 (SPEEDS,), greatest lateral acceleration, m/s^2.
        fastest: float64 (SPEEDS, LATERALS), greatest acceleration along the course, m/s^2.
        slowest: float64 (SPEEDS, LATERALS), least, m/s^2.
    """

    speeds: Floats
    lateral: Floats
    fastest: Floats
    slowest: Floats

    @classmethod
    def of(cls, point: PointCar) -> Envelope:
        """Tabulate a point's limits; the motor answers at once."""
        speeds = np.linspace(LOWEST_MPS, 1.05 * point.max_speed_mps, SPEEDS)
        rows = [_row(point, float(speed)) for speed in speeds]
        return cls(speeds, *(np.array(column) for column in zip(*rows, strict=True)))


def _row(point: PointCar, speed: float) -> tuple[float, Floats, Floats]:
    """Greatest lateral acceleration at a speed, and (LATERALS,) limits up to it."""
    most = FULL_GRIP * point.grip_mps2
    # Squared: a tyre's curve is steep at its peak, where most of a lap is driven.
    slip = point.slip_for(1.0 - np.linspace(1.0, 0.0, SLIPS) ** 2)
    drive = np.zeros(SLIPS)
    for _ in range(2):  # the motor's limit depends on the rolling speed, and this on the drive
        limits = point.drive_limits(point.motion(speed, slip, drive).rolling)
        drive = np.clip(np.minimum(*limits), -most, most)
    drives = -most + np.linspace(0.0, 1.0, DRIVES)[:, None] * (drive + most)
    motion = point.motion(speed, slip, drives)
    across = np.maximum.accumulate(motion.across, axis=1)
    lateral = float(across.max())
    wanted = np.linspace(0.0, lateral, LATERALS)
    along = np.array([
        np.where(wanted <= line[-1], np.interp(wanted, line, gain), np.nan)
        for line, gain in zip(across, motion.along, strict=True)
    ])
    return lateral, np.nanmax(along, axis=0), np.nanmin(along, axis=0)


def quasi_steady_lap(envelope: Envelope, steps: Floats, curvature: Floats) -> tuple[float, Floats]:
    """The fastest lap on a given line, at every place in the balance of a steady turn.

    The usual forward-backward pass: a cap by each bend, then accelerating from it, then braking
    for it.

    Args:
        envelope: Of the point that drives.
        steps: float64 (M,), lengths from place to place of the closed line, metres.
        curvature: float64 (M,), at the places, 1/m.

    Returns:
        Seconds, and speeds (M,) in m/s.
    """
    speeds = _cap(envelope, np.abs(curvature))
    first = int(speeds.argmin())
    driven = _pass(np.roll(speeds, -first), np.roll(np.abs(curvature), -first),
                   np.roll(steps, -first), *envelope)
    driven = np.roll(driven, first)
    return float((2.0 * steps / (driven + np.roll(driven, -1))).sum()), driven


def _cap(envelope: Envelope, curvature: Floats) -> Floats:
    """Highest speeds (M,) that bends allow by themselves."""
    bend = np.minimum.accumulate(envelope.lateral / envelope.speeds**2)
    return np.interp(-curvature, -bend, envelope.speeds)


@njit(cache=True)
def _at(speed: float, curvature: float, speeds: Floats, lateral: Floats, table: Floats) -> float:
    """A limit of the envelope at a speed in a bend."""
    row = (speed - speeds[0]) / (speeds[1] - speeds[0])
    row = min(max(row, 0.0), speeds.size - 1.001)
    i, part = int(row), row - int(row)
    most = (1.0 - part) * lateral[i] + part * lateral[i + 1]
    column = min(speed * speed * curvature / most, 1.0) * (table.shape[1] - 1.001)
    j, share = int(column), column - int(column)
    low = (1.0 - share) * table[i, j] + share * table[i, j + 1]
    high = (1.0 - share) * table[i + 1, j] + share * table[i + 1, j + 1]
    return (1.0 - part) * low + part * high


@njit(cache=True)
def _pass(cap: Floats, curvature: Floats, steps: Floats, speeds: Floats, lateral: Floats,
          fastest: Floats, slowest: Floats) -> Floats:
    """Speeds (M,) after two rounds of each pass, from the slowest place."""
    speed, count = cap.copy(), cap.size
    for k in range(2 * count):
        i, after = k % count, (k + 1) % count
        gain = _at(speed[i], curvature[i], speeds, lateral, fastest)
        reached = math.sqrt(max(speed[i] ** 2 + 2.0 * gain * steps[i], speeds[0] ** 2))
        speed[after] = min(speed[after], reached)
    for k in range(2 * count, 0, -1):
        i, after = (k - 1) % count, k % count
        loss = _at(speed[after], curvature[after], speeds, lateral, slowest)
        allowed = math.sqrt(max(speed[after] ** 2 - 2.0 * loss * steps[i], speeds[0] ** 2))
        speed[i] = min(speed[i], allowed)
    return speed
