"""A run's account: opened when it begins, written to the ledger while it goes on.

A thread of its own measures and writes, every second and a half. Nothing that the ledger does, not
even to be missing, stops or delays the run; what could not be written is written with the next.
"""

from __future__ import annotations

import logging
import math
import os
import platform
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final, Literal

from racer_rl.benchmarks.machine import cpu_model
from racer_rl.budget.energy import EnergyCounter
from racer_rl.budget.ledger import Ledger, Run
from racer_rl.budget.money import Spent
from racer_rl.budget.prices import Rate, rate_of_this_machine
from racer_rl.budget.processes import Sample, sample_family
from racer_rl.budget.usage import Tally
from racer_rl.clock import utc_now, utc_s
from racer_rl.database import DatabaseDamageError, DatabaseError
from racer_vehicle.children import boot_id, start_ticks

Kind = Literal['train', 'evaluate', 'race']

BEAT_S: Final = 1.5
"""Between two entries. A kill loses what came after the last one."""

FRESH_S: Final = 0.5
STALE_S: Final = 2.5
"""What the cores did, and memory, is asked for no more often than the first, and so often at least
as the second, when somebody wants to know; in between as `SAMPLING_SHARE` says."""

SAMPLING_SHARE: Final = 0.003
"""Of a core, for asking: it takes a millisecond, and ten where thousands of processes run."""

PATIENCE_S: Final = 1.0
"""How long one entry waits for other writers, before it goes along with the next."""

LAST_PATIENCE_S: Final = 5.0
"""How long the end of a run waits for its last entry."""

_log = logging.getLogger(__name__)

_current: Final[list[Account]] = []
"""The open account of this process, if there is one."""

# A child that begins as a copy of this process has its own runs.
os.register_at_fork(after_in_child=_current.clear)


