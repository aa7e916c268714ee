"""What the evaluations of a run showed, and whether going on is worth it.

The reward of training tells how well a policy does what it has done before. Whether it will do it
elsewhere, only driving elsewhere tells: on tracks that it was not trained on, and with another car
and light. When that stops getting better, more training costs money; when it gets worse while the
reward still rises, more training makes a worse model.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

IMPROVEMENT: Final = 0.03
"""Of the held-out driving (0 to 1) that counts as better: so few runs tell no less."""

HELD_OUT_TOLERANCE: Final = 0.1
"""How far below the best held-out driving a policy may be and still count by its pace."""

PACE_IMPROVEMENT: Final = 0.005
"""Share of a lap time that counts as faster."""

PATIENCE: Final = 0.5
"""How much further than to its last improvement a run goes on, as a share of the steps until then;
with `LEAST_PATIENCE_STEPS` in addition, because the first laps come late."""

LEAST_PATIENCE_STEPS: Final = 15_000

RECENT: Final = 5
"""Evaluations whose median counts: a single one is off by 0.06, up or down."""

FALL: Final = 0.06
"""Of that median, below the best it has been, that counts as worse."""

REWARD_HOLDS: Final = 0.95
"""Share of the reward then that it has to be meanwhile: if that fell too, it is no overtraining.

These three tell the runs of ten minutes whose whole robustness suite came out lower at the end
(the kidney, Spain) from one where it did not (re:Invent 2018), well before the end.
"""


class Verdict(StrEnum):
    """What held-out driving says about going on."""

    GO_ON = 'go on'
    PLATEAU = 'held-out driving has stopped improving'
    OVERTRAINED = 'held-out driving got worse while the reward did not: overtraining'


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


class Trend(NamedTuple):
    """Medians of some evaluations.

    Attributes:
        steps: Of the last of them.
        held_out: How well they drove elsewhere, 0 to 1.
        reward: Of the episodes of training.
    """

    steps: int
    held_out: float
    reward: float


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
    def most_held_out(self) -> float | None:
        """The best driving elsewhere of all evaluations; None if it was never asked."""
        return max((row.held_out for row in self.rows if row.held_out is not None), default=None)

    @property
    def improved_at(self) -> int:
        """Steps of the last evaluation that was better elsewhere, or faster and about as good."""
        steps, most, reached, fastest_s = 0, -np.inf, -np.inf, np.inf
        for row in self.rows:
            held = row.held_out or 0.0
            lap_s = np.inf if row.mean_lap_s is None else row.mean_lap_s
            faster = (lap_s < (1.0 - PACE_IMPROVEMENT) * fastest_s
                      and held >= most - HELD_OUT_TOLERANCE)
            better = held > reached + IMPROVEMENT
            if better or faster:
                steps = row.steps
            # Small steps add up: what counts is the gain since the last one that counted.
            most, reached = max(most, held), held if better else reached
            fastest_s = lap_s if faster else fastest_s
        return steps

    @property
    def verdict(self) -> Verdict:
        """Whether to go on, by what was held out; without that, always."""
        if self.fall is not None:
            return Verdict.OVERTRAINED
        if self.most_held_out is None or len(self.rows) <= RECENT:
            return Verdict.GO_ON
        if self.rows[-1].steps < (1.0 + PATIENCE) * self.improved_at + LEAST_PATIENCE_STEPS:
            return Verdict.GO_ON
        return Verdict.PLATEAU

    @property
    def fall(self) -> tuple[Trend, Trend] | None:
        """When driving elsewhere was best and where it is, if it fell and the reward did not."""
        trends = self._trends
        if not trends:
            return None
        best, now = max(trends, key=lambda trend: trend.held_out), trends[-1]
        holds = now.reward >= best.reward - (1.0 - REWARD_HOLDS) * abs(best.reward)
        return (best, now) if holds and now.held_out < best.held_out - FALL else None

    @property
    def warning(self) -> str | None:
        """What a person who lets an overtrained run go on should know; None while it is not."""
        fall = self.fall
        if fall is None:
            return None
        best, now = fall
        return (f'held-out driving fell from {best.held_out:.0%} at {best.steps:,} steps to '
                f'{now.held_out:.0%} at {now.steps:,} while the reward did not: overtraining. '
                'The better checkpoint is kept')

    @property
    def _trends(self) -> list[Trend]:
        """Where it was driven elsewhere: the latest five evaluations, after each of them."""
        rows = [row for row in self.rows if row.held_out is not None and row.reward is not None]
        if len(rows) < RECENT:
            return []
        known = np.array([(row.held_out, row.reward) for row in rows], dtype=np.float64)
        medians = np.median(sliding_window_view(known, RECENT, axis=0), axis=-1)
        return [Trend(row.steps, *median)
                for row, median in zip(rows[RECENT - 1:], medians.tolist(), strict=True)]


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
