"""A race day on the disk: every event on a line of its own, there before anybody sees it."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from racer_rl.race_day.events import Event
from racer_vehicle.errors import ConfigError, RacerError


class Journal:
    """Events of a day, appended and never changed.

    Attributes:
        events: All of them.
    """

    def __init__(self, stream: BinaryIO, events: list[Event]) -> None:
        """Go on with an open file; `opened` makes one."""
        self._stream, self.events = stream, events

    def append(self, event: Event) -> None:
        """Keep an event.

        Raises:
            OSError: The disk refuses.
        """
        self._stream.write(event.to_json().encode() + b'\n')
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self.events.append(event)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Journal]:
    """Open a journal, or begin one; nobody else can until it is closed.

    A last line without an end was being written when the machine stopped: nobody has seen it, and
    it is dropped.

    Args:
        path: The file; missing folders are made.

    Raises:
        ConfigError: It is damaged, or cannot be written.
        RacerError: Another race day writes it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open('a+b')
    except OSError as error:
        raise ConfigError(f'cannot write {path}: {error.strerror}.') from error
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RacerError(f'{path} is of a race day that runs already; end that one '
                             'first.') from None
        yield Journal(stream, _events_of(stream, path))


def _events_of(stream: BinaryIO, path: Path) -> list[Event]:
    stream.seek(0)
    whole, _, _torn = stream.read().rpartition(b'\n')
    stream.truncate(len(whole) + 1 if whole else 0)
    events = []
    for number, line in enumerate(whole.split(b'\n') if whole else (), 1):
        try:
            events.append(Event.from_json(line.decode()))
        except (ConfigError, UnicodeDecodeError) as error:
            raise ConfigError(f'{path}, line {number}: {error} Put the file aside to begin the '
                              'day anew.') from None
    return events
