"""The camera, batched: a pinhole over a textured ground plane, with boxes standing on it.

A camera without roll sees the ground in rows of constant depth, so one row of pixels is a
straight, evenly sampled line across the ground texture: two multiplications and a look-up a pixel,
in fixed point. Area filtering comes from a mip pyramid (each level halves the resolution by exact
averaging) whose level follows a pixel's footprint across the row, and from several lines a row
where the footprint along the view is longer than across, towards the horizon.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from racer_sim.camera_boxes import camera_place, draw_boxes
from racer_vehicle.spec import CameraSpec

Images = NDArray[np.uint8]
Records = NDArray[np.void]

CAMERA: Final = np.dtype([
    ('focal_px', 'f8'), ('x_m', 'f8'), ('y_m', 'f8'), ('z_m', 'f8'), ('pitch_rad', 'f8'),
    ('yaw_rad', 'f8'),
])
"""Geometry of one car's camera as `CameraSpec` defines it, and its angle to the left; cars may
differ."""

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

LEAST_DOWN: Final = 1e-3
"""A ray that falls by less per metre ahead counts as sky: ground 130 m away and further."""

FRACTION_BITS: Final = 20
"""Of a texel coordinate in fixed point: after 1920 pixels a thousandth of a texel is lost."""


def camera_geometry(camera: CameraSpec, cars: int) -> Records:
    """`CAMERA`, (cars,): equal cameras on all cars."""
    row = (camera.focal_px, camera.x_m, camera.y_m, camera.z_m, camera.pitch_rad, 0.0)
    return np.full(cars, np.array(row, dtype=CAMERA))


@njit(cache=True)
def _crossing(start: int, step: int, size: int, count: int) -> tuple[int, int]:
    """The range of u in [0, count) on which 0 <= start + step * u < size; exact, all integers."""
    if step == 0:
        return 0, (count if 0 <= start < size else 0)
    if step < 0:
        start, step = size - 1 - start, -step
    first = min(max(-(start // step), 0), count)
    return first, max(min(-((start - size) // step), count), first)


@njit(cache=True)
def _add_line(row: NDArray[np.int32], texels: Images, level: np.record, plane: int, outside: int,
              x: float, y: float, dx: float, dy: float) -> None:
    """Add the texels on the map line (x, y) + u (dx, dy), u = 0, 1, ..., to `row` in place."""
    one, width = 1 << FRACTION_BITS, level.width
    unit = level.texels_per_m * one
    column, line = int((x - level.x_min_m) * unit), int((level.y_max_m - y) * unit)
    column_step, line_step = int(dx * unit), int(-dy * unit)
    low, high = _crossing(column, column_step, width * one, row.size)
    first, last = _crossing(line, line_step, level.height * one, row.size)
    low = max(low, first)
    high = max(min(high, last), low)
    origin = level.offset + plane * width * level.height
    for u in range(low):
        row[u] += outside
    for u in range(low, high):
        i, j = (line + line_step * u) >> FRACTION_BITS, (column + column_step * u) >> FRACTION_BITS
        row[u] += texels[np.uintp(origin + i * width + j)]  # unsigned: no wrap-around to look for
    for u in range(high, row.size):
        row[u] += outside


@njit(cache=True)
def _pick_level(levels: Records, footprint_m: float) -> int:
    """Index of the pyramid level whose texel is nearest to a footprint, in octaves."""
    octave = math.log2(max(footprint_m * levels[0].texels_per_m, 1.0))
    return min(int(octave + 0.5), levels.shape[0] - 1)


@njit(cache=True)
def _doublings(down: float) -> int:
    """How often a row's single texture line is doubled: footprints grow longer than wide."""
    if down > 0.5:
        return 0
    return 1 if down > 0.25 else 2


@njit(cache=True)
def _render_ground(image: Images, car: np.record, camera: np.record, side_m: float,
                   levels: Records, texels: Images, plane: int, sky: int, field: int) -> None:
    """Fill one (height, width) image with sky and ground, `side_m` left of the camera's mount."""
    height, width = image.shape
    x, y = camera_place(car, camera, 0.0)
    view_rad = car.yaw_rad + camera.yaw_rad
    sin_view, cos_view = math.sin(view_rad), math.cos(view_rad)
    sin_pitch, cos_pitch = math.sin(camera.pitch_rad), math.cos(camera.pitch_rad)
    row = np.empty(width, np.int32)
    for v in range(height):
        top = (v - 0.5 * height) / camera.focal_px
        doublings = _doublings((top + 0.5 / camera.focal_px) * cos_pitch + sin_pitch)
        lines = 1 << doublings
        if (top + (lines - 0.5) / (lines * camera.focal_px)) * cos_pitch + sin_pitch <= LEAST_DOWN:
            image[v] = sky
            continue
        for u in range(width):
            row[u] = lines >> 1
        for k in range(lines):
            ray = top + (k + 0.5) / (lines * camera.focal_px)
            down = ray * cos_pitch + sin_pitch
            if down <= LEAST_DOWN:
                for u in range(width):
                    row[u] += sky
                continue
            depth = camera.z_m / down
            step = depth / camera.focal_px
            level = levels[_pick_level(levels, max(step, step / (down * lines)))]
            ahead = depth * (cos_pitch - ray * sin_pitch)
            left = side_m + 0.5 * (width - 1) * step
            _add_line(row, texels, level, plane, field,
                      x + ahead * cos_view - left * sin_view,
                      y + ahead * sin_view + left * cos_view, step * sin_view, -step * cos_view)
        for u in range(width):
            image[v, u] = row[u] >> doublings


@njit(cache=True, nogil=True)
def render(images: Images, cars: NDArray[np.int64], states: Records, cameras: Records,
           sides_m: NDArray[np.float64], ground_of: NDArray[np.int64], levels: Records,
           texels: Images, skies: Images, fields: Images, world_of: NDArray[np.int64],
           bodies: Records, body_counts: NDArray[np.int64]) -> None:
    """Render what some cars see, in place.

    Args:
        images: uint8 (K, views * colours, height, width).
        cars: int64 (K,), whose images they are.
        states: vehicle `STATE`, (N,).
        cameras: `CAMERA`, (N,).
        sides_m: float64 (views,), offset of each view to the left of the camera's mount.
        ground_of: int64 (N,), which ground each car is on.
        levels: `MIP_LEVEL`, (grounds, levels).
        texels: uint8, flat; every level holds its colour planes one after another.
        skies: uint8 (N, colours), above each car's horizon.
        fields: uint8 (grounds, colours), ground beyond the texture.
        world_of: int64 (N,), which row of `bodies` each car sees.
        bodies: `BODY`, (worlds, most bodies).
        body_counts: int64 (worlds,), how many of a row count.
    """
    colours = skies.shape[1]
    for k in range(cars.size):
        i = cars[k]
        ground, world = ground_of[i], world_of[i]
        for view in range(sides_m.size):
            planes = images[k, view * colours:(view + 1) * colours]
            for plane in range(colours):
                _render_ground(planes[plane], states[i], cameras[i], sides_m[view],
                               levels[ground], texels, plane, skies[i, plane],
                               fields[ground, plane])
            if body_counts[world] > 0:
                draw_boxes(planes, i, states[i], cameras[i], sides_m[view],
                           bodies[world, :body_counts[world]])
