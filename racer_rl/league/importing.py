"""A race that was held elsewhere, from its table into a league."""

from __future__ import annotations

from dataclasses import replace

from racer_rl.league.clock import Moment, as_text
from racer_rl.league.intake import add_finished
from racer_rl.league.names import name_key, require_name
from racer_rl.league.store import League, Race, Racer
from racer_rl.league.table_csv import Row
from racer_rl.league.terms import Conditions
from racer_vehicle.errors import ConfigError, UnknownNameError


def import_race(league: League, rows_read: tuple[Row, ...], title: str, now: Moment) -> Race:
    """Add a closed race with these submissions to the season that goes on, or add nothing.

    Who has not joined joins. The race has the terms of the league's last one.

    Args:
        league: Of which.
        rows_read: The lines, in the order in which they came.
        title: Of the race.
        now: The time, of lines that tell none.

    Raises:
        ConfigError: The league has no race yet, there are no lines, or a line names a division
            that the league does not have.
    """
    like, title = league.race(), require_name('race', title)
    if not rows_read:
        raise ConfigError('the table has no line below its first; allowed: one or more.')
    with league.database.transaction() as rows:
        (season,), = rows.execute('SELECT max(number) FROM season').fetchall()
        (terms,), = rows.execute('SELECT terms FROM race WHERE number = ?',
                                 (like.number,)).fetchall()
        race = replace(like, number=len(league.races()) + 1)
        rows.execute('INSERT INTO race VALUES (?, ?, ?, ?, ?, ?, ?, ?)', (
            race.number, season, title, terms, Conditions().to_json(), as_text(now), '',
            as_text(now)))
        known = {name_key(racer.name): racer for racer in league.racers()}
        for row in rows_read:
            racer = known.get(name_key(row.racer))
            if racer is None:
                racer = Racer(name=row.racer, joined=as_text(now),
                              division=league.divisions.names[0])
                rows.execute('INSERT INTO racer VALUES (?, ?, ?, ?)',
                             (name_key(racer.name), racer.name, racer.joined, racer.division))
                known[name_key(racer.name)] = racer
            add_finished(rows, race, _in_division(league, racer, row.division), row.model,
                         row.submitted or as_text(now), row.outcome, row.bundle)
    return league.race(race.number)


def _in_division(league: League, racer: Racer, division: str) -> Racer:
    if division and division not in league.divisions.names:
        raise UnknownNameError('division', division[:80], league.divisions.names)
    return replace(racer, division=division or racer.division)
