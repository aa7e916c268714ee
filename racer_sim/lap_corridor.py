"""Where a car may be without being off track, across gates along a smooth line round the course.

Curves are complex, x + iy. The smooth line only says where the gates stand; how far each gate is
open is measured with the track's own projection, so nothing rests on how a file's rows were drawn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import lsq_linear

from racer_sim.track import Track
from racer_vehicle.errors import TrackError
from racer_vehicle.spec import CarSpec

Floats = NDArray[np.float64]
Curve = NDArray[np.complex128]

SMOOTHINGS_M: Final = (0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0, 1.4)
"""Widths of the Gaussian that smooths the line, tried in turn until no two gates cross."""

OVERSAMPLING: Final = 8
LEAST_SPREAD: Final = 0.12
"""How far apart neighbouring gates stand at their closest ends, as a share of their spacing."""

WIDTH_REACH_M: Final = 0.3
"""A wheel may use the track's width this far before and behind the car."""

MEASURED_EVERY_M: Final = 0.005


@dataclass(frozen=True, slots=True, eq=False)
class Corridor:
    """Evenly spaced gates across the course, in driving order.

    Attributes:
        points: complex128 (M,), where the smooth line crosses each gate, metres.
        tangents: complex128 (M,), its unit directions of travel; a gate stands across.
        curvature: float64 (M,), of the smooth line, 1/m, positive left.
        spacing_m: Arc length between gates.
        right_m: float64 (M,), the lowest offset at which `base_link` may cross, positive left.
        left_m: float64 (M,), the highest.
    """

    points: Curve
    tangents: Curve
    curvature: Floats
    spacing_m: float
    right_m: Floats
    left_m: Floats

    @classmethod
    def of(cls, track: Track, car: CarSpec, gates: int, slack_m: float) -> Corridor:
        """Measure what the off-track rule leaves to a car.

        A car is off track when all four wheels are outside. At its best heading a wheel touches
        down half the wheels' diagonal closer to the centre line than `base_link` is.

        Args:
            track: In the direction of travel.
            car: Whose wheels.
            gates: How many.
            slack_m: Room beyond that, on both sides.

        Raises:
            TrackError: The course is too wide for its bends to be crossed by gates.
        """
        reach_m = max(math.hypot(x, y) for x, y in car.wheel_positions_m) + slack_m
        for smoothing_m in SMOOTHINGS_M:
            points, tangents, curvature, length_m = _smooth_line(track, smoothing_m, gates)
            right_m, left_m = _open_from_to(track, points, tangents, reach_m)
            spread = np.minimum(1.0 - left_m * curvature, 1.0 - right_m * curvature)
            if spread.min() >= LEAST_SPREAD:
                return cls(points, tangents, curvature, length_m / gates, right_m, left_m)
        raise TrackError(f'track {track.name!r} is up to {track.width_m.max():.2f} m wide, with '
                         f'bends of {track.min_radius_m:.2f} m; no lap bound can be computed for '
                         'it: widen the bends or narrow the track.')

    def at(self, offsets_m: Floats) -> Curve:
        """Places on the gates, (M,), at offsets (M,) from the smooth line."""
        return self.points + 1j * self.tangents * offsets_m

    def clipped(self, offsets_m: Floats) -> Floats:
        """Offsets (M,) moved to where the gates are open."""
        return np.clip(offsets_m, self.right_m, self.left_m)

    def centre(self) -> Floats:
        """Offsets (M,) of the smooth line itself."""
        return self.clipped(np.zeros(len(self.points)))

    def shortest(self) -> Floats:
        """Offsets (M,) of about the shortest path: least sum of squared steps."""
        return self._least(1)

    def gentlest(self) -> Floats:
        """Offsets (M,) of about the line of least curvature: least sum of squared bends."""
        return self._least(2)

    def _least(self, order: int) -> Floats:
        """Offsets with the least squared differences of an order between neighbouring places."""
        one = np.eye(len(self.points))
        difference = one
        for _ in range(order):
            difference = np.roll(difference, -1, axis=1) - difference
        fixed, moved = difference @ self.points, difference * (1j * self.tangents)
        solution = lsq_linear(
            np.concatenate((moved.real, moved.imag)), -np.concatenate((fixed.real, fixed.imag)),
            bounds=(self.right_m, self.left_m), tol=1e-4, max_iter=20, lsq_solver='exact')
        return self.clipped(solution.x)


