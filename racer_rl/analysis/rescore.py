"""A finished run paid again by another reward function: what would it have preferred?

The dictionary is rebuilt from the trace and the track. A trace does not know everything:
`unknown_keys` says what had to be left out or taken from elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from racer_rl.analysis.blocks import Chapter, Text, picture, table_of
from racer_rl.analysis.episodes import rank_correlation, timed_laps
from racer_rl.analysis.run import Run
from racer_rl.analysis.style import BLUE, GREEN, new_axes, styled
from racer_rl.reward.loading import RewardFile
from racer_rl.reward.params import CAR, OBJECT, Numbers
from racer_rl.reward.sandbox import RewardSandbox
from racer_sim.track import Track
from racer_vehicle.errors import ConfigError, RewardError

LANES: Final = 32
"""Episodes that are paid side by side, each by an instance of its own, as in training."""

PREFERRED: Final = 5
"""Laps that are shown of each function."""

OWN_LAYOUT: Final = 'racer'

UNKNOWN: Final = {
    'objects_*, closest_objects, object_in_camera': 'a trace has no objects: as on an empty track',
    'steering_angle': 'the commanded angle; what the wheels did is not in a trace',
}
"""Keys of the dictionary that a trace cannot tell, and what is passed instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescored:
    """What came of it.

    Attributes:
        name: Of the function's file.
        episodes: `episode_table` of the paid episodes, with `old` and `new` reward.
        unknown: Key to what was passed instead.
        last_time: Whether the function is the one that paid the run, by its text.
    """

    name: str
    episodes: pd.DataFrame
    unknown: dict[str, str]
    last_time: bool

    @property
    def agreement(self) -> float:
        """Rank correlation of both rewards over episodes, -1 to 1; NaN if one never differs."""
        return rank_correlation(self.episodes['old'], self.episodes['new'])

    def lap_time_relation(self, which: str) -> float:
        """Rank correlation of a reward (`old`, `new`) with the time of complete laps."""
        laps = timed_laps(self.episodes)
        return rank_correlation(laps[which], laps['time_s'])

    def preferred(self, which: str) -> pd.DataFrame:
        """The episodes that a reward (`old`, `new`) likes best, best first."""
        return self.episodes.sort_values(which, ascending=False).head(PREFERRED)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        numbers = {'agreement': self.agreement, 'old_with_lap_time': self.lap_time_relation('old'),
                   'new_with_lap_time': self.lap_time_relation('new')}
        return {'reward': self.name, 'unknown_keys': self.unknown,
                **{name: None if np.isnan(value) else round(value, 4)
                   for name, value in numbers.items()},
                'episodes': [{'unique_episode': int(key), 'old': round(float(row['old']), 4),
                              'new': round(float(row['new']), 4)}
                             for key, row in self.episodes.iterrows()]}


def rescored(run: Run, reward: RewardFile) -> Rescored:
    """Pay every episode on the road of a run again.

    Args:
        run: Whose track is known.
        reward: The function; it runs in a process of its own, as in training.

    Raises:
        ConfigError: The track is not known.
        RewardError: The function does not load, or failed on a step.
    """
    if run.road.track is None:
        raise ConfigError(f'the track of {run.name} is not known, and a reward needs its borders; '
                          'give it with --track.')
    steps = run.steps[run.steps['here']]
    own = run.log.layout == OWN_LAYOUT
    cars = trace_numbers(steps, run.road.track, measured=own)
    new = steps['reward'].to_numpy(np.float64).copy()
    paid = steps['driving'].to_numpy()
    new[paid] = _pay(cars[:, paid], steps['unique_episode'].to_numpy()[paid], reward,
                     run.road.track)
    sums = pd.Series(new, steps.index).groupby(steps['unique_episode']).sum()
    episodes = run.episodes[run.episodes['here']]
    speed = {} if own else {'speed': 'the commanded speed, as DeepRacer passed it'}
    return Rescored(name=reward.path.name, unknown={**UNKNOWN, **speed},
                    episodes=episodes.assign(old=episodes['reward'], new=sums),
                    last_time=run.log.reward_source == reward.source)


