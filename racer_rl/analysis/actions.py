"""Which actions a policy uses, how often, and how restlessly it steers."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import pandas as pd

from racer_vehicle.action import ActionSpec, DiscreteActions

TURN_DEG: Final = 8.0
"""Steering from which a step counts as turning, for `zigzag_share`."""


def is_discrete(steps: pd.DataFrame) -> bool:
    """Whether a log's actions are numbers of a table."""
    return bool((steps['action'] >= 0).any())


def action_table(steps: pd.DataFrame, space: ActionSpec | None = None) -> pd.DataFrame:
    """How often every action of a table was taken.

    Args:
        steps: Rows by `prepared`, of discrete actions.
        space: Of the model; adds those that were never taken.

    Returns:
        Index `action`; columns `steering_deg`, `speed_mps`, `count`, `share` (0 to 1).
    """
    taken = steps[steps['action'] >= 0].groupby('action').agg(
        steering_deg=('steering_angle', 'median'), speed_mps=('speed', 'median'),
        count=('action', 'size'))
    if isinstance(space, DiscreteActions):
        known = pd.DataFrame({'steering_deg': np.degrees(space.steering_rad),
                              'speed_mps': space.speed_mps})
        known.index.name = 'action'
        taken = known.join(taken['count']).fillna({'count': 0})
    taken['count'] = taken['count'].astype(np.int64)
    return taken.assign(share=taken['count'] / max(1, int(taken['count'].sum())))


def command_grid(steps: pd.DataFrame, bins: int = 24) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Commands of a continuous policy on a grid.

    Args:
        steps: Rows by `prepared`.
        bins: Cells along each side.

    Returns:
        Shares of the steps, float64 (bins, bins), rows by speed from slow to fast; edges of the
        steering (bins + 1,), degrees; edges of the speed, m/s.
    """
    steering, speed = (steps[name].to_numpy(np.float64) for name in ('steering_angle', 'speed'))
    wide = max(1.0, math.ceil(float(np.abs(steering).max())))
    low, high = math.floor(10 * speed.min()) / 10, math.ceil(10 * speed.max()) / 10
    counts, steering_edges, speed_edges = np.histogram2d(
        steering, speed, bins=bins, range=((-wide, wide), (low, max(high, low + 0.1))))
    return counts.T / max(1, len(steps)), steering_edges, speed_edges


def zigzag_share(steps: pd.DataFrame) -> float:
    """Share of steps that turn one way when the step before turned the other way, 0 to 1."""
    steering = steps['steering_angle'].to_numpy()
    episode = steps['unique_episode'].to_numpy()
    if len(steps) < 2:
        return 0.0
    swing = (np.minimum(np.abs(steering[1:]), np.abs(steering[:-1])) >= TURN_DEG) & (
        steering[1:] * steering[:-1] < 0.0)
    return float((swing & (episode[1:] == episode[:-1])).mean())
