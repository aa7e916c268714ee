"""What the evaluations of a run showed, and whether going on is worth it.

The reward of training tells how well a policy does what it has done before. Whether it will do it
elsewhere, only driving elsewhere tells: on tracks that it was not trained on, and with another car
and light. When that stops getting better, more training costs money; when it gets worse while the
reward still rises, more training makes a worse model.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np

IMPROVEMENT: Final = 0.01
"""Of the held-out driving (0 to 1) that counts as better."""

PACE_IMPROVEMENT: Final = 0.005
"""Share of a lap time that counts as faster, where held-out driving is as good as ever."""

PATIENCE: Final = 0.5
"""How much further than to the best evaluation a run goes on without a better one, as a share of
the steps until then; with `LEAST_PATIENCE_STEPS` in addition, because the first laps come late."""

LEAST_PATIENCE_STEPS: Final = 15_000

DECLINE: Final = 0.05
"""How far held-out driving may fall below its best before it has become worse."""

RECENT: Final = 3
"""Evaluations whose median counts: one may be unlucky."""


class Verdict(StrEnum):
    """What held-out driving says about going on."""

    GO_ON = 'go on'
    PLATEAU = 'held-out driving has stopped improving'
    OVERTRAINED = 'held-out driving got worse while the reward rose: overtraining'


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One evaluation.

    Attributes:
        steps: Of training until then.
        reward: Mean return of the recent episodes of training; None before the first.
        clean_share: Clean laps over wanted ones on the own tracks, 0 to 1.
        held_out: How well it drives what it was not trained on, 0 to 1; None if that was not
            asked.
        mean_lap_s: On the own tracks; None without a lap.
    """

    steps: int
    reward: float | None
    clean_share: float
    held_out: float | None
    mean_lap_s: float | None

    def is_better_than(self, other: Row) -> bool:
        """By held-out driving, then by pace."""
        ours, theirs = self.held_out or 0.0, other.held_out or 0.0
        if ours > theirs + IMPROVEMENT:
            return True
        if ours < theirs - IMPROVEMENT or self.mean_lap_s is None:
            return False
        return (other.mean_lap_s is None
                or self.mean_lap_s < (1.0 - PACE_IMPROVEMENT) * other.mean_lap_s)


class History:
    """All evaluations of a run, resumed sessions included."""

    def __init__(self, rows: Iterable[Mapping[str, Any]] = ()) -> None:
        """Begin, or go on from the plain data of `as_plain`."""
        self.rows = [Row(**row) for row in rows]

    def add(self, row: Row) -> None:
        """Note an evaluation, the newest."""
        self.rows.append(row)

    def as_plain(self) -> list[dict[str, Any]]:
        """For a checkpoint or a file."""
        return [asdict(row) for row in self.rows]

    @property
    def best(self) -> Row | None:
        """The first that none after it has bettered; None before the first."""
        best: Row | None = None
        for row in self.rows:
            if best is None or row.is_better_than(best):
                best = row
        return best

    @property
    def verdict(self) -> Verdict:
        """Whether to go on, by what was held out; without that, always."""
        best = self.best
        if best is None or best.held_out is None:
            return Verdict.GO_ON
        recent = self.rows[-RECENT:]
        waited = self.rows[-1].steps >= (1.0 + PATIENCE) * best.steps + LEAST_PATIENCE_STEPS
        if not waited or len(self.rows) < 2 * RECENT:
            return Verdict.GO_ON
        now = float(np.median([row.held_out or 0.0 for row in recent]))
        rising = _mean_reward(recent) >= _mean_reward([best])
        if now < best.held_out - DECLINE and rising:
            return Verdict.OVERTRAINED
        return Verdict.PLATEAU


def _mean_reward(rows: Sequence[Row]) -> float:
    known = [row.reward for row in rows if row.reward is not None]
    return float(np.mean(known)) if known else -np.inf


FIRST_LOOK: Final = 8
"""Rounds before a run is warned that its reward rises without progress."""

STUCK: Final = 0.25
"""Completion below which a run counts as having made no progress."""


class RewardWatch:
    """Notices early that a reward rises while the car gets no further round the track."""

    def __init__(self) -> None:
        """Nothing seen yet."""
        self._rewards: list[float] = []
        self._completions: list[float] = []
        self.warning: str | None = None

    def note(self, reward: float | None, completion: float | None) -> None:
        """Take a round's mean return and completion (0 to 1); sets `warning` once."""
        if reward is None or completion is None or self.warning is not None:
            return
        self._rewards.append(reward)
        self._completions.append(completion)
        if len(self._rewards) % FIRST_LOOK or len(self._rewards) < 2 * FIRST_LOOK:
            return
        half = len(self._rewards) // 2
        early, late = np.array(self._rewards[:half]), np.array(self._rewards[half:])
        risen = late.mean() - early.mean() > max(early.std(), 0.1 * abs(early.mean()))
        gained = np.mean(self._completions[half:]) - np.mean(self._completions[:half])
        if risen and gained < 0.02 and np.mean(self._completions[half:]) < STUCK:
            self.warning = (
                f'the reward rose from {early.mean():.1f} to {late.mean():.1f}, but the car still '
                f'completes {np.mean(self._completions[half:]):.0%} of the lap: it may be paid '
                'for something else. Look: racer validate REWARD.py')
