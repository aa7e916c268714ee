"""`racer league standings`, `export` and `import`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from racer_rl.cli.league_options import AsJson, LeagueName, RaceNumber
from racer_vehicle.errors import ConfigError

if TYPE_CHECKING:
    from racer_rl.league.clock import Moment
    from racer_rl.league.store import League, Race


def show_standings(
    name: LeagueName,
    race: RaceNumber = None,
    season: Annotated[int | None, typer.Option(
        metavar='N', help='Of this season instead of a race.')] = None,
    division: Annotated[str, typer.Option(help='Only this one.', show_default='all')] = '',
    csv: Annotated[bool, typer.Option('--csv', help='Print them as export writes them.')] = False,
    as_json: AsJson = False,
) -> None:
    """Show who leads."""
    from racer_rl.league.clock import now
    from racer_rl.league.store import open_league

    if (csv and as_json) or (season is not None and (race is not None or csv)):
        raise ConfigError('--csv, --json, --race and --season do not all go together; allowed: '
                          '--csv or --json of a race, --json of a season.')
    with open_league(name) as league:
        if season is not None:
            _say_season(league, season, division, as_json=as_json)
            return
        its = league.current(now()) if race is None else league.race(race)
        if csv:
            typer.echo(_table_of(league, its), nl=False)
            return
        say_standings(league, its, now(), division, as_json=as_json)


def say_standings(league: League, race: Race, now: Moment, division: str = '', *,
                  as_json: bool) -> None:
    """Print the standings of a race."""
    from racer_rl.cli.league_views import print_standings, standings_as_dict

    told = standings_as_dict(league, race, league.standings(race.number, division), now)
    if as_json:
        typer.echo(json.dumps(told, indent=2))
    else:
        print_standings(told)


def export_table(
    name: LeagueName,
    out: Annotated[Path | None, typer.Argument(metavar='[FILE.csv]', help='To write.')] = None,
    html: Annotated[Path | None, typer.Option(
        '--html', metavar='FOLDER', help='Write pages of the whole league into it instead.',
    )] = None,
    race: RaceNumber = None,
    force: Annotated[bool, typer.Option('--force', help='Replace the file if it is there.')] = (
        False),
    as_json: AsJson = False,
) -> None:
    """Write a race as a table with the columns of the original, or the league as pages."""
    if html is not None and out is None and race is None:
        _export_pages(name, html, as_json=as_json)
        return
    if out is None or html is not None:
        raise ConfigError('give a FILE.csv for the table of a race, or --html FOLDER for pages of '
                          'the whole league.')
    from racer_rl.league.clock import now
    from racer_rl.league.store import open_league
    from racer_vehicle.storage import write_atomically

    if out.exists() and not force:
        raise ConfigError(f'{out} exists already; give another file, or --force to replace it.')
    with open_league(name) as league:
        its = league.current(now()) if race is None else league.race(race)
        table = _table_of(league, its)
    try:
        write_atomically(out, table.encode())
    except OSError as error:
        raise ConfigError(f'cannot write {out} ({error.strerror}); give a file in a folder that '
                          'you may write to.') from error
    lines = table.count('\n') - 1
    typer.echo(json.dumps({'league': name, 'race': its.number, 'file': str(out), 'rows': lines})
               if as_json else f'wrote {out}: {lines} submissions of race {its.number}')


def _export_pages(name: str, folder: Path, *, as_json: bool) -> None:
    from rich.console import Console
    from rich.progress import Progress

    from racer_rl.league.clock import now
    from racer_rl.league.pages.site import INDEX, write_pages
    from racer_rl.league.store import open_league

    with open_league(name) as league, Progress(console=Console(stderr=True),
                                               transient=True) as progress:
        task = progress.add_task('pages', total=1.0)
        pages = write_pages(league, folder, now(),
                            lambda share: progress.update(task, completed=share))
    typer.echo(json.dumps({'league': name, 'folder': str(folder), 'pages': pages}) if as_json
               else f'wrote {pages} pages; open {folder / INDEX}')


def import_table(
    name: LeagueName,
    file: Annotated[Path, typer.Argument(metavar='FILE.csv', help='Such a table.')],
    title: Annotated[str, typer.Option(help='Of the race.', show_default='the file')] = '',
    as_json: AsJson = False,
) -> None:
    """Add a race that was held elsewhere, closed, with the terms of the league's last one."""
    from racer_rl.league.clock import now
    from racer_rl.league.importing import import_race
    from racer_rl.league.store import open_league
    from racer_rl.league.table_csv import MOST_BYTES, read_table

    try:
        with file.open('rb') as stream:
            content = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError(f'cannot read {file} ({error.strerror}); give a table that racer '
                          'league export wrote, or one like it.') from None
    with open_league(name) as league:
        rows = read_table(content, league.race().terms.ranking)
        race = import_race(league, rows, title or file.stem, now())
        if as_json:
            typer.echo(json.dumps({'league': name, 'race': race.number, 'rows': len(rows)}))
        else:
            typer.echo(f'race {race.number} ({race.title}): {len(rows)} submissions; see: racer '
                       f'league standings {name} --race {race.number}')


def _say_season(league: League, season: int, division: str, *, as_json: bool) -> None:
    from racer_rl.cli.league_views import print_season, season_as_dict
    from racer_rl.league.seasons import season_standings, seasons

    last = seasons(league)[-1].number
    if not 1 <= season <= last:
        raise ConfigError(f'--season is {season}; allowed: 1 to {last}.')
    lines = [line for line in season_standings(league, season)
             if division in {'', line.division}]
    if as_json:
        typer.echo(json.dumps(season_as_dict(league.name, season, lines), indent=2))
    else:
        print_season(league.name, season, lines)


def _table_of(league: League, race: Race) -> str:
    from racer_rl.league.table_csv import write_table

    return write_table(league.submissions(race.number), league.standings(race.number),
                       race.terms.ranking)
