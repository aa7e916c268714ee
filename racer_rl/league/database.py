"""The file of a league: who joined, what came in and what came of it, shared by all processes."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from racer_vehicle.errors import RacerError

FILE: Final = 'league.sqlite'

_PATIENCE_S: Final = 60.0
"""Thirty laptops write at once when a race is about to close."""

_STEPS: Final = (
    (
        """CREATE TABLE league (
            only INTEGER PRIMARY KEY CHECK (only = 1), created TEXT NOT NULL,
            divisions TEXT NOT NULL)""",
        'CREATE TABLE season (number INTEGER PRIMARY KEY, began TEXT NOT NULL, ended TEXT)',
        """CREATE TABLE race (
            number INTEGER PRIMARY KEY, season INTEGER NOT NULL REFERENCES season,
            title TEXT NOT NULL, terms TEXT NOT NULL, conditions TEXT NOT NULL,
            opens TEXT NOT NULL, closes TEXT NOT NULL, closed TEXT NOT NULL)""",
        """CREATE TABLE racer (
            key TEXT PRIMARY KEY, name TEXT NOT NULL, joined TEXT NOT NULL,
            division TEXT NOT NULL) WITHOUT ROWID""",
        """CREATE TABLE submission (
            number INTEGER PRIMARY KEY, race INTEGER NOT NULL REFERENCES race,
            racer TEXT NOT NULL, division TEXT NOT NULL, model TEXT NOT NULL,
            model_id TEXT NOT NULL, bundle TEXT NOT NULL, submitted TEXT NOT NULL,
            state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, verdict TEXT,
            reason TEXT NOT NULL DEFAULT '', average_s REAL, best_s REAL, total_s REAL,
            laps INTEGER NOT NULL DEFAULT 0, resets INTEGER NOT NULL DEFAULT 0,
            collisions INTEGER NOT NULL DEFAULT 0, off_tracks INTEGER NOT NULL DEFAULT 0)""",
        'CREATE INDEX submission_by_race ON submission (race, racer)',
        "CREATE INDEX submission_open ON submission (number) WHERE state <> 'done'",
    ),
)
"""What makes each version of the file from the one before; new ones go to the end."""

_DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class LeagueError(RacerError):
    """The file of a league cannot be read or written; it stays as it is."""


class Database:
    """An open file; of the thread that opened it."""

    def __init__(self, path: Path, *, make: bool = False) -> None:
        """Open it, and bring an old one up to date.

        Args:
            path: The file.
            make: Whether to make it.

        Raises:
            LeagueError: It is damaged, newer than this program, locked, or the disk refused.
        """
        self._path = path
        with self._telling():
            self._connection = sqlite3.connect(
                f'{path.absolute().as_uri()}?mode={"rwc" if make else "rw"}', uri=True,
                timeout=_PATIENCE_S, isolation_level=None)
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def rows(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """What a query finds.

        Raises:
            LeagueError: The file cannot be read.
        """
        with self._telling():
            return self._connection.execute(query, values).fetchall()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All that is written meanwhile, or nothing; nobody else writes meanwhile.

        Raises:
            LeagueError: The disk refused, or others wrote for too long; nothing was written.
        """
        with self._telling():
            self._connection.execute('BEGIN IMMEDIATE')
            try:
                yield self._connection
                self._connection.execute('COMMIT')
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute('ROLLBACK')
                raise

    def _prepare(self) -> None:
        connection = self._connection
        connection.execute('PRAGMA journal_mode = WAL')
        connection.execute('PRAGMA synchronous = FULL')  # what was accepted survives a power cut
        connection.execute('PRAGMA foreign_keys = ON')
        if self._version() < len(_STEPS):
            with self.transaction():
                # Another process may have been quicker.
                for statement in (each for step in _STEPS[self._version():] for each in step):
                    connection.execute(statement)
                connection.execute(f'PRAGMA user_version = {len(_STEPS)}')

    def _version(self) -> int:
        version = int(self._connection.execute('PRAGMA user_version').fetchone()[0])
        if not 0 <= version <= len(_STEPS):
            raise LeagueError(f'{self._path} has format {version}; allowed: up to {len(_STEPS)}; '
                              'a newer racer wrote it: use that one.')
        return version

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        """Say in our words what SQLite refused."""
        try:
            yield
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            # Python decodes what SQLite says; of a damaged file, that may be anything.
            code = getattr(error, 'sqlite_errorcode', sqlite3.SQLITE_CORRUPT) & 0xff
            remedy = ('it is damaged: restore the folder of the league from a copy'
                      if code in _DAMAGE else
                      'free space there, make it writable, or wait for whoever holds it')
            raise LeagueError(f'cannot use {self._path} ({error}); {remedy}.') from error
