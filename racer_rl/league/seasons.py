"""The calendar of a league: races open and close, and at a season's end the best move up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from racer_rl.league.clock import Moment, as_text, shown
from racer_rl.league.names import name_key, require_name
from racer_rl.league.standings import SeasonStanding, rank_season
from racer_rl.league.store import League, Race
from racer_rl.league.submissions import State
from racer_rl.league.terms import Conditions, RaceTerms
from racer_sim.track_library import find_track, track_file
from racer_vehicle.errors import ConfigError
from racer_vehicle.storage import write_atomically


@dataclass(frozen=True, slots=True, kw_only=True)
class Season:
    """A season.

    Attributes:
        number: From 1.
        began: UTC, ISO 8601.
        ended: UTC, ISO 8601; empty while it goes on.
    """

    number: int
    began: str
    ended: str


def seasons(league: League) -> tuple[Season, ...]:
    """All of them, oldest first; the last one goes on."""
    rows = league.database.rows("SELECT number, began, ifnull(ended, '') FROM season ORDER BY 1")
    return tuple(Season(number=number, began=began, ended=ended)
                 for number, began, ended in rows)


def open_race(league: League, terms: RaceTerms, conditions: Conditions, *, now: Moment,
              opens: Moment | None = None, closes: Moment | None = None, title: str = '') -> Race:
    """Add a race to the season that goes on.

    Args:
        league: Of which.
        terms: What it is about; a track that not everybody has is copied into the league.
        conditions: Hidden ones or not; with hidden ones, only whoever owns the league's folder
            may look into it from then on.
        now: The time.
        opens: When; None: now.
        closes: When; None: when somebody closes it.
        title: For people; empty: the name of its track.

    Raises:
        ConfigError: It closes before it opens, or has done so already.
        TrackError: The track cannot be raced on.
    """
    opens = opens or now
    if closes is not None and closes <= max(opens, now):
        raise ConfigError(f'the race would close at {shown(as_text(closes))}; allowed: after it '
                          f'opens ({shown(as_text(opens))}), and in the future.')
    title = require_name('race', title or find_track(terms.plan.track).name)
    terms = replace(terms, plan=replace(terms.plan, track=_own_track(league, terms.plan.track)))
    if conditions.salt:
        league.folder.chmod(0o700)  # results tell of them, too, before the race is closed
    with league.database.transaction() as rows:
        (season,), = rows.execute('SELECT max(number) FROM season').fetchall()
        number = len(league.races()) + 1
        rows.execute('INSERT INTO race VALUES (?, ?, ?, ?, ?, ?, ?, ?)', (
            number, season, title, terms.to_json(), conditions.to_json(), as_text(opens),
            '' if closes is None else as_text(closes), ''))
    return league.race(number)


def close_race(league: League, number: int | None, now: Moment) -> Race:
    """Take nothing more for a race; what has come is still raced.

    Raises:
        ConfigError: There is no such race.
    """
    race = league.race(number)
    with league.database.transaction() as rows:
        rows.execute("UPDATE race SET closed = ? WHERE number = ? AND closed = ''",
                     (as_text(now), race.number))
    return league.race(race.number)


def unfinished(league: League, race: int | None = None) -> int:
    """How many submissions wait for their race, or race.

    Args:
        league: Of which.
        race: Only of this one; None: of all.
    """
    return sum(each.state is not State.DONE for each in league.submissions(race))


def season_standings(league: League, number: int) -> tuple[SeasonStanding, ...]:
    """Who leads a season, and who moves up if it ends like this; see `rank_season`.

    Args:
        league: Of which.
        number: Of the season.
    """
    races = [league.standings(race.number) for race in league.races(number)]
    return rank_season(races, league.divisions.names, league.divisions.promotions(races))


def next_season(league: League, now: Moment) -> tuple[SeasonStanding, ...]:
    """End the season that goes on, move its best up, and begin the next.

    Returns:
        The final standings of the season that ended.

    Raises:
        ConfigError: It has no race, or one that is not closed or still has somebody to race.
    """
    number = seasons(league)[-1].number
    with league.database.transaction() as rows:
        races = league.races(number)
        _require_over(league, number, races, now)
        final = season_standings(league, number)
        for line in final:
            if line.promoted:
                rows.execute('UPDATE racer SET division = ? WHERE key = ?',
                             (league.divisions.above(line.division), name_key(line.racer)))
        for race in races:  # one that ran out of time must not depend on the clock any more
            rows.execute("UPDATE race SET closed = closes WHERE number = ? AND closed = ''",
                         (race.number,))
        rows.execute('UPDATE season SET ended = ? WHERE number = ?', (as_text(now), number))
        rows.execute('INSERT INTO season VALUES (?, ?, NULL)', (number + 1, as_text(now)))
    return final


def _require_over(league: League, season: int, races: tuple[Race, ...], now: Moment) -> None:
    if not races:
        raise ConfigError(f'season {season} of {league.name!r} has no race; allowed: a season '
                          'with one.')
    for race in races:
        if not race.is_closed(now):
            raise ConfigError(f'race {race.number} of {league.name!r} is not closed yet; close '
                              f'it first: racer league close {league.name}.')
        if waiting := unfinished(league, race.number):
            raise ConfigError(f'{waiting} submissions of race {race.number} were not raced yet; '
                              f'race them first: racer league race {league.name}.')


def _own_track(league: League, track: str) -> str:
    """A track as the league names it; a file that not everybody has comes along."""
    find_track(track)
    file = track_file(track)
    if file is None:
        return track
    place = Path('tracks', file.name)
    write_atomically(league.folder / place, file.read_bytes())
    return place.as_posix()
