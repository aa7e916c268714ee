"""How good a policy is while it trains: clean laps, whether they were luck, and elsewhere.

Twelve clean laps can be luck: four starts, each with the image age that was drawn for it. A policy
that has driven them all therefore drives many more, from other starts and with other ages, before
it counts as one that drives clean laps. In company forty can be luck, of where the boxes stood:
there a policy that is nearly clean drives more laps as well, and all of them count alike. Where it
is asked for, a policy also drives under conditions and on tracks that it was not trained for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from racer_rl.evaluation.laps import Evaluation, Policy, evaluate, few_tracks
from racer_rl.evaluation.suite import SuiteResult, run_suite
from racer_rl.training.history import HELD_OUT_TOLERANCE
from racer_rl.training.plan import TrainingPlan
from racer_sim.simulator import Simulator

DRIVES_AT_HOME: Final = 0.5
"""Share of its own distance from which a policy is asked to drive elsewhere: before, it takes long
to learn nothing."""


NEARLY_CLEAN: Final = 0.9
"""Share of clean laps from which, in company, more laps are driven."""

STEP_AMONG_OTHERS: Final = 0.1
"""Shares of clean laps nearer than this are the same among others that move: the cleanest policies
wait behind them, and the faster one wins the race."""


class Merit(NamedTuple):
    """What policies are compared by, in this order.

    Attributes:
        reliability: Clean laps of the evaluation, and its completion; in company its clean laps if
            it went as well as with those that confirm it.
        confirmed: The same of the laps that confirm it; zeros without them.
        held_out: How well it drives elsewhere, 0 to 1; None if not asked.
        pace: Less the mean lap time, seconds.
    """

    reliability: tuple[float, float]
    confirmed: tuple[float, float]
    held_out: float | None
    pace: float


class Podium:
    """The best so far. A faster policy wins only if it drives elsewhere about as well as any.

    Attributes:
        best: Merit of the best; None before the first.
        most_held_out: Of all policies that were judged.
        overtrained: Set once driving elsewhere gets worse: then being faster is not enough.
    """

    def __init__(self, kept: Mapping[str, Any] | None = None) -> None:
        """Begin, or go on from `as_plain`."""
        kept = kept or {}
        self.best = _merit_of(kept['best']) if kept.get('best') else None
        self.most_held_out: float | None = kept.get('most_held_out')
        self.overtrained: bool = kept.get('overtrained', False)

    def as_plain(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {'best': None if self.best is None else list(self.best),
                'most_held_out': self.most_held_out, 'overtrained': self.overtrained}

    def would_take(self, merit: Merit) -> bool:
        """Whether a policy is better than the best, or as good: ties take the newer."""
        most = max(self.most_held_out or 0.0, merit.held_out or 0.0)
        if self.best is not None and self.overtrained and (
                (merit.held_out or 0.0) <= (self.best.held_out or 0.0)):
            return False
        return self.best is None or _key(merit, most) >= _key(self.best, most)

    def take(self, merit: Merit) -> bool:
        """Note a policy; returns whether it is the best now."""
        is_best = self.would_take(merit)
        if merit.held_out is not None:
            self.most_held_out = max(self.most_held_out or 0.0, merit.held_out)
        if is_best:
            self.best = merit
        return is_best


def _key(merit: Merit, most_held_out: float) -> tuple[float, ...]:
    holds = (merit.held_out or 0.0) >= most_held_out - HELD_OUT_TOLERANCE
    return (*merit.reliability, *merit.confirmed, holds, merit.pace)


def _merit_of(plain: Sequence[Any]) -> Merit:
    reliability, confirmed, held_out, pace = plain
    return Merit(tuple(reliability), tuple(confirmed), held_out, pace)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a policy showed.

    Attributes:
        evaluation: Of the plan's laps; None before the first.
        confirmation: Of the laps that confirm it; None if there were none to drive.
        taken_at_its_word: Whether clean laps need no confirmation.
        elsewhere: Under conditions and on tracks that it was not trained for; None if not asked.
        counts_alike: Whether the laps that confirm it are worth as much as the others.
        among_others: Whether there were others that moved.
    """

    evaluation: Evaluation | None = None
    confirmation: Evaluation | None = None
    taken_at_its_word: bool = False
    elsewhere: SuiteResult | None = None
    counts_alike: bool = False
    among_others: bool = False

    @property
    def drives_clean_laps(self) -> bool:
        """Whether every lap was clean, and no luck."""
        if self.evaluation is None or not self.evaluation.is_clean:
            return False
        if self.confirmation is None:
            return self.taken_at_its_word
        return self.confirmation.is_clean

    @property
    def held_out(self) -> float | None:
        """How well it drives elsewhere, 0 to 1: mean of score and distance; None if not asked.

        The distance tells of progress before the first clean lap does.
        """
        if self.elsewhere is None:
            return None
        return 0.5 * (self.elsewhere.score + self.elsewhere.completion)

    @property
    def merit(self) -> Merit:
        """What it is compared by."""
        assert self.evaluation is not None
        driven, more = self.evaluation, self.confirmation
        reliability, confirmed = driven.reliability, (0.0, 0.0)
        if more is not None:
            confirmed = more.reliability
        if self.counts_alike:
            every = driven if more is None else replace(driven, runs=(*driven.runs, *more.runs))
            reliability = self._counted(every.clean_share), every.completion
        if self.among_others:
            reliability, confirmed = (reliability[0], 0.0), (0.0, 0.0)
        return Merit(reliability, confirmed, self.held_out, driven.pace)

    def merit_at_best(self, more_laps: int) -> Merit:
        """Its merit if all of so many laps that confirm it were clean."""
        assert self.evaluation is not None
        clean, total = self.evaluation.clean_laps, self.evaluation.total_laps
        if not self.counts_alike:
            return self.merit._replace(confirmed=(math.inf, 1.0))
        reliability = self._counted((clean + more_laps) / (total + more_laps)), 1.0
        return self.merit._replace(reliability=reliability, confirmed=(math.inf, 1.0))

    def _counted(self, clean_share: float) -> float:
        """So many clean laps, of those of an evaluation, that a share of all laps counts for."""
        assert self.evaluation is not None
        if self.among_others:
            clean_share = STEP_AMONG_OTHERS * round(clean_share / STEP_AMONG_OTHERS)
        return clean_share * self.evaluation.total_laps

    @property
    def car_steps(self) -> int:
        """Control periods that were driven for it, all cars together."""
        parts = (self.evaluation, self.confirmation, self.elsewhere)
        return sum(part.car_steps for part in parts if part is not None)

    @property
    def figures(self) -> dict[str, float]:
        """What to plot over the steps; nothing before the first."""
        if self.evaluation is None:
            return {}
        figures = {'clean_laps': self.evaluation.clean_laps,
                   'completion': self.evaluation.completion}
        if self.evaluation.mean_lap_s is not None:
            figures['mean_lap_s'] = self.evaluation.mean_lap_s
        if self.confirmation is not None:
            figures['confirmed_completion'] = self.confirmation.completion
        if self.elsewhere is not None:
            figures['robust_score'] = self.elsewhere.score
            figures['robust_completion'] = self.elsewhere.completion
        return figures

    def as_dict(self) -> dict[str, Any]:
        """Plain data for the model's folder: the evaluation, and what confirmed it."""
        assert self.evaluation is not None
        confirmed = None
        if self.confirmation is not None:
            confirmed = {'clean_laps': self.confirmation.clean_laps,
                         'total_laps': self.confirmation.total_laps}
        robust = None if self.elsewhere is None else round(self.elsewhere.score, 6)
        return {**self.evaluation.as_dict(), 'confirmation': confirmed, 'robust_score': robust}


