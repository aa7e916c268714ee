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
BOT_OWNER: Final = -3
"""Owners of bodies that are no cars of the batch; a wall is no object of the reward dictionary."""

BLAME: Final = 0.4
"""Share of the speed at which two bodies meet that makes its car guilty: it ran into the other.
Between this and one less it, both did."""

WALL_THICKNESS_M: Final = 0.02

Records = NDArray[np.void]
Floats = NDArray[np.float64]


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
    size = car.length_m, car.width_m, car.height_m
    return np.array((0.0, 0.0, 0.0, *size, colour, owner), dtype=BODY)


def wall_boxes(track: Track, *, clearance_m: float = 0.3, height_m: float = 0.3,
               piece_m: float = 0.5) -> tuple[Box, ...]:
    """Thin boxes along both borders, standing `clearance_m` outside of the widest place.

    Where two parts of the track lie so close together that a wall would come nearer than half of
    its clearance to a border, there is no room for one and it has a gap.

    Args:
        track: What to fence in.
        clearance_m: From the border to the wall.
        height_m: Of the wall.
        piece_m: Length of one straight piece, about.

    Returns:
        At most about 2 x length / piece boxes.
    """
    count = max(int(track.length_m / piece_m), 8)
    s_m = np.linspace(0.0, track.length_m, count, endpoint=False)
    boxes = []
    for lateral_m in (np.max(track.left_m) + clearance_m, -np.max(track.right_m) - clearance_m):
        begin = np.stack(track.pose_at(s_m, lateral_m)[:2], axis=1)
        end = np.roll(begin, -1, axis=0)
        for (x0, y0), (x1, y1) in zip(begin.tolist(), end.tolist(), strict=True):
            piece = np.linspace((x0, y0), (x1, y1), 5)
            if _gap_to_surface_m(track, piece) >= 0.5 * clearance_m:
                boxes.append(Box(x_m=(x0 + x1) / 2, y_m=(y0 + y1) / 2,
                                 yaw_rad=math.atan2(y1 - y0, x1 - x0),
                                 length_m=max(math.hypot(x1 - x0, y1 - y0), WALL_THICKNESS_M),
                                 width_m=WALL_THICKNESS_M, height_m=height_m,
                                 colour=(200, 200, 200), is_wall=True))
    return tuple(boxes)


def _gap_to_surface_m(track: Track, points: NDArray[np.float64]) -> float:
    """Least distance of points (K, 2) from the nearest border, negative on the surface."""
    at = track.project(points)
    half = np.where(at.lateral_m > 0.0, track.left_m[at.segment], track.right_m[at.segment])
    return float(np.min(np.abs(at.lateral_m) - half))


@njit(cache=True)
def _separated(a: np.record, b: np.record) -> bool:
    """Whether an axis of `a` separates the footprints of two boxes."""
    sine, cosine = math.sin(a.yaw_rad), math.cos(a.yaw_rad)
    dx, dy = b.x_m - a.x_m, b.y_m - a.y_m
    turn = b.yaw_rad - a.yaw_rad
    cross, dot = abs(math.sin(turn)), abs(math.cos(turn))
    reach_x = 0.5 * (a.length_m + dot * b.length_m + cross * b.width_m)
    reach_y = 0.5 * (a.width_m + cross * b.length_m + dot * b.width_m)
    return abs(cosine * dx + sine * dy) > reach_x or abs(cosine * dy - sine * dx) > reach_y


@njit(cache=True)
def _overlap(a: np.record, b: np.record) -> bool:
    """Whether the footprints of two boxes overlap; most pairs are told apart by their circles."""
    reach = 0.5 * (math.hypot(a.length_m, a.width_m) + math.hypot(b.length_m, b.width_m))
    dx, dy = b.x_m - a.x_m, b.y_m - a.y_m
    return dx * dx + dy * dy <= reach * reach and not (_separated(a, b) or _separated(b, a))


@njit(cache=True)
def find_crashes(crashed: NDArray[np.bool_], footprints: Records, world_of: NDArray[np.int64],
                 bodies: Records, body_counts: NDArray[np.int64]) -> None:
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
            if body.owner != i and _overlap(footprints[i], body):
                crashed[i] = True


@njit(cache=True)
def _share_of_approach(a: np.record, b: np.record, vx_a: float, vy_a: float, vx_b: float,
                       vy_b: float) -> float:
    """How much of the speed at which two bodies approach each other is the first one's, 0 to 1."""
    dx, dy = b.x_m - a.x_m, b.y_m - a.y_m
    mine, its = max(vx_a * dx + vy_a * dy, 0.0), max(-vx_b * dx - vy_b * dy, 0.0)
    return mine / (mine + its) if mine + its > 0.0 else 0.0


@njit(cache=True)
def find_guilty(guilty: NDArray[np.bool_], footprints: Records, velocities: Floats,
                world_of: NDArray[np.int64], bodies: Records, body_velocities: Floats,
                body_counts: NDArray[np.int64]) -> None:
    """Mark the cars that ran into another body of their world.

    Of two moving bodies that overlap, it is the one that approached the other: who hits a car from
    behind, or turns into one beside it; both if they met halfway. What stands is never to blame.

    Args:
        guilty: bool (N,), written.
        footprints: `BODY`, (N,), the cars themselves.
        velocities: float64 (N, 2), theirs in the map, m/s.
        world_of: int64 (N,), row of `bodies` each car meets.
        bodies: `BODY`, (worlds, most bodies).
        body_velocities: float64 (worlds, most bodies, 2).
        body_counts: int64 (worlds,).
    """
    for i in range(footprints.shape[0]):
        guilty[i] = False
        world = world_of[i]
        for k in range(body_counts[world]):
            body = bodies[world, k]
            if body.owner == i or not _overlap(footprints[i], body):
                continue
            velocity = body_velocities[world, k]
            stands = body.owner == OBSTACLE_OWNER or body.owner == WALL_OWNER
            if stands or _share_of_approach(footprints[i], body, velocities[i, 0],
                                            velocities[i, 1], velocity[0],
                                            velocity[1]) >= BLAME:
                guilty[i] = True


@njit(cache=True)
def find_velocities(velocities: Floats, of_bodies: Floats, states: Records, bodies: Records,
                    speeds: Floats) -> None:
    """Write how fast cars and bodies go, in the map.

    Args:
        velocities: float64 (N, 2), written, the cars', m/s.
        of_bodies: float64 (worlds, K, 2), written: of a car's body its car's.
        states: vehicle `STATE`, (N,).
        bodies: `BODY`, (worlds, K).
        speeds: float64 (worlds, K), m/s along the yaw, of bodies that are no cars.
    """
    for i in range(states.shape[0]):
        state = states[i]
        sine, cosine = math.sin(state.yaw_rad), math.cos(state.yaw_rad)
        velocities[i, 0] = cosine * state.vx_mps - sine * state.vy_mps
        velocities[i, 1] = sine * state.vx_mps + cosine * state.vy_mps
    for w in range(bodies.shape[0]):
        for k in range(bodies.shape[1]):
            body = bodies[w, k]
            if body.owner >= 0:
                of_bodies[w, k, 0] = velocities[body.owner, 0]
                of_bodies[w, k, 1] = velocities[body.owner, 1]
            else:
                of_bodies[w, k, 0] = speeds[w, k] * math.cos(body.yaw_rad)
                of_bodies[w, k, 1] = speeds[w, k] * math.sin(body.yaw_rad)