class Account:
    """What one run takes, from `account`; may be used from any thread.

    Attributes:
        run_id: Of the run, in the ledger.
    """

    def __init__(self, opening: Run, rate: Rate) -> None:
        """Open it, and begin to write.

        Args:
            opening: The run before it has taken anything.
            rate: What it costs.
        """
        self.run_id, self._run = opening.id, opening
        self._lock = threading.Lock()
        self._energy = EnergyCounter()
        self._tally = Tally(rate, time.monotonic(), energy_measured=self._energy.readable)
        self._began_cpu_s, self._due_s = sample_family().cpu_s, -math.inf
        self._sharing, self._ended = 1, False
        self._ledger: Ledger | None = None
        self._trouble: DatabaseError | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name='ledger', daemon=True)
        self._thread.start()

    @property
    def spent(self) -> Spent:
        """What the run has taken up to now."""
        with self._lock:
            self._measure()
            return self._tally.spent

    def note(self, steps: int, progress: float | None = None) -> None:
        """Say how far the run is.

        Args:
            steps: Control periods that it has driven, 0 or more.
            progress: Completion, 0 to 1; None if that is not known.
        """
        with self._lock:
            known = self._run.progress if progress is None else progress
            self._run = replace(self._run, steps=steps, progress=known)

    def finish(self, outcome: str) -> None:
        """Close it; the first outcome counts.

        Args:
            outcome: How the run ended, for people.
        """
        with self._lock:
            if not self._ended:
                self._due_s = -math.inf
                self._measure()
                self._ended = True
                self._run = replace(self._run, ended=utc_now(), outcome=outcome)
        self._stop.set()
        self._thread.join(LAST_PATIENCE_S + PATIENCE_S)

    def _keep(self) -> None:
        """Write until the end is written too; what the account's own thread does."""
        self._write()
        while not self._stop.wait(BEAT_S):
            self._write()
        until_s = time.monotonic() + LAST_PATIENCE_S
        while not self._write() and time.monotonic() < until_s:
            if isinstance(self._trouble, DatabaseDamageError):
                break
            time.sleep(PATIENCE_S / 5)
        if self._trouble is not None:
            _log.warning('the end of this run is not in the ledger: %s', self._trouble)
        self._let_go()

    def _write(self) -> bool:
        """Write how the run stands, if that is possible."""
        with self._lock:
            self._measure()
            run = self._standing()
            # What is opened again may be another file: somebody moved a damaged one away.
            usage = self._tally.unwritten(everything=self._ledger is None)
        try:
            self._ledger = self._ledger or Ledger(patience_s=PATIENCE_S)
            self._ledger.write(run, usage)
            sharing = self._ledger.sharing(run.boot, run.beat_s)
        except DatabaseError as error:
            if self._trouble is None:
                _log.warning('%s The run goes on; racer tries again.', error)
            self._trouble = error
            self._let_go()
            return False
        with self._lock:
            self._trouble, self._sharing = None, max(sharing, 1)
            self._tally.written(usage)
        return True

    def _let_go(self) -> None:
        if self._ledger is not None:
            self._ledger.close()
        self._ledger = None

    def _measure(self) -> None:
        """Add what was taken since the last time; nothing after the end.

        Time is always added, and the rest when it is due.
        """
        if self._ended:
            return
        now_s, cpu_s, memory_bytes = time.monotonic(), self._tally.cpu_s, 0
        energy_j = 0.0 if self._energy.readable else None
        if now_s >= self._due_s:
            sample, took_s = _timed_sample()
            self._due_s = now_s + min(max(took_s / SAMPLING_SHARE, FRESH_S), STALE_S)
            cpu_s = max(sample.cpu_s - self._began_cpu_s, cpu_s)
            memory_bytes = sample.memory_bytes
            energy_j = self._energy.read(cpu_s - self._tally.cpu_s)
        self._tally.add(now_s, utc_s(), cpu_s=cpu_s, memory_bytes=memory_bytes,
                        energy_j=energy_j, sharing=self._sharing)

    def _standing(self) -> Run:
        spent = self._tally.spent
        source = 'measured' if spent.energy_measured else 'estimated'
        return replace(self._run, written=utc_now(), beat_s=time.monotonic(),
                       peak_memory_bytes=spent.peak_memory_bytes,
                       energy='' if spent.energy_j is None else source)


@contextmanager
def account(kind: Kind, model: str, model_id: str = '') -> Iterator[Account]:
    """Keep the account of a run while the block runs.

    Inside another account of this process the other one goes on: what happens is part of its run.

    Args:
        kind: What the run does.
        model: Name of the model.
        model_id: That outlives its name, if it has one yet.

    Yields:
        The account. The outcome is `done`, `failed` or `interrupted` by how the block ends, if
        nobody tells it another one.

    Raises:
        ConfigError: The price table cannot be used.
    """
    if _current:
        yield _current[0]
        return
    rate = rate_of_this_machine()
    own = Account(_opening(kind, model, model_id, rate), rate)
    _current.append(own)
    outcome = 'failed'
    try:
        yield own
        outcome = 'done'
    except KeyboardInterrupt:
        outcome = 'interrupted'
        raise
    finally:
        _current.remove(own)
        own.finish(outcome)


def _timed_sample() -> tuple[Sample, float]:
    """A sample, and the seconds of a core that it took."""
    began_s = time.thread_time()
    return sample_family(), time.thread_time() - began_s


def _opening(kind: Kind, model: str, model_id: str, rate: Rate) -> Run:
    now = utc_now()
    return Run(
        id=secrets.token_hex(8), kind=kind, model=model, model_id=model_id, machine=rate.machine,
        processor=f'{cpu_model()}, {os.cpu_count() or 1} cores', host=platform.node(),
        boot=boot_id(), pid=os.getpid(), pid_start=start_ticks(os.getpid()), began=now,
        written=now, ended=None, outcome='', beat_s=time.monotonic(), steps=0, progress=None,
        peak_memory_bytes=0, energy='', currency=rate.currency, price=rate.why,
        price_date=rate.date)
