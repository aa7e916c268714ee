"""How long `racer train` takes to a model whose every evaluation lap is clean, command to exit."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from racer_rl.benchmarks.cost import Cost, Spread, Tell, run_python
from racer_rl.training.acting import FEW_THREADS
from racer_rl.training.networks import FAST, find_network
from racer_rl.training.plan import AUTO, Method, find_method
from racer_sim.track_files import save_npy
from racer_sim.track_library import SHIPPED, find_track
from racer_vehicle.spec import require_range

_RACER: Final = 'from racer_rl.cli.main import main; main()'

COUNTED: Final = (
    'the whole command: start of Python, imports, loading of compiled kernels, training, '
    'evaluations, checkpoints. Not counted: compiling the kernels, once an installation'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRun:
    """One command.

    Attributes:
        seed: Of the run.
        wall_s: From start to exit.
        cpu_s: Of all its threads.
        steps: Environment steps.
        clean_laps: Of the best model's evaluation.
        total_laps: Of that evaluation.
        mean_lap_s: Simulated seconds; None without a completed lap.
        stopped_because: The command's own word for it.
    """

    seed: int
    wall_s: float
    cpu_s: float
    steps: int
    clean_laps: int
    total_laps: int
    mean_lap_s: float | None
    stopped_because: str

    @property
    def is_clean(self) -> bool:
        """Whether every evaluation lap was clean."""
        return self.clean_laps == self.total_laps > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingFigures:
    """Result of `TrainingBenchmark`.

    Attributes:
        track: Name of the track.
        length_m: Of its centre line.
        network: Name of the network.
        threads: With which torch computes.
        command: What a person would type, but for name and seed.
        counted: What the figures include.
        cold_start: The command with `--steps 1`, which compiles every kernel, as the first
            command after an installation does.
        runs: By seed.
        clean_runs: Runs of which every evaluation lap was clean.
        wall_s: Of all runs.
        cpu_s: Of all runs.
        steps: Of all runs.
        steps_per_wall_s: Of all runs, learning and everything else counted.
        mean_lap_s: Of the runs with a completed lap; None without one.
    """

    track: str
    length_m: float
    network: str
    threads: int
    command: str
    counted: str
    cold_start: Cost
    runs: tuple[TrainingRun, ...]
    clean_runs: int
    wall_s: Spread
    cpu_s: Spread
    steps: Spread
    steps_per_wall_s: Spread
    mean_lap_s: Spread | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingBenchmark:
    """What is measured.

    Attributes:
        track: Name or file.
        seeds: Number of runs, seeded 0, 1, ...
        network: Name in the catalogue.
        method: As `racer train --method` has it.
        stop: Options of `racer train` that end a run.
    """

    track: str
    seeds: int = 5
    network: str = FAST.name
    method: str = AUTO
    stop: tuple[str, ...] = ('--until-laps',)

    def __post_init__(self) -> None:
        require_range(self, seeds=(1, 1000))

    def run(self, tell: Tell) -> TrainingFigures:
        """Train once a seed, one after the other, in a home of their own that is then removed.

        Args:
            tell: Hears of each run.

        Raises:
            RacerError: A run failed, or track or network do not exist.
        """
        track, network = find_track(self.track), find_network(self.network)
        method = find_method(self.method, None, self.network)
        with tempfile.TemporaryDirectory(prefix='racer-bench-') as folder:
            home = Path(folder)
            tell('training: one round to compile the kernels')
            _, cold_start = self._command(home, 'cold', 0, ('--steps', '1'))
            runs = tuple(self._run(home, seed, tell) for seed in range(self.seeds))
        laps = [run.mean_lap_s for run in runs if run.mean_lap_s is not None]
        return TrainingFigures(
            track=track.name,
            length_m=round(track.length_m, 3),
            network=network.name,
            threads=FEW_THREADS if method is Method.DISTILL else network.threads,
            command=' '.join(('racer', *self._words(track.name, self.stop))),
            counted=COUNTED,
            cold_start=cold_start,
            runs=runs,
            clean_runs=sum(run.is_clean for run in runs),
            wall_s=Spread.of(run.wall_s for run in runs),
            cpu_s=Spread.of(run.cpu_s for run in runs),
            steps=Spread.of(run.steps for run in runs),
            steps_per_wall_s=Spread.of(run.steps / run.wall_s for run in runs),
            mean_lap_s=Spread.of(laps) if laps else None,
        )

    def _words(self, track: str, stop: tuple[str, ...]) -> tuple[str, ...]:
        method = () if self.method == AUTO else ('--method', self.method)
        return 'train', '--track', track, '--network', self.network, *method, *stop

    def _run(self, home: Path, seed: int, tell: Tell) -> TrainingRun:
        output, cost = self._command(home, f'seed-{seed}', seed, self.stop)
        result = json.loads(output)
        best = result['best'] or {'clean_laps': 0, 'total_laps': 0, 'mean_lap_s': None}
        run = TrainingRun(
            seed=seed,
            wall_s=round(cost.wall_s, 3),
            cpu_s=round(cost.cpu_s, 3),
            steps=result['steps'],
            clean_laps=best['clean_laps'],
            total_laps=best['total_laps'],
            mean_lap_s=best['mean_lap_s'],
            stopped_because=result['stopped_because'],
        )
        tell(
            f'training: seed {seed} of 0-{self.seeds - 1}: {run.clean_laps} of {run.total_laps} '
            f'laps clean after {run.wall_s:.1f} s, {run.steps:,} steps'
        )
        return run

    def _command(
        self, home: Path, name: str, seed: int, stop: tuple[str, ...]
    ) -> tuple[str, Cost]:
        words = self._words(self._track_in(home), stop)
        settings = {'RACER_HOME': str(home), 'NUMBA_CACHE_DIR': str(home / 'kernels')}
        return run_python(
            _RACER, (*words, '--name', name, '--seed', str(seed), '--json'), settings
        )

    def _track_in(self, home: Path) -> str:
        """What to call the track where a person's own home is out of sight."""
        if self.track.lower() in SHIPPED:
            return self.track
        track = find_track(self.track)
        path = home / 'tracks' / f'{track.name}.npy'
        save_npy(track, path)
        return str(path)
