"""What a training run is asked to do, and why it may stop."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from racer_rl.envs.build import RaceSetup
from racer_rl.evaluation.laps import EvaluationPlan, few_tracks
from racer_rl.evaluation.suite import SuitePlan
from racer_rl.traces.sampling import Sampling
from racer_rl.training.distillation import Distillation
from racer_rl.training.history import Verdict
from racer_rl.training.hyperparameters import ALGORITHMS, Hyperparameters, PPOHyperparameters
from racer_rl.training.networks import find_network
from racer_vehicle.errors import ConfigError, UnknownNameError
from racer_vehicle.spec import require_range


class StopReason(StrEnum):
    """Why training ended, in the words people read."""

    LAPS = 'every evaluation lap was clean'
    ROBUST = 'the robust score reached its goal'
    PLATEAU = Verdict.PLATEAU.value
    OVERTRAINED = Verdict.OVERTRAINED.value
    STEPS = 'the step limit was reached'
    TIME = 'the time limit was reached'
    EPISODES = 'the episode limit was reached (term_cond_max_episodes)'
    RETURN = 'the mean reward of an episode reached its goal (term_cond_avg_score)'
    COST = 'the cost limit was reached'
    BUDGET = 'a hard budget was reached'
    INTERRUPTED = 'interrupted'

    @property
    def cuts_short(self) -> bool:
        """Whether the run had not come to an end of its own: resumed, it goes on where it was."""
        return self in {StopReason.COST, StopReason.BUDGET, StopReason.INTERRUPTED}


AUTO: Final = 'auto'
"""Not a method: leaves the choice to racer."""


class Method(StrEnum):
    """How a model comes about, as `racer train --method` has it."""

    PPO = 'ppo'
    SAC = 'sac'
    DISTILL = 'distill'

    @property
    def algorithm(self) -> str:
        """The learner's: a taught model goes on with PPO, by which its teacher learnt."""
        return 'sac' if self is Method.SAC else 'ppo'


def find_method(name: str, algorithm: str | None, network: str) -> Method:
    """The method called `name`; `auto` goes by the algorithm, then by the network.

    Pictures that convolutions look at are costly: the less has to be learnt from them, the better.

    Args:
        name: Of a method, or `auto`.
        algorithm: A key of `ALGORITHMS`, where it was given.
        network: A name in the catalogue of networks.

    Raises:
        UnknownNameError: Of the method or the algorithm.
        ConfigError: They contradict each other.
    """
    if name not in (AUTO, *Method):
        raise UnknownNameError('method', name, (AUTO, *Method))
    if algorithm is not None and algorithm not in ALGORITHMS:
        raise UnknownNameError('algorithm', algorithm, ALGORITHMS)
    if name == AUTO and algorithm == Method.SAC:
        return Method.SAC
    if name == AUTO:
        return Method.DISTILL if find_network(network).convolutions else Method.PPO
    method = Method(name)
    if algorithm is not None and ALGORITHMS[algorithm] is not ALGORITHMS[method.algorithm]:
        allowed = 'auto, sac' if algorithm == 'sac' else 'auto, ppo, distill'
        raise ConfigError(f'--method is {name}, but the algorithm is {algorithm}; allowed with '
                          f'that: {allowed}; leave one of them out.')
    return method


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When to stop; whichever comes first.

    Attributes:
        time_s: Seconds of this session.
        steps: Environment steps in total, resumed ones included.
        until_laps: Stop once every lap of the evaluation is clean, and every one that confirms it.
        until_robust: Stop once held-out driving scores so much, 0 to 1.
        early: Stop when held-out driving has stopped improving.
    """

    time_s: float = float('inf')
    steps: int | None = None
    until_laps: bool = False
    until_robust: float | None = None
    early: bool = False

    def __post_init__(self) -> None:
        if self.until_robust is not None:
            require_range(self, until_robust=(0.01, 1.0))
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
        confirmed: Whether a policy whose laps were all clean drives `confirmation` besides, before
            it counts as one that drives clean laps; otherwise its word is taken.
        held_out: What tells how well it drives elsewhere; None: nobody asks.
        distillation: How the model learns from a teacher that goes ahead; None: without one.
        trace: Which iterations' steps are written into the model's folder.
        keep: So many checkpoints that were the best before are kept.
        seed: Of network, exploration and simulator; NumPy's global generator takes 32 bits.
        model_id: Of a new model; empty: drawn when it is made.
    """

    setup: RaceSetup
    hyperparameters: Hyperparameters
    limits: Limits
    evaluation: EvaluationPlan = field(default_factory=EvaluationPlan)
    confirmed: bool = True
    held_out: SuitePlan | None = None
    distillation: Distillation | None = None
    trace: Sampling = Sampling.SAMPLE
    keep: int = 2
    seed: int = 0
    model_id: str = ''

    def __post_init__(self) -> None:
        require_range(self, seed=(0, 2**32 - 1), keep=(0, 1000))
        asked = self.limits.early or self.limits.until_robust is not None
        if asked and self.held_out is None:
            raise ConfigError('until_robust and early stop by held-out driving, and held_out is '
                              'None; allowed with them: a SuitePlan.')
        if self.distillation and not isinstance(self.hyperparameters, PPOHyperparameters):
            raise ConfigError('distillation is given with settings of SAC; allowed: those of PPO, '
                              'by which the teacher learns.')

    @property
    def practice(self) -> Distillation | None:
        """How a model that was taught goes on by trial; None: as one that never had a teacher."""
        taught = self.distillation
        return taught if taught is not None and taught.practises else None

    @property
    def method(self) -> Method:
        """How the model comes about."""
        if self.distillation is not None:
            return Method.DISTILL
        return Method.PPO if isinstance(self.hyperparameters, PPOHyperparameters) else Method.SAC

    @property
    def confirmation(self) -> EvaluationPlan | None:
        """Other starts and image ages than the evaluation's; None if nothing is confirmed.

        Four times as many runs on one course; on many courses, one more than the evaluation's on
        each of them.
        """
        if not self.confirmed:
            return None
        courses = few_tracks(self.setup).course_count
        starts = max(4 * self.evaluation.starts // courses, self.evaluation.starts + 1)
        return replace(self.evaluation, starts=starts, seed=self.evaluation.seed + 1)
