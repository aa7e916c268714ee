"""Why a run stops: a goal or a limit is reached, or driving elsewhere no longer gets better."""

from __future__ import annotations

from collections.abc import Callable

from racer_rl.training.assessment import Assessment
from racer_rl.training.history import History, Verdict
from racer_rl.training.plan import Limits, StopReason, TrainingPlan
from racer_rl.training.standing import Meter

Brake = Callable[[], StopReason | None]
"""Tells why a run has to stop now, or None."""


def no_brake() -> StopReason | None:
    """A brake that never stops anything."""
    return None


def reached(plan: TrainingPlan, meter: Meter, assessment: Assessment, *, steps: int,
            seconds: float, model_learns: bool, interrupted: bool) -> StopReason | None:
    """The first goal or limit that is reached; None as long as none is.

    Args:
        plan: With goals and limits.
        meter: Of the cars that learn.
        assessment: Of the model so far.
        steps: That the model has, all sessions together.
        seconds: Of this session.
        model_learns: Whether the cars of `meter` are the model's and not its teacher's.
        interrupted: Whether a person wants it to stop.
    """
    limits, settings, judgement = plan.limits, plan.hyperparameters, assessment.judgement
    score = None if judgement.elsewhere is None else judgement.elsewhere.score
    reasons = {
        StopReason.LAPS: limits.until_laps and judgement.drives_clean_laps,
        StopReason.ROBUST: (limits.until_robust is not None and score is not None
                            and score >= limits.until_robust),
        StopReason.INTERRUPTED: interrupted,
        StopReason.STEPS: limits.steps is not None and steps >= limits.steps,
        StopReason.TIME: seconds >= limits.time_s,
        StopReason.EPISODES: meter.episodes >= settings.max_episodes,
        StopReason.RETURN: (model_learns and meter.mean_reward is not None
                            and meter.mean_reward >= settings.stop_mean_return),
    }
    return next((reason for reason, is_reached in reasons.items() if is_reached), None)


def no_longer_better(limits: Limits, history: History) -> StopReason | None:
    """What driving elsewhere says, where the run is to listen to it; None: go on."""
    if not limits.early or history.verdict is Verdict.GO_ON:
        return None
    return StopReason(history.verdict.value)
