"""The lidar, batched: rays in a horizontal plane against the boxes of a world: obstacles, cars, walls."""

from __future__ import annotations

import math

import numpy as np
from numba import njit


@njit(cache=True)
def _distance_to_box(x, y, ray_x, ray_y, body) -> float:  # noqa: ANN001
    """Distance along a ray to an upright box by the slab method; inf if it misses."""
    sine, cosine = math.sin(body.yaw_rad), math.cos(body.yaw_rad)
    dx, dy = x - body.x_m, y - body.y_m
    enter, leave = 0.0, math.inf
    for axis in range(2):
        if axis == 0:
            place, slope, half = cosine * dx + sine * dy, cosine * ray_x + sine * ray_y, 0.5 * body.length_m
        else:
            place, slope, half = cosine * dy - sine * dx, cosine * ray_y - sine * ray_x, 0.5 * body.width_m
        if abs(slope) < 1e-12:
            if abs(place) > half:
                return math.inf
            continue
        first, second = (-half - place) / slope, (half - place) / slope
        enter, leave = max(enter, min(first, second)), min(leave, max(first, second))
    return enter if enter <= leave else math.inf


@njit(cache=True)
def scan(ranges, states, angles_rad, mount_x_m, mount_z_m, limits_m, world_of, bodies,
         body_counts) -> None:  # noqa: ANN001
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
    for i in range(ranges.shape[0]):
        yaw = states[i].yaw_rad
        x = states[i].x_m + mount_x_m * math.cos(yaw)
        y = states[i].y_m + mount_x_m * math.sin(yaw)
        world = world_of[i]
        for ray in range(angles_rad.size):
            ray_x, ray_y = math.cos(yaw + angles_rad[ray]), math.sin(yaw + angles_rad[ray])
            nearest = math.inf
            for b in range(body_counts[world]):
                body = bodies[world, b]
                if body.owner != i and body.height_m > mount_z_m:
                    nearest = min(nearest, _distance_to_box(x, y, ray_x, ray_y, body))
            if nearest > limits_m[1]:
                nearest = np.inf
            elif nearest < limits_m[0]:
                nearest = -np.inf
            ranges[i, ray] = nearest