def judge(policy: Policy, plan: TrainingPlan, simulator: Simulator | None,
          could_be_best: Callable[[Merit], bool] = lambda merit: True, *,
          blind: bool = False) -> Judgement:
    """Evaluate a policy that trains, and confirm it where that could change anything.

    Args:
        policy: To judge.
        plan: What it has to drive.
        simulator: Where, instead of embedded ones made for it.
        could_be_best: Whether a merit would be the best; a policy that would not be even if all
            its laps were confirmed is not confirmed, which saves time.
        blind: The policy reads only what is privileged; see `RaceBatch`.
    """
    setup, wider = few_tracks(plan.setup), plan.confirmation
    evaluation = evaluate(policy, setup, plan.evaluation, simulator=simulator, blind=blind)
    elsewhere = None
    if plan.held_out is not None and evaluation.completion >= DRIVES_AT_HOME:
        elsewhere = run_suite(policy, setup, plan.held_out)
    judged = Judgement(evaluation, None, wider is None, elsewhere,
                       counts_alike=setup.race.has_company, among_others=setup.race.can_overtake)
    nearly = judged.counts_alike and evaluation.clean_share >= NEARLY_CLEAN
    if wider is None or not (evaluation.is_clean or nearly):
        return judged
    if not could_be_best(judged.merit_at_best(wider.laps * wider.starts * setup.course_count)):
        return judged
    return replace(judged, confirmation=evaluate(policy, setup, wider, blind=blind))
