"""The camera, batched: a pinhole over a textured ground plane, with boxes standing on it.

A camera without roll sees the ground in rows of constant depth, so one row of pixels is a straight,
evenly sampled line across the ground texture: two additions and a look-up a pixel. Area filtering
comes from a mip pyramid (each level halves the resolution by exact averaging) whose level follows
a pixel's footprint across the row, and from several lines a row where the footprint along the view is
longer than across, towards the horizon. Boxes are drawn over the ground through a buffer of inverse
depth, which is linear in the image for a plane, so they hide each other correctly.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from racer_vehicle.spec import CameraSpec

CAMERA: Final = np.dtype([
    ('focal_px', 'f8'), ('x_m', 'f8'), ('y_m', 'f8'), ('z_m', 'f8'), ('pitch_rad', 'f8'),
])
"""Geometry of one car's camera as `CameraSpec` defines it; cars may differ."""

MIP_LEVEL: Final = np.dtype([
    ('offset', 'i8'), ('height', 'i8'), ('width', 'i8'), ('texels_per_m', 'f8'),
    ('x_min_m', 'f8'), ('y_max_m', 'f8'),
])
"""Where one level of one ground's pyramid lies in the flat array of texels, and on the map."""

BODY: Final = np.dtype([
    ('x_m', 'f8'), ('y_m', 'f8'), ('yaw_rad', 'f8'), ('length_m', 'f8'), ('width_m', 'f8'),
    ('height_m', 'f8'), ('colour', 'u1', (3,)), ('owner', 'i8'),
])
"""An upright box on the ground: obstacle (owner -1) or another car (its index)."""

MAX_LINES: Final = 4
"""Most texture lines averaged in one pixel row."""

NEAR_M: Final = 0.02
FACE_LIGHT: Final = (0.80, 0.55, 0.70, 0.62, 1.0)
"""Brightness of a box's front, back, left, right and top: enough to tell its faces apart."""


def camera_geometry(camera: CameraSpec, cars: int) -> NDArray[np.void]:
    """`CAMERA`, (cars,): equal cameras on all cars."""
    row = (camera.focal_px, camera.x_m, camera.y_m, camera.z_m, camera.pitch_rad)
    return np.full(cars, np.array(row, dtype=CAMERA))


@njit(cache=True)
def _clamped_range(start, step, size, low, high):  # noqa: ANN001, ANN202
    """Largest part of the integers [low, high) on which 0 <= start + step * u < size."""
    while low < high and not 0.0 <= start + step * low < size:
        if step == 0.0:
            return low, low
        bound = (0.0 - start) / step if step > 0.0 else (size - start) / step
        low = max(low + 1, min(int(bound), high))
    while high > low and not 0.0 <= start + step * (high - 1) < size:
        bound = (size - start) / step if step > 0.0 else (0.0 - start) / step
        high = min(high - 1, max(int(bound) + 1, low))
    return low, high


@njit(cache=True, fastmath=True)
def _add_line(row, texels, level, plane, outside, x, y, dx, dy) -> None:  # noqa: ANN001
    """Add the texels on the map line (x, y) + u (dx, dy), u = 0, 1, ..., to `row` in place."""
    width, height = level.width, level.height
    column = np.float32((x - level.x_min_m) * level.texels_per_m)
    line = np.float32((level.y_max_m - y) * level.texels_per_m)
    column_step = np.float32(dx * level.texels_per_m)
    line_step = np.float32(-dy * level.texels_per_m)
    low, high = _clamped_range(column, column_step, np.float32(width), 0, row.size)
    low, high = _clamped_range(line, line_step, np.float32(height), low, high)
    start = level.offset + plane * width * height
    image = texels[start:start + width * height]
    for u in range(low):
        row[u] += outside
    for u in range(low, high):
        position = np.float32(u)
        i = np.int32(line + line_step * position)
        j = np.int32(column + column_step * position)
        row[u] += image[i * np.int32(width) + j]
    for u in range(high, row.size):
        row[u] += outside


@njit(cache=True)
def _pick_level(levels, footprint_m):  # noqa: ANN001, ANN202
    """Index of the pyramid level whose texel is nearest to a footprint, in octaves."""
    octave = math.log2(max(footprint_m * levels[0].texels_per_m, 1.0))
    return min(int(octave + 0.5), levels.shape[0] - 1)


