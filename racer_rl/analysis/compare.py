"""Runs side by side: key figures, progress, and where on the track one is faster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from racer_rl.analysis.blocks import Block, Chapter, Report, Table, Text, picture
from racer_rl.analysis.charts import compared_progress, compared_sections
from racer_rl.analysis.findings import findings_of
from racer_rl.analysis.maps import waypoint_map
from racer_rl.analysis.places import waypoint_table
from racer_rl.analysis.report import facts_of
from racer_rl.analysis.run import Run
from racer_rl.analysis.sections import section_table
from racer_rl.analysis.style import SERIES
from racer_vehicle.errors import ConfigError

SAME_ROAD_M: Final = 0.5
"""Mean distance of waypoints up to which two roads are the same."""

SMOOTHED: Final = 5
"""Waypoints over which a difference of speeds is averaged."""


def comparison_of(runs: Sequence[Run]) -> Report:
    """The report of two or more runs.

    Raises:
        ConfigError: More runs than can be told apart.
    """
    if not 2 <= len(runs) <= len(SERIES):
        raise ConfigError(f'{len(runs)} runs to compare; allowed: 2 to {len(SERIES)}.')
    names = unique_names(runs)
    chapters = [_figures(runs, names), _progress(runs, names), _places(runs, names),
                *(_findings(run, name, index)
                  for index, (run, name) in enumerate(zip(runs, names, strict=True)))]
    return Report(title=' and '.join(names), subtitle=f'{len(runs)} runs side by side', facts={},
                  findings=None, chapters=tuple(chapters))


def unique_names(runs: Sequence[Run]) -> list[str]:
    """Names of runs, numbered where two are alike."""
    names = [run.name for run in runs]
    return [name if names.count(name) == 1 else f'{name} ({index})'
            for index, name in enumerate(names, start=1)]


def on_same_road(one: Run, other: Run) -> bool:
    """Whether waypoints of two runs mean the same places."""
    mine, theirs = one.road, other.road
    if mine.waypoints != theirs.waypoints:
        return False
    apart = np.hypot(*(mine.centre_m - theirs.centre_m).T)
    return float(apart.mean()) < SAME_ROAD_M


def speed_difference(one: Run, other: Run) -> NDArray[np.float64]:
    """How much faster the other run is, waypoint by waypoint.

    Args:
        one: On the same road as
        other: this.

    Returns:
        float64 (waypoints,), m/s, smoothed; NaN where either never was.
    """
    speeds = [waypoint_table(driven(run), run.episodes, run.road)['speed_mps']
              for run in (one, other)]
    smooth = [np.convolve(np.pad(speed.interpolate(limit_direction='both'), SMOOTHED // 2, 'wrap'),
                          np.full(SMOOTHED, 1.0 / SMOOTHED), 'valid') for speed in speeds]
    unknown = speeds[0].isna() | speeds[1].isna()
    return np.where(unknown, np.nan, smooth[1] - smooth[0])


def driven(run: Run) -> pd.DataFrame:
    """Steps by which a run's speed is judged: of complete laps, else of its last quarter.

    Without the first second of episodes.
    """
    steps = run.here[run.here['steps'] > run.START_STEPS]
    complete = run.episodes.index[run.episodes['complete']]
    chosen = complete if len(complete) else run.late.index
    return steps[steps['unique_episode'].isin(chosen)]


def _figures(runs: Sequence[Run], names: Sequence[str]) -> Chapter:
    facts = [facts_of(run) for run in runs]
    rows = [tuple([key, *(fact.get(key, '–') for fact in facts)])
            for key in dict.fromkeys(key for fact in facts for key in fact)]
    rows.insert(0, ('track', *(run.road.name for run in runs)))
    return Chapter(key='figures', title='Key figures', blocks=(
        Table(title='Side by side', headings=('', *names), rows=tuple(rows)),))


def _progress(runs: Sequence[Run], names: Sequence[str]) -> Chapter:
    tables = {name: run.iterations for name, run in zip(names, runs, strict=True)}
    ends = ', '.join(f'{name} {table["progress"].iloc[-1]:.0f} %'
                     for name, table in tables.items())
    return Chapter(key='progress', title='Progress', blocks=(picture(
        'Side by side', compared_progress(tables),
        f'Curves of reward, completion and best lap; completion at the end: {ends}.'),))


def _places(runs: Sequence[Run], names: Sequence[str]) -> Chapter:
    first, blocks = runs[0], list[Block]()
    same = [(name, run) for name, run in zip(names, runs, strict=True) if on_same_road(first, run)]
    if len(same) > 1:
        tables = {name: section_table(driven(run), run.road, first.sections, first.bound,
                                      after_steps=0) for name, run in same}
        blocks.append(picture('Speed by section', compared_sections(tables),
                              f'Bars of the speed in {len(first.sections)} sections.',
                              'Of complete laps, where there are any; without the first second.'))
    for name, run in same[1:]:
        faster = speed_difference(first, run)
        known = faster[np.isfinite(faster)]
        share = float((known > 0.0).mean()) if known.size else 0.0
        blocks.append(picture(
            f'Where {name} is faster than {names[0]}',
            waypoint_map(faster, first.road, 'faster by, m/s (blue) or slower (red)', centred=True,
                         sections=first.sections),
            f'Map coloured by the difference of speeds; {name} is faster on {share:.0%} of the '
            'waypoints.', f'Faster on {share:.0%} of the waypoints.'))
    others = [name for name, run in zip(names, runs, strict=True) if not on_same_road(first, run)]
    if others:
        blocks.append(Text(paragraphs=(
            f'Not on the road of {names[0]}, so not compared place by place: '
            f'{", ".join(others)}.',)))
    return Chapter(key='places', title='Place by place', blocks=tuple(blocks))


def _findings(run: Run, name: str, index: int) -> Chapter:
    lines = tuple(f'{finding.severity.value.capitalize()}: {finding.title}. {finding.evidence}'
                  for finding in findings_of(run))
    return Chapter(key=f'findings-{index}', title=f'Findings of {name}', blocks=(
        Text(paragraphs=lines or ('Nothing strong enough for a finding.',)),))
