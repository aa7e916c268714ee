"""Straights and turns of a road, and how fast each is driven and could be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from racer_rl.analysis.road import Road

if TYPE_CHECKING:  # SciPy takes a second to import
    from racer_sim.lap_bound import LapBound

REACH_M: Final = 0.4
"""To either side of a waypoint, over which its curvature is measured."""

TURN_PER_M: Final = 0.3
"""Curvature from which a place belongs to a turn: a radius of 3.3 m."""

SHORTEST_M: Final = 1.0
SHORTEST_SHARE: Final = 1.0 / 24.0
"""Metres and share of a lap: shorter sections are joined to the one before."""

EQUAL_PARTS: Final = 6
"""Of a road that has no bends to divide it, or whose line is only guessed."""

MOST: Final = 16
"""More sections than that nobody reads; then they are equal parts."""


@dataclass(frozen=True, slots=True)
class Section:
    """Consecutive waypoints.

    Attributes:
        number: From 1, in order of travel.
        kind: `straight`, `left turn`, `right turn` or `part`.
        first: First waypoint.
        last: Last waypoint, inclusive; smaller than `first` if the start line lies between.
        length_m: From the first to the waypoint after the last.
    """

    number: int
    kind: str
    first: int
    last: int
    length_m: float

    @property
    def label(self) -> str:
        """For people, e.g. `section 3, left turn (waypoints 40-58)`."""
        kind = '' if self.kind == 'part' else f', {self.kind}'
        return f'section {self.number}{kind} (waypoints {self.first}-{self.last})'


def sections_of(road: Road) -> tuple[Section, ...]:
    """The sections of a road, in order of travel, the first at or before the start line."""
    starts = _bends(road) if road.track is not None else None
    if starts is None or not 2 <= len(starts) <= MOST:
        edges = road.length_m * np.arange(EQUAL_PARTS) / EQUAL_PARTS
        # Past the last waypoint comes the first.
        rows = np.unique(np.searchsorted(road.s_m, edges) % road.waypoints)
        starts = [(int(row), 'part') for row in rows]
    nexts = [row for row, _ in starts[1:] + starts[:1]]
    sections = []
    for number, ((first, kind), after) in enumerate(zip(starts, nexts, strict=True), start=1):
        end = after if after > first else after + road.waypoints
        sections.append(Section(number, kind, first, (end - 1) % road.waypoints,
                                _between(road, first, end)))
    return tuple(sections)


def section_of_waypoint(road: Road, sections: Sequence[Section]) -> NDArray[np.int64]:
    """Index into `sections` of every waypoint, int64 (waypoints,)."""
    index = np.zeros(road.waypoints, dtype=np.int64)
    for row, section in enumerate(sections):
        count = (section.last - section.first) % road.waypoints + 1
        index[(section.first + np.arange(count)) % road.waypoints] = row
    return index


def section_table(steps: pd.DataFrame, road: Road, sections: Sequence[Section],
                  bound: LapBound | None, *, after_steps: int) -> pd.DataFrame:
    """How fast sections are driven.

    Args:
        steps: Rows by `prepared`, on this road and driving.
        road: The road.
        sections: Its sections.
        bound: What is possible, None if unknown.
        after_steps: Steps of an episode that do not count, from standstill.

    Returns:
        Index `section` (from 1); columns `kind`, `first`, `last`, `length_m`, `speed_mps`
        (distance over time), `asked_mps` (mean command), `possible_mps`, `loss_s` (a lap's time in
        it over the bound's); the last two NaN without a bound.
    """
    moving = steps[(steps['steps'] > after_steps) & steps['moved_m'].notna()]
    index = section_of_waypoint(road, sections)
    row = index[moving['waypoint'].to_numpy()]
    count = len(sections)
    distance, time, asked, rows = (
        np.bincount(row, weights, count).astype(np.float64) for weights in (
            moving['moved_m'], moving['dt_s'], moving['speed'], None))
    with np.errstate(invalid='ignore', divide='ignore'):
        speed, asked = distance / time, asked / rows
    length_m = np.array([section.length_m for section in sections])
    possible_mps, possible_s = _possible(road, index, count, bound)
    # Lines are longer or shorter than the centre line by little; time is compared on the latter.
    return pd.DataFrame({
        'kind': [section.kind for section in sections],
        'first': [section.first for section in sections],
        'last': [section.last for section in sections], 'length_m': length_m,
        'speed_mps': speed, 'asked_mps': asked, 'possible_mps': possible_mps,
        'loss_s': length_m / speed - possible_s,
    }, index=pd.RangeIndex(1, count + 1, name='section'))


def sector_times(steps: pd.DataFrame, laps: pd.DataFrame, road: Road,
                 sections: Sequence[Section]) -> pd.DataFrame:
    """Seconds that laps spent in every section.

    Args:
        steps: Rows by `prepared`.
        laps: Rows of `episode_table`, those wanted.
        road: The road.
        sections: Its sections.

    Returns:
        Index `unique_episode`, a column for every section's number. To one control period.
    """
    own = steps[steps['unique_episode'].isin(laps.index)]
    section = section_of_waypoint(road, sections)[own['waypoint'].to_numpy()] + 1
    times = own['dt_s'].groupby([own['unique_episode'], section]).sum().unstack()
    return times.reindex(index=laps.index, columns=range(1, len(sections) + 1))


def _between(road: Road, first: int, end: int) -> float:
    """Metres from one waypoint to another, which may lie beyond the start line."""
    laps, row = divmod(end, road.waypoints)
    return float(road.s_m[row] + laps * road.length_m - road.s_m[first])


def _bends(road: Road) -> list[tuple[int, str]]:
    """First waypoint and kind of every straight and turn."""
    s, length = road.s_m, road.length_m
    places = np.concatenate((s - length, s, s + length))
    headings = np.unwrap(np.tile(road.heading_rad, 3))
    turned = np.interp(s + REACH_M, places, headings) - np.interp(s - REACH_M, places, headings)
    curvature = turned / (2.0 * REACH_M)
    bend = np.where(np.abs(curvature) < TURN_PER_M, 0, np.sign(curvature)).astype(int)
    changes = [int(row) for row in np.flatnonzero(bend != np.roll(bend, 1))]
    least_m = max(SHORTEST_M, SHORTEST_SHARE * length)
    while len(changes) > 1:
        ends = [end if end > first else end + road.waypoints
                for first, end in zip(changes, changes[1:] + changes[:1], strict=True)]
        lengths = [_between(road, first, end) for first, end in zip(changes, ends, strict=True)]
        if min(lengths) >= least_m:
            break
        changes.pop(int(np.argmin(lengths)))
    kinds = [_kind(bend, first, end)
             for first, end in zip(changes, changes[1:] + changes[:1], strict=True)]
    names = {0: 'straight', 1: 'left turn', -1: 'right turn'}
    parts = [(first, names[kind]) for row, (first, kind) in enumerate(
        zip(changes, kinds, strict=True)) if kind != kinds[row - 1]]
    return parts[-1:] + parts[:-1] if parts and parts[0][0] > 0 else parts


def _kind(bend: NDArray[np.int64], first: int, end: int) -> int:
    """What most waypoints from one to before another are."""
    count = (end - first) % len(bend) or len(bend)
    part = bend[(first + np.arange(count)) % len(bend)]
    return max((-1, 0, 1), key=lambda kind: int((part == kind).sum()))


def _possible(road: Road, index: NDArray[np.int64], count: int,
              bound: LapBound | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Speed and seconds of the bound in every section; NaN without one."""
    if bound is None or road.track is None:
        return np.full(count, np.nan), np.full(count, np.nan)
    ahead = np.roll(bound.line, -1, axis=0) - bound.line
    metres = np.hypot(*ahead.T)
    seconds = metres / bound.speed_mps
    at = road.track.project(bound.line)
    nearest = (at.segment + (at.fraction > 0.5)) % road.waypoints
    row = index[nearest]
    driven_m, driven_s = (np.bincount(row, weights, count).astype(np.float64)
                          for weights in (metres, seconds))
    with np.errstate(invalid='ignore', divide='ignore'):
        return driven_m / driven_s, driven_s
