"""Boxes in the camera's image: flat faces drawn over the ground, nearest first to last.

Depth is kept as its inverse, which is linear in the image for a plane, so that boxes hide each
other correctly pixel by pixel.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

Images = NDArray[np.uint8]
Floats = NDArray[np.float64]
Records = NDArray[np.void]

NEAR_M: Final = 0.02
"""What is closer to the camera is cut off."""

FACE_LIGHT: Final = (0.80, 0.55, 0.70, 0.62, 1.0)
"""Brightness of a box's front, back, left, right and top: enough to tell its faces apart."""


@njit(cache=True)
def _write_face(corners: Floats, body: np.record, face: int) -> None:
    """Write the map corners (4, 3) of one face: front, back, left, right, top."""
    half_l, half_w = 0.5 * body.length_m, 0.5 * body.width_m
    sine, cosine = math.sin(body.yaw_rad), math.cos(body.yaw_rad)
    for k in range(4):
        first, second = (1.0 if k in (0, 3) else -1.0), (1.0 if k < 2 else 0.0)
        if face < 2:
            x, y, z = (half_l if face == 0 else -half_l), half_w * first, second
        elif face < 4:
            x, y, z = half_l * first, (half_w if face == 2 else -half_w), second
        else:
            x, y, z = half_l * first, half_w * (2.0 * second - 1.0), 1.0
        corners[k, 0] = body.x_m + cosine * x - sine * y
        corners[k, 1] = body.y_m + sine * x + cosine * y
        corners[k, 2] = z * body.height_m


@njit(cache=True)
def _turn_to_camera(corners: Floats, car: np.record, camera: np.record, side_m: float) -> None:
    """Turn map points (k, 3) in place into camera axes: right, down, forward."""
    sin_yaw, cos_yaw = math.sin(car.yaw_rad), math.cos(car.yaw_rad)
    sin_pitch, cos_pitch = math.sin(camera.pitch_rad), math.cos(camera.pitch_rad)
    sin_turn, cos_turn = math.sin(camera.yaw_rad), math.cos(camera.yaw_rad)
    for k in range(corners.shape[0]):
        dx, dy = corners[k, 0] - car.x_m, corners[k, 1] - car.y_m
        along = cos_yaw * dx + sin_yaw * dy - camera.x_m
        across = -sin_yaw * dx + cos_yaw * dy - camera.y_m
        ahead = cos_turn * along + sin_turn * across
        left = -sin_turn * along + cos_turn * across - side_m
        up = corners[k, 2] - camera.z_m
        corners[k, 0] = -left
        corners[k, 1] = -cos_pitch * up - sin_pitch * ahead
        corners[k, 2] = cos_pitch * ahead - sin_pitch * up


@njit(cache=True)
def _clip_near(corners: Floats, clipped: Floats) -> int:
    """Cut a convex polygon (4, 3) at the near plane into `clipped` (8, 3); how many corners."""
    count, previous = 0, corners.shape[0] - 1
    for k in range(corners.shape[0]):
        before, after = corners[previous, 2] - NEAR_M, corners[k, 2] - NEAR_M
        if (before < 0.0) != (after < 0.0):
            share = before / (before - after)
            for axis in range(3):
                step = corners[k, axis] - corners[previous, axis]
                clipped[count, axis] = corners[previous, axis] + share * step
            count += 1
        if after >= 0.0:
            for axis in range(3):
                clipped[count, axis] = corners[k, axis]
            count += 1
        previous = k
    return count


@njit(cache=True)
def _project(clipped: Floats, count: int, focal_px: float, width: int,
             height: int) -> tuple[float, float]:
    """Turn camera axes in place into pixels; returns the least and the greatest row coordinate."""
    top, bottom = math.inf, -math.inf
    for k in range(count):
        scale = focal_px / clipped[k, 2]
        clipped[k, 0] = clipped[k, 0] * scale + 0.5 * width
        clipped[k, 1] = clipped[k, 1] * scale + 0.5 * height
        top, bottom = min(top, clipped[k, 1]), max(bottom, clipped[k, 1])
    return top, bottom


