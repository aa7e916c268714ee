"""What happens where: waypoint by waypoint, and on a grid over the map."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from racer_rl.analysis.road import Road

INCIDENTS: Final = ('off_track', 'crashed', 'immobilized', 'reversed')
"""Endings that a driver wants to avoid."""

LIMIT_SHARE: Final = 0.99
"""Of the largest steering angle of the log, from which steering is at its limit."""


class Visits(NamedTuple):
    """How often cars were in the cells of a grid.

    Attributes:
        counts: float64 (rows, columns), row 0 at the smallest y.
        extent_m: Left, right, bottom, top.
    """

    counts: NDArray[np.float64]
    extent_m: tuple[float, float, float, float]


def waypoint_table(steps: pd.DataFrame, episodes: pd.DataFrame, road: Road) -> pd.DataFrame:
    """What happened at every waypoint.

    Args:
        steps: Rows by `prepared`, on this road and driving.
        episodes: Their `episode_table`.
        road: The road.

    Returns:
        Index `waypoint`; columns `visits` (steps), `reward` (mean of a step), `speed_mps`
        (distance over time), `asked_mps` and `steering_deg` (mean of the size) of the commands,
        `incidents` (episodes that ended so there). NaN where nobody was.
    """
    count, rows = road.waypoints, steps['waypoint'].to_numpy()
    moved = steps['moved_m'].notna().to_numpy()
    visits = np.bincount(rows, minlength=count)

    def total(values: NDArray[np.float64], where: NDArray[np.bool_] | None = None) -> (
            NDArray[np.float64]):
        chosen = slice(None) if where is None else where
        return np.bincount(rows[chosen], values[chosen], count).astype(np.float64)

    with np.errstate(invalid='ignore', divide='ignore'):
        return pd.DataFrame({
            'visits': visits,
            'reward': total(steps['reward'].to_numpy(np.float64)) / visits,
            'speed_mps': total(steps['moved_m'].to_numpy(np.float64), moved)
            / total(steps['dt_s'].to_numpy(np.float64), moved),
            'asked_mps': total(steps['speed'].to_numpy(np.float64)) / visits,
            'steering_deg': total(np.abs(steps['steering_angle'].to_numpy(np.float64))) / visits,
            'incidents': np.bincount(incidents(episodes)['waypoint'], minlength=count),
        }, index=pd.RangeIndex(count, name='waypoint'))


def incidents(episodes: pd.DataFrame) -> pd.DataFrame:
    """Episodes on the road that ended by an incident, rows of `episode_table`."""
    return episodes[episodes['here'] & episodes['end_status'].isin(INCIDENTS)]


def incident_table(episodes: pd.DataFrame, road: Road, window: int = 5) -> pd.DataFrame:
    """Where incidents heap up: stretches that do not overlap, most incidents first.

    Args:
        episodes: By `episode_table`.
        road: The road.
        window: Waypoints of a stretch, to either side of its middle.

    Returns:
        Columns `waypoint` (where most of them were), `first`, `last`, `incidents`, `share` (of
        all incidents, 0 to 1).
    """
    at = np.bincount(incidents(episodes)['waypoint'], minlength=road.waypoints).astype(np.int64)
    total, left = int(at.sum()), at.copy()
    rows: list[tuple[int, int, int, int, float]] = []
    reach = min(window, (road.waypoints - 1) // 2)
    while left.any() and len(rows) < 5:
        around = (np.arange(road.waypoints)[:, None] + np.arange(-reach, reach + 1)) % len(left)
        middle = int(left[around].sum(axis=1).argmax())
        stretch = around[middle]
        count = int(left[stretch].sum())
        rows.append((int(stretch[left[stretch].argmax()]), int(stretch[0]), int(stretch[-1]),
                     count, count / total))
        left[stretch] = 0
    return pd.DataFrame(rows, columns=['waypoint', 'first', 'last', 'incidents', 'share'])


def steering_at_limit(steps: pd.DataFrame, waypoints: NDArray[np.int64]) -> float:
    """Share of the steps at these waypoints that steer as far as the log ever does, 0 to 1."""
    most = float(steps['steering_angle'].abs().max())
    there = steps[steps['waypoint'].isin(waypoints)]
    if not len(there) or most == 0.0:
        return 0.0
    return float((there['steering_angle'].abs() >= LIMIT_SHARE * most).mean())


def visits_grid(steps: pd.DataFrame, cell_m: float = 0.05) -> Visits:
    """How often cars were where.

    Args:
        steps: Rows by `prepared`.
        cell_m: Side of a cell.
    """
    x, y = (steps[axis].to_numpy(np.float64) for axis in ('x', 'y'))
    edges = [np.arange(values.min() - cell_m, values.max() + 2.0 * cell_m, cell_m)
             for values in (x, y)]
    counts, x_edges, y_edges = np.histogram2d(x, y, bins=edges)
    return Visits(counts.T, (x_edges[0], x_edges[-1], y_edges[0], y_edges[-1]))
