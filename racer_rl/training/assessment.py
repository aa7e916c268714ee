"""The evaluations of a run: when they are due, what they showed, and which policy is the best."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from racer_rl.evaluation.laps import Evaluation
from racer_rl.training.acting import FEW_THREADS, deterministic_policy, torch_threads
from racer_rl.training.checkpoint import Model, Snapshot
from racer_rl.training.examiner import Examiner, Question
from racer_rl.training.history import History, Row
from racer_rl.training.judgement import Judgement, Podium, judge
from racer_rl.training.networks import find_network
from racer_rl.training.plan import TrainingPlan
from racer_sim.simulator import Simulator

EVALUATION_GROWTH: Final = 0.05
EVALUATION_COST: Final = 0.4
"""The next evaluation comes after a round, but no sooner than this share of all steps so far, and
than this share of the steps that the last one took: those are several times cheaper than steps
that are learnt from.

Early it is what tells the moment to stop, late it would cost more than it tells. Counted in steps,
not seconds, so that the same seed takes the same course on any machine.
"""

CONVOLUTION_COST: Final = 0.05
"""The same for convolutions: there it is learning that costs time, more than driving does."""

HELD_OUT_COST: Final = 1.0
"""The same where driving elsewhere is asked for: that takes many more steps, in a process of its
own, and by then it mostly has the answer."""

FIRST_ANSWER_STEPS: Final = 4_000
"""The same before it is known how many steps such an evaluation takes."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A policy that was given to be judged, and all that makes it a checkpoint.

    Attributes:
        steps: Of training until then.
        reward: Mean return of the episodes then; None before the first.
        snapshot: Of the model.
        cars: State of the cars, as a checkpoint keeps it.
    """

    steps: int
    reward: float | None
    snapshot: Snapshot
    cars: Mapping[str, Any]


class Assessment:
    """Has the policy judged now and then, in the background where that takes long.

    Attributes:
        judgement: The latest.
        history: All of them.
        best: What the best policy showed, of this session; None before the first.
        best_record: The same and its steps as plain data, of all sessions; empty before.
        warning: That the model was overtrained once; None as long as it was not.
    """

    def __init__(self, plan: TrainingPlan, elsewhere: Simulator | None,
                 keep: Callable[[Candidate], None], *, aside: bool) -> None:
        """Begin with nothing judged.

        Args:
            plan: What is to be driven.
            elsewhere: Where, instead of embedded simulators made for it; its cars' episodes end.
            keep: Told of each policy that is the best so far.
            aside: Judge in a process of its own while training goes on; not with `elsewhere`.
        """
        self.judgement, self.history = Judgement(), History()
        self.best: Evaluation | None = None
        self.best_record: dict[str, Any] = {}
        self.warning: str | None = None
        self._plan, self._elsewhere, self._keep = plan, elsewhere, keep
        self._podium, self._due_at = Podium(), 0
        self._candidate: Candidate | None = None
        self._examiner = Examiner() if aside else None

    def resume(self, last: Mapping[str, Any], best: Mapping[str, Any] | None) -> None:
        """Go on as of earlier sessions.

        Args:
            last: What the last checkpoint keeps.
            best: What the best one does; None if there is none. The last may be older: a kill can
                fall between the two.
        """
        self._due_at, self.history = last['evaluate_at'], History(last.get('history', ()))
        self.warning = self.history.warning
        if best is not None:
            self.best_record, self._podium = best['best'], Podium(best.get('podium'))

    def as_plain(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {'best': self.best_record, 'podium': self._podium.as_plain(),
                'evaluate_at': self._due_at, 'history': self.history.as_plain()}

    def is_due(self, steps: int) -> bool:
        """Whether the policy is to be judged after so many steps of training."""
        return steps >= self._due_at

    def assess(self, model: Model, reward: float | None,
               cars: Callable[[], Mapping[str, Any]]) -> None:
        """Have the policy judged: at once, or aside, and told at the next one.

        Args:
            model: That learns.
            reward: Mean return of its recent episodes.
            cars: Gives the state of the cars.
        """
        steps = model.num_timesteps

        def candidate() -> Candidate:
            return Candidate(steps, reward, Snapshot(model), cars())

        if self._examiner is not None:
            self.hear()
            self._candidate = candidate()
            self._examiner.ask(Question(deterministic_policy(model), self._plan,
                                        self._podium.as_plain()))
            took = HELD_OUT_COST * self.judgement.car_steps or FIRST_ANSWER_STEPS
        else:
            with torch_threads(FEW_THREADS):
                judged = judge(deterministic_policy(model), self._plan, self._elsewhere,
                               self._podium.would_take)
            if self._take(judged, steps, reward):
                self._keep(candidate())
            if self._elsewhere is not None:
                model._last_obs = None  # the learner's episodes gave way to the evaluation
            large = find_network(self._plan.setup.network).convolutions
            took = (CONVOLUTION_COST if large else EVALUATION_COST) * judged.car_steps
        for name, value in self.judgement.figures.items():
            model.logger.record(f'evaluation/{name}', value)
        self._due_at = steps + int(max(EVALUATION_GROWTH * steps, took))

    def conclude(self, model: Model, reward: float | None,
                 cars: Callable[[], Mapping[str, Any]]) -> None:
        """At the end, hear what is being judged aside, or have the last policy judged at once.

        The last steps, where a learning rate has fallen, are the best; arguments as of `assess`.
        """
        if self._examiner is not None:
            self.hear()
        elif self.history.rows and self.history.rows[-1].steps < model.num_timesteps:
            self.assess(model, reward, cars)

    def hear(self) -> None:
        """Take the judgement that is made aside, if one is; waits for it."""
        if self._examiner is None or self._candidate is None:
            return
        candidate, self._candidate = self._candidate, None
        if self._take(self._examiner.answer(), candidate.steps, candidate.reward):
            self._keep(candidate)

    def _take(self, judged: Judgement, steps: int, reward: float | None) -> bool:
        """Note a judgement; whether that policy is the best (ties take the newer)."""
        self.judgement, evaluation = judged, judged.evaluation
        assert evaluation is not None
        self.history.add(Row(
            steps=steps, reward=reward, clean_share=evaluation.clean_share,
            held_out=judged.held_out, mean_lap_s=evaluation.mean_lap_s))
        self.warning = self.warning or self.history.warning
        self._podium.overtrained = self.warning is not None
        is_best = self._podium.take(judged.merit)
        if is_best:
            self.best = evaluation
            self.best_record = {'steps': steps, 'evaluation': judged.as_dict()}
        return is_best

    def close(self) -> None:
        """End the process of the background, whatever it is doing."""
        if self._examiner is not None:
            self._examiner.close()
