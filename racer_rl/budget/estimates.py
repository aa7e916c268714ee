"""What a run will cost, from its limits and from what earlier runs took."""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from racer_rl.budget.ledger import Run, Sums, open_ledger
from racer_rl.budget.money import Money
from racer_rl.budget.prices import Rate, rate_of_this_machine

LOOKED_AT: Final = 50
"""Runs, the latest of their kind."""

LEAST_S: Final = 5.0
"""Shorter ones spend their time on starting, and say little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a run will cost.

    Attributes:
        money: Of it; with a limit of time, the most it can be unless more cores work than before.
        wall_s: Seconds that it will take, or may take.
        busy_cores: That will work, on average.
        earlier_runs: That this was learnt from; 0: every core is taken to work all the time.
        rate: What the machine costs.
    """

    money: Money
    wall_s: float
    busy_cores: float
    earlier_runs: int
    rate: Rate


def estimate_of(*, time_s: float | None, steps: int | None, kind: str = 'train', model: str = '',
                ) -> Estimate | None:
    """What a run will cost on this machine.

    Args:
        time_s: Its limit of time, seconds; None without one.
        steps: Control periods that it is to drive; None without such a limit.
        kind: What it does, as the ledger has it.
        model: Its name or id: runs of the same model tell more about its speed than others.

    Returns:
        By the limit that comes first; None without a limit, or with one of steps only while no
        earlier run tells how long a step takes.

    Raises:
        ConfigError: The price table cannot be used.
        DatabaseError: The ledger cannot be read.
    """
    rate = rate_of_this_machine()
    with open_ledger(make=False) as ledger:
        all_rows = ledger.runs(kind=kind, at_most=LOOKED_AT)
        own = [*_telling(ledger.runs(kind=kind, model=model, at_most=LOOKED_AT), rate)] \
            if model else []
    rows = own or _telling(all_rows, rate)
    seconds = [time_s] if time_s is not None else []
    paces = [sums.wall_s / run.steps for run, sums in rows if run.steps > 0]
    if steps is not None and paces:
        seconds.append(steps * statistics.median(paces))
    if not seconds:
        return None
    busy = (statistics.median(sums.cpu_s / sums.wall_s for _, sums in rows) if rows
            else float(_usable_cores()))
    wall_s = min(seconds)
    return Estimate(money=rate.cost(wall_s, wall_s * busy), wall_s=wall_s, busy_cores=busy,
                    earlier_runs=len(rows), rate=rate)


def _telling(rows: Sequence[tuple[Run, Sums]], rate: Rate) -> list[tuple[Run, Sums]]:
    """Those that ran on such a machine, and for long enough."""
    return [(run, sums) for run, sums in rows
            if run.machine == rate.machine and sums.wall_s >= LEAST_S]


def _usable_cores() -> int:
    # Not every system pins processes to cores.
    affinity = getattr(os, 'sched_getaffinity', None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1
