"""What makes a loop of points a track: each question asked once, each refusal in one line."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from racer_vehicle.errors import TrackError

Floats = NDArray[np.float64]

SAME_POINT_M = 1e-3
"""Closer neighbours than this are one point."""

FEWEST_POINTS = 8
SHORTEST_M, LONGEST_M = 2.0, 1000.0
LARGEST_CLOSING_GAP = 3.0
"""Of the median spacing: a larger gap between last and first point means an open line."""


def as_points(name: str, what: str, values: ArrayLike) -> Floats:
    """A finite (N, 2) array.

    Args:
        name: The track's name, for the message.
        what: Which line this is, for the message.
        values: Anything that numpy reads as numbers.

    Raises:
        TrackError: The shape is not (N, 2), or a row is not finite.
    """
    points = np.asarray(values, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2:
        raise TrackError(
            f'track {name!r}: the {what} has shape {points.shape}; allowed: (N, 2), '
            f'x and y in metres.'
        )
    bad = np.flatnonzero(~np.isfinite(points).all(axis=1))
    if bad.size:
        row = int(bad[0])
        raise TrackError(
            f'track {name!r}: the {what} holds {points[row].tolist()} in row {row}; '
            f'allowed: finite metres; mend or drop that row.'
        )
    return points


def require_same_rows(name: str, centre: Floats, left: Floats, right: Floats) -> None:
    """Refuse lines of different length and lines of too few points."""
    if not len(centre) == len(left) == len(right):
        raise TrackError(
            f'track {name!r}: {len(centre)} centre, {len(left)} left and {len(right)} right rows; '
            f'allowed: one border point on each side for each centre point.'
        )
    require_points(name, len(centre))


def require_points(name: str, count: int) -> None:
    """Refuse a line of too few points."""
    if count < FEWEST_POINTS:
        raise TrackError(
            f'track {name!r} has {count} distinct points; allowed: {FEWEST_POINTS} or more; '
            f'sample the centre line more finely.'
        )


def closing_gap_m(centre: Floats) -> tuple[float, float]:
    """Distance from the last point to the first, and the largest that still reads as a loop."""
    spacing = float(np.median(np.hypot(*np.diff(centre, axis=0).T)))
    return float(np.hypot(*(centre[0] - centre[-1]))), LARGEST_CLOSING_GAP * spacing


def distinct_rows(name: str, centre: Floats) -> NDArray[np.intp]:
    """Indices of a loop's rows without repeated points, and without the first row repeated.

    Raises:
        TrackError: The ends lie too far apart to be joined.
    """
    steps = np.hypot(*np.diff(centre, axis=0).T)
    rows = np.flatnonzero(np.concatenate(([True], steps >= SAME_POINT_M)))
    require_points(name, len(rows))
    gap, allowed = closing_gap_m(centre[rows])
    if gap < SAME_POINT_M:
        return rows[:-1]
    if gap > allowed:
        raise TrackError(
            f'track {name!r} is open: {gap:.2f} m between its last and first point; '
            f'allowed: {allowed:.2f} m, {LARGEST_CLOSING_GAP:g} times the median spacing; '
            f'if it is a loop, repeat the first row at the end.'
        )
    return rows


def require_spacing(name: str, centre: Floats) -> None:
    """Refuse neighbours that are one point, and lengths that no 1/18-scale track has."""
    steps = np.hypot(*(np.roll(centre, -1, axis=0) - centre).T)
    if steps.min() < SAME_POINT_M:
        row = int(steps.argmin())
        raise TrackError(
            f'track {name!r}: point {row} and the next are {steps[row]:.2g} m apart; '
            f'allowed: {SAME_POINT_M:g} m or more; Track.from_borders merges such points.'
        )
    length = float(steps.sum())
    if not SHORTEST_M <= length <= LONGEST_M:
        raise TrackError(
            f'track {name!r} is {length:.4g} m long; allowed: {SHORTEST_M:g} to {LONGEST_M:g} m; '
            f'scale its coordinates to metres.'
        )


def require_width(name: str, centre: Floats, left: Floats, right: Floats, normals: Floats) -> None:
    """Refuse a row with its left border not left, or its right not right, of the centre."""
    for side, border, sign in (('left', left, 1.0), ('right', right, -1.0)):
        distance = sign * np.einsum('ij,ij->i', border - centre, normals)
        bad = np.flatnonzero(distance <= 0.0)
        if bad.size:
            row = int(bad[0])
            raise TrackError(
                f'track {name!r}: the {side} border is {distance[row]:.3g} m to the {side} of the '
                f'centre in row {row}; allowed: above 0; check widths and column order.'
            )


def require_simple(name: str, centre: Floats) -> None:
    """Refuse a centre line that crosses itself: progress would jump between the branches."""
    crossing = first_crossing(centre)
    if crossing is not None:
        first, second = crossing
        x, y = centre[first]
        raise TrackError(
            f'track {name!r}: the centre line crosses itself near ({x:.2f}, {y:.2f}), at points '
            f'{first} and {second}; allowed: a loop without crossings; move one branch aside.'
        )


def first_crossing(points: Floats) -> tuple[int, int] | None:
    """First pair of segments of a closed line that cross, or None.

    Args:
        points: float64, (N, 2), first point not repeated.

    Returns:
        Indices of two segments that are not neighbours.
    """
    ends = np.roll(points, -1, axis=0)
    low, high = np.minimum(points, ends), np.maximum(points, ends)
    count = len(points)
    for first in range(count - 2):
        others = slice(first + 2, count - 1 if first == 0 else count)
        near = ((low[others] <= high[first]) & (high[others] >= low[first])).all(axis=1)
        for second in (np.flatnonzero(near) + first + 2).tolist():
            if _cross(points[first], ends[first], points[second], ends[second]):
                return first, second
    return None


def _cross(a: Floats, b: Floats, c: Floats, d: Floats) -> bool:
    """Whether segments ab and cd cross; their bounding boxes are known to overlap."""

    def left_of(p: Floats, q: Floats, r: Floats) -> bool:
        return bool((q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]) > 0.0)

    return left_of(a, b, c) != left_of(a, b, d) and left_of(c, d, a) != left_of(c, d, b)
