"""What `racer train` takes, command to exit, and how well the model drives that it delivers."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from racer_rl.benchmarks.cost import Cost, Spread, Tell, run_python
from racer_rl.training.acting import FEW_THREADS
from racer_rl.training.goals import Goal, find_goal
from racer_rl.training.networks import find_network
from racer_rl.training.plan import AUTO, Method, find_method
from racer_sim.practice import expand_pool, practice_number
from racer_sim.track import Track
from racer_sim.track_files import save_npy
from racer_sim.track_library import SHIPPED, find_track
from racer_vehicle.errors import ConfigError
from racer_vehicle.spec import require_range

_RACER: Final = 'from racer_rl.cli.main import main; main()'

COUNTED: Final = (
    'the whole command: start of Python, imports, loading of compiled kernels, training, '
    'evaluations, checkpoints. Not counted: compiling the kernels, once an installation, and the '
    'examination'
)

EXAMINATION_SEED: Final = 1000
"""Of image ages that no evaluation while training has drawn."""

AT_HOME: Final = ('--starts', '16')
ELSEWHERE: Final = ('--direction', 'both', '--starts', '2')
"""How a model is examined where it was trained, and on each track that is named for it."""


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
        examined_clean: Clean laps of the examination.
        examined_laps: Laps of it.
        ratio: Mean flying lap of it over the lap bound; None without one or the other.
        stopped_because: The command's own word for it.
    """

    seed: int
    wall_s: float
    cpu_s: float
    steps: int
    clean_laps: int
    total_laps: int
    mean_lap_s: float | None
    examined_clean: int
    examined_laps: int
    ratio: float | None
    stopped_because: str

    @property
    def is_clean(self) -> bool:
        """Whether every evaluation lap was clean."""
        return self.clean_laps == self.total_laps > 0

    @property
    def examined_share(self) -> float:
        """Clean laps of the examination, as a share."""
        return self.examined_clean / self.examined_laps


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingFigures:
    """Result of `TrainingBenchmark`.

    Attributes:
        track: Name of the track.
        length_m: Of its centre line.
        goal: As `racer train --goal` has it.
        network: Name of the network.
        examined_on: Where the models are examined: tracks, or where they were trained.
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
        examined_share: Clean laps of the examination as a share, of all runs.
        ratio: Flying laps over their bounds, of the runs that have it; None without one.
    """

    track: str
    length_m: float
    goal: str
    network: str
    examined_on: tuple[str, ...]
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
    examined_share: Spread
    ratio: Spread | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingBenchmark:
    """What is measured.

    Attributes:
        track: Name, file or pool; '' for the tracks of the goal.
        seeds: Number of runs, seeded 0, 1, ...
        goal: As `racer train --goal` has it.
        network: Name in the catalogue; None for the goal's.
        method: As `racer train --method` has it.
        stop: Options of `racer train` that end a run, instead of the goal.
        elsewhere: Tracks on which models are examined, both ways; without, where they learnt.
    """

    track: str
    seeds: int = 5
    goal: str = 'finish'
    network: str | None = None
    method: str = AUTO
    stop: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_range(self, seeds=(1, 1000))

    def run(self, tell: Tell) -> TrainingFigures:
        """Train once a seed, one after the other, in a home of their own that is then removed.

        Args:
            tell: Hears of each run.

        Raises:
            RacerError: A run failed, or track or network do not exist.
        """
        goal = find_goal(self.goal)
        network = find_network(self.network or goal.network)
        method = find_method(goal.method if self.method == AUTO else self.method, None,
                             network.name)
        courses = self._courses(goal)
        examined_on = tuple(find_track(name).name for name in self.elsewhere)
        with tempfile.TemporaryDirectory(prefix='racer-bench-') as folder:
            home = Path(folder)
            tell('training: one round to compile the kernels')
            _, cold_start = self._command(home, 'cold', 0, ('--steps', '1'))
            runs = tuple(self._run(home, seed, tell) for seed in range(self.seeds))
        laps = [run.mean_lap_s for run in runs if run.mean_lap_s is not None]
        ratios = [run.ratio for run in runs if run.ratio is not None]
        name = courses[0].name if len(courses) == 1 else self.track or ' '.join(goal.tracks)
        return TrainingFigures(
            track=name,
            length_m=round(sum(track.length_m for track in courses) / len(courses), 3),
            goal=self.goal,
            network=network.name,
            examined_on=examined_on,
            threads=FEW_THREADS if method is Method.DISTILL else network.threads,
            command=' '.join(('racer', *self._words(name, self._stop))),
            counted=COUNTED,
            cold_start=cold_start,
            runs=runs,
            clean_runs=sum(run.is_clean for run in runs),
            wall_s=Spread.of(run.wall_s for run in runs),
            cpu_s=Spread.of(run.cpu_s for run in runs),
            steps=Spread.of(run.steps for run in runs),
            steps_per_wall_s=Spread.of(run.steps / run.wall_s for run in runs),
            mean_lap_s=Spread.of(laps) if laps else None,
            examined_share=Spread.of(run.examined_share for run in runs),
            ratio=Spread.of(ratios) if ratios else None,
        )

    def _courses(self, goal: Goal) -> list[Track]:
        """What the models learn on."""
        wanted = (self.track,) if self.track else goal.tracks
        if not wanted:
            raise ConfigError(f'no track was given for goal {goal.name}; name one.')
        return [find_track(name) for one in wanted for name in expand_pool(one)]

    @property
    def _stop(self) -> tuple[str, ...]:
        return self.stop or (('--until-laps',) if self.goal == 'finish' else ())

    def _words(self, track: str, stop: tuple[str, ...]) -> tuple[str, ...]:
        given = {'--track': track if self.track else None, '--goal': self.goal,
                 '--network': self.network, '--method': self.method}
        unsaid = {None, 'finish', AUTO}
        words = (word for option, value in given.items() if value not in unsaid
                 for word in (option, str(value)))
        return 'train', *words, *stop

    def _run(self, home: Path, seed: int, tell: Tell) -> TrainingRun:
        output, cost = self._command(home, f'seed-{seed}', seed, self._stop)
        result = json.loads(output)
        clean, laps, ratio = self._examine(home, f'seed-{seed}')
        best = result['best'] or {'clean_laps': 0, 'total_laps': 0, 'mean_lap_s': None}
        run = TrainingRun(
            seed=seed,
            wall_s=round(cost.wall_s, 3),
            cpu_s=round(cost.cpu_s, 3),
            steps=result['steps'],
            clean_laps=best['clean_laps'],
            total_laps=best['total_laps'],
            mean_lap_s=best['mean_lap_s'],
            examined_clean=clean,
            examined_laps=laps,
            ratio=ratio,
            stopped_because=result['stopped_because'],
        )
        tell(
            f'training: seed {seed} of 0-{self.seeds - 1}: {run.clean_laps} of {run.total_laps} '
            f'laps clean after {run.wall_s:.1f} s, {run.steps:,} steps; examined: {clean} of '
            f'{laps}'
        )
        return run

    def _examine(self, home: Path, name: str) -> tuple[int, int, float | None]:
        """Clean laps, laps, and the mean ratio of a model's flying laps to their bounds."""
        places: list[tuple[str, ...]] = [
            ('--track', _seen_from(home, track), *ELSEWHERE) for track in self.elsewhere]
        shown = []
        for options in places or [AT_HOME]:
            output, _ = run_python(
                _RACER, ('evaluate', name, *options, '--seed', str(EXAMINATION_SEED), '--json'),
                _settings(home))
            shown.append(json.loads(output))
        ratios = [one['ratio'] for one in shown if one['ratio'] is not None]
        return (sum(one['clean_laps'] for one in shown), sum(one['total_laps'] for one in shown),
                round(sum(ratios) / len(ratios), 4) if ratios else None)

    def _command(
        self, home: Path, name: str, seed: int, stop: tuple[str, ...]
    ) -> tuple[str, Cost]:
        words = self._words(_seen_from(home, self.track) if self.track else '', stop)
        return run_python(
            _RACER, (*words, '--name', name, '--seed', str(seed), '--json'), _settings(home)
        )


def _settings(home: Path) -> dict[str, str]:
    return {'RACER_HOME': str(home), 'NUMBA_CACHE_DIR': str(home / 'kernels')}


def _seen_from(home: Path, name: str) -> str:
    """What to call a track or a pool where a person's own home is out of sight."""
    is_pool = expand_pool(name) != (name,)
    if is_pool or name.lower() in SHIPPED or practice_number(name) is not None:
        return name
    track = find_track(name)
    path = home / 'tracks' / f'{track.name}.npy'
    save_npy(track, path)
    return str(path)
