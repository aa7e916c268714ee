"""A validation as one HTML page: what was found, who is paid how much, and where on the track."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any, Final

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize, to_hex
from matplotlib.figure import Figure
from numpy.typing import NDArray

from racer_rl.reward.validation.exploits import exploits_on
from racer_rl.reward.validation.findings import Verdict
from racer_rl.reward.validation.practice import MIRRORED, Practice, Stint
from racer_sim.courses import Course
from racer_sim.track import Track
from racer_vehicle.storage import write_atomically

PICTURE_IN: Final = 3.2
DPI: Final = 110
MARGIN_M: Final = 0.6
_COLOURS: Final = colormaps['plasma']
_PAGES: Final = Environment(loader=PackageLoader(__package__), autoescape=True, trim_blocks=True,
                            lstrip_blocks=True, undefined=StrictUndefined)


def write_report(path: Path, verdict: Verdict, practice: Practice | None) -> None:
    """Write the page; it refers to no other file.

    Args:
        path: The `.html` file, written in one step.
        verdict: What was found.
        practice: What the drivers showed; None if none could drive.
    """
    courses = [_course(practice, course) for course in practice.courses] if practice else []
    page = _PAGES.get_template('report.html.j2').render(
        verdict=verdict, courses=courses, plan=practice.plan if practice else None)
    write_atomically(path, page.encode())


def _course(practice: Practice, course: Course) -> dict[str, Any]:
    """What the page shows of a course: the drivers by their pay, each with its picture."""
    overpaid = {exploit.driver for exploit in exploits_on(practice, course)}
    stints = [stint for stint in practice.on(course) if stint.driver is not MIRRORED]
    scale = _scale(stints)
    ranked = sorted(stints, key=lambda stint: -stint.per_second)
    return {
        'track': course.track.name,
        'direction': 'reverse' if course.reverse else 'forward',
        'low': scale.vmin,
        'high': scale.vmax,
        'colours': [to_hex(_COLOURS(share)) for share in np.linspace(0.0, 1.0, 9)],
        'drivers': [{
            'stint': stint,
            'ending': stint.ending.label.replace('_', ' ') if stint.ending is not None else None,
            'is_exploit': stint.driver.name in overpaid,
            'picture': _picture(stint, scale),
        } for stint in ranked],
    }


def _scale(stints: list[Stint]) -> Normalize:
    """Colours of a course: from rewards that hardly any step undercuts to such as hardly any tops.

    A single bonus or penalty would leave all else in one colour.
    """
    rewards = np.concatenate([stint.samples['reward'][stint.samples['driven']]
                              for stint in stints])
    low, high = (float(value) for value in np.percentile(rewards, (2, 98)))
    return Normalize(low, high if high > low else low + 1e-9, clip=True)


def _picture(stint: Stint, scale: Normalize) -> str:
    """The track with the driver's ways on it, coloured by reward: a PNG, as a `data:` address."""
    track = stint.course.track
    x_min, y_min, x_max, y_max = track.bounds_m
    width_m, height_m = x_max - x_min + 2 * MARGIN_M, y_max - y_min + 2 * MARGIN_M
    figure = Figure(figsize=(PICTURE_IN, PICTURE_IN * height_m / width_m), dpi=DPI)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    axes.set_xlim(x_min - MARGIN_M, x_max + MARGIN_M)
    axes.set_ylim(y_min - MARGIN_M, y_max + MARGIN_M)
    _draw_surface(axes, track)
    for samples in stint.samples.T:
        _draw_way(axes, samples[samples['driven']], scale, stopped=stint.ending is not None)
    stream = io.BytesIO()
    figure.savefig(stream, format='png')
    return 'data:image/png;base64,' + base64.b64encode(stream.getvalue()).decode()


def _draw_surface(axes: Axes, track: Track) -> None:
    """The surface between the borders, and the start line across it."""
    left, right = (np.concatenate((border, border[:1]))
                   for border in (track.left_border_m, track.right_border_m))
    axes.fill(*np.concatenate((left, right[::-1])).T, color='#e3e5e8', linewidth=0)
    for border in (left, right):
        axes.plot(*border.T, color='#8a9099', linewidth=0.8)
    axes.plot(*np.stack((left[0], right[0])).T, color='#30343a', linewidth=2.0)


def _draw_way(axes: Axes, samples: NDArray[np.void], scale: Normalize, *, stopped: bool) -> None:
    """One car's way; being lifted to the start after a lap is no part of it."""
    points = np.stack((samples['x_m'], samples['y_m']), axis=1)
    pieces = np.stack((points[:-1], points[1:]), axis=1)
    steps_m = np.hypot(*(points[1:] - points[:-1]).T)
    driven = steps_m < 1.0
    way = LineCollection(list(pieces[driven]), cmap=_COLOURS, norm=scale, linewidths=2.6,
                         capstyle='round')
    way.set_array(samples['reward'][1:][driven])
    axes.add_collection(way, autolim=False)
    (begin_x, begin_y), (end_x, end_y) = points[0], points[-1]
    axes.scatter(begin_x, begin_y, s=26, color='white', edgecolors='#30343a', linewidths=1.2,
                 zorder=3)
    if stopped:
        axes.scatter(end_x, end_y, s=44, marker='X', color='#c22f2f', edgecolors='white',
                     linewidths=0.8, zorder=4)
