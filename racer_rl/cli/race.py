"""`racer race`: race models against the clock, boxes, bots and each other, and check results."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from racer_rl.cli.race_day import race_day
from racer_rl.cli.race_entries import (
    entrants_from,
    find_bundles,
    keep_bundles,
    prepare_bots,
    require_file_name,
)
from racer_rl.cli.race_options import (
    BotsOption,
    BotSpeedOption,
    ObstaclesOption,
    PlaceOption,
    RaceOption,
    RaceWords,
)
from racer_rl.cli.race_view import RaceProgress, placing_as_dict, print_result
from racer_sim.race_format import RaceFormat, RaceType
from racer_sim.randomization import find_randomization
from racer_sim.rules import RaceRules
from racer_vehicle.errors import ConfigError

if TYPE_CHECKING:  # they take a second to import
    from racer_rl.races.entrants import Entrant
    from racer_rl.races.plan import RacePlan
    from racer_rl.races.result import RaceResult
    from racer_rl.races.run import Watch
    from racer_sim.simulator import Simulator

race_app = typer.Typer(add_completion=False, no_args_is_help=True,
                       help='Race models against the clock, boxes, bots and each other.')
race_app.command('day')(race_day)

EXIT_DIFFERS = 1
LAP_LIMIT_S = 180.0
MOST_CARS = 8

AsJson = Annotated[bool, typer.Option('--json', help='Print JSON.')]


@race_app.command('run')
def run_command(
    context: typer.Context,
    entry: Annotated[list[str], typer.Option(
        help='Who races: a model, a .racer file, or bot:slow, bot:medium, bot:optimal. Several '
             'times for several cars on the track at once.')],
    track: Annotated[str, typer.Option(help='By name or file.')] = 'oval',
    direction: Annotated[Literal['forward', 'reverse'],
                         typer.Option(help='Way round.')] = 'forward',
    race: RaceOption = None,
    obstacles: ObstaclesOption = None,
    place: PlaceOption = None,
    bots: BotsOption = None,
    bot_speed: BotSpeedOption = None,
    laps: Annotated[int, typer.Option(help='Laps to drive.')] = 3,
    resets: Annotated[int, typer.Option(help='Incidents that a car survives.')] = 10_000,
    off_track_penalty: Annotated[float, typer.Option(
        help='Seconds a car stands after leaving the track, standing or turning round.')] = 2.0,
    collision_penalty: Annotated[float, typer.Option(
        help='Seconds it stands after a collision.')] = 5.0,
    blame: Annotated[Literal['striker', 'both'], typer.Option(
        help='Who pays for a collision of two cars.')] = 'striker',
    mercy: Annotated[int, typer.Option(
        help='After so many crashes at one place, a car is put past it; 0: never.')] = 0,
    time_limit: Annotated[float | None, typer.Option(
        help='Seconds of race.', show_default=f'{LAP_LIMIT_S:g} a lap')] = None,
    randomization: Annotated[str, typer.Option(
        help='Other light, cameras and cars: none, default, strong, or a .json file.')] = 'none',
    seed: Annotated[int, typer.Option(help='The same seed gives the same race.')] = 0,
    checkpoint: Annotated[str, typer.Option(
        help='Of models: best by evaluation, last, or the steps of an earlier one.')] = 'best',
    video: Annotated[Path | None, typer.Option(help='Film the first entry (.mp4).')] = None,
    out: Annotated[Path | None, typer.Option(
        help='Write the result (.json), and the policies beside it, for anyone to verify.'
    )] = None,
    as_json: AsJson = False,
) -> None:
    """Race one entry against the clock, boxes or bots, or several against each other."""
    from racer_rl.races.plan import RacePlan

    require_file_name(video, '.mp4', '--video')
    require_file_name(out, '.json', '--out')
    words = RaceWords.of(context.params)
    plan = RacePlan(
        track=track, direction=direction, format=_format(words, len(entry)), seed=seed,
        randomization=find_randomization(randomization),
        rules=RaceRules(
            laps=laps, resets=resets, off_track_penalty_s=off_track_penalty,
            collision_penalty_s=collision_penalty, blame=blame, mercy_crashes=mercy,
            time_limit_s=laps * LAP_LIMIT_S if time_limit is None else time_limit))
    entrants = entrants_from(entry, checkpoint)
    result = _drive(plan, entrants, video)
    if out is not None:
        result.write(out)
        keep_bundles(entrants, out.parent)
        typer.echo(f'wrote {out}', err=True)
    if as_json:
        typer.echo(json.dumps({**json.loads(result.to_json()),
                               'placing': placing_as_dict(result)}, indent=2))
    else:
        print_result(result)


def _format(words: RaceWords, entries: int) -> RaceFormat:
    """The format for so many entries.

    Raises:
        ConfigError: It is for another number.
    """
    alone = entries == 1
    if not alone and words.race is None and words.format() is None:
        words = replace(words, race=RaceType.HEAD_TO_HEAD)
    race = words.format() or RaceFormat()
    if alone != (race.type is not RaceType.HEAD_TO_HEAD) or not 1 <= entries <= MOST_CARS:
        raise ConfigError(
            f'{entries} entries for a race of type {race.type}; allowed: 2 to {MOST_CARS} in '
            f'{RaceType.HEAD_TO_HEAD}, one otherwise: every entry has the track for itself, so '
            'race them one after another.')
    return race if alone else replace(race, cars=entries)


def _drive(plan: RacePlan, entrants: Sequence[Entrant], video: Path | None) -> RaceResult:
    """Race while one watches, accounted for."""
    from racer_rl.budget.budgets import check_before
    from racer_rl.cli.spending import spending
    from racer_rl.evaluation.film import Film
    from racer_rl.races.run import run_race
    from racer_vehicle.spec import CONTROL_PERIOD_S

    check_before(None)  # it takes a minute at most: refused only if nothing is left
    prepare_bots(plan, entrants)
    with spending('race', entrants[0].name) as money, ExitStack() as stack:
        watches: list[Watch] = [stack.enter_context(RaceProgress())]
        if video is not None:
            watches.append(stack.enter_context(Film(video)))

        def watch(simulator: Simulator) -> None:
            for each in watches:
                each(simulator)

        result = run_race(plan, entrants, watch)
        money.account.note(
            round(sum(entry.time_s for entry in result.entries) / CONTROL_PERIOD_S),
            sum(entry.completion for entry in result.entries) / len(result.entries))
    if video is not None:
        typer.echo(f'wrote {video}', err=True)
    return result


@race_app.command('verify')
def verify_command(
    result: Annotated[Path, typer.Argument(metavar='RESULT.json',
                                           help='That racer race run --out wrote.')],
    bundle: Annotated[list[Path] | None, typer.Option(
        help='A policy (.racer) that is neither beside the result nor in the store.')] = None,
    as_json: AsJson = False,
) -> None:
    """Drive a race again and compare every number; exit code 1 where it differs."""
    from racer_rl.races.result import RaceResult
    from racer_rl.races.verify import entrants_of, verify

    claimed = RaceResult.read(result)
    bundles = find_bundles(claimed, bundle or (), result.parent)
    prepare_bots(claimed.plan, entrants_of(claimed, bundles))
    with RaceProgress() as progress:
        checked = verify(claimed, bundles, progress)
    if as_json:
        typer.echo(json.dumps({
            'same': checked.is_same, 'differences': checked.differences,
            'versions': [{'name': name, 'then': then, 'now': now}
                         for name, then, now in checked.versions]}, indent=2))
    else:
        for line in checked.differences or ('the same: every number, and every car at every '
                                            'step.',):
            typer.echo(line)
        for name, then, now in checked.versions:
            typer.echo(f'{name}: {then} then, {now} now')
        if checked.differences and not checked.versions:
            typer.echo('made with the same versions, on the same kind of processor: the result '
                       'was changed, or racer was.')
    if not checked.is_same:
        raise typer.Exit(EXIT_DIFFERS)