@njit(cache=True)
def _span(clipped: Floats, count: int, y: float) -> tuple[float, float]:
    """Where a convex polygon in pixels begins and ends on a line; (inf, -inf) if it misses."""
    left, right = math.inf, -math.inf
    before = count - 1
    for k in range(count):
        y0, y1 = clipped[before, 1], clipped[k, 1]
        if (y0 <= y) != (y1 <= y):
            share = (y - y0) / (y1 - y0)
            x = clipped[before, 0] + share * (clipped[k, 0] - clipped[before, 0])
            left, right = min(left, x), max(right, x)
        before = k
    return left, right


@njit(cache=True)
def _plane_of(corners: Floats) -> tuple[float, float, float, float]:
    """Normal (not of unit length) of a face's plane and its product with any point of the face."""
    ax, ay, az = (corners[1, 0] - corners[0, 0], corners[1, 1] - corners[0, 1],
                  corners[1, 2] - corners[0, 2])
    bx, by, bz = (corners[3, 0] - corners[0, 0], corners[3, 1] - corners[0, 1],
                  corners[3, 2] - corners[0, 2])
    nx, ny, nz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    return nx, ny, nz, nx * corners[0, 0] + ny * corners[0, 1] + nz * corners[0, 2]


@njit(cache=True)
def _fill_face(planes: Images, nearness: NDArray[np.float32], corners: Floats, clipped: Floats,
               focal_px: float, shades: Images) -> None:
    """Draw one flat quadrilateral given in camera axes (4, 3) where it is nearest so far."""
    height, width = nearness.shape
    nx, ny, nz, distance = _plane_of(corners)
    count = _clip_near(corners, clipped)
    if count < 3 or abs(distance) < 1e-9:  # behind the camera, or seen edge on
        return
    top, bottom = _project(clipped, count, focal_px, width, height)
    for v in range(max(math.ceil(top - 0.5), 0), min(math.floor(bottom - 0.5), height - 1) + 1):
        left, right = _span(clipped, count, v + 0.5)
        if left > right:
            continue
        along_row = (ny * (v + 0.5 - 0.5 * height) / focal_px + nz) / distance
        along_column = nx / (focal_px * distance)
        for u in range(max(math.ceil(left - 0.5), 0), min(math.floor(right - 0.5), width - 1) + 1):
            inverse = along_row + along_column * (u + 0.5 - 0.5 * width)
            if inverse > nearness[v, u]:
                nearness[v, u] = inverse
                for plane in range(planes.shape[0]):
                    planes[plane, v, u] = shades[plane]


@njit(cache=True)
def _is_behind(body: np.record, car: np.record, camera: np.record) -> bool:
    """Whether the circle around a box, from the ground up, is all behind the camera."""
    dx, dy = body.x_m - car.x_m, body.y_m - car.y_m
    reach = 0.5 * math.hypot(body.length_m, body.width_m)
    along = math.cos(car.yaw_rad) * dx + math.sin(car.yaw_rad) * dy - camera.x_m
    across = -math.sin(car.yaw_rad) * dx + math.cos(car.yaw_rad) * dy - camera.y_m
    ahead = math.cos(camera.yaw_rad) * along + math.sin(camera.yaw_rad) * across + reach
    pitch = camera.pitch_rad
    lowest, highest = -camera.z_m, body.height_m - camera.z_m
    most = max(-math.sin(pitch) * lowest, -math.sin(pitch) * highest)
    return math.cos(pitch) * ahead + most <= NEAR_M


@njit(cache=True)
def draw_boxes(planes: Images, own: int, car: np.record, camera: np.record, side_m: float,
               bodies: Records) -> None:
    """Draw all boxes but the car's own, in place.

    Args:
        planes: uint8 (colours, height, width), the ground already in it.
        own: Index of the car, the owner of the box that is not drawn.
        car: vehicle `STATE` record.
        camera: `CAMERA` record.
        side_m: Offset of the view to the left of the camera's mount.
        bodies: `BODY`, (K,).
    """
    nearness = np.zeros(planes.shape[1:], np.float32)
    corners, clipped = np.empty((4, 3)), np.empty((8, 3))
    shades = np.empty(planes.shape[0], np.uint8)
    for b in range(bodies.shape[0]):
        if bodies[b].owner == own or _is_behind(bodies[b], car, camera):
            continue
        for face in range(5):
            for plane in range(planes.shape[0]):
                shades[plane] = int(bodies[b].colour[plane] * FACE_LIGHT[face])
            _write_face(corners, bodies[b], face)
            _turn_to_camera(corners, car, camera, side_m)
            _fill_face(planes, nearness, corners, clipped, camera.focal_px, shades)
