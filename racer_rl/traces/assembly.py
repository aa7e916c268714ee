"""From files' steps to one frame: which iteration, worker and episode each step belongs to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from racer_rl.traces.columns import STATUSES, STEP_COLUMNS
from racer_rl.traces.rows import Columns
from racer_sim.rules import Status

FULL_LAP_PERCENT: Final = 99.95

_EMPTY, _IN_PROGRESS, _LAP_COMPLETE, _UNKNOWN = (
    STATUSES.index(label) for label in
    ('', Status.IN_PROGRESS.label, Status.LAP_COMPLETE.label, 'unknown'))


def empty_frame(columns: dict[str, str]) -> pd.DataFrame:
    """No rows, with all columns and their types."""
    return pd.DataFrame({
        name: pd.Categorical([]) if kind == 'category' else pd.Series([], dtype=kind)
        for name, kind in columns.items()})


@dataclass(slots=True)
class Part:
    """Steps of one file, or of the files of one evaluation.

    Attributes:
        iteration: Of a CSV file; in a log it follows from the episode.
        worker: Of several.
        columns: In the order in which they were read, each with `iteration` and `worker`.
    """

    iteration: int = 0
    worker: int = 0
    columns: list[Columns] = field(default_factory=list)

    def add(self, columns: Columns) -> None:
        """Take some more steps, which may tell their iteration and worker themselves."""
        rows = len(columns['steps'])
        columns.setdefault('iteration', np.full(rows, self.iteration, dtype=np.int32))
        columns.setdefault('worker', np.full(rows, self.worker, dtype=np.int16))
        self.columns.append(columns)

    def renumber(self, name: str, number: int) -> None:
        """Give all steps another iteration or worker."""
        for columns in self.columns:
            columns[name][:] = number
        setattr(self, name, number)

    @property
    def rows(self) -> int:
        """Number of steps."""
        return sum(len(columns['steps']) for columns in self.columns)

    @property
    def episodes(self) -> int:
        """Number of different episodes."""
        numbers = [np.unique(columns['episode']) for columns in self.columns]
        return len(np.unique(np.concatenate(numbers))) if numbers else 0

    @property
    def first(self) -> tuple[float, ...]:
        """What tells this drive from any other: when and where it began."""
        if not self.rows:
            return ()
        columns = next(columns for columns in self.columns if len(columns['steps']))
        return tuple(round(float(columns[name][0]), 3) for name in ('tstamp', 'x', 'y'))


def assemble(parts: list[Part], episodes_per_iteration: int | None = None) -> pd.DataFrame:
    """One frame of `STEP_COLUMNS`; the parts are emptied, for the sake of memory.

    Args:
        parts: In any order.
        episodes_per_iteration: Where the parts are logs, in which iterations follow from it.
    """
    parts = sorted((part for part in parts if part.rows),
                   key=lambda part: (part.iteration, part.worker))
    if not parts:
        return empty_frame(STEP_COLUMNS)
    whole = _joined(parts)
    if episodes_per_iteration is not None:
        whole['iteration'] = whole['episode'] // episodes_per_iteration
    whole['unique_episode'] = _numbers(whole['iteration'], whole['worker'], whole['episode'])
    if (np.diff(whole['unique_episode']) < 0).any():
        order = np.argsort(whole['unique_episode'], kind='stable')
        for name in whole:
            whole[name] = whole[name][order]
    whole['episode_status'] = _told(whole)
    return pd.DataFrame(
        {name: pd.Categorical.from_codes(whole.pop(name), list(STATUSES)) if kind == 'category'
         else whole.pop(name).astype(kind, copy=False) for name, kind in STEP_COLUMNS.items()},
        copy=False)


def _joined(parts: list[Part]) -> Columns:
    """All parts' columns, one after another; each is dropped as soon as it is copied."""
    lists = [columns for part in parts for columns in part.columns]
    whole: Columns = {}
    for name in list(lists[0]):
        whole[name] = np.concatenate([columns.pop(name) for columns in lists])
    return whole


def _numbers(*keys: NDArray[Any]) -> NDArray[np.int32]:
    """A number for each different combination, rising with them; the last key, if that will do."""
    changes = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    first = np.r_[0, np.flatnonzero(changes) + 1]
    runs = np.column_stack([key[first] for key in keys])
    unique, which = np.unique(runs, axis=0, return_inverse=True)
    episodes = unique[:, -1]
    if len(np.unique(episodes)) == len(unique) and (np.diff(episodes) > 0).all():
        which = episodes[which.ravel()]
    lengths = np.diff(np.r_[first, len(keys[0])])
    return np.repeat(which.ravel(), lengths).astype(np.int32)


def _told(whole: Columns) -> NDArray[np.int8]:
    """Statuses; where an old log has none, what follows from the rest."""
    status = whole['episode_status']
    lacking = status == _EMPTY
    if not lacking.any():
        return status
    ended = np.where(whole['progress'] >= FULL_LAP_PERCENT, _LAP_COMPLETE, _UNKNOWN)
    told = np.where(whole['done'], ended, _IN_PROGRESS)
    return np.where(lacking, told, status).astype(np.int8)
