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


class Rows:
    """Where a car was, and a film of it."""

    def __init__(self, film):
        self.rows, self.laps, self.film = [], [], film

    def __call__(self, simulator):
        state = simulator.state[0]
        self.rows.append([float(state[name]) for name in ('x_m', 'y_m', 'vx_mps')])
        self.laps.append(int(simulator.control.race['laps'][0]))
        self.film(simulator)

    def line(self, times_s):
        rows = [row for row, lap in zip(self.rows, self.laps, strict=True) if lap == 1]
        return {'lap': 2, 'time_s': times_s[1], 'period_s': 0.066,
                **{name: list(column) for name, column in zip(
                    ('x_m', 'y_m', 'speed_mps'), zip(*rows, strict=True), strict=True)}}


@pytest.fixture(scope='session')
def driven(tmp_path_factory, ring, toy):
    """A race that was driven: its result, the line of its best lap and its film."""
    from racer_rl.evaluation.film import Film
    from racer_rl.races.entrants import Entrant
    from racer_rl.races.run import run_race

    path = tmp_path_factory.mktemp('driven') / 'race.mp4'
    plan = RacePlan(track=str(ring), rules=RULES, seed=4711)
    with Film(path) as film:
        rows = Rows(film)
        result = run_race(plan, [Entrant(name='Ada', bundle=toy(speed=0.3))], rows)
    return result, rows.line(result.entries[0].lap_times_s), path


@pytest.fixture
def raced(league, driven):
    """The league after a race day: a run with all its files, one by hand, and one that failed."""
    import json
    import shutil

    from racer_rl.league.at_track import TrackRun, record_at_track
    from racer_rl.races.result import EntryResult

    result, line, film = driven
    with open_league(league) as opened:
        race = opened.race()
        for name, entry, record in (
                ('Ada', result.entries[0], result.to_json()),
                (NASTY, EntryResult(name=NASTY, identity='', status='lap_complete', time_s=19.0,
                                    completion=1.0, lap_times_s=(9.0, 10.0),
                                    lap_clean=(True, False), incidents={'off_track': 1}), '')):
            number = record_at_track(opened, race, TrackRun(
                racer=name, model='<b>bold</b>', bundle='ab' * 32, result=entry,
                timed='by hand', declared=f'2027-01-01T00:00:0{len(name) % 10}.000000+00:00',
                record=record))
            folder = opened.result_folder(f'{number:06d}')
            if record:
                (folder / 'at-track.json').unlink()
                (folder / 'line.json').write_text(json.dumps(line))
                shutil.copy(film, folder / 'race.mp4')
    return league
