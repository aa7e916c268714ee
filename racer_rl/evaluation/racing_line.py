"""Where cars drove and how fast: recorded during an evaluation, drawn over the track.

A `Trajectory` is a `watch` of `evaluate`; `plot_racing_line` makes a picture of it.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from racer_rl.evaluation.film_frame import speed_colours
from racer_sim.courses import Course
from racer_sim.ground import paint_ground
from racer_sim.rules import Status
from racer_sim.simulator import Simulator
from racer_sim.track import Track
from racer_vehicle.errors import ConfigError
from racer_vehicle.storage import write_atomically

if TYPE_CHECKING:  # SciPy takes a second to import
    from racer_sim.lap_bound import LapBound

FORMATS: Final = ('png', 'svg', 'pdf')

SAMPLE: Final = np.dtype([
    ('x_m', 'f8'), ('y_m', 'f8'), ('speed_mps', 'f8'), ('s_m', 'f8'), ('lateral_m', 'f8'),
    ('status', 'i8'), ('laps', 'i8'), ('lap_start_s', 'f8'), ('incidents', 'i8'),
])
"""One car at one moment: place in the map, speed, place on the course, and its race: `Status`,
completed laps, when the running lap began, and incidents so far."""

WIDTH_IN: Final = 8.0
DPI: Final = 150
TITLE_IN: Final = 0.52
BOUND_IN: Final = 0.34
"""Of a second line of title, about the lap bound."""

COLOUR_BAR_IN: Final = 1.1
MARGIN_M: Final = 0.5
_TEXT_PT: Final = 16
_BOUND_COLOUR: Final = '#ff4fd8'
_COLOURS: Final = ListedColormap(speed_colours(np.linspace(0.0, 1.0, 256), 1.0) / 255.0)


class DrivenLap(NamedTuple):
    """A completed lap: its car, its rows in the samples (both inclusive), simulated seconds."""

    car: int
    first: int
    last: int
    time_s: float


class Trajectory:
    """Records all cars at every step.

    Attributes:
        courses: The simulator's, empty before the first call.
        course_of: int64 (N,), course of each car, which it keeps.
    """

    def __init__(self) -> None:
        self.courses: tuple[Course, ...] = ()
        self.course_of = np.zeros(0, dtype=np.int64)
        self._rows: list[NDArray[np.void]] = []

    def __call__(self, simulator: Simulator) -> None:
        """Record the moment."""
        self.courses, self.course_of = simulator.courses, simulator.course_of.copy()
        state, places, race = simulator.state, simulator.places, simulator.control.race
        row = np.empty(len(state), dtype=SAMPLE)
        row['speed_mps'] = np.hypot(state['vx_mps'], state['vy_mps'])
        for source, names in ((state, ('x_m', 'y_m')), (places, ('s_m', 'lateral_m')),
                              (race, ('status', 'laps', 'lap_start_s', 'incidents'))):
            for name in names:
                row[name] = source[name]
        self._rows.append(row)

    @property
    def samples(self) -> NDArray[np.void]:
        """All moments: `SAMPLE` (steps + 1, N)."""
        return np.stack(self._rows) if self._rows else np.empty((0, 0), dtype=SAMPLE)

    @property
    def laps(self) -> tuple[DrivenLap, ...]:
        """Completed laps, car by car."""
        samples, laps = self.samples, []
        for car in range(samples.shape[1]):
            completed = 1 + np.flatnonzero(np.diff(samples['laps'][:, car]) > 0)
            ends_s = samples['lap_start_s'][completed, car]
            firsts = (0, *completed[:-1])
            times_s = np.diff(ends_s, prepend=0.0)
            laps += [DrivenLap(car, int(first), int(last), float(time_s))
                     for first, last, time_s in zip(firsts, completed, times_s, strict=False)]
        return tuple(laps)


def picture_format(path: Path) -> str:
    """The format that a picture's name asks for.

    Raises:
        ConfigError: It is not one of `FORMATS`.
    """
    ending = path.suffix.removeprefix('.').lower()
    if ending not in FORMATS:
        raise ConfigError(f'picture {str(path)!r} ends in {path.suffix!r}; '
                          f'allowed: .{", .".join(FORMATS)}.')
    return ending


def plot_racing_line(trajectory: Trajectory, path: Path,
                     bounds: Sequence[LapBound | None] = ()) -> None:
    """Draw what was driven, one panel a course, the best lap of each in bold.

    Args:
        trajectory: At least one moment.
        path: The `.png`, `.svg` or `.pdf` file, written in one step.
        bounds: Of each course; their lines are dashed, under what was driven.

    Raises:
        ConfigError: Another format, or nothing was recorded.
    """
    file_format = picture_format(path)
    samples = trajectory.samples
    if samples.size == 0:
        raise ConfigError('the trajectory is empty; pass it to `evaluate` as `watch` first.')
    driven = np.unique(trajectory.course_of)
    bound_of = dict(enumerate(bounds))
    titles_in = [TITLE_IN + (BOUND_IN if bound_of.get(index) else 0.0) for index in driven]
    heights_in = [_height_in(trajectory.courses[index].track) + title_in
                  for index, title_in in zip(driven, titles_in, strict=True)]
    height_in = sum(heights_in) + COLOUR_BAR_IN
    figure = Figure(figsize=(WIDTH_IN, height_in), dpi=DPI)
    scale, top_in = _speed_scale(samples), height_in
    for index, panel_in, title_in in zip(driven, heights_in, titles_in, strict=True):
        top_in -= panel_in
        axes = figure.add_axes((0.0, top_in / height_in, 1.0, (panel_in - title_in) / height_in))
        _draw_course(axes, trajectory, int(index), scale, bound_of.get(index))
    _draw_colour_bar(figure, scale)
    stream = io.BytesIO()
    figure.savefig(stream, format=file_format)
    write_atomically(path, stream.getvalue())


def _height_in(track: Track) -> float:
    """Height of a track's picture that fills the width."""
    x_min, y_min, x_max, y_max = track.bounds_m
    return WIDTH_IN * (y_max - y_min + 2 * MARGIN_M) / (x_max - x_min + 2 * MARGIN_M)


