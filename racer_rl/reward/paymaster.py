"""Pays a simulator's cars by a person's reward function."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from racer_rl.reward.loading import RewardFile
from racer_rl.reward.log import RewardLog
from racer_rl.reward.params import CAR, OBJECT, Numbers, ParamsBuilder
from racer_rl.reward.sandbox import Line, Paid, RewardSandbox, SandboxLimits
from racer_sim.simulator import Simulator
from racer_vehicle.errors import RewardError

MOST_REMEMBERED: Final = 2_000
"""Steps, two minutes of driving; a longer episode is remembered from its middle on."""


class Paymaster:
    """Measures the cars after each step and asks the sandboxed function what that was worth."""

    def __init__(self, reward: RewardFile, simulator: Simulator, *, compat: bool = False,
                 seed: int = 0, log: RewardLog | None = None,
                 limits: SandboxLimits | None = None) -> None:
        """Start the function's process.

        Args:
            reward: The file, of which every car gets an instance with globals of its own.
            simulator: Whose cars are paid.
            compat: The dictionary with the old simulator's values; see `ParamsBuilder`.
            seed: Of random numbers in the function.
            log: Where it prints to; standard error by default.
            limits: What it may use.

        Raises:
            RewardError: The file does not load.
        """
        self._builder = ParamsBuilder(simulator, compat=compat)
        self._log = log or RewardLog()
        cars = simulator.config.cars
        self._numbers = self._builder.measure()
        self._recent: deque[Numbers] = deque(maxlen=MOST_REMEMBERED)
        self._episodes = np.zeros(cars, dtype=np.int64)
        self._sandbox = RewardSandbox(reward, self._builder.waypoints, cars, seed=seed,
                                      limits=limits)

    def begin(self, cars: NDArray[np.int64], episodes: NDArray[np.int64]) -> None:
        """Tell which episodes begin, for the log.

        Args:
            cars: int64 (K,), indices.
            episodes: int64 (K,), numbers from 1.
        """
        self._episodes[cars] = episodes

    def pay(self) -> NDArray[np.float64]:
        """What the last step was worth to each car, (N,).

        Raises:
            RewardError: The function failed for a car, did not return or ended its process.
        """
        self.ask()
        return self.answer()

    def ask(self) -> None:
        """Measure, and let the function compute while something else is done.

        Raises:
            RewardError: The function's process has ended.
        """
        self._numbers = self._builder.measure()
        self._recent.append(self._numbers)
        self._sandbox.ask(self._numbers)

    def answer(self) -> NDArray[np.float64]:
        """What came of the last `ask`; see `pay`."""
        paid = self._sandbox.answer()
        if paid.lines:
            self._print(self._numbers, paid)
        if paid.failures:
            raise RewardError(paid.failures[0][1])
        return paid.rewards

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """What was paid since the oldest running episode began: see `restore`."""
        longest = int(self._numbers.cars[CAR.index('steps')].max(initial=0))
        recent = list(self._recent)[-longest:] if longest else []
        objects = [numbers.objects for numbers in recent]
        return {
            'paid_cars': np.array([numbers.cars for numbers in recent]),
            'paid_objects': np.concatenate([*objects, np.zeros((len(OBJECT), 0))], axis=1),
            'paid_counts': np.array([part.shape[1] for part in objects], dtype=np.int64),
            'paid_episodes': self._episodes.copy(),
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Have a fresh function remember what it saw of the running episodes, by showing it again.

        What it remembers of earlier ones, and its random numbers, are as in the beginning.

        Args:
            snapshot: Of `snapshot`, of as many cars.
        """
        self._episodes[:] = snapshot['paid_episodes']
        ends = np.cumsum(snapshot['paid_counts'])
        for cars, objects in zip(snapshot['paid_cars'],
                                 np.split(snapshot['paid_objects'], ends[:-1], axis=1),
                                 strict=True):
            self._numbers = Numbers(np.ascontiguousarray(cars), np.ascontiguousarray(objects))
            self._recent.append(self._numbers)
            self._sandbox.pay(self._numbers)

    def close(self) -> None:
        """End the process and the log; a second time does nothing."""
        self._sandbox.close()
        self._log.close()

    def __enter__(self) -> Paymaster:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def _print(self, numbers: Numbers, paid: Paid) -> None:
        steps = numbers.cars[CAR.index('steps')]

        def moment(line: Line) -> str:
            if line.car < 0:
                return 'loading'
            episode, step = self._episodes[line.car], int(steps[line.car])
            return f'episode {episode}, step {step}, car {line.car}'

        self._log.write((f'{moment(line)}: {line.text}' for line in paid.lines), paid.dropped)
