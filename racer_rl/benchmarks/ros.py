"""The graph measured: from an image to the motor in real time, and steps a second in lock-step."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from racer_rl.benchmarks.cost import Tell
from racer_rl.drive.domain import environment, private_domain
from racer_rl.drive.graph import DrivePlan, programs
from racer_rl.drive.timing import TimingFigures
from racer_rl.envs.build import RaceSetup
from racer_rl.evaluation.laps import EvaluationPlan
from racer_rl.export import export_bundle
from racer_rl.store.models import ModelFolder
from racer_rl.training.hyperparameters import load_hyperparameters
from racer_rl.training.networks import FAST
from racer_rl.training.plan import Limits, TrainingPlan
from racer_rl.training.train import train
from racer_sim.track_library import find_track
from racer_vehicle.spec import require_range
from racer_vehicle.supervise import Supervisor

ENDLESS: Final = EvaluationPlan(laps=1000, starts=1, resets=1_000_000)
"""Laps that outlast any measurement."""

LEARNING_LIMIT_S: Final = 120.0

COUNTED: Final = (
    'camera, lidar, inference, motor, race control and simulator, a process each, and the one '
    'that measures. Latency: from the arrival of the simulated image to the arrival of the '
    'command that the motor applied on it, by one clock; dropped: images without such a command'
)

LEARNING_COUNTED: Final = (
    'camera, motor and simulator, a process each, and the trainer: driving, learning, evaluation, '
    'checkpoints and the export of bundles'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RosFigures:
    """Result of `RosBenchmark`.

    Attributes:
        track: Name of the track.
        seconds: Of the measurement in real time.
        realtime: At 15 Hz, by the clock.
        lockstep: As fast as it goes.
        lockstep_steps_per_s: Control periods a second of the driving graph.
        learning_steps_per_s: Environment steps a second of one car that learns over topics.
        counted: What the first figures include.
        learning_counted: What the last one includes.
    """

    track: str
    seconds: float
    realtime: TimingFigures
    lockstep: TimingFigures
    lockstep_steps_per_s: float
    learning_steps_per_s: float
    counted: str = COUNTED
    learning_counted: str = LEARNING_COUNTED


@dataclass(frozen=True, slots=True, kw_only=True)
class RosBenchmark:
    """What to measure, and for how long.

    Attributes:
        track: Name or file.
        seconds: In real time; a third of it in lock-step.
        learning_steps: Of a car that learns over topics.
    """

    track: str = 'kidney'
    seconds: float = 60.0
    learning_steps: int = 4096

    def __post_init__(self) -> None:
        require_range(self, seconds=(1.0, 86_400.0), learning_steps=(512, 10**9))

    def run(self, tell: Tell) -> RosFigures:
        """Measure.

        Args:
            tell: Takes lines of progress.

        Raises:
            RacerError: A node does not start, ends, or falls silent.
        """
        with tempfile.TemporaryDirectory(prefix='racer-bench-') as name:
            folder = Path(name)
            tell('training a policy to drive with')
            bundle = self._policy(folder)
            tell(f'driving in real time for {self.seconds:g} s')
            realtime, _ = self._drive(bundle, 'realtime', self.seconds)
            tell(f'driving in lock-step for {self.seconds / 3.0:g} s')
            lockstep, rate = self._drive(bundle, 'lockstep', self.seconds / 3.0)
            tell(f'learning over topics for {self.learning_steps} steps')
            learning = self._learn(bundle, folder)
        return RosFigures(track=find_track(self.track).name, seconds=self.seconds,
                          realtime=realtime, lockstep=lockstep,
                          lockstep_steps_per_s=round(rate, 1),
                          learning_steps_per_s=round(learning, 1))

    def _policy(self, folder: Path) -> Path:
        """A policy that laps the track, or the best that comes of two minutes."""
        settings, _ = load_hyperparameters(None, 'ppo', FAST.name)
        model = ModelFolder(folder / 'model')
        train(model, TrainingPlan(setup=RaceSetup(track=self.track), hyperparameters=settings,
                                  limits=Limits(time_s=LEARNING_LIMIT_S, until_laps=True)),
              lambda standing: None)
        path = folder / 'policy.racer'
        export_bundle(model, path)
        return path

    def _plan(self, bundle: Path, mode: str) -> DrivePlan:
        return DrivePlan(bundle=bundle, track=self.track, mode=mode, judged=ENDLESS)

    def _drive(self, bundle: Path, mode: str, seconds: float) -> tuple[TimingFigures, float]:
        """Times of the graph, and control periods a second."""
        from racer_rl.nodes.drive import SILENCE_S, running_graph

        with running_graph(self._plan(bundle, mode)) as graph:
            graph.start_run(0.0)
            graph.until(lambda: graph.race.steps > 0, SILENCE_S, 'the start of the car')
            begun_s, first = time.monotonic(), graph.race.steps
            graph.timing.begin()
            graph.until(_after(seconds), seconds + SILENCE_S, 'the end of the measurement')
            rate = (graph.race.steps - first) / (time.monotonic() - begun_s)
            graph.timing.end()
            return graph.timing.figures, rate

    def _learn(self, bundle: Path, folder: Path) -> float:
        """Steps a second of a car that learns over topics."""
        from racer_rl.nodes.learning import learn

        with (private_domain(folder), environment(RACER_HOME=str(folder)),
              Supervisor(folder, os.environ) as supervisor):
            for program in programs(self._plan(bundle, 'lockstep'), folder,
                                    ('sim', 'camera', 'motor')):
                supervisor.start(program)
            outcome = learn(model='bench', track=self.track, steps=self.learning_steps,
                            until_laps=False)
        return outcome.car_steps / outcome.standing.seconds


def _after(seconds: float) -> Callable[[], bool]:
    until_s = time.monotonic() + seconds
    return lambda: time.monotonic() >= until_s
