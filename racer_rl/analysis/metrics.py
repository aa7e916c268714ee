"""Episodes as the metrics files tell them: short, but complete where traces are a selection."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from racer_rl.traces.log import Log

MORE: Final = 1.05
"""Times as many episodes as the trace has: from there on the metrics tell more of the progress."""

EPISODES_AN_ITERATION: Final = 20
"""DeepRacer's default of `num_episodes_between_training`."""


def training_progress(log: Log, traced: pd.DataFrame) -> pd.DataFrame:
    """Episodes of the training, from the trace, or from the metrics where those tell of more.

    Args:
        log: With the metrics.
        traced: By `episode_table`.

    Returns:
        At least `iteration`, `reward`, `progress`, `time_s`, `complete`, `steps` (0 in metrics).
    """
    rows = log.episodes[log.episodes['phase'] == 'training']
    if not len(log.training) or len(rows) <= MORE * len(traced):
        return traced
    return _as_episodes(rows, traced, log)


def evaluation_progress(log: Log, traced: pd.DataFrame) -> pd.DataFrame:
    """Evaluations that were driven between the iterations of training, as `training_progress`.

    Empty where the metrics tell of none.
    """
    training = log.episodes[log.episodes['phase'] == 'training']
    rows = log.episodes[(log.episodes['phase'] == 'evaluation')
                        & log.episodes['stream'].isin(training['stream'].unique())]
    return _as_episodes(rows, traced, log)


def _as_episodes(rows: pd.DataFrame, traced: pd.DataFrame, log: Log) -> pd.DataFrame:
    """Rows of metrics in the columns of `episode_table`."""
    status = rows['episode_status'].str.lower().str.replace(' ', '_')
    time_s = rows['elapsed_time_in_milliseconds'] / 1000.0
    return pd.DataFrame({
        'iteration': _iterations(rows['episode'].to_numpy(np.int64) - 1, traced, log),
        'reward': rows['reward_score'], 'progress': rows['completion_percentage'],
        # Metrics do not say on which of several tracks; then times mean nothing.
        'time_s': time_s if traced['here'].all() else np.nan,
        'end_status': status,
        'complete': status == 'lap_complete', 'steps': 0})


def _iterations(episodes: np.ndarray, traced: pd.DataFrame, log: Log) -> np.ndarray:
    """Iterations of episodes (numbered from 0): between those of the trace evenly spread."""
    size = EPISODES_AN_ITERATION
    if log.hyperparameters:
        size = int(log.hyperparameters.get('num_episodes_between_training') or size)
    knots = traced.groupby('iteration')['episode'].min().sort_values()
    if not len(knots):
        return np.asarray(episodes // size)
    first, iterations = knots.to_numpy(np.float64), knots.index.to_numpy(np.float64)
    inside = np.floor(np.interp(episodes, first, iterations) + 1e-9)
    after = iterations[-1] + np.maximum(0, episodes - first[-1]) // size
    before = np.maximum(0.0, iterations[0] - np.ceil(np.maximum(0, first[0] - episodes) / size))
    chosen = np.where(episodes > first[-1], after, np.where(episodes < first[0], before, inside))
    return np.asarray(chosen, dtype=np.int64)
