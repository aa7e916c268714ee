"""The batch of one car as a Gymnasium environment, `racer/Racer-v0`."""

from __future__ import annotations

from typing import Any, cast

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from racer_rl.envs.batch import Observation
from racer_rl.envs.build import RaceSetup, build_batch
from racer_sim.onlooker import seen_images


class RacerEnv(gymnasium.Env[Observation, Any]):
    """One car, one lap an episode, by default on the shipped `oval`.

    `terminated` means an incident (off track, crashed, reversed, immobilized), `truncated` a
    completed lap or the clock; `info['episode_status']` names it.
    """

    metadata = {'render_modes': ['rgb_array'], 'render_fps': 15}  # noqa: RUF012 (Gymnasium's own contract)

    def __init__(self, setup: RaceSetup | None = None, render_mode: str | None = None,
                 **options: Any) -> None:
        """Build the environment.

        Args:
            setup: Everything at once; or leave it out and give fields of `RaceSetup`.
            render_mode: `rgb_array` for the camera's image as RGB, or None.
            **options: Fields of `RaceSetup`, e.g. `track='oval'`.

        Raises:
            ConfigError: An option is not usable.
        """
        self.render_mode = render_mode
        self._setup = setup or RaceSetup(**options)
        # Until a seed is given, episodes differ from one environment to the next.
        self._batch = build_batch(self._setup, cars=1, seed=int(self.np_random.integers(2**31)))
        self.observation_space = cast('spaces.Space[Observation]', self._batch.observation_space)
        self.action_space = self._batch.action_space
        self._running = False

    def reset(self, *, seed: int | None = None,
              options: dict[str, Any] | None = None) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode; a seed restarts everything random."""
        super().reset(seed=seed)
        if seed is not None:
            self._batch.close()
            self._batch = build_batch(self._setup, cars=1, seed=seed)
        self._batch.reset()
        self._running = True
        return _first(self._batch.observe(np.ones(1, dtype=np.bool_))), {}

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Advance one control period.

        Raises:
            RuntimeError: The episode has ended; call `reset`.
        """
        if not self._running:
            raise RuntimeError('the episode has ended (or not begun); call reset() before step().')
        step = self._batch.step(np.asarray(action)[np.newaxis])
        observation = _first(self._batch.observe(np.zeros(1, dtype=np.bool_)))
        info: dict[str, Any] = {}
        for ending in step.endings:
            self._running = False
            info = {'episode_status': ending.status.label, 'progress': ending.progress}
        terminated, truncated = bool(step.terminated[0]), bool(step.truncated[0])
        return observation, float(step.rewards[0]), terminated, truncated, info

    def close(self) -> None:
        """End the process of the reward function."""
        self._batch.close()

    def render(self) -> NDArray[np.uint8] | None:
        """The camera's full image, uint8 (height, width, 3), if `render_mode` is `rgb_array`."""
        if self.render_mode is None:
            return None
        image = seen_images(self._batch.simulator)[0]
        rgb = self._batch.simulator.config.rgb
        planes = image[:3] if rgb else np.repeat(image[:1], 3, axis=0)
        return np.ascontiguousarray(planes.transpose(1, 2, 0))


def _first(observation: Observation) -> Observation:
    return {key: value[0] for key, value in observation.items()}
