"""The pipeline of an environment, batched: act, simulate, judge, reward, observe.

`RaceBatch` is what the Gymnasium environment (one car) and the SB3 vector environment (many) are
made of; both add nothing but their interface.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from racer_rl.reward.paymaster import Paymaster
from racer_sim.privileged import PRIVILEGED_SIZE
from racer_sim.rules import Lap, Status
from racer_sim.simulator import Simulator
from racer_vehicle.action import ActionSpec, DiscreteActions
from racer_vehicle.observation import FrameStack, ObservationSpec

Observation = dict[str, NDArray[Any]]

TRUNCATING = (Status.LAP_COMPLETE, Status.TIME_UP)
"""Endings that say nothing bad about the last state: a learner bootstraps past them."""


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of one car's episode.

    Attributes:
        car: Index.
        status: Why it ended.
        progress: Percent of the lap.
        steps: Control periods.
        reward: Sum of the episode's rewards.
        time_s: Simulated seconds.
    """

    car: int
    status: Status
    progress: float
    steps: int
    reward: float
    time_s: float


class Step(NamedTuple):
    """What one control period brought, N cars.

    Attributes:
        rewards: float32 (N,).
        terminated: bool (N,), ended by an incident.
        truncated: bool (N,), ended by a completed lap or the clock; never both.
        endings: The episodes that ended.
        laps: The laps completed.
    """

    rewards: NDArray[np.float32]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    endings: tuple[Ending, ...]
    laps: tuple[Lap, ...]


class Witness(Protocol):
    """Whoever takes note of what the cars do."""

    def began(self, cars: NDArray[np.int64]) -> None:
        """Cars (K,) stand where new episodes begin; told before their first step."""
        ...

    def stepped(self, output: NDArray[Any], rewards: NDArray[np.float32],
                ended: NDArray[np.bool_]) -> None:
        """A step was driven: policy outputs, rewards and whether the episode ended, of N cars."""
        ...


def observation_space(spec: ObservationSpec | None,
                      privileged: int = PRIVILEGED_SIZE) -> spaces.Dict:
    """Space of the policy's input and of the critic's.

    Args:
        spec: Of the policy's; None: there is only the critic's.
        privileged: Values of the critic's; see `Simulator.privileged_size`.
    """
    parts: dict[str, spaces.Space[Any]] = {
        'privileged': spaces.Box(-np.inf, np.inf, (privileged,), np.float32)}
    if spec is None:
        return spaces.Dict(parts)
    parts['camera'] = spaces.Box(0, 255, spec.camera_shape, np.uint8)
    if spec.lidar_sensor is not None:
        farthest_m = spec.native_lidar.range_max_m
        parts['lidar'] = spaces.Box(0.0, farthest_m, (spec.lidar_size,), np.float32)
    return spaces.Dict(parts)


def action_space(spec: ActionSpec) -> spaces.Discrete[Any] | spaces.Box:
    """Space of the policy's output."""
    if isinstance(spec, DiscreteActions):
        return spaces.Discrete(len(spec))
    return spaces.Box(-1.0, 1.0, (2,), np.float32)


