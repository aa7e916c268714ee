"""`racer drive`: race a trained model through the car's own nodes, with no ROS installation."""

from __future__ import annotations

import dataclasses
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from racer_rl.cli.race_options import (
    BotsOption,
    BotSpeedOption,
    CarsOption,
    ObstaclesOption,
    PlaceOption,
    RaceOption,
    RaceWords,
)
from racer_vehicle.errors import ConfigError

if TYPE_CHECKING:
    from racer_rl.drive.graph import DrivePlan
    from racer_rl.drive.result import DriveResult
    from racer_rl.evaluation.comparison import Comparison
    from racer_sim.lap_bound import LapBound
    from racer_sim.race_format import RaceFormat
    from racer_vehicle.policy_card import PolicyCard

drive_app = typer.Typer(add_completion=False)

BUNDLE_SUFFIX: Final = '.racer'
LINE_EVERY_S: Final = 5.0
"""Between two lines of progress where the output is not a terminal."""


@drive_app.command()
def drive_model(
    context: typer.Context,
    model: Annotated[str, typer.Argument(
        metavar='MODEL', help='Name of a trained model, or a .racer file.')],
    track: Annotated[str | None, typer.Option(help='Instead of the one it trained on.')] = None,
    laps: Annotated[int, typer.Option(help='Laps of each run.')] = 3,
    starts: Annotated[int, typer.Option(
        help='Runs, one after another, their starts spread over the lap.')] = 4,
    direction: Annotated[Literal['forward', 'reverse'],
                         typer.Option(help='Way round.')] = 'forward',
    simulator: Annotated[Literal['embedded', 'gazebo'], typer.Option(
        help='What the car drives in.')] = 'embedded',
    mode: Annotated[Literal['lockstep', 'realtime'], typer.Option(
        help='A period per command, as fast as it goes, or by the clock.')] = 'lockstep',
    factor: Annotated[float, typer.Option(help='Real time: simulated seconds a second.')] = 1.0,
    resets: Annotated[int, typer.Option(help='Incidents that a run survives.')] = 0,
    race: RaceOption = None,
    obstacles: ObstaclesOption = None,
    place: PlaceOption = None,
    bots: BotsOption = None,
    bot_speed: BotSpeedOption = None,
    cars: CarsOption = None,
    checkpoint: Annotated[str, typer.Option(
        help='best by evaluation, last, or the steps of an earlier one.')] = 'best',
    seed: Annotated[int, typer.Option(
        help='Of the image ages, and of where boxes and bots are.')] = 0,
    bag: Annotated[Path | None, typer.Option(
        help='Record every topic (.mcap), for ros2 bag play and Foxglove.')] = None,
    as_json: Annotated[bool, typer.Option('--json', help='Print JSON.')] = False,
) -> None:
    """Race a model through the nodes that drive the car: camera, lidar, inference, motor.

    The simulator and race control run beside them, all as programs of their own in a ROS domain
    that nobody else is in.
    """
    require_ros()
    from racer_rl.budget.budgets import check_before
    from racer_rl.cli.spending import spending
    from racer_rl.drive.bag import Bag
    from racer_rl.drive.graph import DrivePlan
    from racer_rl.evaluation.comparison import Comparison
    from racer_rl.evaluation.laps import EvaluationPlan
    from racer_rl.nodes.drive import drive
    from racer_vehicle.policy import PolicyBundle

    words = RaceWords.of(context.params)
    judged = EvaluationPlan(laps=laps, starts=starts, resets=resets, seed=seed)
    check_before(None)  # it takes a minute or so: refused only if nothing is left
    with bundle_file(model, checkpoint) as bundle:
        card = PolicyBundle.read(bundle).card
        plan = DrivePlan(bundle=bundle, track=track or card.track[0], direction=direction,
                         simulator=simulator, mode=mode, factor=factor, judged=judged,
                         race=words.format() or race_of(model))
        with (spending('race', card.model), Bag(bag) if bag else nullcontext() as recording):
            result = drive(plan, _Progress(), recording)
    shown = Comparison(result.evaluation, _kept_bounds(plan, card))
    if bag:
        typer.echo(f'wrote {bag}', err=True)
    if as_json:
        typer.echo(json.dumps({**result.as_dict(), **shown.as_dict()}, indent=2))
    else:
        _print(result, shown)


def require_ros() -> None:
    """Refuse to go on where rclpy cannot be imported.

    Raises:
        ConfigError: Saying where to get it.
    """
    if not has_ros():
        raise ConfigError('rclpy is not installed; source an installation of ROS 2 (Jazzy or '
                          "newer), or on Linux x86_64 install wheels of it: pip install '.[ros]'.")


def has_ros() -> bool:
    """Whether rclpy can be imported."""
    return find_spec('rclpy') is not None


@contextmanager
def bundle_file(model: str, checkpoint: str) -> Iterator[Path]:
    """The bundle of a model, exported for the time of this context, or a bundle's own file.

    Args:
        model: Name in the store, or path of a `.racer` file.
        checkpoint: `best`, `last` or a number of steps, of a model in the store.
    """
    if model.endswith(BUNDLE_SUFFIX):
        yield Path(model).resolve()
        return
    from racer_rl.export import export_bundle
    from racer_rl.store.models import open_model

    with tempfile.TemporaryDirectory(prefix='racer-bundle-') as folder:
        path = Path(folder) / f'policy{BUNDLE_SUFFIX}'
        export_bundle(open_model(model), path, checkpoint)
        yield path


def race_of(model: str) -> RaceFormat:
    """What a model is raced in where nobody says otherwise: what it was trained for.

    Args:
        model: As of `bundle_file`; a bundle's own file does not tell: a time trial.
    """
    from racer_rl.store.models import open_model
    from racer_sim.race_format import RaceFormat

    return RaceFormat() if model.endswith(BUNDLE_SUFFIX) else open_model(model).setup.race


class _Progress:
    """Race control's headline on stderr, so that stdout stays free for the result."""

    def __init__(self) -> None:
        self._next_s = 0.0

    def __call__(self, headline: str) -> None:
        now_s = time.monotonic()
        if now_s >= self._next_s:
            self._next_s = now_s + LINE_EVERY_S
            typer.echo(headline, err=True)


def _kept_bounds(plan: DrivePlan, card: PolicyCard) -> tuple[LapBound | None, ...]:
    """The lap bound of what was driven, if there is one already; Gazebo's car has another."""
    from racer_rl.cli.bound_search import kept_bound
    from racer_vehicle.spec import CarSpec

    if plan.simulator != 'embedded':
        return ()
    car = dataclasses.replace(CarSpec(), **dataclasses.asdict(card.car))
    return (kept_bound(plan.course, car, card.action.top_speed_mps),)


def _print(result: DriveResult, shown: Comparison) -> None:
    from racer_rl.cli.evaluate import print_result

    print_result(shown)
    typer.echo(result.timing_line)
