"""From recorded moments to the columns of a trace."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from racer_rl.traces.columns import STATUSES
from racer_sim.courses import CourseGeometry
from racer_sim.rules import Status, lap_progress_percent
from racer_vehicle.spec import CONTROL_PERIOD_S

DrivenColumns = dict[str, NDArray[Any]]
"""By names of `FILE_COLUMNS`, but `action` as two: the policy's `output`, float32 (rows, 2)."""

_CODES: Final = np.array([STATUSES.index(status.label) for status in Status])


def driven_steps(rows: NDArray[np.void], geometry: CourseGeometry,
                 laps: int = 1) -> DrivenColumns:
    """What a trace says about moments of any number of episodes.

    Args:
        rows: `MOMENT` (R,), episode by episode, each from its beginning.
        geometry: Of the courses.
        laps: Of a run; where an episode is one of several laps, its number is the caller's matter.

    Returns:
        Columns of R rows, without `episode`; `steps` counts from 1, where the episode begins.
    """
    state, place, race = rows['state'], rows['place'], rows['race']
    first = np.flatnonzero(rows['begins'])
    last = np.r_[first[1:], len(rows)] - 1
    of_episode = np.cumsum(rows['begins']) - 1
    length_m = geometry.length_m[rows['course']]
    status = _CODES[race['status']]
    status[first] = STATUSES.index(Status.PREPARE.label)
    done = np.zeros(len(rows), dtype=np.bool_)
    done[last] = True
    paused = race['status'] == Status.PAUSE
    crashed = np.diff(race['incidents'], prepend=0) > 0
    crashed &= race['cause'] == Status.CRASHED
    crashed[first] = paused[first] = False
    return {
        'steps': np.arange(1, len(rows) + 1) - first[of_episode],
        'X': state['x_m'], 'Y': state['y_m'],
        'yaw': np.degrees(state['yaw_rad']),
        'steer': np.degrees(rows['command'][:, 0]), 'throttle': rows['command'][:, 1],
        'output': rows['output'],
        'reward': rows['reward'].astype(np.float64),
        'done': done,
        'all_wheels_on_track': place['wheels_on_track'] == 4,
        'progress': lap_progress_percent(race, length_m, laps),
        'closest_waypoint': _nearest_waypoint(state, place, rows['course'], geometry),
        'track_len': length_m,
        'tstamp': rows['time_s'],
        'episode_status': status,
        'pause_duration': CONTROL_PERIOD_S * _count_within(paused, first, of_episode),
        'obstacle_crash_counter': _count_within(crashed, first, of_episode),
        'wall_clock': rows['wall_s'],
    }


def _count_within(happened: NDArray[np.bool_], first: NDArray[np.int64],
                  of_episode: NDArray[np.int64]) -> NDArray[np.int64]:
    """How often it happened since each episode's beginning, this row included."""
    if not happened.any():
        return np.zeros(len(happened), dtype=np.int64)
    total = np.cumsum(happened)
    return total - total[first][of_episode]


def _nearest_waypoint(state: NDArray[np.void], place: NDArray[np.void], course: NDArray[np.int64],
                      geometry: CourseGeometry) -> NDArray[np.int64]:
    """Index of the nearer of the two waypoints that a car is between."""
    offset = geometry.first[course]
    count = geometry.first[course + 1] - offset
    behind = place['segment'].astype(np.int64)
    ahead = (behind + 1) % count
    squares = [(geometry.points[offset + index, 0] - state['x_m'])**2
               + (geometry.points[offset + index, 1] - state['y_m'])**2
               for index in (behind, ahead)]
    return np.where(squares[0] <= squares[1], behind, ahead)
