"""An evaluation beside the lap bound: how near its laps come to what the track allows.

The bound (`racer_sim.lap_bound`) is one for flying laps that can be repeated, of the car as
specified. So only clean laps are compared that are not the first of their run, and their mean, not
the best: a single lap may be faster than the bound at the cost of the next. A car with other grip
or mass, as randomisation draws them, has another bound.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from racer_rl.evaluation.laps import Evaluation, Run, rounded
from racer_sim.rules import Lap

if TYPE_CHECKING:  # SciPy takes a second to import
    from racer_sim.lap_bound import LapBound


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a policy showed, and what can be shown.

    Attributes:
        evaluation: The runs, in order of course.
        bounds: Of each course, None where there is none; empty if nobody asked.
    """

    evaluation: Evaluation
    bounds: tuple[LapBound | None, ...] = ()

    @property
    def runs(self) -> tuple[tuple[Run, LapBound | None], ...]:
        """Every run with the bound of its course."""
        runs, starts = self.evaluation.runs, self.evaluation.plan.starts
        bounds = self.bounds or (None,) * (len(runs) // starts)
        return tuple((run, bounds[index // starts]) for index, run in enumerate(runs))

    @property
    def lap_bound_s(self) -> float | None:
        """The bound; None if there is none, or several courses have one each."""
        only = self.bounds[0] if len(self.bounds) == 1 else None
        return None if only is None else only.bound_s

    @property
    def mean_flying_lap_s(self) -> float | None:
        """Mean time of the flying laps; None without one."""
        times = [lap.time_s for run in self.evaluation.runs for lap in flying_laps(run)]
        return float(np.mean(times)) if times else None

    @property
    def ratio(self) -> float | None:
        """Mean of flying laps over the bounds of their courses; None without one or the other."""
        return mean_ratio(self.runs)

    def as_dict(self) -> dict[str, Any]:
        """The evaluation's plain data, with bounds and ratios overall and of every run."""
        record = self.evaluation.as_dict()
        runs = [{**line, 'lap_bound_s': rounded(None if bound is None else bound.bound_s),
                 'ratio': rounded(mean_ratio([(run, bound)]))}
                for line, (run, bound) in zip(record.pop('runs'), self.runs, strict=True)]
        return {**record, 'lap_bound_s': rounded(self.lap_bound_s),
                'ratio': rounded(self.ratio), 'runs': runs}


def flying_laps(run: Run) -> tuple[Lap, ...]:
    """The clean laps of a run but its first, which began at rest."""
    return tuple(lap for lap in run.laps if lap.clean and lap.number > 1)


def mean_ratio(runs: Iterable[tuple[Run, LapBound | None]]) -> float | None:
    """Mean of the flying laps of runs over their bounds.

    Args:
        runs: Each with the bound of its course.

    Returns:
        1 cannot be beaten; None without a flying lap, or where one has no bound.
    """
    flying = [(lap.time_s, bound) for run, bound in runs for lap in flying_laps(run)]
    ratios = [bound.ratio(time_s) for time_s, bound in flying if bound is not None]
    return float(np.mean(ratios)) if flying and len(ratios) == len(flying) else None