class RaceBatch:
    """N cars with a policy's view of them.

    Attributes:
        speed_limit_mps: No car drives faster, whatever the policy wants; see
            `racer_rl/training/curriculum.py`.
        witnesses: Told of beginnings and steps.
    """

    def __init__(self, simulator: Simulator, observation: ObservationSpec | None,
                 action: ActionSpec, paymaster: Paymaster | None) -> None:
        """Join a simulator and the car's codecs.

        Args:
            simulator: Its cameras must match `observation`.
            observation: Sensors to policy input; None for a policy that reads only what is
                privileged, and for which nothing is drawn or measured.
            action: Policy output to command.
            paymaster: Pays the simulator's cars; None pays nothing (evaluation).
        """
        self.simulator, self.observation, self.action = simulator, observation, action
        self.speed_limit_mps = float('inf')
        self.witnesses: list[Witness] = []
        self.observation_space = observation_space(observation, simulator.privileged_size)
        self.action_space = action_space(action)
        self._paymaster = paymaster
        self._images: NDArray[np.uint8] | None = None
        self._moved = np.zeros(simulator.config.cars, dtype=np.bool_)
        self._stack = FrameStack(1 if observation is None else observation.stack)
        self._returns = np.zeros(simulator.config.cars)

    def reset(self, cars: NDArray[np.int64] | None = None) -> None:
        """Begin new episodes by the simulator's start policy; then call `observe`."""
        began = self.simulator.episodes
        self.simulator.reset(cars)
        self._moved[slice(None) if cars is None else cars] = True
        chosen = np.arange(len(self._returns)) if cars is None else cars
        for witness in self.witnesses:
            witness.began(chosen)
        if self._paymaster is not None:
            self._paymaster.begin(chosen, began + 1 + np.arange(len(chosen)))
        self._returns[slice(None) if cars is None else cars] = 0.0

    def step(self, policy_output: NDArray[Any]) -> Step:
        """Act and judge; ended cars wait for `reset`.

        Args:
            policy_output: (N,) indices or (N, 2) in [-1, 1].

        Raises:
            RewardError: The reward function failed.
        """
        commands = self.action.decode(policy_output)
        commands[:, 1] = np.minimum(commands[:, 1], self.speed_limit_mps)
        verdict = self.simulator.step(commands)
        rewards = self._pay()
        self._returns += rewards
        for witness in self.witnesses:
            witness.stepped(policy_output, rewards, verdict.ended)
        status = self.simulator.control.race['status']
        truncated = verdict.ended & np.isin(status, TRUNCATING)
        endings = tuple(self._ending(int(car)) for car in np.flatnonzero(verdict.ended))
        return Step(rewards, verdict.ended & ~truncated, truncated, endings, verdict.laps)

    def snapshot(self) -> dict[str, Any]:
        """Everything that changes in time, by value, as arrays and plain data: see `restore`."""
        frames = self._stack.frames
        return {**self.simulator.snapshot(), 'returns': self._returns.copy(),
                **({} if frames is None else {'frames': frames}),
                **({} if self._paymaster is None else self._paymaster.snapshot())}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Continue the episodes of a batch of the same make-up, bit for bit.

        A reward function remembers these episodes again, and nothing older: see `Paymaster`.

        Args:
            snapshot: Of `snapshot`; then `observe` is not due before the next step.
        """
        self.simulator.restore(snapshot)
        self._returns[:] = snapshot['returns']
        self._stack.frames = snapshot.get('frames')
        self._images = None
        self._moved[:] = False
        if self._paymaster is not None:
            self._paymaster.restore(snapshot)
        for witness in self.witnesses:
            witness.began(np.arange(len(self._returns)))

    def close(self) -> None:
        """End the process of the reward function; a second time does nothing."""
        if self._paymaster is not None:
            self._paymaster.close()

    def _pay(self) -> NDArray[np.float32]:
        """Rewards; the images are drawn while their process computes."""
        self._images = None
        if self._paymaster is None:
            return np.zeros(len(self._returns), dtype=np.float32)
        self._paymaster.ask()
        if self.observation is not None:
            self._images_now()
        return self._paymaster.answer().astype(np.float32)

    def _ending(self, car: int) -> Ending:
        race = self.simulator.control.race[car]
        progress = self.simulator.control.progress_percent(self.simulator.length_m)[car]
        return Ending(car, Status(race['status']), float(progress), int(race['steps']),
                      float(self._returns[car]), float(race['time_s']))

    def observe(self, fresh: NDArray[np.bool_]) -> Observation:
        """What the policy and the critic see now.

        Args:
            fresh: bool (N,), cars whose episode has just begun.

        Returns:
            New arrays of `observation_space`, with a leading N.
        """
        if self.observation is None:
            return {'privileged': self.simulator.privileged()}
        encoded = self.observation.encode_camera(self._images_now())
        return self._with_the_rest(self._stack.push(encoded, fresh), self.observation)

    def peek(self) -> Observation:
        """What `observe` would return for running episodes, without counting as a frame."""
        if self.observation is None:
            return {'privileged': self.simulator.privileged()}
        encoded = self.observation.encode_camera(self._images_now())
        return self._with_the_rest(self._stack.peek(encoded), self.observation)

    def _images_now(self) -> NDArray[np.uint8]:
        """What the cameras see; drawn once a step, and again for the cars moved by a reset.

        In a new array then: the old one may be in somebody's last observation. Cars that share a
        world see each other moved, so all of theirs are drawn.
        """
        shared = self.simulator.config.cars_per_world > 1
        if self._images is None or (shared and self._moved.any()):
            self._images = self.simulator.images()
        elif self._moved.any():
            self._images = self._images.copy()
            self._images[self._moved] = self.simulator.images(np.flatnonzero(self._moved))
        self._moved[:] = False
        return self._images

    def _with_the_rest(self, camera: NDArray[np.uint8], spec: ObservationSpec) -> Observation:
        observation: Observation = {'camera': camera, 'privileged': self.simulator.privileged()}
        if spec.lidar_sensor is not None:
            observation['lidar'] = spec.encode_lidar(self.simulator.scans())
        return observation
