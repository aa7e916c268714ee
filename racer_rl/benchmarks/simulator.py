"""How many steps a second one core simulates."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import cv2

from racer_rl.benchmarks.cost import Cost, Spread, Tell, cost_of, run_python
from racer_rl.benchmarks.workloads import (
    CAMERA,
    CAMERA_AND_REWARD,
    WORKLOADS,
    Driver,
    Workload,
    warm_up,
)
from racer_sim.track_library import find_track
from racer_vehicle.spec import require_range

UNTIMED_STEPS: Final = 3
"""Before each repetition: by then kernels are loaded and memory is mapped."""

_WARM_UP: Final = 'from racer_rl.benchmarks.workloads import warm_up; warm_up()'


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """One workload with one number of cars.

    Attributes:
        name: Of the workload.
        counted: What a step consists of.
        cars: Simulated side by side.
        steps: Car steps of each repetition.
        episodes: That ended in each repetition, and were begun anew.
        cpu_steps_per_s: By CPU time: about what an idle core does.
        wall_steps_per_s: By the clock, other processes' share included.
    """

    name: str
    counted: str
    cars: int
    steps: int
    episodes: tuple[int, ...]
    cpu_steps_per_s: Spread
    wall_steps_per_s: Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardShare:
    """What calling a person's reward function costs of a step.

    Attributes:
        cars: Simulated side by side.
        percent: Of the time by the clock of a step of `camera+reward`; each repetition against
            that of `camera` just before it.
    """

    cars: int
    percent: Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorFigures:
    """Result of `SimulatorBenchmark`.

    Attributes:
        track: Name of the track.
        length_m: Of its centre line.
        seeds: One a repetition.
        threads: The measured process computes with so many.
        cold_start: A new process until every workload has made a step, its kernels compiled.
        warm_start: The same with kernels that an earlier process compiled.
        results: By number of cars, then workload.
        reward_share: By number of cars.
    """

    track: str
    length_m: float
    seeds: tuple[int, ...]
    threads: int
    cold_start: Cost
    warm_start: Cost
    results: tuple[Throughput, ...]
    reward_share: tuple[RewardShare, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorBenchmark:
    """What is measured.

    Attributes:
        track: Name or file.
        seeds: Repetitions of each workload, seeded 0, 1, ...
        cars: Batch sizes.
        share: Length of a repetition over the usual one; small for a trial.
    """

    track: str
    seeds: int = 5
    cars: tuple[int, ...] = (64, 16)
    share: float = 1.0

    def __post_init__(self) -> None:
        require_range(self, seeds=(1, 1000), share=(1e-6, 1000.0))

    def run(self, tell: Tell) -> SimulatorFigures:
        """Measure start-up, then the workloads in turns: a busy minute then falls on all of them.

        Args:
            tell: Hears of each repetition.

        Raises:
            RacerError: There is no such track, or a process failed.
        """
        track = find_track(self.track)
        tell('simulator: start without and with compiled kernels')
        with tempfile.TemporaryDirectory(prefix='racer-bench-') as cache:
            cold, warm = (
                run_python(_WARM_UP, (), {'NUMBA_CACHE_DIR': cache})[1] for _ in range(2)
            )
        warm_up()
        samples: dict[tuple[int, Workload], list[tuple[Cost, int]]] = defaultdict(list)
        with _one_thread():
            for seed in range(self.seeds):
                for cars in self.cars:
                    tell(f'simulator: {cars} cars, seed {seed} of 0-{self.seeds - 1}')
                    for workload in WORKLOADS:
                        samples[cars, workload].append(self._repeat(workload, cars, seed))
        return SimulatorFigures(
            track=track.name,
            length_m=round(track.length_m, 3),
            seeds=tuple(range(self.seeds)),
            threads=1,
            cold_start=cold,
            warm_start=warm,
            results=tuple(self._throughput(*key, taken) for key, taken in samples.items()),
            reward_share=tuple(
                _reward_share(cars, samples[cars, CAMERA], samples[cars, CAMERA_AND_REWARD])
                for cars in self.cars
            ),
        )

    def _periods(self, workload: Workload, cars: int) -> int:
        return max(round(self.share * workload.steps / cars), 1)

    def _repeat(self, workload: Workload, cars: int, seed: int) -> tuple[Cost, int]:
        """Cost of one repetition and the episodes that ended in it."""
        simulator, advance = workload.prepare(self.track, cars, seed)
        driver, episodes = Driver(simulator, seed), 0
        for _ in range(UNTIMED_STEPS):
            advance(driver())

        def drive() -> None:
            nonlocal episodes
            for _ in range(self._periods(workload, cars)):
                episodes += advance(driver())

        return cost_of(drive), episodes

    def _throughput(
        self, cars: int, workload: Workload, taken: list[tuple[Cost, int]]
    ) -> Throughput:
        steps = self._periods(workload, cars) * cars
        return Throughput(
            name=workload.name,
            counted=workload.counted,
            cars=cars,
            steps=steps,
            episodes=tuple(episodes for _, episodes in taken),
            cpu_steps_per_s=Spread.of(steps / cost.cpu_s for cost, _ in taken),
            wall_steps_per_s=Spread.of(steps / cost.wall_s for cost, _ in taken),
        )


def _reward_share(
    cars: int, without: Sequence[tuple[Cost, int]], paid: Sequence[tuple[Cost, int]]
) -> RewardShare:
    """Compare repetitions of `CAMERA` and `CAMERA_AND_REWARD`, which are equally long."""
    return RewardShare(cars=cars, percent=Spread.of(
        100.0 * (1.0 - before.wall_s / after.wall_s)
        for (before, _), (after, _) in zip(without, paid, strict=True)
    ))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep OpenCV to one thread; nothing else that is measured has more."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