def trace_numbers(steps: pd.DataFrame, track: Track, *, measured: bool) -> NDArray[np.float64]:
    """Steps as the numbers that dictionaries are made of.

    Args:
        steps: Rows by `prepared`, on this track.
        track: In the direction of travel.
        measured: Whether `speed` is what the car did, as here, or what it was told, as DeepRacer
            passed it.

    Returns:
        float64 (len(CAR), rows), rows as `CAR` names them.
    """
    at = track.project(steps[['x', 'y']].to_numpy(np.float64))
    status = steps['episode_status'].astype(object).to_numpy()
    on_track, off = steps['on_track'].to_numpy(), status == 'off_track'
    first_s = steps.groupby('unique_episode')['tstamp'].transform('first')
    speed = steps['speed'].to_numpy(np.float64)
    if measured:
        pace = steps['pace_mps'].to_numpy(np.float64)
        speed = np.where(np.isnan(pace), speed, pace)
    known = {
        'x': steps['x'], 'y': steps['y'], 'heading': steps['yaw'], 'lateral': at.lateral_m,
        # Between all wheels and none a trace does not count them; no reward sees the difference.
        'wheels': np.where(on_track, 4.0, np.where(off, 0.0, 2.0)),
        'is_crashed': status == 'crashed', 'is_reversed': track.is_clockwise,
        'progress': steps['progress'], 'steps': steps['steps'], 'speed': speed,
        'steering': steps['steering_angle'], 'width': track.width_m[at.segment],
        'length': track.length_m, 'segment': at.segment, 's_m': at.s_m,
        'time_s': steps['tstamp'] - first_s,
    }
    numbers = np.zeros((len(CAR), len(steps)))
    for name, values in known.items():
        numbers[CAR.index(name)] = values
    return numbers


def _pay(cars: NDArray[np.float64], episode: NDArray[np.int32], reward: RewardFile,
         track: Track) -> NDArray[np.float64]:
    """Rewards of rows, float64 (rows,); whole episodes in lanes, lanes side by side."""
    lanes = _lanes(episode)
    waypoints = [(float(x), float(y)) for x, y in (*track.centre_m, track.centre_m[0])]
    paid = np.zeros(cars.shape[1])
    nobody = np.zeros((len(OBJECT), 0))
    sandbox = RewardSandbox(reward, [waypoints], len(lanes))
    try:
        for moment in range(len(lanes[0]) if lanes else 0):
            rows = np.array([lane[moment] for lane in lanes if moment < len(lane)])
            answer = sandbox.pay(Numbers(np.ascontiguousarray(cars[:, rows]), nobody))
            if answer.failures:
                raise RewardError(answer.failures[0][1])
            paid[rows] = answer.rewards
    finally:
        sandbox.close()
    return paid


def _lanes(episode: NDArray[np.int32]) -> list[NDArray[np.int64]]:
    """Rows of whole episodes in at most `LANES` lists of like length, the longest first."""
    parts = np.split(np.arange(len(episode)), np.flatnonzero(np.diff(episode)) + 1)
    count = min(LANES, len(parts))
    lanes: list[list[NDArray[np.int64]]] = [[] for _ in range(count)]
    lengths = np.zeros(count, dtype=np.int64)
    for part in parts:
        shortest = int(lengths.argmin())
        lanes[shortest].append(part)
        lengths[shortest] += len(part)
    rows = [np.concatenate(lane) for lane in lanes]
    return sorted(rows, key=len, reverse=True)


def rescore_chapter(result: Rescored) -> Chapter:
    """Old and new rewards, how they agree, and what each would prefer."""
    columns = {'episode': ('episode', 'd'), 'iteration': ('iteration', 'd'),
               'time_s': ('time, s', '.2f'), 'progress': ('lap, %', '.1f'),
               'old': ('paid', '.1f'), 'new': (result.name, '.1f')}
    relations = [result.lap_time_relation(which) for which in ('old', 'new')]
    same = (' It is the function that paid this run; the difference is what a trace cannot tell.'
            if result.last_time else '')
    words = (f'Rank correlation of both rewards over {len(result.episodes)} episodes: '
             f'{result.agreement:+.2f}.{same} With the time of complete laps: '
             f'{relations[0]:+.2f} as paid, {relations[1]:+.2f} with {result.name}; -1 would pay '
             'the fastest best.').replace('+nan', 'unknown')
    return Chapter(key='rescored', title=f'Paid again by {result.name}', blocks=(
        picture('Old and new reward', _both(result.episodes, result.name),
                f'{len(result.episodes)} episodes as dots of the reward that was paid and that of '
                f'{result.name}.', 'Green: complete laps.'),
        table_of(f'What {result.name} likes best', result.preferred('new'), columns),
        table_of('What the run was paid best for', result.preferred('old'), columns),
        Text(paragraphs=(words,)),
        Text(title='What a trace cannot tell', paragraphs=tuple(
            f'{keys}: {instead}.' for keys, instead in result.unknown.items()))))


@styled
def _both(episodes: pd.DataFrame, name: str) -> Figure:
    figure, axes = new_axes(3.6)
    for complete, colour in ((False, BLUE), (True, GREEN)):
        some = episodes[episodes['complete'] == complete]
        axes.scatter(some['old'], some['new'], s=14, alpha=0.7, color=colour)
    axes.set(xlabel='reward as paid', ylabel=name)
    return figure
