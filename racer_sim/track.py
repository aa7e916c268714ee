"""A track's geometry: one closed centre line between two borders, and where a point is on it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from racer_sim import track_checks as checks
from racer_sim.frenet import project_loop, rays_to_loop

Floats = NDArray[np.float64]

RADIUS_REACH_M = 0.3
"""Arc on either side of a point from which its radius is measured: about two wheelbases.

From neighbouring points alone, a millimetre of noise in a file would read as a hairpin.
"""


class Projection(NamedTuple):
    """Where points are on a track; arrays of one common shape.

    Attributes:
        segment: int64, index of the nearest centre-line segment.
        fraction: Along that segment, in [0, 1).
        s_m: Arc length from the start, in [0, length).
        lateral_m: Distance from the centre line, positive left of travel.
        heading_rad: Direction of travel of the segment, in (-pi, pi].
    """

    segment: NDArray[np.int64]
    fraction: Floats
    s_m: Floats
    lateral_m: Floats
    heading_rad: Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class Track:
    """A closed track; points run in driving order, the first is not repeated, axes as in REP-103.

    Attributes:
        name: What it is called in lists, files and model cards.
        centre_m: Read-only float64, (N, 2), C-contiguous; the start line is at row 0.
        left_border_m: Read-only float64, (N, 2), row by row left of the centre.
        right_border_m: Read-only float64, (N, 2), row by row right of the centre.
    """

    name: str
    centre_m: Floats
    left_border_m: Floats
    right_border_m: Floats

    def __post_init__(self) -> None:
        lines = {
            'centre_m': 'centre line',
            'left_border_m': 'left border',
            'right_border_m': 'right border',
        }
        for field, what in lines.items():
            points = checks.as_points(self.name, what, getattr(self, field))
            frozen = np.array(points, order='C')
            frozen.setflags(write=False)
            object.__setattr__(self, field, frozen)
        checks.require_same_rows(self.name, self.centre_m, self.left_border_m, self.right_border_m)
        checks.require_spacing(self.name, self.centre_m)
        checks.require_simple(self.name, self.centre_m)
        checks.require_width(
            self.name, self.centre_m, self.left_border_m, self.right_border_m, self.normals
        )

    @classmethod
    def from_borders(
        cls, name: str, centre: ArrayLike, left: ArrayLike, right: ArrayLike
    ) -> Track:
        """Build a track from raw rows: duplicates are merged, a repeated first row is dropped.

        Args:
            name: Name of the track.
            centre: (N, 2) metres, in driving order.
            left: (N, 2) metres, the border left of travel.
            right: (N, 2) metres, the border right of travel.

        Raises:
            TrackError: The rows do not describe a closed, simple, wide enough loop.
        """
        lines = (
            checks.as_points(name, 'centre line', centre),
            checks.as_points(name, 'left border', left),
            checks.as_points(name, 'right border', right),
        )
        checks.require_same_rows(name, *lines)
        rows = checks.distinct_rows(name, lines[0])
        centre_m, left_m, right_m = (line[rows] for line in lines)
        return cls(name=name, centre_m=centre_m, left_border_m=left_m, right_border_m=right_m)

    @classmethod
    def from_centre_line(
        cls, name: str, centre: ArrayLike, left_m: ArrayLike, right_m: ArrayLike
    ) -> Track:
        """Build a track whose borders lie at given distances from its centre line.

        Args:
            name: Name of the track.
            centre: (N, 2) metres, in driving order; the first row may be repeated at the end.
            left_m: Distance to the left border, one number or (N,).
            right_m: Distance to the right border, one number or (N,).

        Raises:
            TrackError: As for `from_borders`.
        """
        points = checks.as_points(name, 'centre line', centre)
        rows = checks.distinct_rows(name, points)
        left, right = (
            np.broadcast_to(np.asarray(distance, dtype=np.float64), len(points))[rows, None]
            for distance in (left_m, right_m)
        )
        loop = points[rows]
        normals = vertex_normals(loop)
        return cls(
            name=name,
            centre_m=loop,
            left_border_m=loop + left * normals,
            right_border_m=loop - right * normals,
        )

    @cached_property
    def s_m(self) -> Floats:
        """Arc length at each point, float64 (N + 1,); the last is the track's length."""
        steps = np.hypot(*(np.roll(self.centre_m, -1, axis=0) - self.centre_m).T)
        return _frozen(np.concatenate(([0.0], np.cumsum(steps))))

    @property
    def length_m(self) -> float:
        """Length of the centre line."""
        return float(self.s_m[-1])

    @cached_property
    def normals(self) -> Floats:
        """Unit vectors to the left of travel at each point, float64 (N, 2)."""
        return _frozen(vertex_normals(self.centre_m))

    @cached_property
    def left_m(self) -> Floats:
        """Distance from each centre point to the left border along its normal, float64 (N,)."""
        return _frozen(self._reach(self.left_border_m, self.normals))

    @cached_property
    def right_m(self) -> Floats:
        """Distance from each centre point to the right border along its normal, float64 (N,)."""
        return _frozen(self._reach(self.right_border_m, -self.normals))

    def _reach(self, border: Floats, directions: Floats) -> Floats:
        """Distance from the centre points to a border.

        Files pair rows loosely (mitred corners lie half a metre ahead of their row), so the border
        is sought along the normal; a row's own border point bounds the answer.
        """
        own = np.hypot(*(border - self.centre_m).T)
        return np.minimum(rays_to_loop(border, self.centre_m, directions), own)

    @cached_property
    def width_m(self) -> Floats:
        """Width of the surface at each point, float64 (N,)."""
        return _frozen(self.left_m + self.right_m)

    @cached_property
    def heading_rad(self) -> Floats:
        """Direction of travel of each segment, float64 (N,), in (-pi, pi]."""
        step = np.roll(self.centre_m, -1, axis=0) - self.centre_m
        return _frozen(np.arctan2(step[:, 1], step[:, 0]))

    @cached_property
    def is_clockwise(self) -> bool:
        """Whether the infield lies right of travel."""
        x, y = self.centre_m.T
        return bool(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) < 0.0)

    @cached_property
    def min_radius_m(self) -> float:
        """Tightest radius of the centre line: smallest circle through three points 0.3 m apart."""
        reach = min(RADIUS_REACH_M, self.length_m / 8.0)
        s, here = self.s_m[:-1], self.centre_m
        # Rows, not places between them: a chord's middle lies inside of the bend.
        after = np.searchsorted(self.s_m, np.mod(s + reach, self.length_m)) % len(here)
        before = np.searchsorted(self.s_m, np.mod(s - reach, self.length_m), side='right') - 1
        back, ahead = here[before % len(here)], here[after]
        a, b, c = (np.hypot(*(p - q).T) for p, q in ((here, back), (ahead, here), (ahead, back)))
        first, second = here - back, ahead - back
        doubled_area = np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0])
        curvature = 2.0 * doubled_area / (a * b * c)
        return float(1.0 / max(curvature.max(), 1e-9))

    @cached_property
    def bounds_m(self) -> tuple[float, float, float, float]:
        """Smallest x, smallest y, largest x, largest y of both borders."""
        both = np.concatenate((self.left_border_m, self.right_border_m))
        (x_min, y_min), (x_max, y_max) = both.min(axis=0), both.max(axis=0)
        return float(x_min), float(y_min), float(x_max), float(y_max)

    def project(self, points: ArrayLike) -> Projection:
        """Nearest place on the centre line.

        Args:
            points: (..., 2) metres; NaN gives NaN `lateral_m`.

        Returns:
            Arrays of shape (...).
        """
        xy = np.asarray(points, dtype=np.float64)
        flat = np.ascontiguousarray(xy.reshape(-1, 2))
        segment, fraction, s, lateral = project_loop(self.centre_m, self.s_m, flat)
        shape = xy.shape[:-1]
        return Projection(
            segment.reshape(shape),
            fraction.reshape(shape),
            s.reshape(shape),
            lateral.reshape(shape),
            self.heading_rad[segment].reshape(shape),
        )

    def pose_at(self, s_m: ArrayLike, lateral_m: ArrayLike = 0.0) -> tuple[Floats, Floats, Floats]:
        """Place and direction at a progress and an offset; inverse of `project`.

        Args:
            s_m: Arc length, any real number: it wraps at the track's length.
            lateral_m: Offset to the left; broadcast against `s_m`.

        Returns:
            x, y in metres and yaw in radians, each of the common shape.
        """
        s, lateral = np.broadcast_arrays(
            np.mod(np.asarray(s_m, dtype=np.float64), self.length_m),
            np.asarray(lateral_m, dtype=np.float64),
        )
        last = len(self.centre_m) - 1
        segment = np.clip(np.searchsorted(self.s_m, s, side='right') - 1, 0, last)
        yaw = self.heading_rad[segment]
        along = s - self.s_m[segment]
        start = self.centre_m[segment]
        x = start[..., 0] + along * np.cos(yaw) - lateral * np.sin(yaw)
        y = start[..., 1] + along * np.sin(yaw) + lateral * np.cos(yaw)
        return x, y, yaw

    def is_on_surface(self, points: ArrayLike) -> NDArray[np.bool_]:
        """Whether points lie between the borders, widths interpolated along each segment.

        Args:
            points: (..., 2) metres.

        Returns:
            bool, (...); NaN is never on the surface.
        """
        at = self.project(points)
        after = (at.segment + 1) % len(self.centre_m)
        left = (1.0 - at.fraction) * self.left_m[at.segment] + at.fraction * self.left_m[after]
        right = (1.0 - at.fraction) * self.right_m[at.segment] + at.fraction * self.right_m[after]
        return (-right <= at.lateral_m) & (at.lateral_m <= left)

    def reversed(self) -> Track:
        """The same surface driven the other way, from the same start line, under the same name."""
        centre, left, right = (
            np.roll(line[::-1], 1, axis=0)
            for line in (self.centre_m, self.left_border_m, self.right_border_m)
        )
        return Track(name=self.name, centre_m=centre, left_border_m=right, right_border_m=left)


def vertex_normals(points: Floats) -> Floats:
    """Unit vectors to the left of travel at the points of a closed line.

    Args:
        points: float64, (N, 2), metres, first point not repeated.

    Returns:
        float64, (N, 2): the bisector of the normals of the two segments that meet.
    """
    step = np.roll(points, -1, axis=0) - points
    unit = step / np.maximum(np.hypot(*step.T), 1e-12)[:, None]
    tangent = unit + np.roll(unit, 1, axis=0)
    normal = np.stack((-tangent[:, 1], tangent[:, 0]), axis=1)
    return np.asarray(normal / np.maximum(np.hypot(*normal.T), 1e-12)[:, None])


def _frozen(values: Floats) -> Floats:
    """The same array, read-only: a cached property is shared by everybody who asks."""
    values.setflags(write=False)
    return values
