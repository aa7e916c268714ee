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

HOLLOW_M: Final = 3.0 * NEAR_M
"""From nearer than this, a face can be cut open: its corner in the image is that much further away
than it is ahead."""

FACE_LIGHT: Final = (0.80, 0.55, 0.70, 0.62, 1.0)
"""Brightness of a box's front, back, left, right and top: enough to tell its faces apart."""


FACE_CORNERS: Final = np.array([(0, 2, 3, 1), (4, 6, 7, 5), (0, 4, 5, 1), (2, 6, 7, 3),
                                (0, 4, 6, 2)])
"""Which of a box's corners each of those faces has, in turn; see `_write_corners`."""


@njit(cache=True)
def _write_corners(corners: Floats, body: np.record) -> None:
    """Write the map corners (8, 3); of their number, 4 means back, 2 right, 1 on the ground."""
    sine, cosine = math.sin(body.yaw_rad), math.cos(body.yaw_rad)
    for k in range(8):
        x = -0.5 * body.length_m if k & 4 else 0.5 * body.length_m
        y = -0.5 * body.width_m if k & 2 else 0.5 * body.width_m
        corners[k, 0] = body.x_m + cosine * x - sine * y
        corners[k, 1] = body.y_m + sine * x + cosine * y
        corners[k, 2] = 0.0 if k & 1 else body.height_m


@njit(cache=True)
def _find_faces(shown: NDArray[np.bool_], body: np.record, x_m: float, y_m: float,
                z_m: float) -> None:
    """Mark the faces (5,) that a camera at a place of the map can see.

    From inside, and where the near plane may cut a hole into the box, these are all.
    """
    sine, cosine = math.sin(body.yaw_rad), math.cos(body.yaw_rad)
    dx, dy = x_m - body.x_m, y_m - body.y_m
    ahead, left = cosine * dx + sine * dy, -sine * dx + cosine * dy
    out_x, out_y = abs(ahead) - 0.5 * body.length_m, abs(left) - 0.5 * body.width_m
    out_z = z_m - body.height_m
    near = max(out_x, out_y, out_z) < HOLLOW_M
    shown[0], shown[1] = near or out_x > 0.0 < ahead, near or out_x > 0.0 > ahead
    shown[2], shown[3] = near or out_y > 0.0 < left, near or out_y > 0.0 > left
    shown[4] = near or out_z > 0.0


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
def _find_spans(left: Floats, right: Floats, clipped: Floats, count: int, top: int,
                bottom: int) -> None:
    """Write where a convex polygon in pixels begins and ends on the middle line of each row.

    Rows from `top` up to `bottom` only. An edge crosses few rows, and each row is crossed by two.
    """
    for v in range(top, bottom):
        left[v], right[v] = math.inf, -math.inf
    before = count - 1
    for k in range(count):
        x0, y0, x1, y1 = clipped[before, 0], clipped[before, 1], clipped[k, 0], clipped[k, 1]
        first = max(math.ceil(min(y0, y1) - 0.5), top)
        for v in range(first, min(math.ceil(max(y0, y1) - 0.5), bottom)):
            x = x0 + (v + 0.5 - y0) / (y1 - y0) * (x1 - x0)
            left[v], right[v] = min(left[v], x), max(right[v], x)
        before = k


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
def _paint(row: Images, near: NDArray[np.float32], shade: int, start: float, step: float) -> None:
    """Shade pixels of a row where start + step * u is nearer than what is there.

    Without a branch, so that the compiler makes vector instructions of it.
    """
    for u in range(row.size):
        before = row[u]
        row[u] = shade if np.float32(start + step * u) > near[u] else before


@njit(cache=True)
def _fill_face(planes: Images, nearness: NDArray[np.float32], corners: Floats, clipped: Floats,
               spans: Floats, focal_px: float, shades: Images) -> None:
    """Draw one flat quadrilateral given in camera axes (4, 3) where it is nearest so far."""
    height, width = nearness.shape
    nx, ny, nz, distance = _plane_of(corners)
    count = _clip_near(corners, clipped)
    if count < 3 or abs(distance) < 1e-9:  # behind the camera, or seen edge on
        return
    highest, lowest = _project(clipped, count, focal_px, width, height)
    top, bottom = max(math.ceil(highest - 0.5), 0), min(math.floor(lowest - 0.5) + 1, height)
    left, right = spans[0], spans[1]
    _find_spans(left, right, clipped, count, top, bottom)
    along_column = nx / (focal_px * distance)
    for v in range(top, bottom):
        if not left[v] <= right[v]:
            continue
        first = min(max(math.ceil(left[v] - 0.5), 0), width)
        last = max(min(math.floor(right[v] - 0.5) + 1, width), first)
        along_row = (ny * (v + 0.5 - 0.5 * height) / focal_px + nz) / distance
        near = nearness[v, first:last]
        start = along_row + along_column * (first + 0.5 - 0.5 * width)
        for plane in range(planes.shape[0]):
            _paint(planes[plane, v, first:last], near, shades[plane], start, along_column)
        for u in range(near.size):
            inverse, before = np.float32(start + along_column * u), near[u]
            near[u] = inverse if inverse > before else before


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
def camera_place(car: np.record, camera: np.record, side_m: float) -> tuple[float, float]:
    """Where a camera is on the map, `side_m` left of its mount as it looks."""
    sin_yaw, cos_yaw = math.sin(car.yaw_rad), math.cos(car.yaw_rad)
    view_rad = car.yaw_rad + camera.yaw_rad
    return (car.x_m + camera.x_m * cos_yaw - camera.y_m * sin_yaw - side_m * math.sin(view_rad),
            car.y_m + camera.x_m * sin_yaw + camera.y_m * cos_yaw + side_m * math.cos(view_rad))


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
    of_box, corners, clipped = np.empty((8, 3)), np.empty((4, 3)), np.empty((8, 3))
    spans = np.empty((2, planes.shape[1]))
    shades, shown = np.empty(planes.shape[0], np.uint8), np.empty(len(FACE_LIGHT), np.bool_)
    x_m, y_m = camera_place(car, camera, side_m)
    for b in range(bodies.shape[0]):
        if bodies[b].owner == own or _is_behind(bodies[b], car, camera):
            continue
        _find_faces(shown, bodies[b], x_m, y_m, camera.z_m)
        _write_corners(of_box, bodies[b])
        _turn_to_camera(of_box, car, camera, side_m)
        for face in range(len(FACE_LIGHT)):
            if not shown[face]:
                continue
            for plane in range(planes.shape[0]):
                shades[plane] = int(bodies[b].colour[plane] * FACE_LIGHT[face])
            for k in range(4):
                corners[k] = of_box[FACE_CORNERS[face, k]]
            _fill_face(planes, nearness, corners, clipped, spans, camera.focal_px, shades)
