"""Whose race day it is: rules, names and standings of a race, and where results go."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from racer_rl.league import clock
from racer_rl.league.at_track import TrackRun, record_at_track
from racer_rl.league.names import require_name
from racer_rl.league.standings import Standing
from racer_rl.league.store import League, Race, open_league
from racer_rl.league.submissions import DROVE, Submission
from racer_rl.race_day.day import Entry, Outcome
from racer_rl.races.plan import RacePlan
from racer_sim.courses import Course
from racer_sim.rules import RaceRules
from racer_sim.starting_grid import one_course
from racer_vehicle.errors import ConfigError, RacerError
from racer_vehicle.policy import PolicyBundle

FOLDER: Final = 'race-days'
SHA256: Final = 'sha256:'


class Candidate(NamedTuple):
    """Who may be entered: racer, name of the model, and its identity."""

    racer: str
    model: str
    identity: str


class Board(Protocol):
    """What a race day has to know of the race, and whom it tells.

    Attributes:
        rules: Of every run.
    """

    rules: RaceRules

    def standings(self) -> tuple[Standing, ...]:
        """Of the race, now."""

    def keep(self, outcome: Outcome) -> None:
        """Count a run; the same one again changes nothing."""


class LeagueBoard:
    """A race of a league; may be used by any thread.

    Attributes:
        league: Its name.
        race: The race.
        rules: Of every run.
        plan: What is raced.
        course: Where.
    """

    def __init__(self, league: str, number: int | None, timed: str) -> None:
        """Look up a race.

        Args:
            league: Name of the league.
            number: Of the race; None: the newest that is open.
            timed: How, in a word, e.g. `by hand`.

        Raises:
            ConfigError: There is none, it is closed, or several cars race in it at once.
        """
        self.league, self._timed = league, timed
        with open_league(league) as opened:
            self.race: Race = (opened.current(clock.now()) if number is None
                               else opened.race(number))
            self.folder: Path = opened.folder / FOLDER
        if self.race.is_closed(clock.now()):
            raise ConfigError(f'race {self.race.number} of {league} is closed; open another one: '
                              f'racer league open {league} --track T.')
        self.plan: RacePlan = self.race.plan
        if self.plan.format.cars > 1:
            raise ConfigError(f'race {self.race.number} of {league} is head to head; allowed: a '
                              'race in which a car has the track for itself. See: racer race run.')
        self.rules: RaceRules = self.plan.rules

    @cached_property
    def course(self) -> Course:
        """Where it is raced."""
        return one_course(self.plan.track, self.plan.direction)

    @property
    def journal(self) -> Path:
        """File of the day; one for each way of timing, which undo and penalties depend on."""
        return self.folder / f'race-{self.race.number}-{self._timed.replace(" ", "-")}.jsonl'

    @property
    def headline(self) -> dict[str, str]:
        """What it is, for people."""
        return {'league': self.league, 'race': self.race.title, 'track': self.course.track.name,
                'ranking': str(self.race.terms.ranking), 'timed': self._timed}

    def candidates(self, *, driven: bool) -> tuple[Candidate, ...]:
        """Who takes part, with the newest policy of each, in the order in which they came.

        Args:
            driven: Whether it is this computer that lets policies drive: then only those that the
                league has raced, in a process that they cannot leave; else whoever joined.
        """
        with self._opened() as league:
            newest = {each.racer: each for each in league.submissions(self.race.number)
                      if _can_drive(each, raced=driven)}
            others = () if driven else tuple(
                Candidate(racer.name, '', '') for racer in league.racers()
                if racer.name not in newest)
        return (*(Candidate(each.racer, each.model, SHA256 + each.bundle)
                  for each in sorted(newest.values(), key=lambda each: each.number)), *others)

    def standings(self) -> tuple[Standing, ...]:
        """Of the race, now."""
        with self._opened() as league:
            return league.standings(self.race.number)

    def keep(self, outcome: Outcome) -> None:
        """Count a run; the same one again changes nothing."""
        entry = outcome.entry
        result = outcome.run.result(entry.racer, entry.identity, self.rules)
        run = TrackRun(racer=entry.racer, model=entry.model,
                       bundle=entry.identity.removeprefix(SHA256), result=result,
                       timed=self._timed, declared=outcome.declared, record=outcome.run.record)
        with self._opened() as league:
            record_at_track(league, self.race, run)

    def join(self, name: str) -> str:
        """Take in somebody who comes to the track and has not joined; returns the name.

        Raises:
            ConfigError: The name may not be shown.
        """
        name = require_name('racer', name)
        with self._opened() as league:
            try:
                return league.racer(name).name
            except ConfigError:
                return league.join(name, clock.now()).name

    def bundle(self, entry: Entry) -> PolicyBundle:
        """The policy of an entry.

        Raises:
            RacerError: It has none here.
        """
        if not entry.identity.startswith(SHA256):
            raise RacerError(f'{entry.racer} has no policy in {self.league}; submit one: racer '
                             f'league submit {self.league} MODEL --racer {entry.racer!r}.')
        with self._opened() as league:
            return PolicyBundle.read(league.bundle_path(entry.identity.removeprefix(SHA256)))

    @contextmanager
    def _opened(self) -> Iterator[League]:
        with open_league(self.league) as league:
            yield league


def _can_drive(submission: Submission, *, raced: bool) -> bool:
    """Whether a submission has a policy that was not found to be bad, or was found to be good."""
    outcome = submission.outcome
    good = not raced if outcome is None else outcome.verdict in DROVE
    return bool(submission.bundle) and good
