"""One process of this machine, for certain: numbers are given away again, start times are not."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from racer_vehicle.children import boot_id, start_ticks


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessName:
    """Names a process among all that ever were.

    Attributes:
        pid: Its number.
        start_ticks: When it was started, in clock ticks since the machine was.
        boot: `boot_id` at that time.
    """

    pid: int
    start_ticks: int
    boot: str

    @classmethod
    def own(cls) -> Self:
        """Of this process."""
        return cls(pid=os.getpid(), start_ticks=start_ticks(os.getpid()) or 0, boot=boot_id())

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self.boot == boot_id() and start_ticks(self.pid) == self.start_ticks

    @contextlib.contextmanager
    def held(self) -> Iterator[Handle | None]:
        """A handle that cannot come to mean another process; None if it runs no more."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except OSError:
            yield None
            return
        try:
            yield Handle(descriptor) if self.is_alive else None
        finally:
            os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Handle:
    """A process that was alive when this was made; signals reach it or nobody."""

    descriptor: int

    def send(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens if it has ended."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.descriptor, number)

    def has_ended_within(self, seconds: float) -> bool:
        """Wait for its end, so long at most."""
        return bool(select.select([self.descriptor], [], [], seconds)[0])
