"""What the simulator is measured at, from physics alone to the learner's interface.

One step is one control period of one car. A scripted driver gives the commands and is counted, and
so are the resets of episodes that end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from racer_rl.envs.batch import RaceBatch
from racer_rl.envs.build import RaceSetup, build_batch, build_simulator
from racer_rl.envs.vector import RaceVecEnv
from racer_rl.reward.library import find_reward
from racer_rl.reward.paymaster import Paymaster
from racer_rl.training.networks import FAST, SHALLOW
from racer_sim.simulator import Simulator
from racer_vehicle.action import ContinuousActions

REWARD: Final = 'follow_centre'

HOLD_STEPS: Final = 8
"""For how long the driver keeps up a whim: half a second."""

WHIM: Final = 0.6
"""How far a whim turns the wheels, as a share of their range; in time most leave the track."""

Advance = Callable[[NDArray[np.float64]], int]
"""Advances all cars by a step with policy outputs (N, 2); returns how many episodes ended."""


class Driver:
    """Follows the centre line as a learner does: roughly, and now and then off the track."""

    def __init__(self, simulator: Simulator, seed: int) -> None:
        """Drive a simulator's cars.

        Args:
            simulator: Its ground truth is what the driver sees.
            seed: Of the whims.
        """
        self._simulator, self._random = simulator, np.random.default_rng(seed)
        self._steps = 0
        self._whims = np.zeros((simulator.config.cars, 2))

    def __call__(self) -> NDArray[np.float64]:
        """Policy outputs (N, 2), to be clipped to [-1, 1]: steering, speed."""
        if self._steps % HOLD_STEPS == 0:
            self._whims = self._random.uniform(-1.0, 1.0, self._whims.shape)
        self._steps += 1
        places = self._simulator.places
        offset = 2.0 * places['lateral_m'] / (places['left_m'] + places['right_m'])
        steering = WHIM * self._whims[:, 0] - 0.5 * offset - 0.8 * places['heading_error_rad']
        return np.column_stack((steering, self._whims[:, 1]))


@dataclass(frozen=True, slots=True)
class Workload:
    """Something to measure.

    Attributes:
        name: In the report.
        counted: What a step consists of.
        steps: Car steps of a usual repetition: about a second's work or more.
        prepare: From track, number of cars and seed to cars ready to drive.
    """

    name: str
    counted: str
    steps: int
    prepare: Callable[[str, int, int], tuple[Simulator, Advance]]


def _state(track: str, cars: int, seed: int) -> tuple[Simulator, Advance]:
    actions = ContinuousActions()
    simulator = build_simulator(RaceSetup(track=track), cars=cars, seed=seed)
    simulator.reset()

    def advance(outputs: NDArray[np.float64]) -> int:
        ended = np.flatnonzero(simulator.step(actions.decode(outputs)).ended)
        if ended.size:
            simulator.reset(ended)
        simulator.privileged()
        return ended.size

    return simulator, advance


def _camera(
    track: str, cars: int, seed: int, reward: str | None = None
) -> tuple[Simulator, Advance]:
    setup = RaceSetup(track=track, network=SHALLOW.name)
    simulator = build_simulator(setup, cars=cars, seed=seed)
    paymaster = Paymaster(find_reward(reward), simulator) if reward else None
    batch = RaceBatch(simulator, setup.observation, setup.actions, paymaster)
    batch.reset()

    def advance(outputs: NDArray[np.float64]) -> int:
        step = batch.step(outputs)
        ended = step.terminated | step.truncated
        if ended.any():
            batch.reset(np.flatnonzero(ended))
        batch.observe(ended)
        return len(step.endings)

    return simulator, advance


def _reward(track: str, cars: int, seed: int) -> tuple[Simulator, Advance]:
    return _camera(track, cars, seed, REWARD)


def _sb3(track: str, cars: int, seed: int) -> tuple[Simulator, Advance]:
    setup = RaceSetup(track=track, network=FAST.name, reward=REWARD)
    env = RaceVecEnv(build_batch(setup, cars=cars, seed=seed))
    env.reset()

    def advance(outputs: NDArray[np.float64]) -> int:
        env.step(outputs)
        return len(env.endings)

    return env.batch.simulator, advance


CAMERA: Final = Workload('camera', 'state + 160x120 grey camera', 30_000, _camera)
CAMERA_AND_REWARD: Final = Workload(
    'camera+reward',
    f'camera + Python reward ({REWARD}), every step, with the full dictionary',
    30_000,
    _reward,
)

WORKLOADS: Final = (
    Workload('state', 'physics, projection, rules, privileged observation', 100_000, _state),
    CAMERA,
    CAMERA_AND_REWARD,
    Workload(
        'sb3',
        "camera+reward through SB3's vector environment, image shrunk to "
        f'{FAST.width_px}x{FAST.height_px} for {FAST.name}',
        30_000,
        _sb3,
    ),
)
"""In order of what is added."""


def warm_up() -> None:
    """One step of every workload, which compiles or loads all kernels."""
    for workload in WORKLOADS:
        simulator, advance = workload.prepare('oval', 1, 0)
        advance(Driver(simulator, 0)())
