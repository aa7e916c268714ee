"""The ways to a model: by trial, as PPO and SAC go, or by a teacher that goes ahead.

A route does one round at a time; the loop around it (`train`) is the same for both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol, cast

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from racer_rl.envs.batch import Observation
from racer_rl.envs.vector import RaceVecEnv
from racer_rl.training.acting import FEW_THREADS, torch_threads
from racer_rl.training.algorithms import RacerPPO
from racer_rl.training.checkpoint import Model
from racer_rl.training.curriculum import ClearanceCurriculum, SpeedCurriculum
from racer_rl.training.distillation import Lessons, Student
from racer_rl.training.hyperparameters import PPOHyperparameters
from racer_rl.training.plan import TrainingPlan
from racer_rl.training.standing import Meter
from racer_rl.training.teacher import Teacher

SAC_ROUND_STEPS: Final = 512
"""Steps of SAC between two looks at the clock; PPO's rounds are its rollouts."""

TEACHER, STUDENT, PRACTICE = 'teacher', 'student', 'practice'

TEACHER_SHARE: Final = 0.4
"""Of a limit on steps or time: as much as the teacher may use of it."""

Spent = Callable[[], float]
"""Tells which share of its limit on steps or time a run has used, 0 to 1."""


class Route(Protocol):
    """How rounds are driven and learnt from."""

    @property
    def phase(self) -> str | None:
        """Who learns, where it is not just the model."""
        ...

    @property
    def moves_model(self) -> bool:
        """Whether the model is what learns now."""
        ...

    @property
    def by_trial(self) -> bool:
        """Whether it needs nothing but the model and its cars: it can be resumed exactly."""
        ...

    def learn(self) -> None:
        """Drive and learn a round; counts in the model's `num_timesteps`.

        Raises:
            RewardError: The reward function failed; the model is as before the round.
        """
        ...

    def close(self) -> None:
        """End what it started; a second time does nothing."""
        ...


class TrialRoute:
    """The model drives, and learns from what its driving was paid.

    Attributes:
        phase: `PRACTICE` where a teacher has gone ahead and this was planned, else None.
    """

    moves_model = True
    by_trial = True

    def __init__(self, model: Model, env: RaceVecEnv, plan: TrainingPlan, meter: Meter,
                 spent: Spent, curriculum: SpeedCurriculum) -> None:
        """Take what will learn, who counts, who knows how much is left, and what holds back.

        Args:
            model: That learns.
            env: Its cars; those that practise keep more distance.
            plan: With its settings.
            meter: Counts.
            spent: Of the run's limits.
            curriculum: Of its cars.
        """
        settings = plan.hyperparameters
        self._model, self._meter = model, meter
        self._spent, self._decay = spent, settings.learning_rate_decay
        self._rate = settings.learning_rate
        self._curriculum, self._practice = curriculum, plan.practice
        self.phase: str | None = None
        if self._practice is not None:
            self.phase = PRACTICE
            env.batch.simulator.body_margin_m = self._practice.practice_margin_m
        self._round_steps = (settings.rollout_steps if isinstance(settings, PPOHyperparameters)
                             else SAC_ROUND_STEPS)

    def learn(self) -> None:
        """See `Route`."""
        self._model.rate_share = self._rate_share()
        self._model.learn(self._round_steps, callback=self._meter, log_interval=1,
                          reset_num_timesteps=False)
        self._curriculum.advance(self._meter.completion)

    def _rate_share(self) -> float:
        practice = self._practice
        if practice is None:
            return 1.0 - self._decay * self._spent()
        left = min((1.0 - self._spent()) / practice.practice_share, 1.0)
        return left * practice.practice_rate / self._rate

    def close(self) -> None:
        """Nothing was started."""


