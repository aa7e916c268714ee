"""Findings about how and where a car drives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from racer_rl.analysis.actions import action_table, is_discrete, zigzag_share
from racer_rl.analysis.episodes import late_from, timed_laps
from racer_rl.analysis.findings import Find, Finding, Severity
from racer_rl.analysis.places import incident_table, incidents, steering_at_limit
from racer_rl.analysis.sections import section_table
from racer_rl.analysis.timing import timing_summary

if TYPE_CHECKING:
    from racer_rl.analysis.run import Run

FEWEST_LAPS: Final = 3
"""Complete laps from which speeds are compared with what is possible."""

SLOW: Final = 0.8
"""Share of the possible speed below which a section is slow."""

SLOW_LOSS_S: Final = 0.2
"""Least time that a slow section costs in a lap."""

EVEN: Final = 0.12
"""Spread (relative) of the sections' shares below which all are called slow, and not one."""

FEWEST_INCIDENTS: Final = 10
"""In the second half of the run, from which a place is called a cluster."""

CLUSTER_SHARE: Final = 0.25
"""Of the incidents, on one stretch."""

CLUSTER_TIMES: Final = 3.0
"""And as many times more than on an evenly dangerous road."""

AT_LIMIT: Final = 0.5
"""Share of the steps in a cluster with full steering that is worth a word."""

FEWEST_STEPS: Final = 1000
"""Steps from which the use of actions is judged."""

UNUSED: Final = 0.005
"""Share of steps below which an action counts as not used."""

UNUSED_ACTIONS: Final = 0.25
"""Share of the actions that are not used from which it is said."""

ZIGZAG: Final = 0.15
"""Share of steps that steer against the step before, without exploration."""

ZIGZAG_EXPLORING: Final = 0.3
"""The same in training, where chance steers too."""

MEAN_MS, P95_MS = 70.0, 90.0
"""Of a control period, above which timing is unstable; the limits of deepracer-utils."""


def slow_section(run: Run) -> Finding | None:
    """A section far below what the lap bound says is possible."""
    laps = run.late[run.late['complete'] & run.late['here']]
    if run.bound is None or len(laps) < FEWEST_LAPS:
        return None
    steps = run.here[run.here['unique_episode'].isin(laps.index)]
    table = section_table(steps, run.road, run.sections, run.bound, after_steps=run.START_STEPS)
    share = table['speed_mps'] / table['possible_mps']
    slow = table[(share < SLOW) & (table['loss_s'] >= SLOW_LOSS_S)]
    if not len(slow):
        return None
    where = int((slow['loss_s'] / slow['length_m']).idxmax())
    row = table.loc[where]
    if len(slow) > len(table) / 2 and share.std() < EVEN * share.mean():
        mean = float(np.average(table['speed_mps'], weights=table['length_m']))
        possible = float(np.average(table['possible_mps'], weights=table['length_m']))
        title = f'Slow all the way round: {mean:.1f} m/s against a possible {possible:.1f}'
    else:
        title = (f'Slow through {run.sections[where - 1].label}: {row["speed_mps"]:.1f} m/s '
                 f'against a possible {row["possible_mps"]:.1f}')
    asks = row['asked_mps'] < SLOW * row['possible_mps']
    return Finding(
        severity=Severity.WARNING, title=title,
        evidence=f'In {len(laps)} complete laps; all slow sections together cost '
                 f'{slow["loss_s"].sum():.1f} s a lap. Commanded there: '
                 f'{row["asked_mps"]:.1f} m/s.',
        advice='The policy asks for no more, though its fastest action is '
               f'{run.bound.max_speed_mps:.1f} m/s: pay for speed, or for progress in a step.'
               if asks else
               'The policy asks for more than the car reaches: look at the line into this section '
               'and at how hard it steers.')


def incident_cluster(run: Run) -> Finding | None:
    """One stretch on which most episodes end."""
    late = run.second_half
    bad = incidents(late)
    table = incident_table(late, run.road)
    if len(bad) < FEWEST_INCIDENTS or not len(table):
        return None
    worst = table.iloc[0]
    stretch = (int(worst['first']) + np.arange(
        (int(worst['last']) - int(worst['first'])) % run.road.waypoints + 1)) % run.road.waypoints
    even = len(stretch) / run.road.waypoints
    if worst['share'] < max(CLUSTER_SHARE, CLUSTER_TIMES * even):
        return None
    steps = run.here[run.here['unique_episode'].isin(late.index)]
    limit = steering_at_limit(steps, stretch)
    kind = str(bad['end_status'].mode().iloc[0]).replace('_', ' ')
    return Finding(
        severity=Severity.ALARM if worst['share'] >= 2 * CLUSTER_SHARE else Severity.WARNING,
        title=f'{worst["share"]:.0%} of the incidents around waypoint {worst["waypoint"]:.0f}'
              + ('; steering is at its limit there' if limit >= AT_LIMIT else ''),
        evidence=f'{worst["incidents"]:.0f} of {len(bad)} in the second half of the run, mostly '
                 f'{kind}, between waypoints {worst["first"]:.0f} and {worst["last"]:.0f}; '
                 f'{limit:.0%} of the steps there steer as far as the car can.',
        advice='Too fast for the bend: pay for less speed before it, or give the policy a sharper '
               'or slower action.' if limit >= AT_LIMIT else
               'Look at the paths into this place: the policy comes from the wrong side or turns '
               'in late. Start episodes before it, or pay for the line there.')


