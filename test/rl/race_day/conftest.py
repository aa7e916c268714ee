"""A league with a race on a small ring, racers whose cars go round it, and a day of theirs."""

import contextlib

import numpy as np
import pytest

from racer_rl.league.clock import now
from racer_rl.league.divisions import Divisions
from racer_rl.league.intake import submit
from racer_rl.league.ranking import Measure, Ranking
from racer_rl.league.seasons import open_race
from racer_rl.league.store import create_league, open_league
from racer_rl.league.submissions import Outcome, Verdict
from racer_rl.league.terms import Conditions, RaceTerms
from racer_rl.race_day.board import LeagueBoard
from racer_rl.race_day.host import RaceDay
from racer_rl.race_day.journal import opened
from racer_rl.race_day.sources import ByHand
from racer_rl.races.plan import RacePlan
from racer_sim.rules import RaceRules

RULES = RaceRules(laps=2, resets=3, time_limit_s=60.0)
NASTY = 'A & "B" \'C\' ${x}'
"""A racer's name that is allowed, and must be seen as it is."""


@pytest.fixture(scope='session')
def ring(tmp_path_factory):
    """A circle of 1.5 m radius: a steering of 0.25 goes round it."""
    angle = np.linspace(0.0, 2.0 * np.pi, 90, endpoint=False)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    path = tmp_path_factory.mktemp('tracks') / 'ring.npy'
    np.save(path, np.hstack([circle * radius_m for radius_m in (1.5, 1.0, 2.0)]))
    return path


@pytest.fixture
def league(tmp_path, monkeypatch, ring, toy):
    """Name of a league in which two policies have been raced, and somebody has none."""
    monkeypatch.setenv('RACER_HOME', str(tmp_path / 'home'))
    create_league('club', Divisions(), now())
    with open_league('club') as league:
        terms = RaceTerms(plan=RacePlan(track=str(ring), rules=RULES),
                          ranking=Ranking(by=Measure.BEST))
        open_race(league, terms, Conditions(), now=now())
        for name, speed in (('Ada', 0.0), (NASTY, 0.3)):
            racer = league.join(name, now())
            given = submit(league, racer, toy(model=f'car of {name}'[:40], speed=speed), now=now())
            with league.database.transaction() as rows:
                from racer_rl.league.intake import SET_OUTCOME, outcome_values
                outcome = Outcome(verdict=Verdict.TOO_FEW_LAPS)
                rows.execute(SET_OUTCOME, (*outcome_values(outcome), given.number))
        league.join('Cy', now())
    return 'club'


@pytest.fixture
def board(league):
    return LeagueBoard(league, None, 'by hand')


class Clock:
    """A steady clock that goes when it is told to."""

    def __init__(self):
        self.now_s = 1000.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def new_day(board, clock):
    """Opens the day of the board, as often as wanted, one at a time."""
    @contextlib.contextmanager
    def new_day(source=None):
        with opened(board.journal) as journal:
            day = RaceDay(board, journal, source or ByHand(), clock)
            try:
                yield day
            finally:
                day.close()
    return new_day
