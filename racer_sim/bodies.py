"""Solid things that stand on the ground: obstacles, walls and cars, all upright boxes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from racer_sim.camera import BODY
from racer_sim.track import Track
from racer_vehicle.spec import CarSpec, require_range

OBSTACLE_OWNER: Final = -1
WALL_OWNER: Final = -2
"""Owners of bodies that are no cars; a wall is no object of the reward dictionary."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """An upright box on the ground, by default DeepRacer's obstacle of 0.4 x 0.3 x 0.25 m.

    Attributes:
        x_m: Centre, map frame.
        y_m: Centre, map frame.
        yaw_rad: Direction of its length.
        length_m: Along its own x.
        width_m: Along its own y.
        height_m: Above the ground.
        colour: sRGB.
        is_wall: Part of a wall rather than an obstacle.
    """

    x_m: float
    y_m: float
    yaw_rad: float = 0.0
    length_m: float = 0.4
    width_m: float = 0.3
    height_m: float = 0.25
    colour: tuple[int, int, int] = (190, 120, 60)
    is_wall: bool = False

    def __post_init__(self) -> None:
        require_range(self, x_m=(-1e4, 1e4), y_m=(-1e4, 1e4), yaw_rad=(-10.0, 10.0),
                      length_m=(0.01, 100.0), width_m=(0.01, 100.0), height_m=(0.01, 10.0))


def body_of(box: Box) -> NDArray[np.void]:
    """`BODY` scalar record of a standing box."""
    return np.array((box.x_m, box.y_m, box.yaw_rad, box.length_m, box.width_m, box.height_m,
                     box.colour, WALL_OWNER if box.is_wall else OBSTACLE_OWNER), dtype=BODY)


def car_body(car: CarSpec, owner: int, colour: tuple[int, int, int]) -> NDArray[np.void]:
    """`BODY` scalar record of a car; its pose is written every step."""
    return np.array((0.0, 0.0, 0.0, car.length_m, car.width_m, car.height_m, colour, owner), dtype=BODY)


def wall_boxes(track: Track, *, clearance_m: float = 0.3, height_m: float = 0.3,
               piece_m: float = 0.5) -> tuple[Box, ...]:
    """Thin boxes along both borders, standing `clearance_m` outside of them.

    Args:
        track: What to fence in.
        clearance_m: From the border to the wall.
        height_m: Of the wall.
        piece_m: Length of one straight piece.

    Returns:
        About 2 x length / piece boxes.
    """
    count = max(int(track.length_m / piece_m), 8)
    s_m = np.linspace(0.0, track.length_m, count, endpoint=False)
    reach = float(np.max(track.left_m)), -float(np.max(track.right_m))
    boxes = []
    for lateral, sign in zip(reach, (1.0, -1.0), strict=True):
        x, y, _ = track.pose_at(s_m, lateral + sign * clearance_m)
        for k in range(count):
            ahead = (k + 1) % count
            dx, dy = x[ahead] - x[k], y[ahead] - y[k]
            boxes.append(Box(x_m=float(x[k] + dx / 2), y_m=float(y[k] + dy / 2),
                             yaw_rad=math.atan2(dy, dx), length_m=max(math.hypot(dx, dy), 0.02),
                             width_m=0.02, height_m=height_m, colour=(200, 200, 200), is_wall=True))
    return tuple(boxes)


@njit(cache=True)
def _separated(a, b) -> bool:  # noqa: ANN001
    """Whether an axis of `a` separates the footprints of two boxes."""
    sine, cosine = math.sin(a.yaw_rad), math.cos(a.yaw_rad)
    dx, dy = b.x_m - a.x_m, b.y_m - a.y_m
    turn = b.yaw_rad - a.yaw_rad
    cross, dot = abs(math.sin(turn)), abs(math.cos(turn))
    reach_x = 0.5 * (a.length_m + dot * b.length_m + cross * b.width_m)
    reach_y = 0.5 * (a.width_m + cross * b.length_m + dot * b.width_m)
    return abs(cosine * dx + sine * dy) > reach_x or abs(cosine * dy - sine * dx) > reach_y


@njit(cache=True)
def find_crashes(crashed, footprints, world_of, bodies, body_counts) -> None:  # noqa: ANN001
    """Mark the cars whose footprint overlaps another body of their world (separating axes).

    Args:
        crashed: bool (N,), written.
        footprints: `BODY`, (N,), the cars themselves.
        world_of: int64 (N,), row of `bodies` each car meets.
        bodies: `BODY`, (worlds, most bodies).
        body_counts: int64 (worlds,).
    """
    for i in range(footprints.shape[0]):
        crashed[i] = False
        world = world_of[i]
        for k in range(body_counts[world]):
            body = bodies[world, k]
            if body.owner != i and not (_separated(footprints[i], body) or _separated(body, footprints[i])):
                crashed[i] = True
