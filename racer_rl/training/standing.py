"""Where a training run is: measured while the learner drives, shown after every round."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback

from racer_rl.envs.batch import Ending
from racer_rl.envs.vector import RaceVecEnv
from racer_rl.evaluation.laps import Evaluation
from racer_sim.rules import Status

RECENT_EPISODES: Final = 50
"""Episodes over which reward and completion are averaged for display."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where training is, after a round.

    Attributes:
        steps: Environment steps in total.
        session_steps: Of them, those of this session.
        episodes: Episodes that ended.
        seconds: Since this session began.
        mean_reward: Of the recent episodes; None before the first ended.
        completion: Mean progress of the recent episodes, 0 to 1.
        best_lap_s: Fastest lap while training.
        evaluation: The latest.
        best: The best.
        held_out: How well it drives elsewhere, 0 to 1; None if that is not asked.
        warning: What a person should know before more time is spent; None: nothing.
        phase: Who learns, where it is not just the model: `teacher` or `student`.
    """

    steps: int
    session_steps: int
    episodes: int
    seconds: float
    mean_reward: float | None
    completion: float | None
    best_lap_s: float | None
    evaluation: Evaluation | None
    best: Evaluation | None
    held_out: float | None = None
    warning: str | None = None
    phase: str | None = None


class Watcher(Protocol):
    """Whoever shows a run."""

    def __call__(self, standing: Standing) -> None:
        """Called after every round."""
        ...


class Meter(BaseCallback):
    """Collects the episodes and laps that end while the learner drives."""

    def __init__(self) -> None:
        super().__init__()
        self.recent: deque[Ending] = deque(maxlen=RECENT_EPISODES)
        self.episodes = 0
        self.best_lap_s: float | None = None

    def note(self, env: RaceVecEnv) -> None:
        """Take what ended in an environment's last step."""
        self.recent.extend(env.endings)
        self.episodes += len(env.endings)
        for lap in env.laps:
            self.best_lap_s = min(lap.time_s, self.best_lap_s or lap.time_s)

    def as_plain(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {'episodes': self.episodes, 'best_lap_s': self.best_lap_s,
                'recent': [[ending.car, int(ending.status), ending.progress, ending.steps,
                            ending.reward, ending.time_s] for ending in self.recent]}

    def resume(self, kept: Mapping[str, Any]) -> None:
        """Go on from `as_plain`."""
        self.episodes, self.best_lap_s = kept['episodes'], kept['best_lap_s']
        self.recent.extend(Ending(car, Status(status), progress, steps, reward, time_s)
                           for car, status, progress, steps, reward, time_s in kept['recent'])

    def forget(self) -> None:
        """Begin anew with another driver; the count of episodes goes on."""
        self.recent.clear()
        self.best_lap_s = None

    def _on_step(self) -> bool:
        env = self.training_env
        assert isinstance(env, RaceVecEnv)
        self.note(env)
        return True

    def _on_rollout_end(self) -> None:
        if self.completion is not None:
            self.logger.record('rollout/completion', self.completion)

    @property
    def mean_reward(self) -> float | None:
        """Mean return of the recent episodes."""
        return float(np.mean([ending.reward for ending in self.recent])) if self.recent else None

    @property
    def completion(self) -> float | None:
        """Mean share of a lap of the recent episodes, 0 to 1."""
        return float(np.mean([_share(ending) for ending in self.recent])) if self.recent else None


def _share(ending: Ending) -> float:
    return 1.0 if ending.status is Status.LAP_COMPLETE else ending.progress / 100.0
