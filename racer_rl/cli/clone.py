"""`racer clone`: begin a new model with what another one knows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from racer_rl.cli.race_options import (
    BotsOption,
    BotSpeedOption,
    CarsOption,
    ObstaclesOption,
    PlaceOption,
    RaceOption,
    RaceWords,
)

if TYPE_CHECKING:
    from racer_rl.store.lineage import Lineage

clone_app = typer.Typer(add_completion=False)

Rate = Annotated[float | None, typer.Option(
    '--learning-rate', help="Size of the steps of learning; half the parent's is a good try.")]


@clone_app.command()
def clone(
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar='SRC', help='Name of a trained model.')],
    name: Annotated[str, typer.Argument(metavar='DST', help='Name of the new one.')],
    checkpoint: Annotated[str, typer.Option(
        help='best, last, or the steps of an earlier one.')] = 'best',
    learning_rate: Rate = None,
    hyperparameters: Annotated[Path | None, typer.Option(
        help="JSON with what is to change, by our names or DeepRacer's.")] = None,
    reward: Annotated[str | None, typer.Option(help='Another reward function.')] = None,
    track: Annotated[list[str] | None, typer.Option(
        help='Another track, by name or file; several times for several.')] = None,
    direction: Annotated[str | None, typer.Option(help='forward, reverse or both.')] = None,
    randomization: Annotated[str | None, typer.Option(
        help='none, default, strong, or a .json file.')] = None,
    race: RaceOption = None,
    obstacles: ObstaclesOption = None,
    place: PlaceOption = None,
    bots: BotsOption = None,
    bot_speed: BotSpeedOption = None,
    cars: CarsOption = None,
    seed: Annotated[int | None, typer.Option(help="Instead of the parent's.", min=0)] = None,
    fresh_optimizer: Annotated[bool, typer.Option(
        '--fresh-optimizer', help="Forget the optimiser's state, take the weights only.")] = False,
    network: Annotated[str | None, typer.Option(hidden=True)] = None,
    metadata: Annotated[Path | None, typer.Option(hidden=True)] = None,
    max_speed: Annotated[float | None, typer.Option(hidden=True)] = None,
    algorithm: Annotated[str | None, typer.Option(hidden=True)] = None,
    as_json: Annotated[bool, typer.Option('--json', help='Print JSON.')] = False,
) -> None:
    """Begin a new model with the weights and the optimiser of another one.

    Sensors, network and actions stay as they are; all else may change: track, race, reward,
    learning rate and other hyperparameters. DST drives as SRC does until it is trained:
    `racer train --name DST --resume`. `racer train --from SRC --name DST` does both.
    """
    from racer_rl.cli.clone_plan import Changes, make_clone
    from racer_rl.store.models import open_model
    from racer_rl.training.clone import Parent
    from racer_rl.training.plan import Limits

    parent = Parent(folder=open_model(source), checkpoint=checkpoint,
                    optimizer=not fresh_optimizer)
    with Console(stderr=True).status(f'cloning {source}'):
        folder = make_clone(
            name, parent,
            Changes(tracks=track, direction=direction, reward=reward,
                    hyperparameters=hyperparameters, learning_rate=learning_rate,
                    randomization=randomization, seed=seed, network=network, metadata=metadata,
                    algorithm=algorithm, max_speed=max_speed,
                    race=RaceWords.of(context.params).format()),
            Limits())
    lineage = folder.lineage
    if as_json:
        typer.echo(json.dumps({'model': name, 'folder': str(folder.path),
                               'lineage': None if lineage is None else lineage.as_dict()}))
        return
    typer.echo(f'{name}: {lineage}; {_taken_over(lineage)}')
    typer.echo(f'train it: racer train --name {name} --resume')


def _taken_over(lineage: Lineage | None) -> str:
    kept = lineage is not None and lineage.optimizer
    return 'weights and optimiser' if kept else 'weights, with a fresh optimiser'
