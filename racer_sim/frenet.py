"""Frenet projection: from a point of the plane to progress along a closed line and offset from it.

Compiled, because race control asks for five points of every car in every step. A loop is float64
`points` (N, 2), in driving order, first point not repeated, with its cumulative arc length `s`
(N + 1,), s[0] = 0 and s[N] = length; segment i runs from point i to point (i + 1) mod N.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@njit(cache=True)
def nearest_on_loop(
    points: Floats, s: Floats, x: float, y: float
) -> tuple[int, float, float, float]:
    """Nearest point of a loop, by looking at every segment.

    A point beyond a segment's end needs no thought there: the next segment answers for the shared
    vertex. So the loop holds neither a square root nor, but for new minima, a division.

    Args:
        points: float64, (N, 2), C-contiguous, metres.
        s: float64, (N + 1,), cumulative arc length, metres.
        x: Where to project from, metres.
        y: Where to project from, metres.

    Returns:
        Segment index in [0, N), fraction along it in [0, 1), arc length in [0, length), and
        distance with the sign of the side, positive left of travel. NaN in, NaN distance out.
    """
    count = points.shape[0]
    best, segment, fraction = math.inf, 0, 0.0
    x0, y0 = points[0, 0], points[0, 1]
    for index in range(count):
        after = index + 1 if index + 1 < count else 0
        x1, y1 = points[after, 0], points[after, 1]
        dx, dy, ax, ay = x1 - x0, y1 - y0, x - x0, y - y0
        along = ax * dx + ay * dy
        if along <= 0.0:
            distance2 = ax * ax + ay * ay
            if distance2 < best:
                best, segment, fraction = distance2, index, 0.0
        else:
            length2 = dx * dx + dy * dy
            if along < length2:
                across = dx * ay - dy * ax
                if across * across < best * length2:
                    best, segment, fraction = across * across / length2, index, along / length2
        x0, y0 = x1, y1
    return (
        segment,
        fraction,
        _arc_length(s, segment, fraction),
        _signed(points, segment, fraction, x, y),
    )


@njit(cache=True)
def _arc_length(s: Floats, segment: int, fraction: float) -> float:
    """Arc length of a place on the loop; rounding never makes it the full length."""
    value = s[segment] + fraction * (s[segment + 1] - s[segment])
    return value if value < s[-1] else 0.0


@njit(cache=True)
def _signed(points: Floats, segment: int, fraction: float, x: float, y: float) -> float:
    """Distance to a place on the loop, positive on the left.

    At a vertex the side is taken from the chord of both its segments: one of them alone would
    misjudge points in the wedge outside a sharp corner.
    """
    count = points.shape[0]
    after = segment + 1 if segment + 1 < count else 0
    before = segment if fraction > 0.0 else (segment - 1 if segment > 0 else count - 1)
    x0, y0 = points[segment, 0], points[segment, 1]
    ax = x - (x0 + fraction * (points[after, 0] - x0))
    ay = y - (y0 + fraction * (points[after, 1] - y0))
    chord_x, chord_y = points[after, 0] - points[before, 0], points[after, 1] - points[before, 1]
    distance = math.sqrt(ax * ax + ay * ay)
    return -distance if chord_x * ay - chord_y * ax < 0.0 else distance


@njit(cache=True)
def project_loop(
    points: Floats, s: Floats, xy: Floats
) -> tuple[NDArray[np.int64], Floats, Floats, Floats]:
    """`nearest_on_loop` of many points.

    Args:
        points: float64, (N, 2), C-contiguous, metres.
        s: float64, (N + 1,), metres.
        xy: float64, (M, 2), metres.

    Returns:
        Segment int64, fraction, arc length and signed lateral distance, each (M,).
    """
    count = xy.shape[0]
    segment = np.empty(count, np.int64)
    fraction, arc, lateral = np.empty(count), np.empty(count), np.empty(count)
    for row in range(count):
        segment[row], fraction[row], arc[row], lateral[row] = nearest_on_loop(
            points, s, xy[row, 0], xy[row, 1]
        )
    return segment, fraction, arc, lateral


@njit(cache=True)
def rays_to_loop(points: Floats, origins: Floats, directions: Floats) -> Floats:
    """Distance along each ray to the first crossing with a loop.

    Args:
        points: float64, (N, 2), the loop, metres.
        origins: float64, (M, 2), metres.
        directions: float64, (M, 2), unit vectors.

    Returns:
        float64, (M,), metres; +inf where a ray never meets the loop.
    """
    distances = np.full(origins.shape[0], np.inf)
    for row in range(origins.shape[0]):
        ux, uy = directions[row, 0], directions[row, 1]
        ax, ay = points[-1, 0] - origins[row, 0], points[-1, 1] - origins[row, 1]
        side_a = ux * ay - uy * ax
        for index in range(points.shape[0]):
            bx, by = points[index, 0] - origins[row, 0], points[index, 1] - origins[row, 1]
            side_b = ux * by - uy * bx
            if (side_a > 0.0) != (side_b > 0.0):
                part = side_a / (side_a - side_b)
                reach = ux * (ax + part * (bx - ax)) + uy * (ay + part * (by - ay))
                if 0.0 <= reach < distances[row]:
                    distances[row] = reach
            ax, ay, side_a = bx, by, side_b
    return distances