class TaughtRoute:
    """A teacher that knows the truth learns by trial; then the model learns from the teacher.

    Where that is planned, the model then practises.

    Attributes:
        phase: `TEACHER`, `STUDENT`, `PRACTICE`.
    """

    def __init__(self, model: RacerPPO, env: RaceVecEnv, plan: TrainingPlan, meter: Meter,
                 spent: Spent, curriculum: SpeedCurriculum, teacher: Teacher) -> None:
        """Take who learns.

        Args:
            model: The student.
            env: Its cars, with cameras.
            plan: With settings of distillation.
            meter: Counts.
            spent: Of the run's limits.
            curriculum: Of the student's cars.
            teacher: Freshly made; closed with the route.
        """
        assert plan.distillation is not None
        self._model, self._env, self._meter, self._teacher = model, env, meter, teacher
        self._in_a_hurry, self._settings = plan.limits.until_laps, plan.distillation
        self._spent, self._decay = spent, plan.hyperparameters.learning_rate_decay
        self._curriculum = SpeedCurriculum(teacher.env.batch, plan.hyperparameters.start_speed_mps)
        self._clearance = ClearanceCurriculum(teacher.env.batch, self._settings.body_margin_m)
        self._student = Student(model.policy, self._settings)
        space = cast(spaces.Dict, env.observation_space)
        self._lessons = Lessons(space, self._settings.memory_mib,
                                np.random.default_rng(plan.seed))
        self.phase: str | None = TEACHER
        self._teaching_began = 0.0
        self._teaching_ends = 1.0 - self._settings.practice_share
        self._practise_as = (model, env, plan, meter, spent, curriculum)
        self._practice: TrialRoute | None = None

    @property
    def moves_model(self) -> bool:
        """See `Route`."""
        return self.phase != TEACHER

    @property
    def by_trial(self) -> bool:
        """See `Route`."""
        return self._practice is not None

    def learn(self) -> None:
        """See `Route`."""
        if (self._settings.practises and self.phase == STUDENT
                and self._spent() >= self._teaching_ends):
            self._practice, self.phase = TrialRoute(*self._practise_as), PRACTICE
            self._meter.forget()
        if self._practice is not None:
            self._practice.learn()
            return
        with torch_threads(FEW_THREADS):
            if self.phase == TEACHER:
                self._teacher_round()
            else:
                self._lesson()

    def close(self) -> None:
        """End the process of the teacher's reward function."""
        self._teacher.close()

    def _teacher_round(self) -> None:
        used = min(self._spent() / TEACHER_SHARE, 1.0)
        self._teacher.learn(self._meter, self._model.logger, 1.0 - self._decay * used)
        self._model.num_timesteps += self._teacher.rollout_steps
        self._curriculum.advance(self._meter.completion)
        self._clearance.advance(self._meter.completion)
        is_ready = self._clearance.is_over and self._teacher.is_ready(in_a_hurry=self._in_a_hurry)
        # Ever smaller steps are worth most at the end: who takes them is not stopped before.
        may_stop = self._in_a_hurry or self._decay == 0.0
        if (is_ready and may_stop) or self._spent() >= TEACHER_SHARE:
            self._teacher.hand_over(self._model.policy)
            self._meter.forget()
            self.phase, self._teaching_began = STUDENT, self._spent()

    def _lesson(self) -> None:
        """Learn from a rollout's frames, seen on the model's way, or at first on the teacher's."""
        first = self._lessons.size == 0
        new = self._model.n_steps * self._env.num_envs
        for _ in range(self._model.n_steps):
            seen = self._observation()
            self._lessons.add(seen, self._teacher.act(seen))
            self._step(self._teacher.explore(seen) if first else self._student.act(seen))
        samples = round(self._settings.samples * new)
        left = ((self._teaching_ends - self._spent())
                / (self._teaching_ends - self._teaching_began))
        rate_share = 1.0 - self._decay * (1.0 - left)
        loss = self._student.learn(self._lessons, samples, rate_share)
        self._model.num_timesteps += new
        self._model._n_updates += max(1, samples // self._lessons.size)
        self._record(loss)

    def _observation(self) -> Observation:
        """What the model's cars see; kept where Stable-Baselines3 keeps it, for who goes on."""
        if self._model._last_obs is None:
            self._model._last_obs = cast(Observation, self._env.reset())
        return cast(Observation, self._model._last_obs)

    def _step(self, actions: NDArray[Any]) -> None:
        seen, _, ended, _ = self._env.step(actions)
        self._model._last_obs = cast(Observation, seen)
        self._model._last_episode_starts = ended
        self._meter.note(self._env)

    def _record(self, loss: float) -> None:
        figures = {'distillation/loss': loss, 'distillation/frames': self._lessons.size,
                   'rollout/ep_rew_mean': self._meter.mean_reward,
                   'rollout/completion': self._meter.completion}
        for name, value in figures.items():
            if value is not None:
                self._model.logger.record(name, value)