def unused_actions(run: Run) -> Finding | None:
    """Actions that the policy hardly takes any more."""
    steps = run.late_steps
    if len(steps) < FEWEST_STEPS or not is_discrete(steps):
        return None
    space = None if run.log.metadata is None else run.log.metadata.action_space
    table = action_table(steps, space)
    unused = table[table['share'] < UNUSED]
    if len(unused) < max(2.0, UNUSED_ACTIONS * len(table)):
        return None
    names = ', '.join(f'{row.steering_deg:+.0f}° at {row.speed_mps:.1f} m/s'
                      for row in unused.head(6).itertuples())
    return Finding(
        severity=Severity.HINT,
        title=f'{len(unused)} of {len(table)} actions are hardly ever taken',
        evidence=f'Each in less than {UNUSED:.1%} of the last {len(steps):,} steps: {names}'
                 + (', …' if len(unused) > 6 else '.'),
        advice='A smaller action space learns sooner. Leave them out, or spend them on what is '
               'missing: steering between the used ones, or more speed.')


def zigzag(run: Run) -> Finding | None:
    """Steering left and right in turns."""
    tested = len(run.evaluation) >= FEWEST_STEPS / 5
    steps = run.evaluation if tested else run.late_steps
    share, limit = zigzag_share(steps), ZIGZAG if tested else ZIGZAG_EXPLORING
    if len(steps) < FEWEST_STEPS / 5 or share < limit:
        return None
    where = 'of the evaluations' if tested else 'late in training, exploration included,'
    return Finding(
        severity=Severity.WARNING,
        title=f'The car zigzags: {share:.0%} of its steps steer against the step before',
        evidence=f'In {len(steps):,} steps {where} steering changed from one side to the other '
                 'within one control period, by 8 degrees or more on both sides.',
        advice='It costs speed and tyres, and a real servo cannot follow. Pay a little less for '
               'large steering angles, or take finer steering actions.')


def unstable_timing(run: Run) -> Finding | None:
    """Control periods that take longer than they should."""
    steps = run.steps
    if pd.isna(steps['dt_s']).all():
        return None
    times = timing_summary(steps)
    if times['mean_ms'] <= MEAN_MS and times['p95_ms'] <= P95_MS:
        return None
    return Finding(
        severity=Severity.ALARM,
        title=f'Timing was unstable: {times["mean_ms"]:.0f} ms a step instead of '
              f'{times["nominal_ms"]:.0f}',
        evidence=f'95 % of the steps took up to {times["p95_ms"]:.0f} ms, 99 % up to '
                 f'{times["p99_ms"]:.0f} ms; limits are {MEAN_MS:.0f} ms for the mean and '
                 f'{P95_MS:.0f} ms for the 95 %.',
        advice='The machine was too slow or too busy, and the car learnt to drive with late '
               'pictures. Use fewer workers or a faster machine.')


def reliable(run: Run) -> Finding | None:
    """Nearly all of the last episodes are complete laps."""
    late = run.late
    if len(late) < FEWEST_INCIDENTS or late['complete'].mean() < 0.9:
        return None
    times = timed_laps(late)['time_s']
    if not len(times):
        return None
    beside = '' if run.bound is None else (
        f' {times.median() / run.bound.bound_s:.2f} times the lap bound of '
        f'{run.bound.bound_s:.2f} s.')
    return Finding(
        severity=Severity.GOOD,
        title=f'Drives reliably: {late["complete"].mean():.0%} of its last {len(late)} episodes '
              'are complete laps',
        evidence=f'Iterations from {late_from(run.episodes)} on; median lap '
                 f'{times.median():.2f} s, best {times.min():.2f} s.' + beside)


DRIVING: Final[tuple[Find, ...]] = (slow_section, incident_cluster, unused_actions, zigzag,
                                    unstable_timing, reliable)
