"""What a run writes into its model's folder: checkpoints, progress, and what its session took."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any, Final

from racer_rl.clock import utc_now
from racer_rl.store.locks import committing
from racer_rl.store.models import ModelFolder
from racer_rl.store.sessions import Session
from racer_rl.training.checkpoint import Snapshot
from racer_rl.training.plan import StopReason

CHECKPOINT_SHARE: Final = 0.05
"""The last checkpoint may take this share of the time; the best is worth any."""


class Keeper:
    """Writes for one session, from `begin` on; before it, a model that is only built or cloned."""

    def __init__(self, folder: ModelFolder, *, keep: int, earlier: tuple[Session, ...]) -> None:
        """Write nothing yet.

        Args:
            folder: Of the model.
            keep: So many checkpoints that were the best before are kept.
            earlier: Sessions before this one.
        """
        self._folder, self._keep, self._earlier = folder, keep, earlier
        self._began, self._began_s, self._began_cpu_s = '', time.monotonic(), 0.0
        self._saved_s, self._cost_s = 0.0, 0.0

    def begin(self) -> None:
        """The session begins now."""
        self._began, self._began_s, self._began_cpu_s = utc_now(), time.monotonic(), _cpu_s()

    @property
    def seconds(self) -> float:
        """Since the session began."""
        return time.monotonic() - self._began_s

    @property
    def is_due(self) -> bool:
        """Whether the last checkpoint is worth what it costs to write it again."""
        return time.monotonic() - self._saved_s >= self._cost_s / CHECKPOINT_SHARE

    def write(self, which: str, snapshot: Snapshot, kept: Mapping[str, Any],
              progress: Mapping[str, Any]) -> None:
        """Write a checkpoint, and after the file that it speaks of, the progress.

        Args:
            which: `best` or `last`.
            snapshot: The model.
            kept: What goes with it.
            progress: Of the run.

        Raises:
            OSError: The disk refused; older files are untouched.
        """
        with committing(self._folder.path):
            if which == 'best':
                self._folder.retire_best(self._keep)
            snapshot.write(self._folder.checkpoint(which), kept)
            self._folder.write_progress(progress)

    def wrote_last(self, steps: int, reason: StopReason | None, took_s: float) -> None:
        """Note that the last checkpoint is written, and how the session stands.

        Args:
            steps: That the model has.
            reason: Why the session ended, if it has.
            took_s: Seconds that the checkpoint cost.
        """
        if self._began:
            self._folder.write_sessions((*self._earlier, Session(
                began=self._began, steps=steps, wall_s=round(self.seconds, 3),
                cpu_s=round(_cpu_s() - self._began_cpu_s, 3),
                stopped='' if reason is None else reason.value)))
        self._saved_s, self._cost_s = time.monotonic(), took_s


def _cpu_s() -> float:
    """Seconds of a core that this process and its ended children have taken."""
    return sum(os.times()[:4])
