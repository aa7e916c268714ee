"""The processor's own counters of energy (RAPL), where Linux lets us read them.

They count what all of a processor's cores take, whoever they work for. A run is given the part
that its share of the cores' work makes; so several runs never add up to more than was measured.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

POWERCAP: Final = Path('/sys/class/powercap')
STAT: Final = Path('/proc/stat')

_PACKAGE: Final = re.compile(r'intel-rapl:\d+')
"""One a processor; those below it count parts of the same energy. AMD's have this name too."""

_TICKS: Final = os.sysconf('SC_CLK_TCK')


class EnergyCounter:
    """Energy of a run, read piece by piece.

    Attributes:
        readable: Whether there is a counter that this user may read.
    """

    def __init__(self, powercap: Path = POWERCAP, stat: Path = STAT) -> None:
        """Begin to count.

        Args:
            powercap: Where Linux shows the counters.
            stat: Where Linux shows what the cores did.
        """
        self._stat = stat
        self._last_uj: dict[Path, int] = {}
        for zone in sorted(powercap.glob('*')):
            value = _number(zone / 'energy_uj') if _PACKAGE.fullmatch(zone.name) else None
            if value is not None:
                self._last_uj[zone] = value
        self._busy_s = self._machine_busy_s()
        self.readable = bool(self._last_uj) and self._busy_s is not None

    def read(self, cpu_s: float) -> float | None:
        """Joules since the last reading.

        Args:
            cpu_s: Seconds of a core that the run took since then.

        Returns:
            None if a counter can no longer be read.
        """
        if not self.readable:
            return None
        busy_s, last_s = self._machine_busy_s(), self._busy_s
        joules = [self._advance(zone) for zone in self._last_uj]
        if busy_s is None or last_s is None or None in joules:
            self.readable = False
            return None
        self._busy_s = busy_s
        share = min(cpu_s / (busy_s - last_s), 1.0) if busy_s > last_s else 0.0
        return share * sum(each for each in joules if each is not None)

    def _advance(self, zone: Path) -> float | None:
        """Joules since the last reading of one counter, which begins again when it is full."""
        now, last = _number(zone / 'energy_uj'), self._last_uj[zone]
        if now is None:
            return None
        self._last_uj[zone] = now
        full = 0 if now >= last else (_number(zone / 'max_energy_range_uj') or last)
        return (now - last + full) / 1e6

    def _machine_busy_s(self) -> float | None:
        """Seconds that all cores together have worked since the machine was started."""
        try:
            words = self._stat.read_text(encoding='ascii').split('\n', 1)[0].split()
        except OSError:
            return None
        # user nice system idle iowait irq softirq; guests are in user already.
        ticks = [int(word) for word in words[1:8]]
        return (sum(ticks) - sum(ticks[3:5])) / _TICKS if len(ticks) == 7 else None


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding='ascii'))
    except (OSError, ValueError):
        return None
