"""Tables of episodes and of iterations: rewards, distances, times and how they ended."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from racer_rl.traces.laps import episodes_of

COMPLETE_PERCENT: Final = 99.9
"""Progress that is a lap where a log of the older kind has no status."""

QUANTILES: Final = (0.1, 0.25, 0.5, 0.75, 0.9)
BEST_BY: Final = {'time': ('time_s', True), 'progress': ('progress', False),
                  'reward': ('reward', False)}
"""What laps are ranked by: column, and whether less is better."""


def episode_table(steps: pd.DataFrame) -> pd.DataFrame:
    """One row an episode, in the order of the log.

    Args:
        steps: Rows by `prepared`.

    Returns:
        `racer_rl.traces.laps.episodes_of` by `unique_episode`, with `time_s` from the start of the
        first step, as metrics files count it; `progress` at the end, 0 to 100; `complete` also
        where an old log has no statuses; `waypoint` (of the road, at the end), `mean_mps`
        (measured) and `here` (bool, on the road of the maps).
    """
    table = episodes_of(steps).set_index('unique_episode')
    last = np.cumsum(table['steps'].to_numpy()) - 1
    step_s = float(steps['dt_s'].median()) if len(steps) else 0.0
    first = last + 1 - table['steps'].to_numpy()
    moving_s = np.add.reduceat(np.nan_to_num(steps['dt_s'].to_numpy(np.float64)), first) if len(
        steps) else np.zeros(0)
    with np.errstate(invalid='ignore', divide='ignore'):
        mean_mps = table['distance_m'].to_numpy() / moving_s
    progress = steps['progress'].to_numpy()[last].clip(0.0, 100.0)
    return table.assign(
        # The first row was written after the first step had been driven.
        time_s=table['time_s'] + (0.0 if np.isnan(step_s) else step_s), progress=progress,
        complete=table['complete'].to_numpy() | (progress >= COMPLETE_PERCENT),
        waypoint=steps['waypoint'].to_numpy()[last], mean_mps=mean_mps,
        here=steps['here'].to_numpy()[last])


def iteration_table(episodes: pd.DataFrame) -> pd.DataFrame:
    """How training went, one row an iteration.

    Args:
        episodes: By `episode_table`.

    Returns:
        Index `iteration`; columns `episodes`, `steps`, `complete` (share, 0 to 1), `reward` and
        `progress` (means), `reward_10` to `reward_90` and `progress_10` to `progress_90`
        (quantiles), `best_s` and `median_s` of complete laps (NaN without one).
    """
    groups = episodes.groupby('iteration')
    table = groups.agg(episodes=('reward', 'size'), steps=('steps', 'sum'),
                       complete=('complete', 'mean'), reward=('reward', 'mean'),
                       progress=('progress', 'mean'))
    for column in ('reward', 'progress'):
        quantiles = groups[column].quantile(list(QUANTILES)).unstack()
        for quantile in QUANTILES:
            table[f'{column}_{round(100 * quantile)}'] = quantiles[quantile]
    laps = timed_laps(episodes).groupby('iteration')['time_s']
    return table.assign(best_s=laps.min(), median_s=laps.median())


def timed_laps(episodes: pd.DataFrame) -> pd.DataFrame:
    """Complete laps whose times can be compared: those on the road of the maps."""
    laps = episodes[episodes['complete']]
    return laps[laps['here']] if 'here' in laps else laps


def rank_correlation(one: pd.Series[float], other: pd.Series[float]) -> float:
    """Spearman's, -1 to 1; NaN of fewer than three pairs, or where either never differs."""
    if len(one) < 3 or one.nunique() < 2 or other.nunique() < 2:
        return float('nan')
    return float(one.rank().corr(other.rank()))


def best_laps(episodes: pd.DataFrame, by: str, count: int = 5) -> pd.DataFrame:
    """The best episodes.

    Args:
        episodes: By `episode_table`.
        by: `time` (complete laps only), `progress` or `reward`.
        count: How many.
    """
    column, ascending = BEST_BY[by]
    candidates = timed_laps(episodes) if by == 'time' else episodes
    order = [column, 'time_s'] if by == 'progress' else [column]
    return candidates.sort_values(order, ascending=[ascending, True][:len(order)]).head(count)


def ending_table(episodes: pd.DataFrame) -> pd.DataFrame:
    """Why episodes ended.

    Args:
        episodes: By `episode_table`.

    Returns:
        Index `end_status`, most frequent first; columns `episodes`, `share` (0 to 1), `progress`
        (median, %), `waypoint` (the most frequent place, rounded down to tens of waypoints).
    """
    tens = episodes.assign(tens=10 * (episodes['waypoint'] // 10))
    groups = tens.groupby('end_status')
    table = pd.DataFrame({
        'episodes': groups.size(), 'share': groups.size() / max(1, len(episodes)),
        'progress': groups['progress'].median(),
        'waypoint': groups['tens'].agg(lambda values: values.mode().iloc[0]),
    })
    return table.sort_values('episodes', ascending=False)


def summary(episodes: pd.DataFrame) -> dict[str, float | int | None]:
    """Key figures of a run's episodes: counts, shares (0 to 1), seconds, metres a second."""
    laps = timed_laps(episodes)
    late = episodes[episodes['iteration'] >= late_from(episodes)]
    late_laps = timed_laps(late)
    return {
        'iterations': int(episodes['iteration'].nunique()), 'episodes': len(episodes),
        'steps': int(episodes['steps'].sum()), 'complete_laps': int(episodes['complete'].sum()),
        'driven_s': float(episodes['time_s'].sum()),
        'completion': float(episodes['progress'].mean()) / 100.0,
        'late_completion': float(late['progress'].mean()) / 100.0,
        'late_complete_share': float(late['complete'].mean()),
        'best_lap_s': float(laps['time_s'].min()) if len(laps) else None,
        'late_median_lap_s': float(late_laps['time_s'].median()) if len(late_laps) else None,
    }


def late_from(episodes: pd.DataFrame, share: float = 0.25) -> int:
    """The first iteration of the last quarter (`share`) of all episodes."""
    ordered = np.sort(episodes['iteration'].to_numpy())
    return int(ordered[int((1.0 - share) * len(ordered))]) if len(ordered) else 0
