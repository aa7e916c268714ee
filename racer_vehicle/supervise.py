"""Starts programs, notices when one dies, and leaves none behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from racer_vehicle.children import ending_with_parent, owned
from racer_vehicle.errors import RacerError

PATIENCE_S: Final = (4.0, 2.0, 2.0)
"""How long programs get to leave after SIGINT, after SIGTERM, and after SIGKILL."""

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)


class ProgramError(RacerError):
    """A program that had to run has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to start.

    Attributes:
        name: For people and files; one of a supervisor's running programs.
        module: Python module with a `main` under `__main__`.
        arguments: Of its command line.
    """

    name: str
    module: str
    arguments: tuple[str, ...] = ()


class Supervisor:
    """Programs in sessions of their own, so that a Ctrl-C reaches only whoever supervises.

    Used as a context: leaving it, on whatever way, ends all of them in order. Should this process
    be killed outright, Linux tells them to end.
    """

    def __init__(self, folder: Path | None, environment: Mapping[str, str]) -> None:
        """Start nothing yet.

        Args:
            folder: For what the programs print, a file each; it exists. None: where this one
                prints, as a service does.
            environment: Of the programs, complete.
        """
        self._folder, self._environment = folder, dict(environment)
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, program: Program) -> None:
        """Start a program; one that ran under this name before and was killed is forgotten."""
        with self._output(program.name) as output:
            self._running[program.name] = subprocess.Popen(
                [sys.executable, '-m', program.module, *program.arguments],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                env=owned(self._environment), start_new_session=True,
                preexec_fn=ending_with_parent(signal.SIGTERM),
            )

    def process_id(self, name: str) -> int:
        """Of a running program."""
        return self._running[name].pid

    @property
    def names(self) -> tuple[str, ...]:
        """Of the programs that were started."""
        return tuple(self._running)

    def kill(self, name: str) -> None:
        """End a program without giving it a chance to do anything about it."""
        process = self._running.pop(name)
        _signal(process, signal.SIGKILL)
        process.wait(PATIENCE_S[-1])

    def require_alive(self) -> None:
        """Refuse to go on without one of the programs.

        Raises:
            ProgramError: Naming it, its exit status and the last lines it printed.
        """
        for name, process in self._running.items():
            status = process.poll()
            if status is not None:
                raise ProgramError(f'{name} has ended with status {status}; allowed: to run until '
                                   f'it is told to stop.{self._quoted(name)}')

    def last_words(self, name: str, lines: int = 4) -> str:
        """The last lines that a program printed; empty where they are not kept in files."""
        if self._folder is None:
            return ''
        log = self._folder / f'{name}.log'
        text = log.read_text(encoding='utf-8', errors='replace').strip()
        return ' | '.join(text.splitlines()[-lines:]) or 'nothing'

    def close(self) -> None:
        """End all programs: ask, ask again, kill. A second time does nothing."""
        left = list(self._running.values())
        for number, patience_s in zip(_SIGNALS, PATIENCE_S, strict=True):
            for process in left:
                _signal(process, number)
            left = _still_running(left, patience_s)
        self._running.clear()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Close."""
        self.close()

    def _quoted(self, name: str) -> str:
        return '' if self._folder is None else f' It said: {self.last_words(name)}'

    def _output(self, name: str) -> AbstractContextManager[IO[bytes] | None]:
        """Where a program prints; None: where this one does."""
        return (nullcontext() if self._folder is None
                else (self._folder / f'{name}.log').open('ab'))


def _still_running(processes: list[subprocess.Popen[bytes]],
                   patience_s: float) -> list[subprocess.Popen[bytes]]:
    """Wait for processes to end; returns those that have not."""
    until_s = time.monotonic() + patience_s
    for process in processes:
        try:
            process.wait(max(until_s - time.monotonic(), 0.01))
        except subprocess.TimeoutExpired:
            continue
    return [process for process in processes if process.poll() is None]


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal a process and all that it may have started."""
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return
