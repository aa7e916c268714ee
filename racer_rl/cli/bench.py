"""`racer bench`: measure the simulator and training on this machine."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from racer_vehicle.storage import write_atomically

bench_app = typer.Typer(add_completion=False)


class Part(StrEnum):
    """What can be measured by itself."""

    SIMULATOR = 'simulator'
    TRAIN = 'train'
    ALL = 'all'


@bench_app.command()
def bench(
    part: Annotated[Part, typer.Argument(help='What to measure.')] = Part.ALL,
    track: Annotated[str, typer.Option(help='Track by name or file.')] = 'kidney',
    seeds: Annotated[int, typer.Option(help='Repetitions, seeded 0, 1, ...', min=1)] = 5,
    network: Annotated[
        str, typer.Option(help="Network to train: FAST, or one of DeepRacer's three by name.")
    ] = 'FAST',
    as_json: Annotated[bool, typer.Option('--json', help='Print one JSON object.')] = False,
    out: Annotated[Path | None, typer.Option(help='Also write the JSON to this file.')] = None,
) -> None:
    """Measure the simulator (steps a second on one core) and training (seconds to clean laps).

    Nothing of it touches your models. Close other programs first: CPU figures suffer less from
    them than wall figures, but suffer too.
    """
    from racer_rl.benchmarks.machine import Machine
    from racer_rl.benchmarks.report import Report, print_report
    from racer_rl.benchmarks.simulator import SimulatorBenchmark
    from racer_rl.benchmarks.training import TrainingBenchmark

    machine = Machine.here()
    simulator = SimulatorBenchmark(track=track, seeds=seeds)
    training = TrainingBenchmark(track=track, seeds=seeds, network=network)
    report = Report(
        machine=machine,
        simulator=None if part is Part.TRAIN else simulator.run(_tell),
        training=None if part is Part.SIMULATOR else training.run(_tell),
    )
    text = json.dumps(report.as_dict(), indent=2)
    if out is not None:
        write_atomically(out, f'{text}\n'.encode())
        _tell(f'wrote {out}')
    if as_json:
        typer.echo(text)
    else:
        print_report(report, Console())


def _tell(line: str) -> None:
    typer.echo(line, err=True)
