"""A log made ready for tables and figures: steps with places, times and measured speeds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np
import pandas as pd

from racer_rl.analysis.episodes import episode_table, iteration_table, late_from
from racer_rl.analysis.metrics import evaluation_progress, training_progress
from racer_rl.analysis.road import Road, find_road, fit
from racer_rl.analysis.sections import Section, sections_of
from racer_rl.traces.log import Log
from racer_sim.courses import Course
from racer_vehicle.errors import ConfigError

if TYPE_CHECKING:  # SciPy takes a second to import
    from racer_sim.lap_bound import LapBound

STANDING: Final = ('prepare', 'pause', 'park')
"""Statuses of rows in which a car is placed or waits for a penalty, and does not drive."""

LONGEST_STEP_S: Final = 1.0
"""Between two rows of an episode; longer is a gap in the log and no step."""

FASTEST_MPS: Final = 8.0
"""Twice what any car here can do: a greater jump is a car that was put back."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """One log, prepared.

    Attributes:
        log: As it was read.
        road: What was driven; of several courses the one with the most steps.
        training: Rows of the log's training by `prepared`, may be empty.
        evaluation: The same of its evaluations.
        bound: The lap bound of racer's car on that road, None if unknown.
        remarks: What a reader of the report should know about the data.
        best_iteration: Whose model was delivered, as far as known.
    """

    START_STEPS: ClassVar[int] = 15
    """The first second from standstill, which says nothing of how fast a place is driven."""

    log: Log
    road: Road
    training: pd.DataFrame
    evaluation: pd.DataFrame
    bound: LapBound | None = None
    remarks: tuple[str, ...] = ()
    best_iteration: int | None = None

    @classmethod
    def of(cls, log: Log, *, courses: Iterable[Course] = (), track: str | None = None) -> Run:
        """Prepare a log.

        Args:
            log: With at least one step of training or of evaluation.
            courses: Those of the run's own setup, if it is one of ours.
            track: Name or file that a person gives; by default one is looked for.

        Raises:
            ConfigError: There is no step in which a car drives, or the given track is not the one
                that was driven.
        """
        rows = log.training if len(log.training) else log.evaluation
        if rows['episode_status'].isin(STANDING).all():
            raise ConfigError(f'{log.source} holds {len(rows)} steps, and in none of them a car '
                              'drives; give a longer log, or the folder that it lies in.')
        road = find_road(rows, courses=courses, named=log.track, given=track)
        frames = [prepared(frame, road) for frame in (log.training, log.evaluation)]
        away = 1.0 - float(np.average([frame['here'].mean() for frame in frames if len(frame)],
                                      weights=[len(frame) for frame in frames if len(frame)]))
        remark = () if away < 0.001 else (
            f'{away:.0%} of the steps were driven on another course; places and maps show '
            f'{road.name} alone.',)
        return cls(log=log, road=road, training=frames[0], evaluation=frames[1],
                   remarks=(*log.remarks, *remark))

    def with_bound(self, bound: LapBound | None) -> Run:
        """The same, to be compared with a lap bound."""
        return replace(self, bound=bound)

    @property
    def name(self) -> str:
        """For headings."""
        return self.log.name

    @property
    def top_speed_mps(self) -> float:
        """The fastest that its actions can ask for; without a model, ever asked for."""
        if self.log.metadata is not None:
            return float(self.log.metadata.action_space.top_speed_mps)
        return round(float(self.steps['speed'].max()), 2)

    @cached_property
    def best(self) -> int | None:
        """Iteration of the best model: as its run says, or by the evaluations, newest of equals.

        Which is DeepRacer's rule: most completion. None without evaluations.
        """
        if self.best_iteration is not None or not len(self.evaluated):
            return self.best_iteration
        means = self.evaluated.groupby('iteration')['progress'].mean()
        return int(means.index[means == means.max()].max())

    @property
    def steps(self) -> pd.DataFrame:
        """Training if there is any, else evaluation."""
        return self.training if len(self.training) else self.evaluation

    @cached_property
    def episodes(self) -> pd.DataFrame:
        """`episode_table` of `steps`."""
        return episode_table(self.steps)

    @cached_property
    def trials(self) -> pd.DataFrame:
        """`episode_table` of the evaluations."""
        return episode_table(self.evaluation)

    @cached_property
    def progress(self) -> pd.DataFrame:
        """Episodes that tell how training went; see `training_progress`."""
        return training_progress(self.log, self.episodes)

    @cached_property
    def iterations(self) -> pd.DataFrame:
        """`iteration_table` of `progress`."""
        return iteration_table(self.progress)

    @cached_property
    def evaluated(self) -> pd.DataFrame:
        """Evaluations between iterations; see `evaluation_progress`."""
        return evaluation_progress(self.log, self.episodes)

    @cached_property
    def late(self) -> pd.DataFrame:
        """Episodes of the last quarter of `episodes`."""
        return self.episodes[self.episodes['iteration'] >= late_from(self.episodes)]

    @cached_property
    def second_half(self) -> pd.DataFrame:
        """Episodes of the second half of `episodes`."""
        return self.episodes[self.episodes['iteration'] >= late_from(self.episodes, 0.5)]

    @cached_property
    def late_steps(self) -> pd.DataFrame:
        """Rows of `steps` of the last quarter, in which a car drives."""
        steps = self.steps
        return steps[(steps['iteration'] >= late_from(self.episodes)) & steps['driving']]

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """Straights and turns of the road."""
        return sections_of(self.road)

    @cached_property
    def here(self) -> pd.DataFrame:
        """Rows of `steps` on the road at which a car drives."""
        steps = self.steps
        return steps[steps['here'] & steps['driving']]


def prepared(frame: pd.DataFrame, road: Road) -> pd.DataFrame:
    """Rows with what a log does not say.

    Args:
        frame: Rows of `STEP_COLUMNS`; those of an episode stand together, in order.
        road: What was driven.

    Returns:
        The same rows with `waypoint` (int32, row of the road), `dt_s` (since the row before; NaN
        for an episode's first and for gaps), `moved_m` (NaN likewise), `pace_mps` (measured from
        places, where `speed` is what was commanded), `driving` (bool, not being placed), `here`
        (bool, of an episode on this road).
    """
    episode = frame['unique_episode'].to_numpy()
    first = np.ones(len(frame), dtype=np.bool_)
    first[1:] = episode[1:] != episode[:-1]
    dt_s = _since_last(frame['tstamp'], first)
    dt_s[(dt_s <= 0.0) | (dt_s > LONGEST_STEP_S)] = np.nan
    moved_m = np.hypot(_since_last(frame['x'], first), _since_last(frame['y'], first))
    moved_m[np.isnan(dt_s) | (moved_m > FASTEST_MPS * dt_s)] = np.nan
    waypoint = road.index_of(frame['closest_waypoint']) if len(frame) else np.zeros(0, np.int64)
    return frame.assign(
        waypoint=waypoint.astype(np.int32), dt_s=dt_s.astype(np.float32),
        moved_m=moved_m.astype(np.float32), pace_mps=(moved_m / dt_s).astype(np.float32),
        driving=~frame['episode_status'].isin(STANDING).to_numpy(),
        here=_on_road(frame, road, episode, first))


def _since_last(column: pd.Series[float], first: np.ndarray) -> np.ndarray:
    """Difference to the row before, float64 (rows,), NaN in an episode's first row."""
    values = column.to_numpy(np.float64)
    difference: np.ndarray = np.diff(values, prepend=np.nan)
    difference[first] = np.nan
    return difference


def _on_road(frame: pd.DataFrame, road: Road, episode: np.ndarray,
             first: np.ndarray) -> np.ndarray:
    """Whether a row's episode was driven on this road, by most of its places; bool (rows,)."""
    if not len(frame):
        return np.zeros(0, dtype=np.bool_)
    if road.track is None:
        near = np.abs(frame['track_len'].to_numpy(np.float64) - road.length_m) < 0.05
    else:
        near = fit(frame, road.track)
    number = np.cumsum(first) - 1
    share = np.bincount(number, near) / np.bincount(number)
    return np.asarray(share[number] >= 0.5, dtype=np.bool_)
