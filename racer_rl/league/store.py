"""A league, one folder in `$RACER_HOME/leagues`, that can be copied as it is.

league.sqlite     divisions, seasons, races, racers, submissions and what came of them
bundles/          the policies, by the SHA-256 of their bytes: one that comes twice is kept once
results/NUMBER/   what the race of a submission left: result.json, line.json, race.mp4
tracks/           track files that not everybody has
leases/, turns/   empty files that processes hold while they race something
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from racer_rl.league.clock import Moment, as_text
from racer_rl.league.database import FILE, open_database
from racer_rl.league.divisions import Divisions
from racer_rl.league.names import name_key, require_name
from racer_rl.league.ranking import LapFigures
from racer_rl.league.standings import Standing, rank_race
from racer_rl.league.submissions import Outcome, State, Submission, Verdict
from racer_rl.league.terms import Conditions, RaceTerms
from racer_rl.races.plan import RacePlan
from racer_vehicle.errors import ConfigError, UnknownNameError
from racer_vehicle.storage import racer_home, write_atomically
from racer_vehicle.strict_json import from_object, parse_object, to_json

NAME_RULE: Final = re.compile(r'[A-Za-z0-9][A-Za-z0-9_-]{0,63}')
RESULT_FILE: Final = 'result.json'
LINE_FILE: Final = 'line.json'
VIDEO_FILE: Final = 'race.mp4'

_SUBMISSION: Final = (
    'number, race, racer, division, model, model_id, bundle, submitted, state, attempts, verdict, '
    'reason, average_s, best_s, total_s, laps, resets, collisions, off_tracks')


@dataclass(frozen=True, slots=True, kw_only=True)
class Racer:
    """Somebody who joined.

    Attributes:
        name: As on the standings.
        joined: UTC, ISO 8601.
        division: Now.
    """

    name: str
    joined: str
    division: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """A race of the league.

    Attributes:
        number: From 1, over all seasons.
        season: Number of its season, from 1.
        title: For people.
        terms: What everybody may know.
        conditions: What is hidden until it is closed, if it is hidden at all.
        opens: From when on submissions are taken, UTC, ISO 8601.
        closes: Until when; empty: until somebody closes it.
        closed: When somebody did; empty: nobody has.
    """

    number: int
    season: int
    title: str
    terms: RaceTerms
    conditions: Conditions
    opens: str
    closes: str
    closed: str

    def is_closed(self, now: Moment) -> bool:
        """Whether it takes nothing any more."""
        return bool(self.closed) or ('' < self.closes <= as_text(now))

    def is_open(self, now: Moment) -> bool:
        """Whether it takes submissions."""
        return as_text(now) >= self.opens and not self.is_closed(now)

    def state(self, now: Moment) -> str:
        """In a word: `opens`, `open` or `closed`."""
        if self.is_closed(now):
            return 'closed'
        return 'open' if self.is_open(now) else 'opens'

    def told(self, now: Moment) -> Conditions | None:
        """The conditions, if they may be known."""
        return None if self.conditions.salt and not self.is_closed(now) else self.conditions

    @property
    def plan(self) -> RacePlan:
        """What is raced, hidden conditions included."""
        return self.terms.plan_under(self.conditions)


class League:
    """An open league; of the thread that opened it."""

    def __init__(self, folder: Path) -> None:
        """Open it; see `open_league`."""
        self.folder = folder
        self.database = open_database(folder)
        (text,), = self.database.rows('SELECT divisions FROM league')
        self.divisions = from_object(Divisions, parse_object(text, 'divisions'), 'divisions')

    @property
    def name(self) -> str:
        """Name of the league."""
        return self.folder.name

    def close(self) -> None:
        """Let go of its file."""
        self.database.close()

    def racers(self) -> tuple[Racer, ...]:
        """Everybody who joined, by name."""
        rows = self.database.rows('SELECT name, joined, division FROM racer ORDER BY key')
        return tuple(Racer(name=name, joined=joined, division=division)
                     for name, joined, division in rows)

    def racer(self, name: str) -> Racer:
        """Somebody who joined.

        Raises:
            ConfigError: Nobody of this name has.
        """
        key = name_key(name)
        found = [each for each in self.racers() if name_key(each.name) == key]
        if not found:
            remedy = f'Join: racer league join {self.name} --racer {name!r}.'
            known = [each.name for each in self.racers()]
            if not known:
                raise ConfigError(f'unknown racer {name[:80]!r}; nobody joined yet. {remedy}')
            raise UnknownNameError('racer', name[:80], known, remedy)
        return found[0]

    def join(self, name: str, now: Moment) -> Racer:
        """Take somebody in, in the lowest division.

        Raises:
            ConfigError: The name may not be shown, or is taken.
        """
        name, division = require_name('racer', name), self.divisions.names[0]
        with self.database.transaction() as rows:
            added = rows.execute('INSERT OR IGNORE INTO racer VALUES (?, ?, ?, ?)',
                                 (name_key(name), name, as_text(now), division))
        if not added.rowcount:
            raise ConfigError(f'racer {name!r} has joined {self.name} already, or somebody whose '
                              'name looks the same; choose another name, or submit with it.')
        return Racer(name=name, joined=as_text(now), division=division)

    def races(self, season: int | None = None) -> tuple[Race, ...]:
        """Its races, oldest first.

        Args:
            season: Only those of it; None: all.
        """
        rows = self.database.rows(
            'SELECT number, season, title, terms, conditions, opens, closes, closed FROM race '
            'WHERE ?1 IS NULL OR season = ?1 ORDER BY number', (season,))
        return tuple(self._race(row) for row in rows)

    def current(self, now: Moment) -> Race:
        """The race that people mean: the newest that is open; else the next, else the last.

        Raises:
            ConfigError: There is no race yet.
        """
        last, races = self.race(), self.races()
        in_order = ([race for race in reversed(races) if race.is_open(now)]
                    + sorted((race for race in races if race.state(now) == 'opens'),
                             key=lambda race: race.opens))
        return in_order[0] if in_order else last

    def race(self, number: int | None = None) -> Race:
        """One of its races.

        Args:
            number: None: the last that was added.

        Raises:
            ConfigError: There is no such race.
        """
        races = self.races()
        if not races:
            raise ConfigError(f'league {self.name!r} has no race yet; open one: racer league open '
                              f'{self.name} --track T.')
        if number is None:
            return races[-1]
        if not 1 <= number <= len(races):
            raise ConfigError(f'league {self.name!r} has no race {number}; allowed: 1 to '
                              f'{len(races)}.')
        return races[number - 1]

    def submissions(self, race: int | None = None) -> tuple[Submission, ...]:
        """What came in, in the order in which it did.

        Args:
            race: Only for this one; None: for all.
        """
        rows = self.database.rows(
            f'SELECT {_SUBMISSION} FROM submission WHERE ?1 IS NULL OR race = ?1 ORDER BY number',
            (race,))
        return tuple(_submission(row) for row in rows)

    def submission(self, number: int) -> Submission:
        """One of them.

        Raises:
            ConfigError: There is none of this number.
        """
        rows = self.database.rows(f'SELECT {_SUBMISSION} FROM submission WHERE number = ?',
                                  (number,))
        if not rows:
            raise ConfigError(f'league {self.name!r} has no submission {number}; see: racer '
                              f'league show {self.name}.')
        return _submission(rows[0])

    def standings(self, race: int | None = None, division: str = '') -> tuple[Standing, ...]:
        """Who leads a race; see `rank_race`.

        Args:
            race: None: the last that was added.
            division: Only this one; empty: all, the highest first.

        Raises:
            ConfigError: There is no such race or division.
        """
        if division and division not in self.divisions.names:
            raise UnknownNameError('division', division, self.divisions.names)
        its = self.race(race)
        lines = rank_race(self.submissions(its.number), its.terms.ranking, self.divisions.names)
        return tuple(
            replace(line, line=_there(self.result_folder(line.result) / LINE_FILE),
                    video=_there(self.result_folder(line.result) / VIDEO_FILE))
            for line in lines if division in {'', line.division})

    def result_folder(self, result: str) -> Path:
        """Where the race of a submission leaves its files, whether it was raced or not."""
        return self.folder / 'results' / result

    def bundle_path(self, sha256: str) -> Path:
        """Where a policy is."""
        return self.folder / 'bundles' / f'{sha256}.racer'

    def keep_bundle(self, content: bytes) -> str:
        """Keep a policy; returns the SHA-256 of its bytes.

        Raises:
            OSError: The disk refused.
        """
        sha256 = hashlib.sha256(content).hexdigest()
        if not self.bundle_path(sha256).exists():
            write_atomically(self.bundle_path(sha256), content)
        return sha256

    def _race(self, row: tuple[Any, ...]) -> Race:
        number, season, title, terms, conditions, opens, closes, closed = row
        parsed = RaceTerms.from_json(terms)
        own = self.folder / parsed.plan.track
        if parsed.plan.track.startswith('tracks/'):
            parsed = replace(parsed, plan=replace(parsed.plan, track=str(own)))
        return Race(number=number, season=season, title=title, terms=parsed,
                    conditions=Conditions.from_json(conditions), opens=opens, closes=closes,
                    closed=closed)


def leagues_folder() -> Path:
    """Folder of all leagues."""
    return racer_home() / 'leagues'


def league_names() -> list[str]:
    """Names of all leagues, sorted."""
    names = (path.parent.name for path in leagues_folder().glob(f'*/{FILE}'))
    return sorted(name for name in names if NAME_RULE.fullmatch(name))


def create_league(name: str, divisions: Divisions, now: Moment) -> None:
    """Make a league with its first season and no race.

    Raises:
        ConfigError: The name cannot be a folder's, or is taken.
        DatabaseError: The disk refused.
    """
    if not NAME_RULE.fullmatch(name):
        raise ConfigError(f'league name is {name!r}; allowed: letters, digits, and _ - after the '
                          'first, up to 64 characters.')
    taken = ConfigError(f'league {name!r} exists already; choose another name, or see what it is: '
                        f'racer league show {name}.')
    if (leagues_folder() / name).exists():
        raise taken
    hidden = leagues_folder() / f'.new-{secrets.token_hex(8)}'
    hidden.mkdir(parents=True)
    try:
        with contextlib.closing(open_database(hidden, make=True)) as database, \
                database.transaction() as rows:
            rows.execute('INSERT INTO league VALUES (1, ?, ?)',
                         (as_text(now), to_json(divisions)))
            rows.execute('INSERT INTO season VALUES (1, ?, NULL)', (as_text(now),))
        try:
            os.rename(hidden, leagues_folder() / name)  # it appears as a whole
        except OSError:
            raise taken from None
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def discard_league(league: League) -> None:
    """Delete a league, all of it."""
    hidden = leagues_folder() / f'.trash-{secrets.token_hex(8)}'
    os.rename(league.folder, hidden)  # first: then nobody finds half of it
    shutil.rmtree(hidden)


@contextlib.contextmanager
def open_league(name: str) -> Iterator[League]:
    """A league while the block runs.

    Raises:
        UnknownNameError: There is none of that name; the nearest are offered.
        DatabaseError: Its file cannot be used.
    """
    known = league_names()
    if name not in known:
        remedy = f'Make one: racer league create {name} --track T.'
        if not known:
            raise ConfigError(f'unknown league {name!r}; there is none yet. {remedy}')
        raise UnknownNameError('league', name, known, remedy)
    with contextlib.closing(League(leagues_folder() / name)) as league:
        yield league


def _submission(row: tuple[Any, ...]) -> Submission:
    (number, race, racer, division, model, model_id, bundle, submitted, state, attempts, verdict,
     reason, average_s, best_s, total_s, laps, resets, collisions, off_tracks) = row
    outcome = None if verdict is None else Outcome(
        verdict=Verdict(verdict), reason=reason,
        figures=LapFigures(average_s=average_s, best_s=best_s, total_s=total_s), laps=laps,
        resets=resets, collisions=collisions, off_tracks=off_tracks)
    return Submission(
        number=number, race=race, racer=racer, division=division, model=model, model_id=model_id,
        bundle=bundle, submitted=submitted, state=State(state), attempts=attempts, outcome=outcome)


def _there(path: Path) -> Path | None:
    return path if path.exists() else None
