"""`racer bench`: measure the simulator, training and the car's programs on this machine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from racer_rl.cli.drive import require_ros
from racer_vehicle.storage import write_atomically

if TYPE_CHECKING:
    from racer_rl.benchmarks.inference import InferenceFigures
    from racer_rl.benchmarks.ros import RosFigures

bench_app = typer.Typer(add_completion=False)


class Part(StrEnum):
    """What can be measured by itself."""

    SIMULATOR = 'simulator'
    TRAIN = 'train'
    ROS = 'ros'
    INFERENCE = 'inference'
    ALL = 'all'


@bench_app.command()
def bench(
    part: Annotated[Part, typer.Argument(
        help='What to measure; all: simulator and train.')] = Part.ALL,
    model: Annotated[str | None, typer.Argument(
        help='inference: a model, or a bundle (*.racer); without: untrained networks.')] = None,
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
        typer.Option(help="train, inference: FAST, FINE, or one of DeepRacer's three by name.",
                     show_default='as the goal has it; inference: FAST and '
                                  'DEEP_CONVOLUTIONAL_NETWORK_SHALLOW'),
    ] = None,
    method: Annotated[
        str, typer.Option(help='train: ppo, sac, distill or auto, as `racer train` has it.')
    ] = 'auto',
    seconds: Annotated[float | None, typer.Option(
        help='ros: how long to drive in real time. inference: also the real node at 15 Hz, so '
             'long for each policy.', show_default='ros: 60; inference: no node')] = None,
    count: Annotated[int, typer.Option(help='inference: decisions of a repetition.')] = 3000,
    int8: Annotated[bool, typer.Option(
        '--int8', help='inference: also with 8-bit weights.')] = False,
    share: Annotated[list[float] | None, typer.Option(
        '--cpu-share', help='inference: also with this share of a core, e.g. 0.25; several times '
                            'for several. Needs Linux and root.')] = None,
    as_json: Annotated[bool, typer.Option('--json', help='Print one JSON object.')] = False,
    out: Annotated[Path | None, typer.Option(help='Also write the JSON to this file.')] = None,
) -> None:
    """Measure the simulator, training, the ROS graph, and what a decision costs the car.

    Nothing of it touches your models. Close other programs first: CPU figures suffer less from
    them than wall figures, but suffer too.
    """
    from racer_rl.benchmarks.machine import Machine
    from racer_rl.benchmarks.report import Report, print_report
    from racer_rl.benchmarks.simulator import SimulatorBenchmark
    from racer_rl.benchmarks.subjects import NETWORKS
    from racer_rl.benchmarks.training import TrainingBenchmark

    machine = Machine.here()
    simulator = SimulatorBenchmark(track=track or 'kidney', seeds=seeds)
    training = TrainingBenchmark(track=track, seeds=seeds, goal=goal, network=network,
                                 method=method, elsewhere=tuple(elsewhere or ()))
    report = Report(
        machine=machine,
        simulator=simulator.run(_tell) if part in {Part.SIMULATOR, Part.ALL} else None,
        training=training.run(_tell) if part in {Part.TRAIN, Part.ALL} else None,
        ros=_ros(track, 60.0 if seconds is None else seconds) if part is Part.ROS else None,
        inference=_inference(
            model, (network,) if network else NETWORKS, int8, count=count, repeats=seeds,
            shares=tuple(share or ()), track=track or 'kidney', node_seconds=seconds or 0.0,
        ) if part is Part.INFERENCE else None,
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


def _inference(model: str | None, networks: Sequence[str], int8: bool, *, node_seconds: float,
               **settings: Any) -> InferenceFigures:
    if node_seconds:
        require_ros()
    from racer_rl.benchmarks.inference import InferenceBenchmark
    from racer_rl.benchmarks.subjects import subjects_of

    return InferenceBenchmark(subjects=subjects_of(model, networks, int8),
                              node_seconds=node_seconds, **settings).run(_tell)


def _tell(line: str) -> None:
    typer.echo(line, err=True)
