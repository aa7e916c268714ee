"""What the cars of a batch can meet: where it is on their courses, and how fast it goes."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from racer_sim.bodies import OBSTACLE_OWNER, WALL_OWNER
from racer_sim.courses import CourseGeometry
from racer_sim.frenet import nearest_on_loop
from racer_sim.traffic import ASIDE_M, Traffic

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Records = NDArray[np.void]

ENCOUNTER: Final = np.dtype([
    ('is_there', '?'), ('s_m', 'f8'), ('lateral_m', 'f8'), ('gap_m', 'f8'), ('x_m', 'f8'),
    ('y_m', 'f8'), ('yaw_rad', 'f8'), ('speed_mps', 'f8'), ('moves', '?'),
])
"""One body as one car meets it: arc length and offset on the car's course, the way there along the
centre line, ahead positive and at most half a lap either way, its middle and yaw in the map, its
speed, and whether it is a car."""

TOLD: Final = 2
"""How many bodies ahead the privileged observation tells of, the next first; and one behind."""

TOLD_SIZE: Final = 3 * (TOLD + 1)
UNSEEN: Final = (*(3 * place + 2 for place in range(TOLD)), *range(3 * TOLD, TOLD_SIZE))
"""Of those values, the ones that a single image and scan do not show: how fast a body is, and what
is behind the car."""

REACH_M: Final = 4.0
"""How far ahead and behind it tells of them."""

PASSED_M: Final = 0.5
"""A body so far behind the car's origin is passed, middle to middle; until then it is ahead."""


def encounters(traffic: Traffic, states: Records, places: Records, course_of: Indices,
               geometry: CourseGeometry) -> Records:
    """What every car can meet now.

    Args:
        traffic: With all bodies where they are.
        states: vehicle `STATE`, (N,).
        places: `PLACE`, (N,).
        course_of: int64 (N,).
        geometry: All courses.

    Returns:
        `ENCOUNTER`, (N, K), in the order of the bodies of the car's world; those it cannot meet,
        itself, walls and cars out of the race, are not there.
    """
    met = np.zeros((len(states), traffic.bodies.shape[1]), dtype=ENCOUNTER)
    if met.size:
        _meet(met, places['s_m'], course_of, traffic.world_of, traffic.bodies,
              traffic.velocities(states), geometry.points, geometry.s_m, geometry.first)
    return met


def encounters_of(bodies: Records, places: Records, geometry: CourseGeometry) -> Records:
    """What one car on the first course can meet, by what is told of its surroundings.

    Args:
        bodies: `BODY`, (K,); those of cars have other owners than 0.
        places: `PLACE`, (1,), of the car.
        geometry: Of its course.

    Returns:
        `ENCOUNTER`, (1, K), as of `encounters`; speeds are not known, and 0.
    """
    met = np.zeros((1, len(bodies)), dtype=ENCOUNTER)
    first = np.zeros(1, dtype=np.int64)
    if met.size:
        _meet(met, places['s_m'], first, first, bodies[None], np.zeros((1, len(bodies), 2)),
              geometry.points, geometry.s_m, geometry.first)
    return met


@njit(cache=True)
def _meet(met: Records, car_s_m: Floats, course_of: Indices, world_of: Indices, bodies: Records,
          velocities: Floats, points: Floats, s_m: Floats, first: Indices) -> None:
    for i in range(met.shape[0]):
        course, world = course_of[i], world_of[i]
        begin, end = first[course], first[course + 1]
        line, arc = points[begin:end], s_m[begin + course:end + course + 1]
        length = arc[end - begin]
        for k in range(met.shape[1]):
            body = bodies[world, k]
            if body.owner == i or body.owner == WALL_OWNER or body.x_m == ASIDE_M:
                continue
            _, _, s, lateral = nearest_on_loop(line, arc, body.x_m, body.y_m)
            gap = s - car_s_m[i]
            one = met[i, k]
            one.is_there, one.s_m, one.lateral_m = True, s, lateral
            one.gap_m = gap - length * round(gap / length)
            one.x_m, one.y_m = body.x_m, body.y_m
            velocity = velocities[world, k]
            one.speed_mps = math.hypot(velocity[0], velocity[1])
            one.yaw_rad = math.atan2(math.sin(body.yaw_rad), math.cos(body.yaw_rad))
            one.moves = body.owner != OBSTACLE_OWNER


class Overtakes:
    """Counts who passed whom, of what moves.

    Attributes:
        count: int64 (N,), bodies that each car has passed in its run, less those that passed it.
    """

    def __init__(self, cars: int, bodies: int) -> None:
        """Nobody has passed anybody.

        Args:
            cars: N.
            bodies: Most in a world.
        """
        self.count = np.zeros(cars, dtype=np.int64)
        self.gaps_m = np.full((cars, bodies), np.nan)

    def begin(self, cars: Indices) -> None:
        """New runs of some cars (K,)."""
        self.count[cars] = 0
        self.gaps_m[cars] = np.nan

    def see(self, met: Records) -> None:
        """Take note of a moment: `ENCOUNTER`, (N, K)."""
        _count_passes(self.count, self.gaps_m, met)


@njit(cache=True)
def _count_passes(count: Indices, gaps_m: Floats, met: Records) -> None:
    for i in range(met.shape[0]):
        for k in range(met.shape[1]):
            one, before = met[i, k], gaps_m[i, k]
            now = one.gap_m if one.is_there and one.moves else math.nan
            # Half a lap away, the sign changes too, and nobody passes anybody.
            if abs(now) + abs(before) < REACH_M:
                if before > 0.0 >= now:
                    count[i] += 1
                elif now > 0.0 >= before:
                    count[i] -= 1
            gaps_m[i, k] = now


def told(met: Records, places: Records, states: Records) -> NDArray[np.float32]:
    """What the privileged observation tells of the bodies near each car.

    Args:
        met: Of `encounters`, (N, K).
        places: `PLACE`, (N,).
        states: vehicle `STATE`, (N,).

    Returns:
        float32 (N, TOLD_SIZE): of the next bodies ahead, then of the last one behind, how near it
        is (0 at `REACH_M` or without one, 1 beside the car), how much further left than the car
        as a share of the half width, and how fast the car draws near it over 2 m/s.
    """
    rows = np.zeros((len(met), TOLD_SIZE), dtype=np.float32)
    speeds = np.hypot(states['vx_mps'], states['vy_mps'])
    half_m = 0.5 * (places['left_m'] + places['right_m'])
    _tell(rows, met, places['lateral_m'], half_m, speeds)
    return rows


@njit(cache=True)
def _tell(rows: NDArray[np.float32], met: Records, lateral_m: Floats, half_m: Floats,
          speeds: Floats) -> None:
    for i in range(met.shape[0]):
        least = -PASSED_M
        for place in range(TOLD + 1):
            best, found = math.inf, -1
            for k in range(met.shape[1]):
                one = met[i, k]
                # Ahead: the next one after the last told. Behind: the nearest of the passed.
                way = one.gap_m if place < TOLD else -one.gap_m
                is_next = way > least if place < TOLD else way >= PASSED_M
                if one.is_there and is_next and way < min(best, REACH_M):
                    best, found = way, k
            if found < 0:
                continue
            one = met[i, found]
            if place < TOLD:
                least = best
            closing = speeds[i] - one.speed_mps if place < TOLD else one.speed_mps - speeds[i]
            rows[i, 3 * place] = 1.0 - max(best, 0.0) / REACH_M
            rows[i, 3 * place + 1] = (one.lateral_m - lateral_m[i]) / half_m[i]
            rows[i, 3 * place + 2] = 0.5 * closing
