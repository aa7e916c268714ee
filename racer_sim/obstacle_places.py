"""Where the boxes of a race stand, and where its bots begin: along the lap, and in which lane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from racer_sim.bodies import Box
from racer_sim.courses import Course
from racer_sim.placement import width_at
from racer_sim.race_format import LANE_SHARE, LEFT, RIGHT, Bots, Obstacles, RaceFormat
from racer_vehicle.errors import ConfigError

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

CLEAR_M: Final = 1.5
"""Nothing is drawn so near to the car, before or behind it: it has just been put there."""


def require_room(what: Obstacles | Bots, length_m: float, name: str) -> None:
    """Refuse more things than fit on a lap with their least distance.

    Args:
        what: The things.
        length_m: Of the lap.
        name: Of the track, for the message.

    Raises:
        ConfigError: They do not fit, or two of the named places are nearer than allowed.
    """
    needed_m = 2.0 * _clear_m(what.min_gap_m) + max(what.count - 1, 0) * what.min_gap_m
    if what.count and needed_m > length_m:
        raise ConfigError(
            f'{what.count} obstacles or bots {what.min_gap_m:g} m apart need {needed_m:.1f} m, '
            f'and a lap of {name!r} has {length_m:.1f} m; allowed: fewer, a smaller min_gap_m, '
            'or a longer track.')
    if isinstance(what, Obstacles) and len(what.places) > 1:
        s_m = np.sort([share * length_m for share, _ in what.places])
        gap_m = float(np.diff(s_m, append=s_m[0] + length_m).min())
        if gap_m < what.min_gap_m - 1e-9:
            raise ConfigError(f'two obstacles would stand {gap_m:.2f} m apart on {name!r}; '
                              f'allowed: {what.min_gap_m:g} m (min_gap_m) or more.')


def require_room_on(courses: Sequence[Course], race: RaceFormat) -> None:
    """`require_room` for the boxes and bots of a race, on each of its courses."""
    for course in courses:
        for guests in (race.obstacles, race.bots):
            require_room(guests, course.track.length_m, course.track.name)


def draw_places(count: int, min_gap_m: float, length_m: float, car_s_m: float,
                random: np.random.Generator) -> tuple[Floats, Indices]:
    """Random places on a lap, all sets that keep the distances equally likely.

    Args:
        count: How many, as `require_room` allows.
        min_gap_m: Least distance along the centre line.
        length_m: Of the lap.
        car_s_m: Where the car is, arc length.
        random: Source of chance.

    Returns:
        Arc lengths float64 (count,), ascending from the car on, in [0, length), and lanes int64
        (count,), 1 left or -1 right.
    """
    clear_m = _clear_m(min_gap_m)
    # What is left over when every distance is kept is dealt out between them.
    spare_m = length_m - 2.0 * clear_m - (count - 1) * min_gap_m
    s_m = clear_m + spare_m * np.sort(random.random(count)) + min_gap_m * np.arange(count)
    lanes = random.choice(np.array([LEFT, RIGHT]), count)
    return np.mod(car_s_m + s_m, length_m), lanes


def named_places(places: tuple[tuple[float, int], ...],
                 length_m: float) -> tuple[Floats, Indices]:
    """The same of named places: shares of the lap, and lanes."""
    return (np.array([share * length_m for share, _ in places]),
            np.array([lane for _, lane in places], dtype=np.int64))


def obstacle_boxes(course: Course, s_m: Floats, lanes: Indices) -> tuple[Box, ...]:
    """Boxes at places of a course, amid their lanes and along them.

    Args:
        course: Whose arc lengths they are.
        s_m: float64 (K,).
        lanes: int64 (K,), 1 left or -1 right.
    """
    track = course.track
    half_m = np.where(lanes > 0, width_at(track, track.left_m, s_m),
                      width_at(track, track.right_m, s_m))
    poses = np.stack(track.pose_at(s_m, LANE_SHARE * lanes * half_m), axis=1).tolist()
    return tuple(Box(x_m=x_m, y_m=y_m, yaw_rad=yaw_rad) for x_m, y_m, yaw_rad in poses)


def _clear_m(min_gap_m: float) -> float:
    """Kept free before and behind the car, so that across it, too, the distance is kept."""
    return max(CLEAR_M, min_gap_m / 2.0)
