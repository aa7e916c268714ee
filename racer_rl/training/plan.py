"""What a training run is asked to do, and why it may stop."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from racer_rl.envs.build import RaceSetup
from racer_rl.evaluation.laps import EvaluationPlan
from racer_rl.training.hyperparameters import Hyperparameters
from racer_vehicle.spec import require_range


class StopReason(StrEnum):
    """Why training ended, in the words people read."""

    LAPS = 'every evaluation lap was clean'
    STEPS = 'the step limit was reached'
    TIME = 'the time limit was reached'
    EPISODES = 'the episode limit was reached (term_cond_max_episodes)'
    RETURN = 'the mean reward of an episode reached its goal (term_cond_avg_score)'
    INTERRUPTED = 'interrupted'


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When to stop; whichever comes first.

    Attributes:
        time_s: Seconds of this session.
        steps: Environment steps in total, resumed ones included.
        until_laps: Stop once every lap of the evaluation is clean, and every one that confirms it.
    """

    time_s: float = float('inf')
    steps: int | None = None
    until_laps: bool = False

    def __post_init__(self) -> None:
        if self.time_s != float('inf'):
            require_range(self, time_s=(0.1, 1e8))
        if self.steps is not None:
            require_range(self, steps=(1, 10**12))


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPlan:
    """Everything that a run needs to know.

    Attributes:
        setup: Car, track and task.
        hyperparameters: Of the learner; their type names the algorithm.
        limits: When to stop.
        evaluation: What the policy is judged on.
        confirmation: What a policy whose laps were all clean has to drive besides, before it
            counts as one that drives clean laps; None: its word is taken.
        seed: Of network, exploration and simulator; NumPy's global generator takes 32 bits.
    """

    setup: RaceSetup
    hyperparameters: Hyperparameters
    limits: Limits
    evaluation: EvaluationPlan = field(default_factory=EvaluationPlan)
    confirmation: EvaluationPlan | None = field(
        default_factory=lambda: EvaluationPlan(starts=16, seed=1))
    seed: int = 0

    def __post_init__(self) -> None:
        require_range(self, seed=(0, 2**32 - 1))
