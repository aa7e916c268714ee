"""One picture of the ground from above, for the embedded camera and for Gazebo alike."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from racer_sim.track import Track, vertex_normals
from racer_vehicle.errors import ConfigError
from racer_vehicle.spec import require_range

Floats = NDArray[np.float64]
Image = NDArray[np.uint8]
Colour = tuple[int, int, int]

LARGEST_IMAGE_PX = 64_000_000
"""More texels than this and the picture is painted more coarsely: 192 MB of RGB."""

_SHIFT = 8
"""Fractional bits of the pixel coordinates that OpenCV is given."""

_BLEED_PX = 0.65
"""How far OpenCV's anti-aliased polygons reach beyond their outline (measured, 4.x, any angle)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundStyle:
    """Colours and markings; colours are sRGB, 0 to 255 each.

    Attributes:
        asphalt: Driving surface.
        border: Solid line along the inside of both borders.
        dashes: Dashed line along the centre.
        field: Everything else.
        border_width_m: Width of the border lines; 0 leaves them out.
        dash_width_m: Width of the centre dashes; 0 leaves them out.
        dash_m: Length of a dash, about: whole periods fit the track.
        gap_m: Gap between dashes, about.
    """

    asphalt: Colour = (64, 64, 68)
    border: Colour = (240, 240, 240)
    dashes: Colour = (236, 152, 40)
    field: Colour = (62, 124, 62)
    border_width_m: float = 0.05
    dash_width_m: float = 0.025
    dash_m: float = 0.2
    gap_m: float = 0.2

    def __post_init__(self) -> None:
        require_range(
            self,
            border_width_m=(0.0, 0.3),
            dash_width_m=(0.0, 0.3),
            dash_m=(0.02, 5.0),
            gap_m=(0.02, 5.0),
        )
        for name in ('asphalt', 'border', 'dashes', 'field'):
            colour = getattr(self, name)
            if len(colour) != 3 or not all(0 <= part <= 255 for part in colour):
                raise ConfigError(
                    f'GroundStyle.{name} is {colour!r}; allowed: three values from 0 to 255.'
                )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ground:
    """A painted ground; texel (row, column) covers a square of side `m_per_px`.

    Attributes:
        image: Read-only uint8, (H, W, 3) RGB, north up: row 0 at the +y edge, column 0 at the -x.
        x_min_m: Where column 0 begins.
        y_max_m: Where row 0 begins.
        m_per_px: Side of a texel.
    """

    image: Image
    x_min_m: float
    y_max_m: float
    m_per_px: float

    def luma(self) -> Image:
        """The same picture in grey, uint8 (H, W), ITU-R BT.601 luma as cameras deliver it."""
        return np.asarray(cv2.cvtColor(self.image, cv2.COLOR_RGB2GRAY), dtype=np.uint8)

    def texel_at(self, points: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows and columns that hold points; outside of the picture they are out of its range.

        Args:
            points: float64, (..., 2), metres.
        """
        column = np.floor((points[..., 0] - self.x_min_m) / self.m_per_px).astype(np.int64)
        row = np.floor((self.y_max_m - points[..., 1]) / self.m_per_px).astype(np.int64)
        return row, column


def paint_ground(
    track: Track,
    style: GroundStyle | None = None,
    m_per_px: float = 0.005,
    margin_m: float = 1.0,
) -> Ground:
    """Paint a track; driving it the other way gives the same picture, texel by texel.

    Args:
        track: What to paint.
        style: Colours and markings; by default `GroundStyle()`.
        m_per_px: Wanted side of a texel; raised as far as `LARGEST_IMAGE_PX` demands.
        margin_m: Field around the track.
    """
    style = style or GroundStyle()
    if track.is_clockwise:
        track = track.reversed()
    x_min, y_min, x_max, y_max = track.bounds_m
    x_min, y_max = x_min - margin_m, y_max + margin_m
    width, height = x_max + margin_m - x_min, y_max - y_min + margin_m
    m_per_px = max(m_per_px, math.sqrt(width * height / LARGEST_IMAGE_PX))
    canvas = _Canvas(
        image=np.empty((math.ceil(height / m_per_px), math.ceil(width / m_per_px), 3), np.uint8),
        origin=np.array((x_min, y_max)),
        m_per_px=m_per_px,
    )
    canvas.image[:] = style.field
    _paint_surface(canvas, track, style)
    if style.dash_width_m > 0.0:
        _paint_dashes(canvas, track, style)
    canvas.image.setflags(write=False)
    return Ground(image=canvas.image, x_min_m=x_min, y_max_m=y_max, m_per_px=m_per_px)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Canvas:
    """An image that is drawn on in metres; `origin` is its upper left corner."""

    image: Image
    origin: Floats
    m_per_px: float

    def _pixels(self, points: Floats) -> NDArray[np.int32]:
        """Fixed-point pixel coordinates; OpenCV's whole numbers are the centres of pixels."""
        pixels = (points - self.origin) * (1.0, -1.0) / self.m_per_px - 0.5
        return np.round(pixels * (1 << _SHIFT)).astype(np.int32)

    def ribbon(self, left: Floats, right: Floats, colour: Colour, *, closed: bool = True) -> None:
        """Fill the quads between two lines, row by row, with smooth edges where the lines are.

        Args:
            left: float64, (N, 2), metres.
            right: float64, (N, 2), metres.
            colour: What to fill with.
            closed: Whether the last rows join the first.
        """
        across = right - left
        width = np.hypot(*across.T)[:, None]
        part = np.minimum(_BLEED_PX * self.m_per_px / np.maximum(width, 1e-9), 0.45)
        one, other = self._pixels(left + part * across), self._pixels(right - part * across)
        after_one, after_other = np.roll(one, -1, axis=0), np.roll(other, -1, axis=0)
        quads = np.stack((one, after_one, after_other, other), axis=1)
        for quad in quads if closed else quads[:-1]:
            cv2.fillPoly(self.image, [quad], colour, cv2.LINE_AA, _SHIFT)


def _paint_surface(canvas: _Canvas, track: Track, style: GroundStyle) -> None:
    """Asphalt between the borders, then the lines along them.

    The asphalt ends under the middle of the lines, so that their outer edge blends with the field
    alone.
    """
    left, right = track.left_border_m, track.right_border_m
    inward_left = -style.border_width_m * vertex_normals(left)
    inward_right = style.border_width_m * vertex_normals(right)
    canvas.ribbon(left + inward_left / 2.0, right + inward_right / 2.0, style.asphalt)
    if style.border_width_m > 0.0:
        canvas.ribbon(left, left + inward_left, style.border)
        canvas.ribbon(right + inward_right, right, style.border)


def _paint_dashes(canvas: _Canvas, track: Track, style: GroundStyle) -> None:
    """Dashes on the centre line, placed alike in both directions of travel."""
    count = max(1, round(track.length_m / (style.dash_m + style.gap_m)))
    period = track.length_m / count
    half = 0.5 * period * style.dash_m / (style.dash_m + style.gap_m)
    parts = np.linspace(-half, half, 9)
    for middle in period * np.arange(count):
        left, right = (
            np.stack(track.pose_at(middle + parts, side * style.dash_width_m / 2.0)[:2], axis=1)
            for side in (1.0, -1.0)
        )
        canvas.ribbon(left, right, style.dashes, closed=False)
