"""Findings about how training went and what the reward wants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from racer_rl.analysis.episodes import iteration_table, rank_correlation, timed_laps
from racer_rl.analysis.findings import Find, Finding, Severity

if TYPE_CHECKING:
    from racer_rl.analysis.run import Run

FEWEST_ITERATIONS: Final = 8
"""From which a course of training is judged."""

REWARD_RISE: Final = 0.25
"""Relative rise of the reward, first to last third, that should show in the driving."""

FLAT_POINTS: Final = 3.0
"""Percentage points of completion that are no gain."""

SATURATED: Final = 90.0
"""Completion, percent, above which there is little left to gain."""

DECLINE_POINTS: Final = 15.0
"""Percentage points that the end lies below the best for over-training."""

LONG_BEFORE: Final = 0.65
"""Share of the iterations before which the best must lie for that."""

GAIN_POINTS: Final = 5.0
"""Percentage points from the third to the last quarter: still improving."""

FASTER: Final = 0.03
"""The same of the median lap time, as a share."""

FEWEST_LAPS: Final = 20
"""Complete laps from which reward and lap time are compared."""

TIME_SPREAD: Final = 0.03
"""Of lap times (10 to 90 %, relative to the median) below which nothing can be compared."""

PAYS_FASTER: Final = -0.1
"""Rank correlation of reward and lap time above which faster laps do not pay."""

PAYS_SLOWER: Final = 0.3
"""And above which slower laps pay."""

FLOOD_A_STEP: Final = 0.5
"""Printed lines a step."""

FLOOD_LINES: Final = 2000
"""And at least so many."""

FEW_LAPS: Final = 0.05
"""Share of complete laps in the last quarter that is too few to learn from."""

FEWEST_EPISODES: Final = 40
"""From which this is judged."""


def reward_without_progress(run: Run) -> Finding | None:
    """The reward rises while the car gets no further."""
    table = run.iterations
    if len(table) < FEWEST_ITERATIONS:
        return None
    early, late = _parts(table, 3)[0], _parts(table, 3)[-1]
    rise = late['reward'].mean() - early['reward'].mean()
    gain = late['progress'].mean() - early['progress'].mean()
    spread = max(float(early['reward'].std()), REWARD_RISE * abs(early['reward'].mean()))
    if rise <= spread or gain >= FLAT_POINTS or late['progress'].mean() >= SATURATED:
        return None
    return Finding(
        severity=Severity.ALARM, title='The reward rises, but the car gets no further',
        evidence=f'From the first to the last third the mean reward went from '
                 f'{early["reward"].mean():.1f} to {late["reward"].mean():.1f}, completion from '
                 f'{early["progress"].mean():.0f} % to {late["progress"].mean():.0f} %.',
        advice='It is paid for something else, such as driving slowly or circling. Look at the '
               'reward per waypoint, and run: racer validate REWARD.py')


def best_long_ago(run: Run) -> Finding | None:
    """The best iteration lies far back and later ones are worse."""
    table = iteration_table(run.evaluated) if len(run.evaluated) else run.iterations
    if len(table) < FEWEST_ITERATIONS:
        return None
    smooth = table['progress'].rolling(3, center=True, min_periods=2).mean()
    best = int(smooth.to_numpy().argmax())
    end = float(_parts(table, 5)[-1]['progress'].mean())
    if best > LONG_BEFORE * len(table) or smooth.iloc[best] - end < DECLINE_POINTS:
        return None
    return Finding(
        severity=Severity.WARNING,
        title=f'The best model was at iteration {table.index[best]}, long before the end',
        evidence=f'Completion around it was {smooth.iloc[best]:.0f} %, in the last fifth of the '
                 f'run {end:.0f} %; the run has {len(table)} iterations.',
        advice='Over-training: take the best checkpoint, not the last, and stop sooner or with a '
               'smaller learning rate.')


def still_improving(run: Run) -> Finding | None:
    """The end of training came while it was getting better."""
    table = run.iterations
    if len(table) < FEWEST_ITERATIONS:
        return None
    third, last = _parts(table, 4)[-2:]
    gain = last['progress'].mean() - third['progress'].mean()
    error = np.sqrt(sum(part['progress'].var() / len(part) for part in (third, last)))
    further = (gain >= GAIN_POINTS and gain > 2.0 * error
               and last['progress'].mean() < SATURATED)
    slower_s, faster_s = third['median_s'].mean(), last['median_s'].mean()
    faster = (last['complete'].mean() > 0.3 and pd.notna(slower_s)
              and faster_s < (1.0 - FASTER) * slower_s)
    if not further and not faster:
        return None
    what = (f'completion {third["progress"].mean():.0f} % to {last["progress"].mean():.0f} %'
            if further else f'the median lap {slower_s:.2f} s to {faster_s:.2f} s')
    return Finding(
        severity=Severity.HINT, title='Training was still getting better when it stopped',
        evidence=f'From the third to the last quarter of the run: {what}.',
        advice='Go on with this model before you change anything.')


def faster_laps_pay_no_more(run: Run) -> Finding | None:
    """The reward of a lap does not rise as its time falls."""
    laps = timed_laps(run.progress).dropna(subset=['time_s'])
    if len(laps) < FEWEST_LAPS:
        return None
    low, middle, high = laps['time_s'].quantile([0.1, 0.5, 0.9])
    if laps['reward'].std() == 0.0 or high - low < TIME_SPREAD * middle:
        return None
    relation = rank_correlation(laps['reward'], laps['time_s'])
    if relation <= PAYS_FASTER:
        return None
    slower = relation >= PAYS_SLOWER
    fast, slow = (laps[laps['time_s'] <= low], laps[laps['time_s'] >= high])
    return Finding(
        severity=Severity.ALARM if slower else Severity.WARNING,
        title='The reward pays slower laps more' if slower else
              'The reward pays no more for faster laps',
        evidence=f'Of {len(laps)} complete laps the fastest tenth got '
                 f'{fast["reward"].mean():.1f}, the slowest {slow["reward"].mean():.1f}; rank '
                 f'correlation of reward and lap time {relation:+.2f} (-1 would pay speed best).',
        advice='A slower lap has more steps to be paid for. Pay for progress in a step, or for '
               'speed, and try it on this run: racer analyze SOURCE --rescore REWARD.py')


def prints_flood(run: Run) -> Finding | None:
    """The reward function prints more than anybody reads."""
    lines = int(run.log.printed['count'].sum()) if len(run.log.printed) else 0
    steps = max(1, len(run.training))
    if lines < FLOOD_LINES or lines < FLOOD_A_STEP * steps:
        return None
    return Finding(
        severity=Severity.HINT, title=f'The reward function printed {lines:,} lines',
        evidence=f'{lines / steps:.1f} for every step of the log.',
        advice='Printing slows training down and hides what matters: print only what is unusual, '
               'or once an episode.')


def few_complete_laps(run: Run) -> Finding | None:
    """Hardly any lap is completed at the end."""
    late = run.late
    if not len(run.training) or len(run.progress) < FEWEST_EPISODES or (
            late['complete'].mean() > FEW_LAPS):
        return None
    return Finding(
        severity=Severity.WARNING,
        title=f'{late["complete"].mean():.0%} of the last episodes are complete laps',
        evidence=f'{int(late["complete"].sum())} of {len(late)} in the last quarter of the run; '
                 f'they get {late["progress"].mean():.0f} % of the way.',
        advice='Too little to learn racing from. First make it drive round: slower actions, a '
               'reward for staying on the track, or a longer training.')


def _parts(table: pd.DataFrame, count: int) -> list[pd.DataFrame]:
    """The rows in so many parts, in order."""
    return [table.iloc[rows] for rows in np.array_split(np.arange(len(table)), count)]


TRAINING: Final[tuple[Find, ...]] = (
    reward_without_progress, best_long_ago, still_improving, faster_laps_pay_no_more, prints_flood,
    few_complete_laps)
