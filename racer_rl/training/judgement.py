"""How good a policy is while it trains: clean laps, whether they were luck, and elsewhere.

Twelve clean laps can be luck: four starts, each with the image age that was drawn for it. A policy
that has driven them all therefore drives many more, from other starts and with other ages, before
it counts as one that drives clean laps. Where it is asked for, a policy also drives under
conditions and on tracks that it was not trained for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Final

from racer_rl.evaluation.laps import Evaluation, Policy, evaluate
from racer_rl.evaluation.suite import SuiteResult, run_suite
from racer_rl.training.plan import TrainingPlan
from racer_sim.simulator import Simulator

HELD_OUT_STEP: Final = 0.05
"""Held-out driving that differs by less is as good: so few runs tell no more."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a policy showed.

    Attributes:
        evaluation: Of the plan's laps; None before the first.
        confirmation: Of the laps that confirm it; None if there were none to drive.
        taken_at_its_word: Whether clean laps need no confirmation.
        elsewhere: Under conditions and on tracks that it was not trained for; None if not asked.
    """

    evaluation: Evaluation | None = None
    confirmation: Evaluation | None = None
    taken_at_its_word: bool = False
    elsewhere: SuiteResult | None = None

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
    def rank(self) -> tuple[float, ...]:
        """Greater is better: clean laps, those that confirm them, driving elsewhere, then pace."""
        assert self.evaluation is not None
        confirmed = self.confirmation.reliability if self.confirmation else (0.0, 0.0)
        elsewhere = round((self.held_out or 0.0) / HELD_OUT_STEP)
        return (*self.evaluation.reliability, *confirmed, elsewhere, self.evaluation.pace)

    @property
    def car_steps(self) -> int:
        """Control periods that were driven for it, all cars together."""
        parts = (self.evaluation, self.confirmation, self.elsewhere)
        return sum(part.car_steps for part in parts if part is not None)

    @property
    def figures(self) -> dict[str, float]:
        """What to plot over the steps."""
        assert self.evaluation is not None
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
          to_beat: tuple[float, ...] = (), *, blind: bool = False) -> Judgement:
    """Evaluate a policy that trains, and confirm it where that could change anything.

    Args:
        policy: To judge.
        plan: What it has to drive.
        simulator: Where, instead of embedded ones made for it.
        to_beat: Rank of the best before; a policy that could not reach it even if all confirmed
            it is not confirmed, which saves time.
        blind: The policy reads only what is privileged; see `RaceBatch`.
    """
    evaluation = evaluate(policy, plan.setup, plan.evaluation, simulator=simulator, blind=blind)
    elsewhere = run_suite(policy, plan.setup, plan.held_out) if plan.held_out else None
    wider = plan.confirmation
    judged = Judgement(evaluation, None, wider is None, elsewhere)
    if wider is None or not evaluation.is_clean:
        return judged
    if (*evaluation.reliability, math.inf, 1.0, *judged.rank[4:]) < to_beat:
        return judged
    return replace(judged, confirmation=evaluate(policy, plan.setup, wider, blind=blind))
