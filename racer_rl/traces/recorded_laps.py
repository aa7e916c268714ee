"""Whole laps out of a log, as poses and commands of racer's car."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from racer_rl.reward.params import TRACKED_POINT_M
from racer_rl.traces.laps import episodes_of
from racer_rl.traces.log import Log
from racer_sim.track import Track
from racer_vehicle.errors import ConfigError

SLOWEST: Final = 1.2
"""Laps that take longer than this times the fastest are not learnt from."""

MOST_LAPS: Final = 40
LEAST_ON_TRACK: Final = 0.9
"""Share of the poses that have to be between the borders of the track."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RecordedLap:
    """One complete lap, a row a control period of K.

    Attributes:
        poses: float64 (K, 3): x and y of the point midway between the axles, m; yaw, rad.
        commands: float64 (K, 2): what the driver chose there: steering, rad; speed, m/s.
        time_s: From the first row to the last.
    """

    poses: Floats
    commands: Floats
    time_s: float


def best_laps(log: Log) -> tuple[RecordedLap, ...]:
    """The complete laps of training and evaluation that are about as fast as the fastest.

    A row of the log tells where a car was and what it was commanded there. Its x and y are those
    of the car's front.

    Returns:
        The fastest first, at most `MOST_LAPS`.

    Raises:
        ConfigError: There is no complete lap.
    """
    laps: list[RecordedLap] = []
    furthest = 0.0
    for frame in (log.training, log.evaluation):
        if not len(frame):
            continue
        episodes = episodes_of(frame)
        furthest = max(furthest, float(episodes['progress'].max()))
        whole = episodes.loc[episodes['complete'], ['unique_episode', 'time_s']]
        rows = {number: part for number, part in frame.groupby('unique_episode')
                if number in set(whole['unique_episode'])}
        laps += [_lap(rows[number], time_s) for number, time_s in whole.itertuples(index=False)]
    if not laps:
        raise ConfigError(f'the log of {log.name} holds no complete lap (the furthest is '
                          f'{furthest:.0f}%); a network learns from whole laps only. Give a log '
                          'of later training or of an evaluation, or train from the start.')
    laps.sort(key=lambda lap: lap.time_s)
    return tuple(lap for lap in laps[:MOST_LAPS] if lap.time_s <= SLOWEST * laps[0].time_s)


def _lap(rows: pd.DataFrame, time_s: float) -> RecordedLap:
    yaw = np.radians(rows['yaw'].to_numpy(np.float64))
    front = rows[['x', 'y']].to_numpy(np.float64)
    middle = front - TRACKED_POINT_M * np.column_stack((np.cos(yaw), np.sin(yaw)))
    steering = np.radians(rows['steering_angle'].to_numpy(np.float64))
    speed = rows['speed'].to_numpy(np.float64)
    return RecordedLap(np.column_stack((middle, yaw)), np.column_stack((steering, speed)),
                       float(time_s))


def driven_direction(laps: Sequence[RecordedLap], track: Track) -> str:
    """`forward` or `reverse`: the way round the track that the laps were driven.

    Raises:
        ConfigError: They were driven somewhere else.
    """
    poses = np.concatenate([lap.poses for lap in laps])
    on_track = float(track.is_on_surface(poses[:, :2]).mean())
    if on_track < LEAST_ON_TRACK:
        raise ConfigError(f'{on_track:.0%} of the log lie between the borders of {track.name}; '
                          f'allowed: {LEAST_ON_TRACK:.0%} or more; give the --track that was '
                          'driven.')
    half_m = track.length_m / 2.0
    moved_m = sum(float(((np.diff(track.project(lap.poses[:, :2]).s_m) + half_m)
                         % track.length_m - half_m).sum()) for lap in laps)
    return 'forward' if moved_m > 0.0 else 'reverse'
