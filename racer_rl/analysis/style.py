"""How every figure looks: one column wide, text for a phone, one set of colours."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable
from typing import Any, Final, ParamSpec

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

P = ParamSpec('P')

WIDTH_IN: Final = 5.6
"""Shown 350 pixels wide on a phone, an inch is 62 pixels and text of 12 points 10 pixels high."""

DPI: Final = 170
TEXT_PT: Final = 12.0

BLUE, ORANGE, GREEN, RED, GREY = '#2166ac', '#d9711c', '#1b7f5c', '#c0272d', '#6b7280'
INK, PAPER, GRID, ASPHALT, BORDER = '#1f2933', '#ffffff', '#d8dde3', '#e9ecf0', '#8a94a1'
SERIES: Final = (BLUE, ORANGE, GREEN, '#7b3fa0', RED, GREY)
"""Colours of runs side by side; still different to people who confuse red and green."""

_SETTINGS: Final[Any] = {
    'font.family': 'DejaVu Sans', 'font.size': TEXT_PT, 'axes.titlesize': TEXT_PT,
    'axes.labelsize': TEXT_PT, 'xtick.labelsize': TEXT_PT, 'ytick.labelsize': TEXT_PT,
    'legend.fontsize': TEXT_PT, 'axes.titlelocation': 'left', 'axes.titleweight': 'bold',
    'text.color': INK, 'axes.labelcolor': INK, 'axes.edgecolor': BORDER, 'xtick.color': INK,
    'ytick.color': INK, 'axes.spines.top': False, 'axes.spines.right': False,
    'axes.grid': True, 'axes.axisbelow': True, 'grid.color': GRID, 'grid.linewidth': 0.8,
    'figure.facecolor': PAPER, 'axes.facecolor': PAPER, 'legend.framealpha': 0.8,
    'legend.edgecolor': 'none', 'lines.linewidth': 2.0, 'figure.dpi': DPI, 'savefig.dpi': DPI,
}


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """A function that draws a figure in this style, whatever the caller's own settings are."""

    @functools.wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with matplotlib.rc_context(_SETTINGS):
            return draw(*args, **kwargs)

    return drawn


def new_figure(height_in: float) -> Figure:
    """An empty figure, one column wide."""
    return Figure(figsize=(WIDTH_IN, height_in), layout='constrained')


def new_axes(height_in: float) -> tuple[Figure, Axes]:
    """A figure of one panel."""
    figure = new_figure(height_in)
    return figure, figure.subplots()


def png_of(figure: Figure) -> bytes:
    """The figure as a picture file, with few colours: half the size."""
    from PIL import Image

    figure.set_dpi(DPI)
    pixels, stream = io.BytesIO(), io.BytesIO()
    with matplotlib.rc_context(_SETTINGS):
        figure.savefig(pixels, format='rgba')
    picture = Image.frombytes('RGBA', figure.canvas.get_width_height(), pixels.getvalue())
    picture.convert('RGB').quantize(256, dither=Image.Dither.NONE).save(stream, format='png')
    return stream.getvalue()
