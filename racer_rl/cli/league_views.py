"""Leagues, races and standings for people and for `--json`.

Names come from people: they are printed as they are, never as markup.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from racer_rl.league.clock import shown

if TYPE_CHECKING:
    from racer_rl.league.clock import Moment
    from racer_rl.league.standings import SeasonStanding, Standing
    from racer_rl.league.store import League, Race


def race_as_dict(race: Race, now: Moment) -> dict[str, Any]:
    """A race, with its conditions if they may be known."""
    plan, rules, told = race.terms.plan, race.terms.plan.rules, race.told(now)
    return {
        'race': race.number, 'season': race.season, 'title': race.title,
        'state': race.state(now), 'opens': race.opens, 'closes': race.closes,
        'closed': race.closed, 'track': plan.track, 'direction': plan.direction,
        'type': plan.format.type, 'laps': rules.laps, 'time_limit_s': rules.time_limit_s,
        'resets': rules.resets, 'ranking': race.terms.ranking.by,
        'won_by': str(race.terms.ranking),
        'max_submissions': race.terms.max_submissions, 'hidden': bool(race.conditions.salt),
        'commitment': race.conditions.commitment,
        'conditions': None if told is None else json.loads(told.to_json()),
    }


def race_words(race: Mapping[str, Any]) -> str:
    """A race of `race_as_dict` in one line."""
    when = {'opens': f'opens {shown(race["opens"])}', 'open': 'is open',
            'closed': f'closed {shown(race["closed"] or race["closes"])}'}[race['state']]
    ends = race['closes'] and race['state'] != 'closed'
    until = f' until {shown(race["closes"])}' if ends else ''
    track = Path(race['track']).stem
    laps = 'one lap' if race['laps'] == 1 else f'{race["laps"]} laps'
    most = race['max_submissions']
    limits = f'; {most} submissions each' if most else ''
    hidden = f'; hidden conditions, SHA-256 {race["commitment"]}' if race['hidden'] else ''
    return (f'race {race["race"]} ({race["title"]}) {when}{until}: {race["type"]}, '
            f'{laps} of {track}, won by the {race["won_by"]}{limits}{hidden}')


def league_as_dict(league: League, now: Moment) -> dict[str, Any]:
    """A league as `list` and `show` tell it."""
    from racer_rl.league.seasons import seasons

    submissions = league.submissions()
    states = Counter(str(each.state) for each in submissions)
    return {
        'league': league.name, 'season': seasons(league)[-1].number,
        'divisions': list(league.divisions.names),
        'promoted_share': league.divisions.promoted_share,
        'races': [race_as_dict(race, now) for race in league.races()],
        'racers': [asdict(racer) for racer in league.racers()],
        'submissions': len(submissions), 'queued': states['queued'],
        'racing': states['racing'], 'folder': str(league.folder),
    }


def print_leagues(leagues: Sequence[Mapping[str, Any]]) -> None:
    """One line each."""
    table = _table('league', 'last race', 'state')
    for heading in ('season', 'races', 'racers', 'submissions', 'waiting'):
        table.add_column(heading, justify='right')
    for each in leagues:
        last = each['races'][-1] if each['races'] else {'title': '-', 'state': '-'}
        table.add_row(
            each['league'], Text(last['title']), last['state'], str(each['season']),
            str(len(each['races'])), str(len(each['racers'])), str(each['submissions']),
            str(each['queued'] + each['racing']))
    Console().print(table)


def print_league(league: Mapping[str, Any]) -> None:
    """All of it."""
    divisions = ', '.join(league['divisions'])
    typer.echo(f'{league["league"]}, season {league["season"]}; divisions, lowest first: '
               f'{divisions}; {league["promoted_share"]:.0%} of each move up\n'
               f'{league["folder"]}')
    for race in league['races']:
        typer.echo(race_words(race))
        if race['hidden'] and race['conditions'] is not None:
            typer.echo(f'  its conditions: {json.dumps(race["conditions"])}')
    table = _table('racer', 'division', 'joined')
    for racer in league['racers']:
        table.add_row(Text(racer['name']), Text(racer['division']), shown(racer['joined']))
    Console().print(table)
    if league['submissions']:
        typer.echo(f'submissions: {league["submissions"]}, of which {league["queued"]} wait and '
                   f'{league["racing"]} are raced at this moment')
    else:
        typer.echo('no submission yet')


def standings_as_dict(league: League, race: Race, lines: Sequence[Standing], now: Moment,
                      ) -> dict[str, Any]:
    """The standings of a race."""
    plain = [{**asdict(line), 'line': None if line.line is None else str(line.line),
              'video': None if line.video is None else str(line.video)} for line in lines]
    waiting = sum(each.state != 'done' for each in league.submissions(race.number))
    return {'league': league.name, **race_as_dict(race, now), 'waiting': waiting,
            'final': race.is_closed(now) and not waiting, 'standings': plain}


def print_standings(told: Mapping[str, Any]) -> None:
    """Those of `standings_as_dict`."""
    typer.echo(f'{told["league"]}: {race_words(told)}')
    for division in dict.fromkeys(line['division'] for line in told['standings']):
        typer.echo(f'\n{division}')
        table = _table()
        table.add_column('', justify='right')
        table.add_column('racer', overflow='fold')
        table.add_column('model', overflow='fold')
        for heading in ('time s', 'best lap s', 'laps', 'incidents', 'submissions'):
            table.add_column(heading, justify='right', no_wrap=True)
        for line in told['standings']:
            if line['division'] == division:
                best = '-' if line['best_lap_s'] is None else f'{line["best_lap_s"]:.3f}'
                table.add_row(str(line['rank']), Text(line['racer']), Text(line['model']),
                              f'{line["score_s"]:.3f}', best, str(line['laps']),
                              str(line['incidents']), str(line['submissions']))
        Console().print(table)
    if not told['standings']:
        typer.echo('nobody is ranked yet')
    waiting = f'; waiting to be raced: {told["waiting"]}' if told['waiting'] else ''
    typer.echo(f'{"final" if told["final"] else "not final"}{waiting}')


def season_as_dict(league: str, number: int, lines: Sequence[SeasonStanding]) -> dict[str, Any]:
    """The standings of a season."""
    return {'league': league, 'season': number, 'standings': [asdict(line) for line in lines]}


def print_season(league: str, number: int, lines: Sequence[SeasonStanding]) -> None:
    """Likewise, for people."""
    typer.echo(f'{league}, season {number}')
    table = _table('division')
    table.add_column('', justify='right')
    table.add_column('racer', overflow='fold')
    for heading in ('points', 'races', 'incidents'):
        table.add_column(heading, justify='right')
    table.add_column('')
    for line in lines:
        table.add_row(Text(line.division), str(line.rank), Text(line.racer), str(line.points),
                      str(line.races), str(line.incidents), 'moves up' if line.promoted else '')
    Console().print(table)


def _table(*headings: str) -> Table:
    return Table(*headings, box=None, pad_edge=False, header_style='bold')
