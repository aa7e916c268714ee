"""What a run takes, added up in quarters of an hour.

How long something took is told by the monotonic clock, which nobody can set. When it was is told
by the wall clock, at the moment of adding: whatever that clock does in between, every second is
in exactly one quarter. Quarters of UTC, because all time zones of today differ from it by whole
quarters: every day, month and year of any of them is made of whole ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from racer_rl.budget.money import Money, Spent
from racer_rl.budget.prices import Rate

QUARTER_S: Final = 900


@dataclass(slots=True)
class Usage:
    """What a run took in one quarter of an hour.

    Attributes:
        wall_s: Seconds.
        cpu_s: Seconds of a core.
        energy_j: Joules; 0 where they are not known.
        money: In the currency of the run's rate.
    """

    wall_s: float = 0.0
    cpu_s: float = 0.0
    energy_j: float = 0.0
    money: float = 0.0

    def grow(self, share: float, wall_s: float, cpu_s: float, energy_j: float, money: float,
             ) -> None:
        """Add a share, 0 to 1, of so much."""
        self.wall_s += share * wall_s
        self.cpu_s += share * cpu_s
        self.energy_j += share * energy_j
        self.money += share * money


class Tally:
    """The sums of one run.

    Attributes:
        rate: What the run costs.
        quarters: Number of a quarter since 1970, UTC, to what the run took in it.
        cpu_s: Seconds of a core so far.
        peak_memory_bytes: The most that was ever told.
        energy_measured: Whether the energy is measured and not estimated, from the first moment.
    """

    def __init__(self, rate: Rate, began_s: float, *, energy_measured: bool) -> None:
        """Begin with nothing.

        Args:
            rate: What the run costs.
            began_s: The monotonic clock.
            energy_measured: Whether each addition brings a reading of energy.
        """
        self.rate, self.energy_measured = rate, energy_measured
        self.quarters: dict[int, Usage] = {}
        self.peak_memory_bytes, self.cpu_s = 0, 0.0
        self._sum, self._last_s = Usage(), began_s
        self._changed: set[int] = set()

    def add(self, monotonic_s: float, utc_s: float, *, cpu_s: float, memory_bytes: int,
            energy_j: float | None, sharing: int) -> None:
        """Add what the run took since the last time.

        Args:
            monotonic_s: The monotonic clock.
            utc_s: The wall clock, seconds since 1970, UTC.
            cpu_s: Seconds of a core since the run began; fewer than before count as before.
            memory_bytes: Held now.
            energy_j: Joules since the last time, as measured; None to estimate them.
            sharing: Runs that share the machine, this one included, 1 or more.
        """
        wall_s = max(monotonic_s - self._last_s, 0.0)
        worked_s = max(cpu_s - self.cpu_s, 0.0)
        self._last_s, self.cpu_s = max(monotonic_s, self._last_s), max(cpu_s, self.cpu_s)
        self.peak_memory_bytes = max(self.peak_memory_bytes, memory_bytes)
        if energy_j is None:
            self.energy_measured = False
            energy_j = self._estimated_j(wall_s / sharing, worked_s)
        money = wall_s / sharing * self.rate.per_wall_s + worked_s * self.rate.per_cpu_s
        self._sum.grow(1.0, wall_s, worked_s, energy_j, money)
        for quarter, share in spread(utc_s, wall_s):
            self.quarters.setdefault(quarter, Usage()).grow(share, wall_s, worked_s, energy_j,
                                                            money)
            self._changed.add(quarter)

    @property
    def spent(self) -> Spent:
        """The sums as of the last addition."""
        known = self.energy_measured or self.rate.idle_w is not None
        return Spent(
            wall_s=self._sum.wall_s, cpu_s=self._sum.cpu_s,
            peak_memory_bytes=self.peak_memory_bytes,
            energy_j=self._sum.energy_j if known else None,
            energy_measured=self.energy_measured,
            money=Money(self._sum.money, self.rate.currency))

    def unwritten(self, *, everything: bool = False) -> dict[int, Usage]:
        """Quarters that have grown since they were written, or all of them, as they are now."""
        chosen = self.quarters if everything else self._changed
        return {quarter: replace(self.quarters[quarter]) for quarter in sorted(chosen)}

    def written(self, usage: Mapping[int, Usage]) -> None:
        """Be told that this, from `unwritten`, is written."""
        self._changed -= {quarter for quarter, each in usage.items()
                          if self.quarters[quarter] == each}

    def _estimated_j(self, wall_s: float, cpu_s: float) -> float:
        return wall_s * (self.rate.idle_w or 0.0) + cpu_s * (self.rate.busy_core_w or 0.0)


def spread(end_s: float, duration_s: float) -> list[tuple[int, float]]:
    """How a stretch of time falls into quarters of an hour.

    Args:
        end_s: Its end, seconds since 1970, UTC.
        duration_s: Its length, 0 or more.

    Returns:
        Number of a quarter and the share of the stretch in it, above 0 and 1 in sum; for a
        stretch of no length, all of it where it ends.
    """
    begin_s = end_s - duration_s
    first, last = math.floor(begin_s / QUARTER_S), math.floor(end_s / QUARTER_S)
    if first == last or duration_s <= 0.0:
        return [(last, 1.0)]
    inside = {quarter: min(end_s, (quarter + 1) * QUARTER_S) - max(begin_s, quarter * QUARTER_S)
              for quarter in range(first, last + 1)}
    # Not by the duration: what is left of 1970's seconds after rounding would be lost or doubled.
    whole_s = math.fsum(inside.values())
    return [(quarter, part_s / whole_s) for quarter, part_s in inside.items() if part_s > 0.0]
