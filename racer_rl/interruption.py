"""Ctrl-C where it is safe: between rounds of training, between messages of a drive."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupt_flag() -> Iterator[list[int]]:
    """Collect the first Ctrl-C rather than let it tear through something; the second one may.

    In the main thread only, as all of Python's signal handlers.

    Yields:
        The numbers of the signals that arrived; empty until then.
    """
    received: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        signal.signal(number, signal.default_int_handler)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