def _speed_scale(samples: NDArray[np.void]) -> Normalize:
    """From the slow corners to the top speed; pulling away would waste half of the colours."""
    speeds = samples['speed_mps'][samples['status'] == Status.IN_PROGRESS]
    low, high = np.percentile(speeds, (10, 100)) if speeds.size else (0.0, 0.0)
    slow, fast = float(np.floor(low * 10) / 10), float(np.ceil(high * 10) / 10)
    return Normalize(slow, max(fast, slow + 0.1))


def _draw_course(axes: Axes, trajectory: Trajectory, index: int, scale: Normalize,
                 bound: LapBound | None) -> None:
    """One panel: ground, lines, incidents, start and title."""
    course, samples = trajectory.courses[index], trajectory.samples
    cars = np.flatnonzero(trajectory.course_of == index)
    _draw_ground(axes, course.track)
    if bound is not None:
        _draw_bound(axes, bound)
    for car in cars:
        _draw_line(axes, samples[:, car], scale, width_pt=1.5)
    laps = [lap for lap in trajectory.laps if lap.car in cars]
    best = min(laps, key=lambda lap: lap.time_s, default=None)
    if best is not None:
        line = samples[best.first:best.last + 1, best.car]
        _draw_line(axes, line, scale, width_pt=4.0, outlined=True)
    incidents = samples[1:, cars][np.diff(samples['incidents'][:, cars], axis=0) > 0]
    axes.scatter(incidents['x_m'], incidents['y_m'], s=170, marker='X', color='#ff2d2d',
                 edgecolors='white', linewidths=1.5, zorder=4)
    _mark_start(axes, course.track)
    axes.set_axis_off()
    axes.set_title(_title(course, best, len(incidents)), fontsize=_TEXT_PT, loc='left', x=0.015,
                   pad=8 if bound is None else 8 + 72 * BOUND_IN)


