"""The ledger: one row for every run, and what it took in every quarter of an hour.

SQLite in `$RACER_HOME/ledger.db`, shared by any number of processes. The sums of a run are those
of its quarters and are kept nowhere else, so that runs, months and models cannot disagree. What
is written says what a quarter holds now and not what is added to it: twice changes nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from racer_rl.budget.usage import QUARTER_S, Usage
from racer_rl.database import NOWHERE, Database, Schema
from racer_vehicle.storage import racer_home

ALIVE_S: Final = 10.0
"""A run that has written nothing for so long does not share its machine with others any more."""

_SCHEMA: Final = Schema(
    name='the ledger',
    versions=((
        """CREATE TABLE run (
            id TEXT PRIMARY KEY, kind TEXT NOT NULL, model TEXT NOT NULL, model_id TEXT NOT NULL,
            machine TEXT NOT NULL, processor TEXT NOT NULL, host TEXT NOT NULL,
            boot TEXT NOT NULL, pid INTEGER NOT NULL, pid_start INTEGER,
            began TEXT NOT NULL, written TEXT NOT NULL, ended TEXT, outcome TEXT NOT NULL,
            beat_s REAL NOT NULL, steps INTEGER NOT NULL, progress REAL,
            peak_memory_bytes INTEGER NOT NULL, energy TEXT NOT NULL, currency TEXT NOT NULL,
            price TEXT NOT NULL, price_date TEXT NOT NULL) WITHOUT ROWID""",
        """CREATE TABLE usage (
            run TEXT NOT NULL REFERENCES run, quarter INTEGER NOT NULL, wall_s REAL NOT NULL,
            cpu_s REAL NOT NULL, energy_j REAL NOT NULL, money REAL NOT NULL,
            PRIMARY KEY (run, quarter)) WITHOUT ROWID""",
        'CREATE INDEX usage_by_time ON usage (quarter)',
        'CREATE INDEX run_not_ended ON run (boot, beat_s) WHERE ended IS NULL',
    ),),
    if_damaged='nothing of it was deleted: restore it, or move it away, and a new one is begun')


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run as the ledger knows it, without what it took.

    Attributes:
        id: Of the run.
        kind: `train`, `evaluate` or `race`.
        model: Its name at that time.
        model_id: That outlives the name; may be empty.
        machine: Row of the price table.
        processor: As the system names it, and how many cores.
        host: Name of the computer.
        boot: Of the start of that machine; may be empty.
        pid: Number of the process.
        pid_start: When the process was started, in ticks; with `boot` and `pid` it names it.
        began: UTC, ISO 8601.
        written: UTC, ISO 8601: when the run last told the ledger.
        ended: UTC, ISO 8601; None while it goes on, and if it was killed.
        outcome: How it ended, for people; empty as long as `ended` is None.
        beat_s: The machine's monotonic clock when it last told.
        steps: Control periods driven by it.
        progress: Completion at its end, 0 to 1; None if it has none.
        peak_memory_bytes: The most it held.
        energy: `measured`, `estimated`, or empty where it is not known.
        currency: Of its money.
        price: The price in words.
        price_date: When that held, ISO 8601.
    """

    id: str
    kind: str
    model: str
    model_id: str
    machine: str
    processor: str
    host: str
    boot: str
    pid: int
    pid_start: int | None
    began: str
    written: str
    ended: str | None
    outcome: str
    beat_s: float
    steps: int
    progress: float | None
    peak_memory_bytes: int
    energy: str
    currency: str
    price: str
    price_date: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What runs of one model, or one run, took in one currency.

    Attributes:
        model: Its latest name.
        currency: Of the money.
        runs: How many they were.
        wall_s: Seconds.
        cpu_s: Seconds of a core.
        energy_j: Joules, of those runs of which they are known.
        money: Amount.
    """

    model: str
    currency: str
    runs: int
    wall_s: float
    cpu_s: float
    energy_j: float
    money: float


_RUN_FIELDS: Final = tuple(field.name for field in fields(Run))


def ledger_path() -> Path:
    """Where the ledger is."""
    return racer_home() / 'ledger.db'


class Ledger:
    """An open ledger; of the thread that opened it."""

    def __init__(self, path: Path | None = None, *, patience_s: float = 5.0) -> None:
        """Open it; one that is not there yet is made, an old one is brought up to date.

        Args:
            path: Instead of the person's own.
            patience_s: How long to wait for others who write.

        Raises:
            DatabaseError: It is damaged, newer than this program, locked, or the disk refused.
        """
        self._database = Database(path or ledger_path(), _SCHEMA, patience_s=patience_s)

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def write(self, run: Run, usage: Mapping[int, Usage]) -> None:
        """Put down how a run stands; the same again changes nothing.

        Args:
            run: As it is now.
            usage: Quarters that have changed, with all that they hold.

        Raises:
            DatabaseError: The disk refused, or others wrote for too long; nothing was written.
        """
        places = ', '.join('?' * len(_RUN_FIELDS))
        rows = [(run.id, quarter, each.wall_s, each.cpu_s, each.energy_j, each.money)
                for quarter, each in usage.items()]
        with self._database.transaction() as connection:
            connection.execute(
                f'INSERT OR REPLACE INTO run ({", ".join(_RUN_FIELDS)}) VALUES ({places})',
                [getattr(run, name) for name in _RUN_FIELDS])
            connection.executemany('INSERT OR REPLACE INTO usage VALUES (?, ?, ?, ?, ?, ?)', rows)

    def sharing(self, boot: str, now_s: float) -> int:
        """How many runs are going on at this machine.

        Args:
            boot: Of this start of the machine.
            now_s: Its monotonic clock.

        Raises:
            DatabaseError: It cannot be read.
        """
        (count,), = self._database.rows(
            'SELECT count(*) FROM run WHERE ended IS NULL AND boot = ? AND beat_s > ?',
            (boot, now_s - ALIVE_S))
        return int(count)

    def by_model(self, begin_s: float, end_s: float) -> list[Sums]:
        """What every model took in a stretch of time, dearest first.

        Args:
            begin_s: Seconds since 1970, UTC, whole quarters of an hour.
            end_s: The same; not part of it.

        Raises:
            DatabaseError: It cannot be read.
        """
        # With max(), SQLite takes the other columns from that row: the model's latest name.
        rows = self._database.rows(
            """SELECT model, currency, count(DISTINCT id), sum(wall_s), sum(cpu_s), sum(energy_j),
                      sum(money) AS money, max(began)
               FROM usage JOIN run ON run.id = usage.run WHERE quarter >= ? AND quarter < ?
               GROUP BY iif(model_id = '', model, model_id), currency
               ORDER BY money DESC, model""",
            (round(begin_s / QUARTER_S), round(end_s / QUARTER_S)))
        return [_sums(row[:7]) for row in rows]

    def spent(self, begin_s: float, end_s: float, currency: str) -> float:
        """Money of one currency that all runs took in a stretch of time; see `by_model`.

        Raises:
            DatabaseError: It cannot be read.
        """
        rows = self._database.rows(
            """SELECT total(money) FROM usage JOIN run ON run.id = usage.run
               WHERE quarter >= ? AND quarter < ? AND currency = ?""",
            (round(begin_s / QUARTER_S), round(end_s / QUARTER_S), currency))
        return float(rows[0][0])

    def first_quarter(self) -> int | None:
        """Number of the first quarter of an hour in which anything ran; None if nothing has.

        Raises:
            DatabaseError: It cannot be read.
        """
        found: int | None = self._database.rows('SELECT min(quarter) FROM usage')[0][0]
        return found

    def runs(self, *, model: str = '', kind: str = '', at_most: int = -1,
             ) -> list[tuple[Run, Sums]]:
        """Runs with what they took, latest first.

        Args:
            model: Only those of this name or id; empty: all.
            kind: Only those; empty: all.
            at_most: How many; -1: all.

        Raises:
            DatabaseError: It cannot be read.
        """
        columns = ', '.join(f'run.{name}' for name in _RUN_FIELDS)
        rows = self._database.rows(
            f"""SELECT {columns}, model, currency, 1, total(wall_s), total(cpu_s),
                       total(energy_j), total(money)
                FROM run LEFT JOIN usage ON usage.run = run.id
                WHERE ?1 IN ('', model, model_id) AND ?2 IN ('', kind)
                GROUP BY run.id ORDER BY began DESC, run.id LIMIT ?3""", (model, kind, at_most))
        width = len(_RUN_FIELDS)
        return [(Run(**dict(zip(_RUN_FIELDS, row[:width], strict=True))), _sums(row[width:]))
                for row in rows]


@contextlib.contextmanager
def open_ledger(path: Path | None = None, *, patience_s: float = 5.0, make: bool = True,
                ) -> Iterator[Ledger]:
    """The ledger while the block runs; see `Ledger`.

    Args:
        path: Instead of the person's own.
        patience_s: How long to wait for others who write.
        make: Whether to make one that is not there yet; otherwise an empty one is read instead.

    Raises:
        DatabaseError: It cannot be opened.
    """
    place = path or ledger_path()
    ledger = Ledger(place if make or place.exists() else NOWHERE, patience_s=patience_s)
    try:
        yield ledger
    finally:
        ledger.close()


def _sums(row: Sequence[Any]) -> Sums:
    names = (field.name for field in fields(Sums))
    return Sums(**dict(zip(names, row, strict=True)))
