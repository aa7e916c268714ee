"""SQLite files that any number of processes share: opened, brought up to date, spoken of.

    LEDGER = Schema(name='the ledger', versions=(('CREATE TABLE run (…)',),), if_damaged='…')

    with contextlib.closing(Database(path, LEDGER)) as database:
        with database.transaction() as rows:
            rows.execute('INSERT INTO run VALUES (?)', ('a',))

What was committed survives a power cut. Readers do not wait for the writer, nor the writer for
them. A process that dies leaves nothing half written.

A fork is no process like any other: it takes along what SQLite remembers of the locks that its
parent held, and never gets rid of them. Whoever forks has no database open, or none of the same
file is used in the fork. What racer starts begins anew, with `exec`.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from racer_vehicle.errors import RacerError

NOWHERE: Final = Path(':memory:')
"""SQLite's name for a database that is no file, empty at first, and gone when it is closed."""

_PASSING: Final = frozenset({
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_PROTOCOL,
})
"""Troubles of SQLite that say nothing about what is in the file."""


class DatabaseError(RacerError):
    """A database cannot be read or written; it stays as it is."""


class DatabaseDamageError(DatabaseError):
    """It is damaged: to wait for better times is no use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """What is in a kind of database, and the words for it.

    Attributes:
        name: For people, e.g. `the ledger`.
        versions: The statements that make each version from the one before, the first one from an
            empty file; new ones go to the end. A file carries the number of its version.
        if_damaged: What to do then, without a full stop.
    """

    name: str
    versions: tuple[tuple[str, ...], ...]
    if_damaged: str


class Database:
    """An open database; of the thread that opened it."""

    def __init__(self, path: Path, schema: Schema, *, patience_s: float, make: bool = True,
                 ) -> None:
        """Open it, and bring an old one up to date.

        Args:
            path: The file, or `NOWHERE`.
            schema: What is in it.
            patience_s: How long to wait for others who write.
            make: Whether to make it, and the folders to it, if it is not there yet.

        Raises:
            DatabaseError: It is damaged, newer than this program, locked, or not there, or the
                disk refused.
        """
        self._path, self._schema = path, schema
        with self._telling():
            if make and path != NOWHERE:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                _address(path, make=make), uri=True, timeout=patience_s, isolation_level=None)
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
            DatabaseError: It cannot be read.
        """
        with self._telling():
            return self._connection.execute(query, values).fetchall()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All that is written meanwhile, or nothing; nobody else writes meanwhile.

        Raises:
            DatabaseError: The disk refused, or others wrote for too long; nothing was written.
        """
        with self._telling():
            # The lock for writing at once: two that have read before could only give up.
            self._connection.execute('BEGIN IMMEDIATE')
            try:
                yield self._connection
                self._connection.execute('COMMIT')
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute('ROLLBACK')
                raise

    def _prepare(self) -> None:
        connection, version = self._connection, self._version()
        # Where a file system cannot do that, SQLite goes on with its older way.
        connection.execute('PRAGMA journal_mode = WAL')
        connection.execute('PRAGMA synchronous = FULL')
        connection.execute('PRAGMA foreign_keys = ON')
        if version < len(self._schema.versions):
            with self.transaction():
                # Another process may have been quicker.
                for statements in self._schema.versions[self._version():]:
                    for statement in statements:
                        connection.execute(statement)
                connection.execute(f'PRAGMA user_version = {len(self._schema.versions)}')

    def _version(self) -> int:
        version = int(self._connection.execute('PRAGMA user_version').fetchone()[0])
        newest = len(self._schema.versions)
        if not 0 <= version <= newest:
            raise DatabaseError(
                f'{self._subject} has format {version}; allowed: up to {newest}; a newer racer '
                'wrote it: use that one.')
        return version

    @property
    def _subject(self) -> str:
        return f'{self._schema.name} {self._path}'

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        """Say in our words what SQLite or the disk refused."""
        try:
            yield
        except sqlite3.ProgrammingError:  # ours, not the file's
            raise
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            # Python decodes what SQLite says; of a damaged file, that may be anything.
            code = getattr(error, 'sqlite_errorcode', sqlite3.SQLITE_CORRUPT) & 0xff
            if code in _PASSING:
                raise DatabaseError(
                    f'cannot use {self._subject} ({error}); free space there, make it writable, '
                    'or wait for whoever holds it.') from error
            raise DatabaseDamageError(f'{self._subject} is damaged ({error}); '
                                      f'{self._schema.if_damaged}.') from error
        except OSError as error:
            raise DatabaseError(f'cannot use {self._subject} ({error.strerror}); free space there,'
                                ' or set RACER_HOME to a folder that you may write.') from error


def _address(path: Path, *, make: bool) -> str:
    if path == NOWHERE:
        return 'file::memory:'
    return f'{path.absolute().as_uri()}?mode={"rwc" if make else "rw"}'