def _title(course: Course, best: DrivenLap | None, incidents: int) -> str:
    name = f'{course.track.name} reverse' if course.reverse else course.track.name
    lap = 'no lap completed' if best is None else f'best lap {best.time_s:.2f} s'
    count = {0: 'no incident', 1: '1 incident ×'}.get(incidents, f'{incidents} incidents ×')
    return f'{name}    {lap}    {count}'


def _draw_ground(axes: Axes, track: Track) -> None:
    x_min, _, x_max, _ = track.bounds_m
    metres_per_dot = (x_max - x_min + 2 * MARGIN_M) / (WIDTH_IN * DPI)
    ground = paint_ground(track, m_per_px=metres_per_dot, margin_m=MARGIN_M)
    height_m, width_m = (side * ground.m_per_px for side in ground.image.shape[:2])
    axes.imshow(ground.image, interpolation='antialiased', extent=(
        ground.x_min_m, ground.x_min_m + width_m, ground.y_max_m - height_m, ground.y_max_m))


def _draw_bound(axes: Axes, bound: LapBound) -> None:
    """The line of the lap bound, closed, and what it is below the title."""
    line = np.vstack((bound.line, bound.line[:1]))
    axes.plot(*line.T, color=_BOUND_COLOUR, linewidth=1.5, linestyle=(0, (4, 2)), zorder=1.5,
              label=f'lap bound {bound.bound_s:.2f} s at up to {bound.max_speed_mps:g} m/s',
              scalex=False, scaley=False)
    axes.legend(loc='lower left', bbox_to_anchor=(0.015, 1.0), frameon=False, borderpad=0.0,
                borderaxespad=0.2, handletextpad=0.6, fontsize=0.85 * _TEXT_PT)


def _draw_line(axes: Axes, line: NDArray[np.void], scale: Normalize, *, width_pt: float,
               outlined: bool = False) -> None:
    """One car's path; being lifted back after a penalty is no part of it."""
    points = np.stack((line['x_m'], line['y_m']), axis=1)
    driven = line['status'][:-1] == Status.IN_PROGRESS
    segments = list(np.stack((points[:-1], points[1:]), axis=1)[driven])
    if outlined:
        axes.add_collection(LineCollection(segments, colors='black', linewidths=width_pt + 2.0,
                                           capstyle='round'), autolim=False)
    lines = LineCollection(segments, cmap=_COLOURS, norm=scale, linewidths=width_pt,
                           capstyle='round')
    lines.set_array(line['speed_mps'][1:][driven])
    axes.add_collection(lines, autolim=False)


def _mark_start(axes: Axes, track: Track) -> None:
    """The start line across the surface, and an arrow outside of it along travel."""
    right, left = -float(track.right_m[0]), float(track.left_m[0])
    x, y, _ = track.pose_at(np.zeros(2), np.array((right, left)))
    axes.plot(x, y, color='white', linewidth=5.0, solid_capstyle='butt')
    tail, head = ((float(x), float(y)) for x, y, _ in (
        track.pose_at(s_m, left + 0.2) for s_m in (0.0, 0.9)))
    axes.annotate('', head, tail, annotation_clip=False, arrowprops={
        'arrowstyle': '-|>', 'color': 'white', 'linewidth': 3.0, 'mutation_scale': 26})


def _draw_colour_bar(figure: Figure, scale: Normalize) -> None:
    height_in = figure.get_figheight()
    axes = figure.add_axes((0.04, 0.74 / height_in, 0.92, 0.2 / height_in))
    mappable = LineCollection([], cmap=_COLOURS, norm=scale)
    bar = figure.colorbar(mappable, cax=axes, orientation='horizontal', extend='min')
    bar.set_label('speed, m/s', fontsize=_TEXT_PT)
    bar.ax.tick_params(labelsize=_TEXT_PT)
