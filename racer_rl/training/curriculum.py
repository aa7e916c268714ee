"""A curriculum over speed: slow laps first, faster ones as they succeed.

The policy's actions mean the same all along; only the cars are held back, so a policy that has not
been through all of it is judged by what it does without being held.
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
