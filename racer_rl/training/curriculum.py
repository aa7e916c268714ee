"""Curricula: what is asked of the cars grows as they succeed.

Over speed: slow laps first. The policy's actions mean the same all along; only the cars are held
back, so a policy that has not been through all of it is judged by what it does without being held.

Over clearance, for teachers: at first a car is so narrow that it passes a box in the middle of the
track, and it grows until it has to keep its distance. A policy that meets full-grown boxes from
the beginning crashes into every one for a long time, and one in three then learnt that crashing
cannot be helped.
"""

from __future__ import annotations

from typing import Final

from racer_rl.envs.batch import RaceBatch

SUCCESS: Final = 0.7
"""Mean share of a lap that the recent episodes have to reach for the limit to rise."""

RISE: Final = 1.04
"""By how much it then does, each round: eighteen rounds double it."""


class SpeedCurriculum:
    """The rising speed limit of one batch of cars."""

    def __init__(self, batch: RaceBatch, start_mps: float) -> None:
        """Set the limit.

        Args:
            batch: Whose cars are held back.
            start_mps: Limit of the first round; 0 for none.
        """
        self._batch, self._top_mps = batch, batch.action.top_speed_mps
        self.limit_mps = start_mps or self._top_mps

    @property
    def limit_mps(self) -> float:
        """No car drives faster; the fastest action's speed once nothing is held back."""
        return self._batch.speed_limit_mps

    @limit_mps.setter
    def limit_mps(self, limit_mps: float) -> None:
        self._batch.speed_limit_mps = min(limit_mps, self._top_mps)

    def advance(self, completion: float | None) -> None:
        """Raise the limit if the driving allows it.

        Args:
            completion: Mean share of a lap of the recent episodes, 0 to 1; None before the first.
        """
        if completion is not None and completion >= SUCCESS:
            self.limit_mps = RISE * self.limit_mps


NARROWEST_M: Final = -0.1
"""Where the margin around a car begins: its body reaches less far, on all sides."""

GROWTH_M: Final = 0.008
"""By how much the margin grows, each round."""

PASSES: Final = 0.4
"""Mean share of a lap for it to grow: with boxes on the way, laps get long only late."""


class ClearanceCurriculum:
    """The growing margin around the cars of one batch."""

    def __init__(self, batch: RaceBatch, margin_m: float) -> None:
        """Make the cars narrow, if there is anything that they may hit.

        Args:
            batch: Whose cars.
            margin_m: In the end.
        """
        self._simulator, self._margin_m = batch.simulator, margin_m
        if batch.simulator.has_company:
            batch.simulator.body_margin_m = min(NARROWEST_M, margin_m)

    @property
    def is_over(self) -> bool:
        """Whether the cars have the margin that they were to have."""
        return (not self._simulator.has_company
                or self._simulator.body_margin_m >= self._margin_m)

    def advance(self, completion: float | None) -> None:
        """Let the cars grow if the driving allows it; `completion` as of `SpeedCurriculum`."""
        if not self.is_over and completion is not None and completion >= PASSES:
            self._simulator.body_margin_m = min(self._simulator.body_margin_m + GROWTH_M,
                                                self._margin_m)
