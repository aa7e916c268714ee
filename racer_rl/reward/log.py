"""What reward functions print, with the moment, into a file that does not grow without bound."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Final, TextIO

LINES_PER_S: Final = 20
"""More than that in a second nobody reads; the rest is counted."""


class RewardLog:
    """A log file, begun with the first line; without a file, standard error."""

    def __init__(self, path: Path | None = None) -> None:
        """Name the file; it is appended to."""
        self._path, self._files = path, ExitStack()
        self._stream: TextIO | None = None
        self._second, self._written, self._dropped = 0, 0, 0

    def write(self, lines: Iterable[str], dropped: int = 0) -> None:
        """Add lines, as far as there is room in this second.

        Args:
            lines: Without their ends.
            dropped: How many more there were.
        """
        second = int(time.monotonic())
        if second != self._second:
            self._tell_dropped()
            self._second, self._written = second, 0
        for line in lines:
            if self._written < LINES_PER_S:
                self._put(line)
                self._written += 1
            else:
                dropped += 1
        self._dropped += dropped

    def close(self) -> None:
        """Say what was left out, and close the file."""
        self._tell_dropped()
        self._files.close()
        self._stream = None

    def _tell_dropped(self) -> None:
        if self._dropped:
            self._put(f'... {self._dropped} more lines left out; {LINES_PER_S} a second are kept.')
            self._dropped = 0

    def _put(self, line: str) -> None:
        if self._stream is None:
            self._stream = sys.stderr if self._path is None else self._open(self._path)
        self._stream.write(f'{line}\n')
        self._stream.flush()

    def _open(self, path: Path) -> TextIO:
        path.parent.mkdir(parents=True, exist_ok=True)
        return self._files.enter_context(path.open('a', encoding='utf-8', errors='replace'))