def bends_of(line: Curve) -> tuple[Floats, Floats]:
    """Length of each step of a closed line to the next place, and curvature at the place, (M,)."""
    step = np.roll(line, -1) - line
    before = np.roll(step, 1)
    length_m = np.abs(step)
    turn_rad = np.angle(step / before)
    return length_m, 2.0 * turn_rad / (length_m + np.abs(before))


def _smooth_line(track: Track, smoothing_m: float,
                 gates: int) -> tuple[Curve, Curve, Floats, float]:
    """Places, directions, curvatures (M,) and length of a track's smoothed centre line."""
    curve = _even(track.centre_m[:, 0] + 1j * track.centre_m[:, 1], OVERSAMPLING * gates)
    curve = _damped(curve, smoothing_m, order=0)
    for _ in range(3):  # smoothing moves points along the line, and this moves the line a little
        curve = _even(curve, len(curve))
    curve = _damped(curve, min(SMOOTHINGS_M) / 2.0, order=0)
    first, second = _damped(curve, 0.0, order=1), _damped(curve, 0.0, order=2)
    curvature = (np.conj(first) * second).imag / np.abs(first) ** 3
    every = slice(None, None, OVERSAMPLING)
    return (curve[every], np.exp(1j * np.angle(first[every])), curvature[every],
            _length(curve))


def _length(curve: Curve) -> float:
    return float(np.abs(np.roll(curve, -1) - curve).sum())


def _even(curve: Curve, count: int) -> Curve:
    """The same closed curve with `count` points, evenly spaced."""
    closed = np.append(curve, curve[:1])
    s = np.concatenate(([0.0], np.cumsum(np.abs(np.diff(closed)))))
    return np.asarray(np.interp(np.linspace(0.0, s[-1], count, endpoint=False), s, closed))


def _damped(curve: Curve, sigma_m: float, *, order: int) -> Curve:
    """A derivative along a closed, evenly spaced curve, averaged with a Gaussian."""
    omega = 2.0 * math.pi * np.fft.fftfreq(len(curve), _length(curve) / len(curve))
    response = (1j * omega) ** order * np.exp(-0.5 * (omega * sigma_m) ** 2)
    return np.asarray(np.fft.ifft(np.fft.fft(curve) * response))


def _open_from_to(track: Track, points: Curve, tangents: Curve,
                  reach_m: float) -> tuple[Floats, Floats]:
    """Lowest and highest offset (M,) on each gate within `reach_m` of the surface."""
    left_m, right_m = (_widest_near(track, half_m) for half_m in (track.left_m, track.right_m))
    farthest_m = max(left_m.max(), right_m.max()) + reach_m + 0.1
    steps = math.ceil(farthest_m / MEASURED_EVERY_M)
    outwards = MEASURED_EVERY_M * np.arange(steps + 1)
    ends = []
    for side in (-1.0, 1.0):
        places = points[:, None] + 1j * tangents[:, None] * (side * outwards)
        at = track.project(np.stack((places.real, places.imag), axis=-1))
        half_m = np.where(at.lateral_m > 0.0, left_m[at.segment], right_m[at.segment])
        outside = np.abs(at.lateral_m) > half_m + reach_m
        first = np.where(outside.any(axis=1), outside.argmax(axis=1), steps)
        ends.append(side * outwards[first])
    return ends[0], ends[1]


def _widest_near(track: Track, half_m: Floats) -> Floats:
    """Greatest half width within `WIDTH_REACH_M` of each segment, (N,)."""
    s, length_m = track.s_m[:-1], track.length_m
    apart_m = np.abs((s[:, None] - s + length_m / 2.0) % length_m - length_m / 2.0)
    widest = np.where(apart_m <= WIDTH_REACH_M, half_m, 0.0).max(axis=1)
    return np.maximum(widest, np.roll(widest, -1))
