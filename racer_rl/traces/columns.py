"""The columns of a trace, as the community's notebooks name them, and as its files do."""

from __future__ import annotations

from typing import Final

from racer_sim.rules import Status

STEP_COLUMNS: Final[dict[str, str]] = {
    'iteration': 'int32',
    'worker': 'int16',
    'episode': 'int32',
    'steps': 'int32',
    'x': 'float32',
    'y': 'float32',
    'yaw': 'float32',
    'steering_angle': 'float32',
    'speed': 'float32',
    'action': 'int16',
    'reward': 'float32',
    'done': 'bool',
    'on_track': 'bool',
    'progress': 'float32',
    'closest_waypoint': 'int32',
    'track_len': 'float32',
    'tstamp': 'float64',
    'episode_status': 'category',
    'pause_duration': 'float32',
    'obstacle_crash_counter': 'int16',
    'wall_clock': 'float64',
    'unique_episode': 'int32',
}
"""Of a step frame: name to type. Lengths in m, speeds in m/s, angles in degrees, progress in
percent, times in s; `action` is -1 where it is no index, `wall_clock` NaN where it is unknown."""

FILE_COLUMNS: Final[tuple[str, ...]] = (
    'episode', 'steps', 'X', 'Y', 'yaw', 'steer', 'throttle', 'action', 'reward', 'done',
    'all_wheels_on_track', 'progress', 'closest_waypoint', 'track_len', 'tstamp',
    'episode_status', 'pause_duration', 'obstacle_crash_counter', 'wall_clock',
)
"""Of a `SIM_TRACE_LOG` line, in their order, and of a CSV file's header."""

STEP_NAMES: Final[dict[str, str]] = {
    'X': 'x', 'Y': 'y', 'steer': 'steering_angle', 'throttle': 'speed',
    'all_wheels_on_track': 'on_track',
}
"""A file's name for a column to ours, where they differ."""

FILE_NAMES: Final[dict[str, str]] = {ours: theirs for theirs, ours in STEP_NAMES.items()}

STATUSES: Final[tuple[str, ...]] = (
    '', *(status.label for status in Status), 'unknown',
)
"""What `episode_status` may say; '' in no frame, `unknown` for any other word, and where the log
of an old run does not tell how an episode ended."""

EPISODE_COLUMNS: Final[dict[str, str]] = {
    'phase': 'str',
    'stream': 'str',
    'worker': 'int16',
    'episode': 'int32',
    'trial': 'int32',
    'reward_score': 'float64',
    'completion_percentage': 'float64',
    'metric_time': 'float64',
    'start_time': 'float64',
    'elapsed_time_in_milliseconds': 'float64',
    'episode_status': 'str',
    'crash_count': 'int32',
    'immobilized_count': 'int32',
    'off_track_count': 'int32',
    'reversed_count': 'int32',
    'reset_count': 'int32',
}
"""Of a frame of metrics: name to type. Times in simulated ms; `phase` is training or evaluation;
`stream` tells one evaluation from another; `episode` counts from 1, as the files do, and is 0
where the file does not say; `reward_score` is NaN there."""
