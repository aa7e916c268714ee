"""The batch as a Stable-Baselines3 vector environment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env.base_vec_env import (
    VecEnv,
    VecEnvIndices,
    VecEnvObs,
    VecEnvStepReturn,
)

from racer_rl.envs.batch import Ending, RaceBatch
from racer_sim.rules import Lap


class RaceVecEnv(VecEnv):
    """N cars that begin a new episode by themselves when one ends.

    Attributes:
        batch: The cars.
        endings: Episodes that ended in the last step.
        laps: Laps completed in the last step.
        render_mode: None: the batch is filmed through its simulator.
    """

    render_mode: str | None = None

    def __init__(self, batch: RaceBatch) -> None:
        """Wrap a batch."""
        super().__init__(batch.simulator.config.cars, batch.observation_space, batch.action_space)
        self.batch = batch
        self.endings: tuple[Ending, ...] = ()
        self.laps: tuple[Lap, ...] = ()
        self._actions: NDArray[Any] = np.zeros(0)

    def reset(self) -> VecEnvObs:
        """Begin an episode with every car."""
        self.batch.reset()
        return self.batch.observe(np.ones(self.num_envs, dtype=np.bool_))

    def step_async(self, actions: NDArray[Any]) -> None:
        """Remember the policy's output for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Advance one control period; infos of ended cars carry what SB3 and its monitors read."""
        step = self.batch.step(self._actions)
        self.endings, self.laps = step.endings, step.laps
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        ended = step.terminated | step.truncated
        if ended.any():
            last = self.batch.peek()
            for ending in step.endings:
                car = ending.car
                infos[car] = {
                    'terminal_observation': {key: value[car] for key, value in last.items()},
                    'TimeLimit.truncated': bool(step.truncated[car]),
                    'episode': {'r': ending.reward, 'l': ending.steps, 't': ending.time_s},
                }
            self.batch.reset(np.flatnonzero(ended))
        return self.batch.observe(ended), step.rewards, ended, infos

    def close(self) -> None:
        """End the process of the reward function."""
        self.batch.close()

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """The vector environment's own attribute for every car: they share all they have."""
        return [getattr(self, attr_name) for _ in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Not supported: cars of a batch share their settings."""
        raise NotImplementedError('cars of a batch share their settings; build another batch.')

    def env_method(self, method_name: str, *method_args: Any, indices: VecEnvIndices = None,
                   **method_kwargs: Any) -> list[Any]:
        """Not supported: cars of a batch are not environments of their own."""
        raise NotImplementedError('cars of a batch are no environments of their own; use `batch`.')

    def env_is_wrapped(self, wrapper_class: type, indices: VecEnvIndices = None) -> list[bool]:
        """No car is wrapped."""
        return [False for _ in self._get_indices(indices)]

    def _get_indices(self, indices: VecEnvIndices) -> Sequence[int]:
        return range(self.num_envs) if indices is None else list(super()._get_indices(indices))
