"""What light, lens and sensor make of a rendered image: compiled, and in place.

In this order: other paint, light and exposure by look-up tables; shadows that lie across the map;
a smear and a scratch on the lens; blur; noise.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from racer_sim.camera import LEAST_DOWN
from racer_sim.ground import GroundStyle
from racer_vehicle.observation import rgb_to_luma

Images = NDArray[np.uint8]
Records = NDArray[np.void]

LEVELS: Final = np.arange(256.0)

TURN: Final = 1 << 16
"""One period of the shadows in fixed point."""

SHADE_SHARE: Final = 0.35
"""Of each period that lies in the shadow: a row of trees, not a wood."""

SCRATCH_LEVEL: Final = 210
"""Grey of a scratch, which scatters light."""

NOISE_UNIT: Final = 32
"""Standard deviation of the table, so that it has fractions of a level."""

NOISE_LENGTH: Final = 1 << 17


@cache
def noise_table() -> NDArray[np.int16]:
    """Gaussian numbers that images take their noise from, each from another place: int16.

    The same for every simulator, and read-only; which part an image gets is drawn by the
    simulator's generator.
    """
    random = np.random.default_rng(0)
    values = NOISE_UNIT * random.standard_normal(NOISE_LENGTH)
    table = np.clip(np.rint(values), -127, 127).astype(np.int16)
    table.setflags(write=False)
    return table


@njit(cache=True)
def _shade(plane: Images, car: np.record, camera: np.record, look: np.record,
           side_m: float) -> None:
    """Darken stripes of the ground, in place: in each row they lie at even distances."""
    height, width = plane.shape
    full, light = np.int32(256), np.int32(256.0 * (1.0 - look.shadow))
    edge = np.int32(SHADE_SHARE * TURN)
    to_rad, period_m = math.tau * look.shadow_to, 1.0 + 3.0 * look.shadow_period
    to_x, to_y = math.cos(to_rad) / period_m, math.sin(to_rad) / period_m
    view_rad = car.yaw_rad + camera.yaw_rad
    sin_view, cos_view = math.sin(view_rad), math.cos(view_rad)
    sin_yaw, cos_yaw = math.sin(car.yaw_rad), math.cos(car.yaw_rad)
    x = car.x_m + cos_yaw * camera.x_m - sin_yaw * camera.y_m
    y = car.y_m + sin_yaw * camera.x_m + cos_yaw * camera.y_m
    sin_pitch, cos_pitch = math.sin(camera.pitch_rad), math.cos(camera.pitch_rad)
    for v in range(height):
        ray = (v + 0.5 - 0.5 * height) / camera.focal_px
        down = ray * cos_pitch + sin_pitch
        if down <= LEAST_DOWN:
            continue
        depth = camera.z_m / down
        step = depth / camera.focal_px
        ahead = depth * (cos_pitch - ray * sin_pitch)
        left = side_m + 0.5 * (width - 1) * step
        phase = (look.shadow_at + to_x * (x + ahead * cos_view - left * sin_view)
                 + to_y * (y + ahead * sin_view + left * cos_view))
        now = int((phase - math.floor(phase)) * TURN)
        by = int(step * (sin_view * to_x - cos_view * to_y) * TURN)
        for u in range(width):
            shaded = (np.int32(now) + np.int32(by) * np.int32(u)) & np.int32(TURN - 1) < edge
            plane[v, u] = (np.int32(plane[v, u]) * (light if shaded else full)) >> np.int32(8)


@njit(cache=True)
def _smear(plane: Images, look: np.record) -> None:
    """Lay a soft-edged spot over an image, in place."""
    height, width = plane.shape
    radius = (0.05 + 0.15 * look.smudge_size) * width
    middle_u, middle_v = look.smudge_u * width, look.smudge_v * height
    level = 60.0 + 160.0 * look.smudge_level
    for v in range(max(int(middle_v - radius), 0), min(int(middle_v + radius) + 1, height)):
        for u in range(max(int(middle_u - radius), 0), min(int(middle_u + radius) + 1, width)):
            off = ((u - middle_u) ** 2 + (v - middle_v) ** 2) / (radius * radius)
            if off < 1.0:
                part = look.smudge * (1.0 - off)
                plane[v, u] = int(plane[v, u] + part * (level - plane[v, u]))


@njit(cache=True)
def _scratch(plane: Images, look: np.record) -> None:
    """Draw a line two pixels wide from top to bottom, in place."""
    height, width = plane.shape
    for v in range(height):
        first = int(look.scratch_u * width + (look.scratch_lean - 0.5) * v)
        for u in range(max(first, 0), min(first + 2, width)):
            plane[v, u] = int(plane[v, u] + look.scratch * (SCRATCH_LEVEL - plane[v, u]))


@njit(cache=True)
def _blur(plane: Images, scratch: Images, share: float) -> None:
    """Let every pixel give a share of its light to each neighbour, in place.

    Sixteen bits hold every sum, and twice as many numbers go into a register as of thirty-two.

    Args:
        plane: uint8 (H, W).
        scratch: uint8 (H, W), overwritten.
        share: To each side, first along the rows, then along the columns.
    """
    height, width = plane.shape
    give = np.uint16(256.0 * share)
    keep, half, bits = np.uint16(256 - 2 * give), np.uint16(128), np.uint16(8)
    for v in range(height):
        scratch[v, 0], scratch[v, width - 1] = plane[v, 0], plane[v, width - 1]
        for u in range(1, width - 1):
            sides = np.uint16(plane[v, u - 1]) + np.uint16(plane[v, u + 1])
            scratch[v, u] = (keep * np.uint16(plane[v, u]) + give * sides + half) >> bits
    for v in range(1, height - 1):
        for u in range(width):
            sides = np.uint16(scratch[v - 1, u]) + np.uint16(scratch[v + 1, u])
            plane[v, u] = (keep * np.uint16(scratch[v, u]) + give * sides + half) >> bits


@njit(cache=True)
def _add_noise(plane: Images, noise: NDArray[np.int16], begin: int, deviation: float) -> None:
    """Add numbers of a table to an image, in place."""
    pixels = plane.ravel()
    begin %= noise.size - pixels.size
    numbers = noise[begin:begin + pixels.size]
    scale, half, bits = np.int16(256.0 * deviation / NOISE_UNIT), np.int16(128), np.int16(8)
    for p in range(pixels.size):
        value = np.int16(pixels[p]) + ((numbers[p] * scale + half) >> bits)
        pixels[p] = min(max(value, np.int16(0)), np.int16(255))


@njit(cache=True)
def finish(images: Images, cars: NDArray[np.int64], looks: Records, tables: Images,
           noise: NDArray[np.int16], begins: NDArray[np.int64], states: Records, cameras: Records,
           sides_m: NDArray[np.float64]) -> None:
    """Finish what some cars see, in place.

    Args:
        images: uint8 (K, views * colours, height, width), rendered.
        cars: int64 (K,), whose images they are.
        looks: conditions `CONDITION`, (N,).
        tables: uint8 (N, colours, 256), by `Paint`.
        noise: int16, of `noise_table`.
        begins: int64 (K,), where in it each image's noise begins.
        states: vehicle `STATE`, (N,).
        cameras: camera `CAMERA`, (N,).
        sides_m: float64 (views,), offset of each view to the left of the camera's mount.
    """
    colours, width = tables.shape[1], images.shape[3]
    scratch = np.empty(images.shape[2:], np.uint8)
    for k in range(cars.size):
        i = cars[k]
        look = looks[i]
        for plane in range(images.shape[1]):
            image = images[k, plane]
            table = tables[i, plane % colours]
            for v in range(image.shape[0]):
                for u in range(width):
                    image[v, u] = table[image[v, u]]
            if look.shadow > 0.0:
                _shade(image, states[i], cameras[i], look, sides_m[plane // colours])
            if look.smudge > 0.0:
                _smear(image, look)
            if look.scratch > 0.0:
                _scratch(image, look)
            if look.blur > 0.0:
                _blur(image, scratch, look.blur)
            if look.noise > 0.0:
                _add_noise(image, noise, begins[k] + plane, look.noise)


class Paint:
    """How grey levels of the painted ground become those of other paints, light and exposure."""

    def __init__(self, style: GroundStyle, *, rgb: bool) -> None:
        """Note the levels of the paints.

        Args:
            style: Colours of the ground as painted.
            rgb: Three planes instead of one of luma.
        """
        colours = np.array([[style.asphalt, style.field, style.dashes, style.border]], np.uint8)
        self._planes = (colours[0].T if rgb else rgb_to_luma(colours)).astype(np.float64)

    def tables(self, row: np.void) -> NDArray[np.uint8]:
        """Look-up tables for a car's conditions: uint8 (planes, 256).

        Levels between those of two paints are mixtures of both, and become the mixture of what
        the paints become.
        """
        shift = np.array([row['asphalt'], row['surroundings'], row['lines'], row['lines']])
        result = np.empty((len(self._planes), 256), np.uint8)
        for plane, before in enumerate(self._planes):
            order = np.argsort(before, kind='stable')
            after = np.clip(before + shift, 0.0, 255.0)
            mixed = np.interp(LEVELS, before[order], after[order])
            # Beyond the paints: sky and bodies keep their distance to the nearest one.
            mixed += np.minimum(LEVELS - before.min(), 0.0) + np.maximum(
                LEVELS - before.max(), 0.0)
            lit = np.clip(mixed / 255.0 * row['light'], 0.0, 1.0) ** row['exposure']
            result[plane] = np.rint(255.0 * lit)
        return result
