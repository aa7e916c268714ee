"""What a race is won by: the best average of consecutive laps, the best lap, or the total time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from racer_rl.races.result import EntryResult
from racer_vehicle.spec import require_range

LONGEST_S: Final = 86_000.0
"""Of a race; from there on, the original's leaderboards mean that there is no time."""


class Measure(StrEnum):
    """What is compared, by the words that people type."""

    AVERAGE = 'average'
    BEST = 'best'
    TOTAL = 'total'


@dataclass(frozen=True, slots=True, kw_only=True)
class LapFigures:
    """Times of one run, penalties included; None where it has too few laps.

    Attributes:
        average_s: The best mean of consecutive laps.
        best_s: The fastest lap.
        total_s: All laps together, of a run that completed them.
    """

    average_s: float | None = None
    best_s: float | None = None
    total_s: float | None = None

    def __post_init__(self) -> None:
        told = [name for name in ('average_s', 'best_s', 'total_s')
                if getattr(self, name) is not None]
        require_range(self, **dict.fromkeys(told, (1e-3, LONGEST_S)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """How runs are compared; less is better.

    Attributes:
        by: The measure.
        consecutive: Laps that the average is taken of; 3, the console's.
    """

    by: Measure = Measure.AVERAGE
    consecutive: int = 3

    def __post_init__(self) -> None:
        require_range(self, consecutive=(1, 1000))

    def figures(self, result: EntryResult) -> LapFigures:
        """All three measures of a run."""
        times_s, count = result.lap_times_s, self.consecutive
        # fsum: the same laps give the same mean, wherever in the run they are.
        means_s = [math.fsum(times_s[first:first + count]) / count
                   for first in range(len(times_s) - count + 1)]
        whole = result.completion >= 1.0 and times_s
        return LapFigures(average_s=min(means_s, default=None), best_s=min(times_s, default=None),
                          total_s=math.fsum(times_s) if whole else None)

    def score_of(self, figures: LapFigures) -> float | None:
        """What counts of these times, s."""
        return {Measure.AVERAGE: figures.average_s, Measure.BEST: figures.best_s,
                Measure.TOTAL: figures.total_s}[self.by]

    def score(self, result: EntryResult) -> float | None:
        """What a run is worth, s; None: too few laps."""
        return self.score_of(self.figures(result))

    def __str__(self) -> str:
        return {Measure.AVERAGE: f'best average of {self.consecutive} consecutive laps',
                Measure.BEST: 'best lap', Measure.TOTAL: 'total time of all laps'}[self.by]
