"""`racer league`: seasons of races that anybody may enter with a policy."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from racer_rl.cli.league_entries import join_league, race_queue, submit_policy
from racer_rl.cli.league_options import (
    AsJson,
    CarsOption,
    ClosesOption,
    ConsecutiveOption,
    DirectionOption,
    HiddenOption,
    LapsOption,
    LeagueName,
    MaxSubmissionsOption,
    OpensOption,
    RaceNumber,
    RandomizationOption,
    RankingOption,
    ResetsOption,
    SeedOption,
    TimeLimitOption,
    TitleOption,
    TypeOption,
)
from racer_rl.cli.league_tables import export_table, import_table, show_standings
from racer_rl.cli.race_options import BotsOption, BotSpeedOption, ObstaclesOption, PlaceOption

if TYPE_CHECKING:
    from racer_rl.league.store import League, Race

league_app = typer.Typer(add_completion=False, no_args_is_help=True,
                         help='Seasons of races that anybody may enter with a policy.')


@league_app.command('create')
def create(
    context: typer.Context,
    name: LeagueName,
    track: Annotated[str, typer.Option(help='Of the first race, by name or file.')],
    divisions: Annotated[str, typer.Option(
        metavar='LIST', help='Lowest first, with commas between them; who joins begins in the '
        'first.')] = 'Open,Pro',
    promoted: Annotated[float, typer.Option(
        metavar='SHARE', help='Of the ranked of a division, who moves up at the end of a season, '
        'rounded up.')] = 0.1,
    title: TitleOption = '',
    direction: DirectionOption = None,
    race_type: TypeOption = None,
    obstacles: ObstaclesOption = None,
    place: PlaceOption = None,
    bots: BotsOption = None,
    bot_speed: BotSpeedOption = None,
    cars: CarsOption = None,
    laps: LapsOption = None,
    ranking: RankingOption = None,
    consecutive: ConsecutiveOption = None,
    resets: ResetsOption = None,
    time_limit: TimeLimitOption = None,
    max_submissions: MaxSubmissionsOption = None,
    opens: OpensOption = '',
    closes: ClosesOption = '',
    seed: SeedOption = None,
    randomization: RandomizationOption = 'none',
    hidden: HiddenOption = '',
    as_json: AsJson = False,
) -> None:
    """Make a league, and open its first race."""
    from racer_rl.cli.league_options import open_from
    from racer_rl.league.clock import now
    from racer_rl.league.divisions import Divisions
    from racer_rl.league.store import create_league, discard_league, open_league

    ladder = Divisions(names=tuple(word.strip() for word in divisions.split(',')),
                       promoted_share=promoted)
    create_league(name, ladder, now())
    with open_league(name) as league:
        try:
            race = open_from(league, context.params, now())
        except BaseException:
            discard_league(league)  # a league without its race is not what was asked for
            raise
        _say_open(league, race, as_json=as_json)


@league_app.command('open')
def open_another(
    context: typer.Context,
    name: LeagueName,
    track: Annotated[str | None, typer.Option(help='By name or file.')] = None,
    title: TitleOption = '',
    direction: DirectionOption = None,
    race_type: TypeOption = None,
    obstacles: ObstaclesOption = None,
    place: PlaceOption = None,
    bots: BotsOption = None,
    bot_speed: BotSpeedOption = None,
    cars: CarsOption = None,
    laps: LapsOption = None,
    ranking: RankingOption = None,
    consecutive: ConsecutiveOption = None,
    resets: ResetsOption = None,
    time_limit: TimeLimitOption = None,
    max_submissions: MaxSubmissionsOption = None,
    opens: OpensOption = '',
    closes: ClosesOption = '',
    seed: SeedOption = None,
    randomization: RandomizationOption = 'none',
    hidden: HiddenOption = '',
    as_json: AsJson = False,
) -> None:
    """Open another race of the season; what is not given is as in the last one."""
    from racer_rl.cli.league_options import open_from
    from racer_rl.league.clock import now
    from racer_rl.league.store import open_league

    with open_league(name) as league:
        _say_open(league, open_from(league, context.params, now()), as_json=as_json)

league_app.command('join')(join_league)
league_app.command('submit')(submit_policy)
league_app.command('race')(race_queue)
league_app.command('standings')(show_standings)


@league_app.command('list')
def list_leagues(as_json: AsJson = False) -> None:
    """List all leagues."""
    from racer_rl.cli.league_views import league_as_dict, print_leagues
    from racer_rl.league.clock import now
    from racer_rl.league.store import league_names, open_league

    rows = []
    for name in league_names():
        with open_league(name) as league:
            rows.append(league_as_dict(league, now()))
    if as_json:
        typer.echo(json.dumps({'leagues': rows}, indent=2))
    elif rows:
        print_leagues(rows)
    else:
        typer.echo('no league yet; make one: racer league create NAME --track T')


@league_app.command('show')
def show_league(name: LeagueName, as_json: AsJson = False) -> None:
    """Show a league: seasons, races and what they are won by, racers, and the queue."""
    from racer_rl.cli.league_views import league_as_dict, print_league
    from racer_rl.league.clock import now
    from racer_rl.league.store import open_league

    with open_league(name) as league:
        shown = league_as_dict(league, now())
    if as_json:
        typer.echo(json.dumps(shown, indent=2))
    else:
        print_league(shown)


@league_app.command('close')
def close(name: LeagueName, race: RaceNumber = None, as_json: AsJson = False) -> None:
    """Close a race: take nothing more, race what waits, and show the final standings."""
    from racer_rl.cli.league_entries import drain
    from racer_rl.cli.league_tables import say_standings
    from racer_rl.league.clock import now
    from racer_rl.league.seasons import close_race
    from racer_rl.league.store import open_league

    with open_league(name) as league:
        number = league.current(now()).number if race is None else race
        closed = close_race(league, number, now())
        drain(league, closed.number, video=False, wait=True)
        say_standings(league, closed, now(), as_json=as_json)


@league_app.command('next-season')
def end_season(name: LeagueName, as_json: AsJson = False) -> None:
    """End the season: its best move up a division, and the next one begins."""
    from racer_rl.cli.league_views import print_season, season_as_dict
    from racer_rl.league.clock import now
    from racer_rl.league.seasons import next_season, seasons
    from racer_rl.league.store import open_league

    with open_league(name) as league:
        final = next_season(league, now())
        ended = seasons(league)[-1].number - 1
    if as_json:
        typer.echo(json.dumps(season_as_dict(name, ended, final), indent=2))
    else:
        print_season(name, ended, final)

league_app.command('export')(export_table)
league_app.command('import')(import_table)


def _say_open(league: League, race: Race, *, as_json: bool) -> None:
    from racer_rl.cli.league_views import race_as_dict, race_words
    from racer_rl.league.clock import now

    told: dict[str, Any] = race_as_dict(race, now())
    if as_json:
        typer.echo(json.dumps({'league': league.name, **told}, indent=2))
    else:
        typer.echo(f'{league.name}: {race_words(told)}')