@njit(cache=True)
def _render_ground(image, car, camera, side_m, levels, texels, plane, sky, field) -> None:  # noqa: ANN001
    """Fill one (height, width) image with sky and ground as seen `side_m` left of the camera's mount."""
    height, width = image.shape
    sin_yaw, cos_yaw = math.sin(car.yaw_rad), math.cos(car.yaw_rad)
    sin_pitch, cos_pitch = math.sin(camera.pitch_rad), math.cos(camera.pitch_rad)
    left_m = camera.y_m + side_m
    eye_x = car.x_m + camera.x_m * cos_yaw - left_m * sin_yaw
    eye_y = car.y_m + camera.x_m * sin_yaw + left_m * cos_yaw
    row = np.empty(width, np.int32)
    for v in range(height):
        bottom = (v + 1.0 - 0.5 * height) / camera.focal_px * cos_pitch + sin_pitch
        if bottom <= 1e-3:
            image[v, :] = sky
            continue
        middle = max((v + 0.5 - 0.5 * height) / camera.focal_px * cos_pitch + sin_pitch, 1e-3)
        lines = 1 if middle > 0.5 else (2 if middle > 0.25 else MAX_LINES)
        row[:] = 0
        for k in range(lines):
            ray = (v + (k + 0.5) / lines - 0.5 * height) / camera.focal_px
            down = ray * cos_pitch + sin_pitch
            if down <= 1e-3:
                row += sky
                continue
            depth = camera.z_m / down
            ahead = depth * (cos_pitch - ray * sin_pitch)
            step = depth / camera.focal_px
            level = levels[_pick_level(levels, max(step, step / (down * lines)))]
            left = 0.5 * (width - 1) * step
            _add_line(row, texels, level, plane, field,
                      eye_x + ahead * cos_yaw - left * sin_yaw,
                      eye_y + ahead * sin_yaw + left * cos_yaw, step * sin_yaw, -step * cos_yaw)
        for u in range(width):
            image[v, u] = row[u] // lines


@njit(cache=True)
def _box_face(body, face, corners) -> None:  # noqa: ANN001
    """Write the map corners (4, 3) of one face: front, back, left, right, top."""
    half_l, half_w = 0.5 * body.length_m, 0.5 * body.width_m
    sine, cosine = math.sin(body.yaw_rad), math.cos(body.yaw_rad)
    for k in range(4):
        first, second = (1.0 if k in (0, 3) else -1.0), (1.0 if k < 2 else 0.0)
        if face == 0 or face == 1:
            x, y, z = (half_l if face == 0 else -half_l), half_w * first, second
        elif face == 2 or face == 3:
            x, y, z = half_l * first, (half_w if face == 2 else -half_w), second
        else:
            x, y, z = half_l * first, half_w * (1.0 if k < 2 else -1.0), 1.0
        corners[k, 0] = body.x_m + cosine * x - sine * y
        corners[k, 1] = body.y_m + sine * x + cosine * y
        corners[k, 2] = z * body.height_m


@njit(cache=True)
def _to_camera(corners, car, camera, side_m) -> None:  # noqa: ANN001
    """Turn map points (k, 3) in place into camera axes: right, down, forward."""
    sin_yaw, cos_yaw = math.sin(car.yaw_rad), math.cos(car.yaw_rad)
    sin_pitch, cos_pitch = math.sin(camera.pitch_rad), math.cos(camera.pitch_rad)
    for k in range(corners.shape[0]):
        dx, dy = corners[k, 0] - car.x_m, corners[k, 1] - car.y_m
        ahead = cos_yaw * dx + sin_yaw * dy - camera.x_m
        left = -sin_yaw * dx + cos_yaw * dy - camera.y_m - side_m
        up = corners[k, 2] - camera.z_m
        corners[k, 0] = -left
        corners[k, 1] = -cos_pitch * up - sin_pitch * ahead
        corners[k, 2] = cos_pitch * ahead - sin_pitch * up


@njit(cache=True)
def _clip_near(corners, clipped) -> int:  # noqa: ANN001
    """Cut a convex polygon (4, 3) at the near plane into `clipped` (8, 3); return its corner count."""
    count = 0
    previous = corners.shape[0] - 1
    for k in range(corners.shape[0]):
        before, after = corners[previous, 2] - NEAR_M, corners[k, 2] - NEAR_M
        if (before < 0.0) != (after < 0.0):
            share = before / (before - after)
            for axis in range(3):
                clipped[count, axis] = (corners[previous, axis]
                                        + share * (corners[k, axis] - corners[previous, axis]))
            count += 1
        if after >= 0.0:
            clipped[count, :] = corners[k, :]
            count += 1
        previous = k
    return count


