"""Lines that the yardstick bots follow: where across the track, and how fast, metre by metre."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from racer_sim.courses import Course
from racer_sim.lap_bound import Report, lap_bound
from racer_sim.lap_corridor import bends_of
from racer_sim.lap_limits import Envelope, PointCar, quasi_steady_lap
from racer_sim.track import Track
from racer_vehicle.spec import CarSpec

Floats = NDArray[np.float64]

SPACING_M: Final = 0.1

SMOOTHINGS: Final = 8

BRAKE_MPS2: Final = 3.0
"""How hard whoever takes it easy brakes before a bend."""

EASY_GRIP_MPS2: Final = 2.5
"""Sideways, a third of what the tyres hold."""


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A closed line on a course, by arc length of its centre line.

    Attributes:
        s_m: float64 (N,), from the start line, evenly spaced.
        lateral_m: float64 (N,), offset to the left.
        speed_mps: float64 (N,), to be driven there.
        bend: float64 (N,), of the centre line, 1/m, never negative.
        length_m: Of the centre line.
    """

    s_m: Floats
    lateral_m: Floats
    speed_mps: Floats
    bend: Floats
    length_m: float

    def at(self, s_m: float) -> tuple[float, float, float]:
        """Offset, speed and bend at an arc length, any number of laps on."""
        place = s_m % self.length_m / self.length_m * len(self.s_m)
        before, share = int(place), place - int(place)
        first, second = before % len(self.s_m), (before + 1) % len(self.s_m)
        lateral_m, speed_mps, bend = (
            float((1.0 - share) * column[first] + share * column[second])
            for column in (self.lateral_m, self.speed_mps, self.bend))
        return lateral_m, speed_mps, bend


def easy_line(course: Course, cruise_mps: float) -> Line:
    """The centre line at a modest speed, slower in bends.

    Args:
        course: Where.
        cruise_mps: On straights.
    """
    s_m = _places(course.track.length_m)
    bend = _bend(course.track, s_m)
    caps = np.minimum(cruise_mps, np.sqrt(EASY_GRIP_MPS2 / np.maximum(bend, 1e-6)))
    return Line(s_m, np.zeros(len(s_m)), _braked(caps), bend, course.track.length_m)


def _bend(track: Track, s_m: Floats) -> Floats:
    """How much the centre line bends at arc lengths (N,), over half a metre: 1/m."""
    x_m, y_m, _ = track.pose_at(s_m, np.zeros(len(s_m)))
    steps = np.roll(x_m + 1j * y_m, -1) - (x_m + 1j * y_m)
    bend: Floats = np.abs(np.angle(np.roll(steps, -2) / np.roll(steps, 3))) / (5 * SPACING_M)
    return bend


def fastest_line(course: Course, car: CarSpec, max_speed_mps: float, *, inside: float,
                 grip: float, report: Report | None = None) -> Line:
    """The time-optimal line, a little nearer to the middle, and what it can be driven with.

    Args:
        course: Where.
        car: The car.
        max_speed_mps: Highest command.
        inside: How far from the centre line towards the optimum it goes, as a share.
        grip: Share of the tyres' friction that its speeds count on.
        report: Told what is computed, unless it was before; see `lap_bound`.

    Raises:
        ConfigError: There is no bound for this car, or no CasADi.
        TrackError: None was found.
    """
    track, bound = course.track, lap_bound(course.track, car, max_speed_mps, report)
    optimum = track.project(bound.line)
    x_m, y_m, _ = track.pose_at(optimum.s_m, inside * optimum.lateral_m)
    curve = _smooth(x_m + 1j * y_m)
    careful = replace(car, tyre=replace(car.tyre, friction=grip * car.tyre.friction))
    envelope = Envelope.of(PointCar.of(careful, max_speed_mps))
    speeds = quasi_steady_lap(envelope, *bends_of(curve))[1]
    at = track.project(np.column_stack((curve.real, curve.imag)))
    order, s_m = np.argsort(at.s_m), _places(track.length_m)
    lateral_m, speed_mps = (np.interp(s_m, at.s_m[order], column[order], period=track.length_m)
                            for column in (at.lateral_m, speeds))
    return Line(s_m, lateral_m, speed_mps, _bend(track, s_m), track.length_m)


def _smooth(curve: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """A closed curve (N,) without the corners of the centre line's segments."""
    for _ in range(SMOOTHINGS):
        curve = (np.roll(curve, 1) + 2.0 * curve + np.roll(curve, -1)) / 4.0
    return curve


def _places(length_m: float) -> Floats:
    count = max(round(length_m / SPACING_M), 16)
    return np.linspace(0.0, length_m, count, endpoint=False)


def _braked(caps_mps: Floats) -> Floats:
    """Speeds that never fall faster than `BRAKE_MPS2`; twice round, for the lap is closed."""
    speeds = caps_mps.copy()
    for index in range(2 * len(speeds) - 1, -1, -1):
        here, after = index % len(speeds), (index + 1) % len(speeds)
        speeds[here] = min(float(speeds[here]), math.sqrt(
            float(speeds[after]) ** 2 + 2.0 * BRAKE_MPS2 * SPACING_M))
    return speeds
