"""Where cars stand before they drive: poses on a course, and the places of a starting grid."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from racer_sim.courses import Course, courses_of
from racer_sim.track_library import find_track
from racer_vehicle.errors import ConfigError

GRID_GAP_M: Final = 0.6
"""Between the cars of a starting grid, along the course."""

GRID_SIDE: Final = 0.4
"""How far to the side they stand, left and right in turn, as a share of the half width."""


@dataclass(frozen=True, slots=True)
class Pose:
    """Where `base_link` is on the ground, map frame; yaw counter-clockwise from +x."""

    x_m: float
    y_m: float
    yaw_rad: float

    def __post_init__(self) -> None:
        if not all(map(math.isfinite, (self.x_m, self.y_m, self.yaw_rad))):
            raise ConfigError(f'{self} is no place; allowed: finite metres and radians.')

    def distance_m(self, other: Pose) -> float:
        """Between two places, whatever their directions."""
        return math.hypot(self.x_m - other.x_m, self.y_m - other.y_m)


def one_course(track: str, direction: str) -> Course:
    """The course of a track in one direction.

    Args:
        track: Name or file.
        direction: `forward` or `reverse`.

    Raises:
        ConfigError: There is no such track, or the direction is not one.
    """
    courses = courses_of([find_track(track)], direction)
    if len(courses) > 1:
        raise ConfigError(f'direction is {direction!r}; allowed here: forward or reverse, one at '
                          'a time.')
    return courses[0]


def grid_pose(course: Course, share: float, car: int) -> Pose:
    """Where a car of a starting grid stands: the first in the middle, the others behind it.

    Args:
        course: The course.
        share: Of the lap, where the first car stands.
        car: Place in the grid, from 0.
    """
    track = course.track
    s_m = share * track.length_m - car * GRID_GAP_M
    segment = int(np.searchsorted(track.s_m, s_m % track.length_m, side='right')) - 1
    side = 0.0 if car == 0 else GRID_SIDE * (1.0 if car % 2 else -1.0)
    half_m = track.left_m[segment] if side > 0.0 else track.right_m[segment]
    return Pose(*(float(value) for value in track.pose_at(s_m, side * half_m)))
