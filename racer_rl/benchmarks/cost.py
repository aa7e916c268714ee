"""What a piece of work costs in wall and CPU seconds, and the spread of repetitions."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from racer_vehicle.errors import RacerError

Tell = Callable[[str], None]
"""Takes a line of progress while a benchmark runs."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of a piece of work.

    Attributes:
        wall_s: On the clock; other processes lengthen it.
        cpu_s: Of all its threads; other processes lengthen it less.
    """

    wall_s: float
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Spread:
    """Repetitions in three numbers."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Median and range of at least one value, to the thousandth."""
        ordered = sorted(round(value, 3) for value in values)
        return cls(round(statistics.median(ordered), 3), ordered[0], ordered[-1])


def cost_of(work: Callable[[], None]) -> Cost:
    """Run something in this process and say what it took."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    work()
    return _cost(time.perf_counter() - wall_s, time.process_time() - cpu_s)


def run_python(
    program: str, arguments: Sequence[str], settings: Mapping[str, str]
) -> tuple[str, Cost]:
    """Run a program in an interpreter of its own, whose start is part of the cost.

    Args:
        program: Python source.
        arguments: Its `sys.argv[1:]`.
        settings: Environment variables besides this process's own.

    Returns:
        Its standard output, and what it took.

    Raises:
        RacerError: It did not leave with 0.
    """
    before, began_s = _children_cpu_s(), time.perf_counter()
    ended = subprocess.run(
        [sys.executable, '-c', program, *arguments],
        env={**os.environ, **settings}, capture_output=True, text=True, check=False,
    )
    cost = _cost(time.perf_counter() - began_s, _children_cpu_s() - before)
    if ended.returncode:
        complaint = (ended.stderr.strip().splitlines() or ['it said nothing'])[-1]
        raise RacerError(
            f'a measured process (racer {" ".join(arguments) or "warm-up"}) left with code '
            f'{ended.returncode}; allowed: 0. It said: {complaint}'
        )
    return ended.stdout, cost


def _cost(wall_s: float, cpu_s: float) -> Cost:
    return Cost(round(wall_s, 6), round(cpu_s, 6))


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
