"""Figures over the map: racing lines, paths, exits, visits, actions and differences."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import ListedColormap, LogNorm, Normalize, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline
from numpy.typing import NDArray

from racer_rl.analysis.places import Visits
from racer_rl.analysis.road import Road
from racer_rl.analysis.sections import Section
from racer_rl.analysis.style import (
    ASPHALT,
    BLUE,
    BORDER,
    GREY,
    INK,
    TEXT_PT,
    WIDTH_IN,
    new_figure,
    styled,
)
from racer_rl.evaluation.film_frame import speed_colours

MARGIN_M: Final = 0.35
MARGIN_OF_LINE_M: Final = 0.9
"""Beside the borders, and beside a line whose borders are not known."""

TALLEST_IN: Final = 6.4
MOST_PATHS: Final = 300
"""Drawn; more only blacken the paper."""

SPEEDS: Final = ListedColormap(speed_colours(np.linspace(0.0, 1.0, 256), 1.0) / 255.0)
COLOURED_BY: Final = {'speed': ('pace_mps', 'measured speed, m/s', SPEEDS),
                      'reward': ('reward', 'reward of the step', 'viridis'),
                      'throttle': ('speed', 'commanded speed, m/s', SPEEDS)}
"""What a racing line can be coloured by: column of the steps, label, colours."""

SMOOTHED: Final = 3
"""Steps over which a measured speed is averaged: places are rounded, and so are times."""


@styled
def racing_line(steps: pd.DataFrame, laps: Sequence[int], road: Road, by: str,
                sections: Sequence[Section] = ()) -> Figure:
    """Where laps went, coloured by what happened on the way.

    Args:
        steps: Rows by `prepared`.
        laps: Their `unique_episode`s; the first is drawn boldest.
        road: The road.
        by: A key of `COLOURED_BY`.
        sections: Numbered beside the road.
    """
    column, label, colours = COLOURED_BY[by]
    figure, axes = _map(road, sections, bar=True)
    own = steps[steps['unique_episode'].isin(laps) & steps['driving']]
    if by == 'speed':
        smooth = own.groupby('unique_episode')[column].rolling(SMOOTHED, center=True,
                                                               min_periods=1).mean()
        own = own.assign(**{column: smooth.droplevel(0)})
    values = own.loc[own['steps'] > 2, column].to_numpy(np.float64)
    values = values[np.isfinite(values)]
    low, high = np.percentile(values, (2, 98)) if values.size else (0.0, 1.0)
    scale = Normalize(low, max(high, low + 1e-3))
    lines = None
    for row, lap in reversed(list(enumerate(laps))):
        part = own[own['unique_episode'] == lap]
        points = part[['x', 'y']].to_numpy(np.float64)
        segments = np.stack((points[:-1], points[1:]), axis=1)
        lines = LineCollection(list(segments), cmap=colours, norm=scale, capstyle='round',
                               linewidths=4.0 if row == 0 else 1.4)
        lines.set_array(part[column].to_numpy(np.float64)[1:])
        axes.add_collection(lines, autolim=False)
    if lines is not None:
        figure.colorbar(lines, ax=axes, location='bottom', label=label, aspect=40, pad=0.02)
    return figure


@styled
def paths_and_exits(steps: pd.DataFrame, episodes: pd.DataFrame, incidents: pd.DataFrame,
                    road: Road, sections: Sequence[Section] = ()) -> Figure:
    """Every path (of so many, an even choice) and where episodes ended badly.

    Args:
        steps: Rows by `prepared`.
        episodes: By `episode_table`.
        incidents: Those of them that ended so, coloured from early to late.
        road: The road.
        sections: Numbered beside the road.
    """
    figure, axes = _map(road, sections, bar=len(incidents) > 0)
    own = episodes[episodes['here']]
    chosen = own.index[:: max(1, math.ceil(len(own) / MOST_PATHS))]
    part = steps[steps['unique_episode'].isin(chosen) & steps['driving']]
    points, episode = part[['x', 'y']].to_numpy(np.float64), part['unique_episode'].to_numpy()
    breaks = np.flatnonzero(episode[1:] != episode[:-1]) + 1
    axes.add_collection(LineCollection(np.split(points, breaks), colors=BLUE, linewidths=0.7,
                                       alpha=0.25), autolim=False)
    if len(incidents):
        few = incidents.iloc[:: max(1, len(incidents) // 3000)]
        dots = axes.scatter(few['end_x'], few['end_y'], c=few['iteration'], cmap='autumn', s=22,
                            zorder=4, edgecolors=INK, linewidths=0.4)
        figure.colorbar(dots, ax=axes, location='bottom', aspect=40, pad=0.02,
                        label='iteration of the incident')
    return figure


@styled
def visits_map(visits: Visits, road: Road, sections: Sequence[Section] = ()) -> Figure:
    """How often cars were where, on a logarithmic scale.

    Args:
        visits: By `visits_grid`.
        road: The road.
        sections: Numbered beside the road.
    """
    figure, axes = _map(road, sections, bar=True)
    counts = np.ma.masked_equal(visits.counts, 0.0)
    image = axes.imshow(counts, extent=visits.extent_m, origin='lower', cmap='YlOrRd', zorder=2,
                        norm=LogNorm(1.0, max(2.0, float(visits.counts.max()))))
    _limit(axes, road)
    figure.colorbar(image, ax=axes, location='bottom', aspect=40, pad=0.02,
                    label='steps in a square of 5 cm')
    return figure


@styled
def waypoint_map(values: NDArray[np.float64], road: Road, label: str, *, centred: bool = False,
                 sections: Sequence[Section] = ()) -> Figure:
    """A figure of every waypoint as the colour of the road.

    Args:
        values: float64 (waypoints,), NaN where unknown.
        road: The road.
        label: Of the colours.
        centred: Whether zero is the middle of the colours: what is faster, and what is slower.
        sections: Numbered beside the road.
    """
    figure, axes = _map(road, sections, bar=True)
    known = values[np.isfinite(values)]
    if centred:
        most = max(0.05, float(np.percentile(np.abs(known), 98))) if known.size else 1.0
        scale: Normalize = TwoSlopeNorm(0.0, -most, most)
    else:
        scale = Normalize(*np.percentile(known, (2, 98))) if known.size else Normalize(0, 1)
    loop = np.vstack((road.centre_m, road.centre_m[:1]))
    lines = LineCollection(list(np.stack((loop[:-1], loop[1:]), axis=1)), norm=scale, linewidths=7,
                           cmap='RdBu' if centred else 'viridis', capstyle='butt')
    lines.set_array(np.ma.masked_invalid(values))
    axes.add_collection(lines, autolim=False)
    figure.colorbar(lines, ax=axes, location='bottom', aspect=40, pad=0.02, label=label)
    return figure


@styled
def action_map(steps: pd.DataFrame, road: Road) -> Figure:
    """Where cars steer left and right: their mean steering in squares of 10 cm.

    Args:
        steps: Rows by `prepared`, on this road and driving.
        road: The road.
    """
    figure, axes = _map(road, (), bar=True)
    x, y = (steps[axis].to_numpy(np.float64) for axis in ('x', 'y'))
    edges = [np.arange(values.min() - 0.1, values.max() + 0.2, 0.1) for values in (x, y)]
    total, _, _ = np.histogram2d(x, y, bins=edges, weights=steps['steering_angle'])
    count, x_edges, y_edges = np.histogram2d(x, y, bins=edges)
    with np.errstate(invalid='ignore'):
        mean = np.ma.masked_invalid((total / count).T)
    most = max(1.0, float(steps['steering_angle'].abs().max()))
    image = axes.imshow(mean, origin='lower', cmap='RdBu', norm=Normalize(-most, most), zorder=2,
                        extent=(x_edges[0], x_edges[-1], y_edges[0], y_edges[-1]))
    _limit(axes, road)
    figure.colorbar(image, ax=axes, location='bottom', aspect=40, pad=0.02,
                    label='steering, degrees (right - left +)')
    return figure


def _map(road: Road, sections: Sequence[Section], *, bar: bool) -> tuple[Figure, Axes]:
    """An empty map of the road, with room for a colour bar below."""
    x_min, y_min, x_max, y_max = _extent(road)
    ratio = (y_max - y_min) / (x_max - x_min)
    figure = new_figure(min(WIDTH_IN * ratio, TALLEST_IN) + (0.85 if bar else 0.0))
    axes = figure.subplots()
    axes.set_axis_off()
    axes.set_aspect('equal')
    _draw_road(axes, road)
    for section in sections:
        _number(axes, road, section)
    _limit(axes, road)
    return figure, axes


def _limit(axes: Axes, road: Road) -> None:
    x_min, y_min, x_max, y_max = _extent(road)
    axes.set(xlim=(x_min, x_max), ylim=(y_min, y_max))


def _extent(road: Road) -> tuple[float, float, float, float]:
    """Smallest x and y, largest x and y of a map of the road."""
    margin_m = MARGIN_OF_LINE_M if road.track is None else MARGIN_M
    x_min, y_min, x_max, y_max = road.bounds_m
    return x_min - margin_m, y_min - margin_m, x_max + margin_m, y_max + margin_m


def _draw_road(axes: Axes, road: Road) -> None:
    """The surface if its borders are known, else the line of waypoints; start and direction."""
    track = road.track
    if track is None:
        for known, rows in itertools.groupby(range(road.waypoints), road.seen.__getitem__):
            part = road.centre_m[list(rows)]
            axes.plot(*part.T, color=GREY, linewidth=1.0, linestyle='-' if known else ':')
    else:
        rings = [np.vstack((border, border[:1])) for border in (
            track.left_border_m, track.right_border_m[::-1])]
        codes = [code for ring in rings for code in (
            Outline.MOVETO, *[Outline.LINETO] * (len(ring) - 2), Outline.CLOSEPOLY)]
        axes.add_patch(PathPatch(Outline(np.vstack(rings), codes), facecolor=ASPHALT,
                                 edgecolor=BORDER, linewidth=1.0, zorder=0))
        side = np.array((-float(track.right_m[0]), float(track.left_m[0])))
        x, y, _ = track.pose_at(np.zeros(2), side)
        axes.plot(x, y, color=INK, linewidth=2.5, solid_capstyle='butt')
    _arrow(axes, road)


def _arrow(axes: Axes, road: Road) -> None:
    """The direction of travel at the start."""
    place, heading = road.centre_m[0], road.heading_rad[0]
    ahead = place + 0.6 * np.array((math.cos(heading), math.sin(heading)))
    axes.annotate('', ahead, place, zorder=6, arrowprops={
        'arrowstyle': '-|>', 'color': INK, 'linewidth': 1.5, 'mutation_scale': 14})


def _number(axes: Axes, road: Road, section: Section) -> None:
    """A section's number beside its middle, and a tick where it begins."""
    count = (section.last - section.first) % road.waypoints
    middle = (section.first + count // 2) % road.waypoints
    width = 0.35 if road.track is None else float(road.track.right_m[middle]) + 0.18
    for row, away in ((middle, width),):
        heading = road.heading_rad[row]
        x, y = road.centre_m[row] + away * np.array((math.sin(heading), -math.cos(heading)))
        axes.text(x, y, str(section.number), ha='center', va='center', fontsize=TEXT_PT,
                  color=INK, clip_on=True)
    if road.track is not None:
        row, track = section.first, road.track
        x, y, _ = track.pose_at(np.full(2, track.s_m[row]),
                                np.array((-track.right_m[row], track.left_m[row])))
        axes.plot(x, y, color=BORDER, linewidth=1.0, zorder=1)


