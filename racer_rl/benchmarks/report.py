"""Figures for programs (plain data) and for people (tables), with published ones beside them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from rich.console import Console

from racer_rl.benchmarks.cost import Cost, Spread
from racer_rl.benchmarks.inference import InferenceFigures
from racer_rl.benchmarks.inference_tables import print_inference
from racer_rl.benchmarks.machine import Machine
from racer_rl.benchmarks.ros import RosFigures
from racer_rl.benchmarks.simulator import SimulatorFigures
from racer_rl.benchmarks.tables import plain_table
from racer_rl.benchmarks.training import TrainingFigures


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A figure that others published, measured neither here nor by us.

    Attributes:
        what: What it is a figure of.
        figure: The figure.
        conditions: Under which it was reached, as far as they are known.
        source: Where it can be looked up.
    """

    what: str
    figure: str
    conditions: str
    source: str


_LOGS: Final = 'sample logs in aws-deepracer-community/deepracer-utils (tests/deepracer/logs)'

REFERENCES: Final = (
    Reference(
        what='DeepRacer (Gazebo), environment steps a second, learning included',
        figure='9 to 22',
        conditions='160x120 grey camera, one to three simulators; clock of the simulation, '
        'so less on the wall; machines not stated',
        source=_LOGS + ', computed from their step counts and time stamps',
    ),
    Reference(
        what='DeepRacer console, re:Invent 2018 track, to 5 consecutive complete evaluation laps',
        figure='37 min, 21,900 steps',
        conditions='three-layer network, 10 actions of 1 and 2 m/s; clock of the simulation',
        source=_LOGS + ', console run of 2022-06-11',
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that a benchmark found; a part that was not asked for is None.

    Attributes:
        machine: Where.
        simulator: Steps a second.
        training: Time to clean laps.
        ros: Times and rates of the graph of nodes.
        inference: Cost of a decision.
        references: For comparison.
    """

    machine: Machine
    simulator: SimulatorFigures | None
    training: TrainingFigures | None
    ros: RosFigures | None = None
    inference: InferenceFigures | None = None
    references: tuple[Reference, ...] = REFERENCES

    def as_dict(self) -> dict[str, Any]:
        """Plain data, keys as the attributes; parts that were not asked for are null."""
        return asdict(self)


def print_report(report: Report, console: Console) -> None:
    """Write the tables.

    Args:
        report: What was found.
        console: Where to.
    """
    _print_machine(report.machine, console)
    if report.simulator is not None:
        _print_simulator(report.simulator, console)
    if report.training is not None:
        _print_training(report.training, console)
    if report.ros is not None:
        _print_ros(report.ros, console)
    if report.inference is not None:
        print_inference(report.inference, console)
    console.print('\n[bold]Published by others[/], not measured here')
    for reference in report.references:
        console.print(f'{reference.what}: {reference.figure}', highlight=False)
        origin = f'  {reference.conditions}; {reference.source}'
        console.print(origin, style='dim', highlight=False)


def _print_machine(machine: Machine, console: Console) -> None:
    versions = ', '.join(f'{name} {number}' for name, number in machine.versions.items())
    console.print(
        f'[bold]Machine[/]  {machine.cpu}, {machine.usable_cores} of {machine.cores} cores, '
        f'{machine.memory_gib:g} GiB; load {machine.load[0]:g} before the start; '
        f'{machine.system}\nPython {machine.python}, {versions}; '
        f'OMP_NUM_THREADS {machine.omp_num_threads or "unset"}',
        highlight=False,
    )


def _print_simulator(figures: SimulatorFigures, console: Console) -> None:
    console.print(
        f'\n[bold]Simulator[/]  thousand car steps a second on one core, {figures.track} '
        f'({figures.length_m:.2f} m); median of {len(figures.seeds)} seeds (lowest-highest)',
        highlight=False,
    )
    table = plain_table('workload', 'cars', 'by CPU time', 'by the clock', 'episodes')
    for row in figures.results:
        table.add_row(
            row.name, str(row.cars), _rate(row.cpu_steps_per_s), _rate(row.wall_steps_per_s),
            f'{min(row.episodes)}-{max(row.episodes)}',
        )
    console.print(table)
    for share in figures.reward_share:
        percent = share.percent
        console.print(
            f'Calling the reward, {share.cars} cars: {percent.median:.1f} % of a step '
            f'({percent.low:.1f}-{percent.high:.1f}).', highlight=False)
    for name, counted in {row.name: row.counted for row in figures.results}.items():
        console.print(f'  {name}: {counted}', style='dim', highlight=False)
    console.print(
        'Counted: driver, steps, resets. Not counted: start of the process until every workload '
        f'has stepped, {_cost(figures.warm_start)}, '
        f'or {_cost(figures.cold_start)} when kernels must be compiled (once an installation).',
        highlight=False,
    )


def _print_training(figures: TrainingFigures, console: Console) -> None:
    console.print(
        f'\n[bold]Training[/]  {figures.command}: {figures.clean_runs} of {len(figures.runs)} '
        f'seeds reached clean laps only; {figures.length_m:.2f} m, torch on {figures.threads} '
        f'thread{"s" * (figures.threads > 1)}',
        highlight=False,
    )
    table = plain_table('seed', 'wall s', 'CPU s', 'steps', 'clean laps', 'mean lap s', 'examined',
                   'lap / bound')
    for run in figures.runs:
        lap = '-' if run.mean_lap_s is None else f'{run.mean_lap_s:.2f}'
        table.add_row(
            str(run.seed), f'{run.wall_s:.1f}', f'{run.cpu_s:.1f}', f'{run.steps:,}',
            f'{run.clean_laps}/{run.total_laps}', lap,
            f'{run.examined_clean}/{run.examined_laps}', _ratio(run.ratio),
        )
    lap = '-' if figures.mean_lap_s is None else f'{figures.mean_lap_s.median:.2f}'
    table.add_row(
        'median', f'{figures.wall_s.median:.1f}', f'{figures.cpu_s.median:.1f}',
        f'{figures.steps.median:,.0f}', '', lap, f'{figures.examined_share.median:.0%}',
        _ratio(None if figures.ratio is None else figures.ratio.median), style='bold',
    )
    console.print(table)
    console.print(
        f'Counted: {figures.counted}: the command with --steps 1 then takes '
        f'{_cost(figures.cold_start)}.\n'
        f'{figures.steps_per_wall_s.median:,.0f} steps a second, everything counted.\n'
        'Examined: the delivered model, not exploring, with image ages that it was not chosen by, '
        f'{" and ".join(figures.examined_on) or "where it learnt"}.',
        highlight=False,
    )


def _print_ros(figures: RosFigures, console: Console) -> None:
    console.print(f'\n[bold]ROS graph[/]  {figures.track}, {figures.seconds:g} s in real time',
                  highlight=False)
    table = plain_table('from the image, ms', 'p50', 'p99', 'longest', 'images', 'dropped')
    for mode, timing in (('real time', figures.realtime), ('lock-step', figures.lockstep)):
        for what, times in (('to the policy', timing.decided), ('to the motor', timing.applied)):
            if times is not None:
                table.add_row(f'{what}, {mode}', f'{times.p50_ms:.1f}', f'{times.p99_ms:.1f}',
                              f'{times.max_ms:.1f}', f'{timing.images:,}', str(timing.dropped))
    console.print(table)
    console.print(f'{figures.lockstep_steps_per_s:.0f} steps a second in lock-step; '
                  f'{figures.learning_steps_per_s:.0f} when a car learns over topics.\n'
                  f'Counted: {figures.counted}.\nWhen it learns: {figures.learning_counted}.',
                  highlight=False)




def _ratio(value: float | None) -> str:
    return '-' if value is None else f'{value:.3f}'


def _rate(spread: Spread) -> str:
    median, low, high = spread.median / 1e3, spread.low / 1e3, spread.high / 1e3
    return f'{median:.1f} ({low:.1f}-{high:.1f})'


def _cost(cost: Cost) -> str:
    return f'{cost.wall_s:.1f} s ({cost.cpu_s:.1f} s CPU)'
