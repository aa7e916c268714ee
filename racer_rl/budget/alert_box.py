"""Alerts on their way, in a file that all processes share, so that each is sent once."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from racer_rl.clock import utc_s
from racer_rl.database import Database, Schema
from racer_vehicle.storage import racer_home

FILE: Final = 'alerts.sqlite'
LONGEST_PAUSE_S: Final = 300.0
"""Between two attempts."""

GIVE_UP_AFTER_S: Final = 7 * 86400.0
"""News of last week is none."""

_PATIENCE_S: Final = 10.0
_SCHEMA: Final = Schema(
    name='the alert box',
    versions=((
        # Files of before versions were counted have these tables already.
        """CREATE TABLE IF NOT EXISTS alerts (
            key TEXT PRIMARY KEY, title TEXT NOT NULL, body TEXT NOT NULL, raised_s REAL NOT NULL,
            attempts INTEGER NOT NULL DEFAULT 0, next_s REAL NOT NULL,
            done INTEGER NOT NULL DEFAULT 0)""",
        """CREATE TABLE IF NOT EXISTS sent (
            key TEXT NOT NULL, target TEXT NOT NULL, PRIMARY KEY (key, target))""",
    ),),
    if_damaged='delete it: at worst, alerts are sent twice')


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Something that a person should be told once.

    Attributes:
        key: What it is about; of several with the same key, only the first is sent.
        title: One line.
        body: The rest.
    """

    key: str
    title: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """An alert that some address has not had yet.

    Attributes:
        alert: It.
        attempts: To send it, so far.
        due_in_s: Until the next attempt; zero or less: now.
    """

    alert: Alert
    attempts: int
    due_in_s: float


class AlertBox:
    """The file. Times in it are UTC, seconds since 1970: they outlive processes and reboots."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def claim(self, alert: Alert) -> bool:
        """Take on an alert.

        Returns:
            False if somebody did so before, in whatever process.
        """
        with self._open() as rows:
            added = rows.execute(
                'INSERT OR IGNORE INTO alerts (key, title, body, raised_s, next_s) '
                'VALUES (?, ?, ?, ?, ?)', (alert.key, alert.title, alert.body, utc_s(), utc_s()))
            return added.rowcount == 1

    def waiting(self) -> list[Waiting]:
        """What is not sent yet, oldest first; what is too old is given up."""
        now_s = utc_s()
        with self._open() as rows:
            rows.execute('UPDATE alerts SET done = 1 WHERE NOT done AND raised_s < ?',
                         (now_s - GIVE_UP_AFTER_S,))
            found = rows.execute('SELECT key, title, body, attempts, next_s FROM alerts '
                                 'WHERE NOT done ORDER BY raised_s, key').fetchall()
        # Where the clock was set back, nothing waits for longer than the longest pause.
        return [Waiting(alert=Alert(key=key, title=title, body=body), attempts=attempts,
                        due_in_s=min(next_s - now_s, LONGEST_PAUSE_S))
                for key, title, body, attempts, next_s in found]

    def sent_to(self, alert: Alert) -> set[str]:
        """Labels of the addresses that have had it."""
        with self._open() as rows:
            return {target for (target,) in rows.execute(
                'SELECT target FROM sent WHERE key = ?', (alert.key,))}

    def note_sent(self, alert: Alert, target: str) -> None:
        """An address has had it."""
        with self._open() as rows:
            rows.execute('INSERT OR IGNORE INTO sent VALUES (?, ?)', (alert.key, target))

    def conclude(self, alert: Alert) -> None:
        """Every address has had it."""
        with self._open() as rows:
            rows.execute('UPDATE alerts SET done = 1 WHERE key = ?', (alert.key,))

    def postpone(self, waiting: Waiting) -> None:
        """An attempt failed; the next one comes after 1 s, then after twice as long each time."""
        pause_s = min(2.0 ** min(waiting.attempts, 30), LONGEST_PAUSE_S)
        with self._open() as rows:
            rows.execute('UPDATE alerts SET attempts = attempts + 1, next_s = ? WHERE key = ?',
                         (utc_s() + pause_s, waiting.alert.key))

    @contextlib.contextmanager
    def alone(self) -> Iterator[bool]:
        """Be the only one who sends; it ends with the process, however that ends.

        Yields:
            Whether it succeeded.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._path.with_suffix('.lock'), os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            yield False
            return
        try:
            yield True
        finally:
            # A process that was forked meanwhile has the handle, too.
            fcntl.flock(handle, fcntl.LOCK_UN)
            os.close(handle)

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A transaction."""
        with (contextlib.closing(Database(self._path, _SCHEMA, patience_s=_PATIENCE_S)) as box,
              box.transaction() as rows):
            yield rows


def alert_box() -> AlertBox:
    """The one of this home."""
    return AlertBox(racer_home() / FILE)
