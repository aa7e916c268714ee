"""`racer bench`: measure the simulator and training on this machine."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from racer_rl.cli.drive import require_ros
from racer_vehicle.storage import write_atomically

if TYPE_CHECKING:
    from racer_rl.benchmarks.ros import RosFigures

bench_app = typer.Typer(add_completion=False)


class Part(StrEnum):
    """What can be measured by itself."""

    SIMULATOR = 'simulator'
    TRAIN = 'train'
    ROS = 'ros'
    ALL = 'all'


@bench_app.command()
def bench(
    part: Annotated[Part, typer.Argument(
        help='What to measure; all: simulator and train.')] = Part.ALL,
    track: Annotated[str, typer.Option(
        help="Track by name or file; train: '' for those of the goal.")] = 'kidney',
    seeds: Annotated[int, typer.Option(help='Repetitions, seeded 0, 1, ...', min=1)] = 5,
    goal: Annotated[str, typer.Option(
        help='train: finish (measured to clean laps), generalise or race.')] = 'finish',
    elsewhere: Annotated[list[str] | None, typer.Option(
        help='train: examine the models on this track, both ways; several times for several. '
             'Without: where they learnt.')] = None,
    network: Annotated[
        str | None,
        typer.Option(help="train: FAST, FINE, or one of DeepRacer's three by name.",
                     show_default='as the goal has it'),
    ] = None,
    method: Annotated[
        str, typer.Option(help='train: ppo, sac, distill or auto, as `racer train` has it.')
    ] = 'auto',
    seconds: Annotated[float, typer.Option(
        help='ros: how long to drive in real time.')] = 60.0,
    as_json: Annotated[bool, typer.Option('--json', help='Print one JSON object.')] = False,
    out: Annotated[Path | None, typer.Option(help='Also write the JSON to this file.')] = None,
) -> None:
    """Measure the simulator (steps a second), training (seconds to clean laps), the ROS graph.

    Nothing of it touches your models. Close other programs first: CPU figures suffer less from
    them than wall figures, but suffer too.
    """
    from racer_rl.benchmarks.machine import Machine
    from racer_rl.benchmarks.report import Report, print_report
    from racer_rl.benchmarks.simulator import SimulatorBenchmark
    from racer_rl.benchmarks.training import TrainingBenchmark

    machine = Machine.here()
    simulator = SimulatorBenchmark(track=track or 'kidney', seeds=seeds)
    training = TrainingBenchmark(track=track, seeds=seeds, goal=goal, network=network,
                                 method=method, elsewhere=tuple(elsewhere or ()))
    report = Report(
        machine=machine,
        simulator=simulator.run(_tell) if part in {Part.SIMULATOR, Part.ALL} else None,
        training=training.run(_tell) if part in {Part.TRAIN, Part.ALL} else None,
        ros=_ros(track, seconds) if part is Part.ROS else None,
    )
    text = json.dumps(report.as_dict(), indent=2)
    if out is not None:
        write_atomically(out, f'{text}\n'.encode())
        _tell(f'wrote {out}')
    if as_json:
        typer.echo(text)
    else:
        print_report(report, Console())


def _ros(track: str, seconds: float) -> RosFigures:
    require_ros()
    from racer_rl.benchmarks.ros import RosBenchmark

    return RosBenchmark(track=track, seconds=seconds).run(_tell)


def _tell(line: str) -> None:
    typer.echo(line, err=True)
