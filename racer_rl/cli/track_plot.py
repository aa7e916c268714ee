"""A track as a picture: its painted ground, start line, direction of travel and scale."""

from __future__ import annotations

import io

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from racer_sim.ground import paint_ground
from racer_sim.track import Track
from racer_vehicle.errors import ConfigError

FORMATS = ('png', 'svg', 'pdf')

MARGIN_M = 0.6
LONG_SIDE_IN = 10.0
TITLE_IN = 0.4
DPI = 150
MARK = '#ffffff'
DIRECTION = '#ffd23f'


def draw_track(track: Track, file_format: str = 'png') -> bytes:
    """Draw a track.

    Args:
        track: What to draw.
        file_format: One of `FORMATS`.

    Returns:
        The picture file's bytes.

    Raises:
        ConfigError: The format is not one of `FORMATS`.
    """
    if file_format not in FORMATS:
        raise ConfigError(f'picture format {file_format!r}; allowed: {", ".join(FORMATS)}.')
    x_min, y_min, x_max, y_max = track.bounds_m
    width, height = x_max - x_min + 2 * MARGIN_M, y_max - y_min + 2 * MARGIN_M
    inches_per_m = LONG_SIDE_IN / max(width, height)
    picture_in = height * inches_per_m
    figure = Figure(figsize=(width * inches_per_m, picture_in + TITLE_IN), dpi=DPI)
    axes = figure.add_axes((0.0, 0.0, 1.0, picture_in / (picture_in + TITLE_IN)))
    # A texel smaller than a dot would only make the file larger.
    ground = paint_ground(track, m_per_px=1.0 / (inches_per_m * DPI), margin_m=MARGIN_M)
    rows_m, columns_m = (side * ground.m_per_px for side in ground.image.shape[:2])
    extent = (ground.x_min_m, ground.x_min_m + columns_m, ground.y_max_m - rows_m, ground.y_max_m)
    axes.imshow(ground.image, extent=extent, interpolation='antialiased')
    _mark_start(axes, track)
    _mark_scale(axes, extent[0], extent[2], width)
    axes.set_axis_off()
    axes.set_title(_title(track), fontsize=10, loc='left', pad=7, x=0.01)
    stream = io.BytesIO()
    figure.savefig(stream, format=file_format)
    return stream.getvalue()


def _title(track: Track) -> str:
    direction = 'clockwise' if track.is_clockwise else 'counter-clockwise'
    return (
        f'{track.name}   {track.length_m:.1f} m, {np.median(track.width_m):.2f} m wide, '
        f'radius from {track.min_radius_m:.2f} m, {direction}'
    )


def _mark_start(axes: Axes, track: Track) -> None:
    """The start line across the surface, and an arrow beside the dashes along travel."""
    edge = np.array((-float(track.right_m[0]), float(track.left_m[0])))
    x, y, _ = track.pose_at(np.zeros(2), edge)
    axes.plot(x, y, color=MARK, linewidth=3.5, solid_capstyle='butt')
    offset = 0.5 * edge[1]
    tail, head = (
        (float(x), float(y)) for x, y, _ in (track.pose_at(s, offset) for s in (0.15, 0.95))
    )
    arrow = {'arrowstyle': '-|>', 'color': DIRECTION, 'linewidth': 2.0, 'mutation_scale': 16}
    axes.annotate('', head, tail, arrowprops=arrow)


def _mark_scale(axes: Axes, x_min: float, y_min: float, width: float) -> None:
    """A bar of one or five metres in the lower left corner."""
    length = 5.0 if width > 20.0 else 1.0
    x, y = x_min + 0.25, y_min + 0.22
    axes.plot((x, x + length), (y, y), color=MARK, linewidth=3.0, solid_capstyle='butt')
    axes.text(x + length + 0.1, y, f'{length:g} m', color=MARK, fontsize=9, va='center')
