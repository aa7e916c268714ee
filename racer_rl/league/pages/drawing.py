"""A driven line over its track as a vector picture, coloured by speed."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from racer_rl.evaluation.film_frame import speed_colours
from racer_sim.track import Track
from racer_vehicle.errors import ConfigError

Floats = NDArray[np.float64]

MARGIN_M: Final = 0.3
COLOURS: Final = 12
"""Of a line: its speed is cut into so many."""

MOST_POINTS: Final = 100_000
MOST_BYTES: Final = 16 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class DrivenLine:
    """Where a car was in a lap.

    Attributes:
        lap: Number of the lap, from 1.
        time_s: Of the lap.
        points_m: float64 (K, 2), map frame.
        speeds_mps: float64 (K,).
    """

    lap: int
    time_s: float
    points_m: Floats
    speeds_mps: Floats

    @classmethod
    def read(cls, path: Path) -> DrivenLine:
        """The line in a file of a league.

        Raises:
            ConfigError: It is none.
        """
        try:
            if path.stat().st_size > MOST_BYTES:
                raise ValueError('it is too large')
            told = json.loads(path.read_bytes())
            columns = [np.array(told[name], dtype=np.float64)
                       for name in ('x_m', 'y_m', 'speed_mps')]
            shapes = {column.shape for column in columns}
            if len(shapes) != 1 or not 2 <= columns[0].size <= MOST_POINTS or (
                    columns[0].ndim != 1 or not all(np.isfinite(each).all() for each in columns)):
                raise ValueError('its columns are not alike, or not finite')
            lap, time_s = int(told['lap']), float(told['time_s'])
            if lap < 1 or not math.isfinite(time_s):
                raise ValueError('its lap is none')
            return cls(lap=lap, time_s=time_s, points_m=np.stack(columns[:2], axis=1),
                       speeds_mps=columns[2])
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise ConfigError(f'{path} is no driven line ({error}); race the submission again, '
                              'or remove the file.') from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stroke:
    """Part of a line in one colour: SVG points and `#rrggbb`."""

    points: str
    colour: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A picture, in metres from its upper left corner.

    Attributes:
        width_m: Of the picture.
        height_m: Likewise.
        road: SVG path of both borders.
        start: Ends of the start line: x, y, x, y.
        strokes: Of the line, in order.
        key: Colours from slow to fast.
        slow_mps: Speed of the first.
        fast_mps: Of the last.
    """

    width_m: float
    height_m: float
    road: str
    start: tuple[float, float, float, float]
    strokes: tuple[Stroke, ...] = ()
    key: tuple[str, ...] = ()
    slow_mps: float = 0.0
    fast_mps: float = 0.0


def draw(track: Track, line: DrivenLine | None = None) -> Drawing:
    """A track, with a line or without.

    Args:
        track: In the direction of travel.
        line: Driven on it.
    """
    x_min, y_min, x_max, y_max = track.bounds_m
    if line is not None:  # a car that leaves the track stays in the picture
        (own_x, own_y), (far_x, far_y) = line.points_m.min(axis=0), line.points_m.max(axis=0)
        x_min, y_min = min(x_min, float(own_x)), min(y_min, float(own_y))
        x_max, y_max = max(x_max, float(far_x)), max(y_max, float(far_y))
    corner = np.array((x_min - MARGIN_M, y_max + MARGIN_M))

    def placed(points_m: Floats) -> Floats:
        moved: Floats = (points_m - corner) * (1.0, -1.0)
        return moved

    borders = [placed(track.left_border_m), placed(track.right_border_m)]
    road = ''.join(f'M{_points(border, "L")}Z' for border in borders)
    (x1, y1), (x2, y2) = borders[0][0].tolist(), borders[1][0].tolist()
    empty = Drawing(width_m=round(x_max - x_min + 2 * MARGIN_M, 3),
                    height_m=round(y_max - y_min + 2 * MARGIN_M, 3), road=road,
                    start=(round(x1, 3), round(y1, 3), round(x2, 3), round(y2, 3)))
    return empty if line is None else _with_line(empty, placed(line.points_m), line.speeds_mps)


def _with_line(empty: Drawing, points: Floats, speeds_mps: Floats) -> Drawing:
    """The drawing with a line of pieces, each as long as its colour stays the same."""
    slow = float(np.floor(np.percentile(speeds_mps, 5) * 10) / 10)
    fast = max(float(np.ceil(speeds_mps.max() * 10) / 10), slow + 0.1)
    shares = np.clip((speeds_mps - slow) / (fast - slow), 0.0, 1.0)
    key = tuple('#' + bytes(colour).hex()
                for colour in speed_colours(np.linspace(0.0, 1.0, COLOURS), 1.0))
    classes = np.minimum((shares[1:] * COLOURS).astype(int), COLOURS - 1)
    breaks = [0, *(1 + np.flatnonzero(np.diff(classes))).tolist(), len(classes)]
    strokes = tuple(
        Stroke(points=_points(points[first:last + 1], ' '), colour=key[int(classes[first])])
        for first, last in pairwise(breaks))
    return Drawing(width_m=empty.width_m, height_m=empty.height_m, road=empty.road,
                   start=empty.start, strokes=strokes, key=key, slow_mps=slow, fast_mps=fast)


def _points(points: Floats, between: str) -> str:
    return between.join(f'{x:.3f} {y:.3f}' for x, y in points.tolist())