@njit(cache=True)
def _fill_face(planes, nearness, corners, camera, shades) -> None:  # noqa: ANN001
    """Draw one flat quadrilateral given in camera axes (4, 3) where it is nearest so far."""
    height, width = nearness.shape
    along, across = corners[1] - corners[0], corners[3] - corners[0]
    nx = along[1] * across[2] - along[2] * across[1]
    ny = along[2] * across[0] - along[0] * across[2]
    nz = along[0] * across[1] - along[1] * across[0]
    distance = nx * corners[0, 0] + ny * corners[0, 1] + nz * corners[0, 2]
    clipped = np.empty((8, 3))
    count = _clip_near(corners, clipped)
    if count < 3 or abs(distance) < 1e-9:
        return
    focal = camera.focal_px
    for k in range(count):
        clipped[k, 0] = clipped[k, 0] / clipped[k, 2] * focal + 0.5 * width
        clipped[k, 1] = clipped[k, 1] / clipped[k, 2] * focal + 0.5 * height
    first = max(int(math.ceil(clipped[:count, 1].min() - 0.5)), 0)
    last = min(int(math.floor(clipped[:count, 1].max() - 0.5)), height - 1)
    for v in range(first, last + 1):
        left, right = np.inf, -np.inf
        for k in range(count):
            after = (k + 1) % count
            y0, y1 = clipped[k, 1], clipped[after, 1]
            if (y0 <= v + 0.5) != (y1 <= v + 0.5):
                x = clipped[k, 0] + (v + 0.5 - y0) / (y1 - y0) * (clipped[after, 0] - clipped[k, 0])
                left, right = min(left, x), max(right, x)
        if left > right:
            continue
        for u in range(max(int(math.ceil(left - 0.5)), 0), min(int(math.floor(right - 0.5)), width - 1) + 1):
            ray_x, ray_y = (u + 0.5 - 0.5 * width) / focal, (v + 0.5 - 0.5 * height) / focal
            inverse = (nx * ray_x + ny * ray_y + nz) / distance
            if inverse > nearness[v, u]:
                nearness[v, u] = inverse
                for plane in range(planes.shape[0]):
                    planes[plane, v, u] = shades[plane]


@njit(cache=True)
def _render_bodies(planes, car_index, car, camera, side_m, bodies) -> None:  # noqa: ANN001
    """Draw all boxes but the car's own over the ground, (planes, height, width), in place."""
    nearness = np.zeros(planes.shape[1:], np.float32)
    corners = np.empty((4, 3))
    shades = np.empty(planes.shape[0], np.uint8)
    for b in range(bodies.shape[0]):
        if bodies[b].owner == car_index:
            continue
        for face in range(5):
            _box_face(bodies[b], face, corners)
            for plane in range(planes.shape[0]):
                shades[plane] = np.uint8(bodies[b].colour[plane] * FACE_LIGHT[face])
            _to_camera(corners, car, camera, side_m)
            _fill_face(planes, nearness, corners, camera, shades)


@njit(cache=True)
def render(images, states, cameras, sides_m, ground_of, levels, texels, sky, fields, world_of, bodies,
           body_counts) -> None:  # noqa: ANN001
    """Render what every car sees, in place.

    Args:
        images: uint8 (N, views * colours, height, width).
        states: vehicle `STATE`, (N,).
        cameras: `CAMERA`, (N,).
        sides_m: float64 (views,), offset of each view to the left of the camera's mount.
        ground_of: int64 (N,), which ground each car is on.
        levels: `MIP_LEVEL`, (grounds, levels).
        texels: uint8, flat; every level holds its colour planes one after another.
        sky: uint8 (colours,).
        fields: uint8 (grounds, colours), ground beyond the texture.
        world_of: int64 (N,), which row of `bodies` each car sees.
        bodies: `BODY`, (worlds, most bodies).
        body_counts: int64 (worlds,), how many of a row count.
    """
    colours = sky.size
    for i in range(images.shape[0]):
        ground, world = ground_of[i], world_of[i]
        for view in range(sides_m.size):
            planes = images[i, view * colours:(view + 1) * colours]
            for plane in range(colours):
                _render_ground(planes[plane], states[i], cameras[i], sides_m[view], levels[ground],
                               texels, plane, sky[plane], fields[ground, plane])
            if body_counts[world] > 0:
                _render_bodies(planes, i, states[i], cameras[i], sides_m[view],
                               bodies[world, :body_counts[world]])
