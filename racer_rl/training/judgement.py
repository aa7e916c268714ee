"""How good a policy is while it trains: clean laps, and whether they were luck.

Twelve clean laps can be luck: four starts, each with the image age that was drawn for it. A policy
that has driven them all therefore drives many more, from other starts and with other ages, before
it counts as one that drives clean laps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from racer_rl.evaluation.laps import Evaluation, Policy, evaluate
from racer_rl.training.plan import TrainingPlan
from racer_sim.simulator import Simulator


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a policy showed.

    Attributes:
        evaluation: Of the plan's laps; None before the first.
        confirmation: Of the laps that confirm it; None if there were none to drive.
        taken_at_its_word: Whether clean laps need no confirmation.
    """

    evaluation: Evaluation | None = None
    confirmation: Evaluation | None = None
    taken_at_its_word: bool = False

    @property
    def drives_clean_laps(self) -> bool:
        """Whether every lap was clean, and no luck."""
        if self.evaluation is None or not self.evaluation.is_clean:
            return False
        if self.confirmation is None:
            return self.taken_at_its_word
        return self.confirmation.is_clean

    @property
    def rank(self) -> tuple[float, ...]:
        """Greater is better: clean laps, those that confirm them, then pace."""
        assert self.evaluation is not None
        confirmed = self.confirmation.reliability if self.confirmation else (0.0, 0.0)
        return (*self.evaluation.reliability, *confirmed, self.evaluation.pace)

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
        return figures

    def as_dict(self) -> dict[str, Any]:
        """Plain data for the model's folder: the evaluation, and what confirmed it."""
        assert self.evaluation is not None
        confirmed = None
        if self.confirmation is not None:
            confirmed = {'clean_laps': self.confirmation.clean_laps,
                         'total_laps': self.confirmation.total_laps}
        return {**self.evaluation.as_dict(), 'confirmation': confirmed}


def judge(policy: Policy, plan: TrainingPlan, simulator: Simulator | None,
          to_beat: tuple[float, ...] = ()) -> Judgement:
    """Evaluate a policy that trains, and confirm it where that could change anything.

    Args:
        policy: To judge.
        plan: What it has to drive.
        simulator: Where, instead of embedded ones made for it.
        to_beat: Rank of the best before; a policy that could not reach it even if all confirmed
            it is not confirmed, which saves time.
    """
    evaluation = evaluate(policy, plan.setup, plan.evaluation, simulator=simulator)
    judged = Judgement(evaluation, taken_at_its_word=plan.confirmation is None)
    if plan.confirmation is None or not evaluation.is_clean:
        return judged
    if (*evaluation.reliability, math.inf, 1.0, evaluation.pace) < to_beat:
        return judged
    return Judgement(evaluation, evaluate(policy, plan.setup, plan.confirmation))
