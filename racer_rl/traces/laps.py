"""From steps to episodes: how long, how far, how fast, and why they ended."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

LAP_COMPLETE: Final = 'lap_complete'

EPISODES_OF: Final[dict[str, str]] = {
    'unique_episode': 'int32', 'iteration': 'int32', 'worker': 'int16', 'episode': 'int32',
    'steps': 'int32', 'time_s': 'float64', 'progress': 'float32', 'reward': 'float64',
    'complete': 'bool', 'start_waypoint': 'int32', 'end_waypoint': 'int32', 'end_status': 'object',
    'end_x': 'float32', 'end_y': 'float32', 'mean_speed': 'float32', 'distance_m': 'float64',
}
"""Columns of `episodes_of`."""


def episodes_of(frame: pd.DataFrame) -> pd.DataFrame:
    """One row an episode, in order of `unique_episode`.

    Args:
        frame: Of steps, with `STEP_COLUMNS`, each episode's rows together and in their order.

    Returns:
        `unique_episode`, `iteration`, `worker`, `episode`; `steps`: rows; `time_s`: from the first
        row to the last; `progress`: the furthest, percent; `reward`: the sum; `complete`: whether
        the lap was; `start_waypoint`; where and how it ended: `end_waypoint`, `end_status`,
        `end_x`, `end_y`; `mean_speed` as commanded, m/s; `distance_m` along the driven line.
    """
    numbers = frame['unique_episode'].to_numpy()
    first = np.flatnonzero(np.r_[True, numbers[1:] != numbers[:-1]]) if len(frame) else np.zeros(
        0, dtype=np.int64)
    last = np.r_[first[1:], len(frame)] - 1 if len(frame) else first
    column = {name: frame[name].to_numpy() for name in frame.columns if name != 'episode_status'}
    status = frame['episode_status'].astype(object).to_numpy()
    x, y = column['x'].astype(np.float64), column['y'].astype(np.float64)
    moved = np.hypot(np.diff(x, prepend=x[:1]), np.diff(y, prepend=y[:1]))
    moved[first] = 0.0

    def total(values: NDArray[Any]) -> NDArray[np.float64]:
        return np.add.reduceat(values.astype(np.float64), first) if len(first) else np.zeros(0)

    furthest = np.maximum.reduceat(column['progress'], first) if len(first) else np.zeros(0)
    steps = last - first + 1
    end_status = status[last] if len(first) else np.zeros(0, dtype=object)
    rows = {
        **{name: column[name][first] for name in ('unique_episode', 'iteration', 'worker',
                                                  'episode')},
        'steps': steps,
        'time_s': column['tstamp'][last] - column['tstamp'][first],
        'progress': furthest,
        'reward': total(column['reward']),
        'complete': end_status == LAP_COMPLETE,
        'start_waypoint': column['closest_waypoint'][first],
        'end_waypoint': column['closest_waypoint'][last],
        'end_status': end_status,
        'end_x': column['x'][last], 'end_y': column['y'][last],
        'mean_speed': total(column['speed']) / np.maximum(steps, 1),
        'distance_m': total(moved),
    }
    return pd.DataFrame(rows).astype(EPISODES_OF)
