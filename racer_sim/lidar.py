"""The lidar, batched: horizontal rays against the boxes of a world: obstacles, cars, walls."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Records = NDArray[np.void]


@njit(cache=True)
def _slab(enter: float, leave: float, place: float, slope: float,
          half: float) -> tuple[float, float]:
    """Narrow the part [enter, leave] of a ray to where `place + slope t` is within +-half."""
    if abs(slope) < 1e-12:
        return (enter, leave) if abs(place) <= half else (math.inf, -math.inf)
    first, second = (-half - place) / slope, (half - place) / slope
    return max(enter, min(first, second)), min(leave, max(first, second))


@njit(cache=True)
def _meet(nearest: Floats, x: float, y: float, rays: Floats, body: np.record) -> None:
    """Shorten the rays of a scanner at (x, y), directions (rays, 2), to where they meet a box."""
    sine, cosine = math.sin(body.yaw_rad), math.cos(body.yaw_rad)
    dx, dy = x - body.x_m, y - body.y_m
    along, across = cosine * dx + sine * dy, cosine * dy - sine * dx
    for k in range(nearest.size):
        ahead = cosine * rays[k, 0] + sine * rays[k, 1]
        aside = cosine * rays[k, 1] - sine * rays[k, 0]
        enter, leave = _slab(0.0, nearest[k], along, ahead, 0.5 * body.length_m)
        enter, leave = _slab(enter, leave, across, aside, 0.5 * body.width_m)
        if enter <= leave:
            nearest[k] = enter


@njit(cache=True)
def scan(ranges: NDArray[np.float32], states: Records, angles_rad: Floats, mount_x_m: float,
         mount_z_m: float, limits_m: Floats, world_of: NDArray[np.int64], bodies: Records,
         body_counts: NDArray[np.int64]) -> None:
    """Measure all rays of all cars, in place, with the values of REP-117.

    Args:
        ranges: float32 (N, rays): distance, +inf without a return, -inf below the least range.
        states: vehicle `STATE`, (N,).
        angles_rad: float64 (rays,), in the car's frame.
        mount_x_m: Scanner forward of `base_link`.
        mount_z_m: Scanner above the ground; lower boxes are not seen.
        limits_m: float64 (2,), least and greatest range.
        world_of: int64 (N,), row of `bodies` each car meets.
        bodies: camera `BODY`, (worlds, most bodies).
        body_counts: int64 (worlds,).
    """
    nearest, rays = np.empty(angles_rad.size), np.empty((angles_rad.size, 2))
    for i in range(ranges.shape[0]):
        yaw = states[i].yaw_rad
        x = states[i].x_m + mount_x_m * math.cos(yaw)
        y = states[i].y_m + mount_x_m * math.sin(yaw)
        for k in range(angles_rad.size):
            nearest[k] = math.inf
            rays[k, 0], rays[k, 1] = math.cos(yaw + angles_rad[k]), math.sin(yaw + angles_rad[k])
        for b in range(body_counts[world_of[i]]):
            body = bodies[world_of[i], b]
            if body.owner != i and body.height_m > mount_z_m:
                _meet(nearest, x, y, rays, body)
        for k in range(angles_rad.size):
            if nearest[k] < limits_m[0]:
                ranges[i, k] = -math.inf
            else:
                ranges[i, k] = nearest[k] if nearest[k] <= limits_m[1] else math.inf
