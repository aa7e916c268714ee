"""Policies that mean harm get their own verdicts, and the next one races as if nothing was."""

import os
import select
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from racer_rl.league.confined import ConfinedRaces, RaceProcessError
from racer_rl.league.race_process import opponents_of
from racer_rl.league.ranking import Ranking
from racer_rl.league.submissions import Verdict
from racer_rl.races.entrants import Entrant
from racer_rl.races.plan import RacePlan
from racer_rl.races.run import run_race
from racer_sim.race_format import RaceFormat
from racer_sim.rules import RaceRules

DEADLINE_S = 30.0


@pytest.fixture(scope='session')
def plan(ring) -> RacePlan:
    return RacePlan(track=str(ring), rules=RaceRules(laps=3, resets=100, time_limit_s=40.0))


@pytest.fixture
def race(races, plan, tmp_path):
    def race(bundle, video=None):
        path = tmp_path / f'{bundle.sha256}.racer'
        bundle.write(path)
        return races.race(plan, path, bundle.sha256, 'Ann', Ranking(), video)
    return race


def test_an_honest_policy_races_as_it_does_anywhere(race, plan, toy):
    bundle = toy(steering=0.25, speed=0.2)

    raced = race(bundle)

    expected = run_race(plan, [Entrant(name='Ann', bundle=bundle)])
    assert raced.result == expected
    assert raced.outcome.verdict is Verdict.RANKED
    assert raced.outcome.figures == Ranking().figures(expected.entries[0])
    assert raced.outcome.laps == 3
    line = raced.line
    assert line['time_s'] == expected.entries[0].best_lap_s
    assert len(line['x_m']) == pytest.approx(line['time_s'] / line['period_s'], abs=2)
    assert all(0.9 < (x * x + y * y) ** 0.5 < 2.1
               for x, y in zip(line['x_m'], line['y_m'], strict=True))


def test_head_to_head_a_policy_starts_behind_the_bots(races, plan, toy, tmp_path):
    bundle, crowd = toy(steering=0.25, speed=0.6), replace(plan, format=RaceFormat(cars=2))
    bundle.write(tmp_path / 'a.racer')

    raced = races.race(crowd, tmp_path / 'a.racer', bundle.sha256, 'Ann', Ranking())

    names = [entry.name for entry in raced.result.entries]
    assert names == ['<slow 1>', 'Ann']
    assert raced.result == run_race(crowd, (*opponents_of(crowd),
                                            Entrant(name='Ann', bundle=bundle)))
    assert raced.outcome.laps == len(raced.result.entries[1].lap_times_s)


@pytest.mark.parametrize(('kind', 'verdict', 'words'), [
    ('wide', Verdict.DOES_NOT_FIT, 'the network has outputs'),
    ('no-network', Verdict.DOES_NOT_FIT, 'does not load'),
    ('no-numbers', Verdict.NO_NUMBERS, 'allowed: finite numbers'),
    ('endless', Verdict.TOO_SLOW, 'CPU time of one decision'),
    ('slow', Verdict.TOO_SLOW, 'allowed: 66 ms each on average'),
    ('hog', Verdict.TOO_MUCH_MEMORY, 'llocat'),
])
def test_each_kind_of_harm_has_its_verdict(race, hostile, kind, verdict, words):
    outcome = race(hostile(kind)).outcome

    assert outcome.verdict is verdict
    assert words in outcome.reason
    assert outcome.figures.best_s is None


def test_a_slow_driver_drives_too_few_laps(race, toy):
    outcome = race(toy(speed=-1.0)).outcome

    assert outcome.verdict is Verdict.TOO_FEW_LAPS
    assert 'ended as time_up after 2 laps' in outcome.reason
    assert outcome.figures.best_s is not None
    assert outcome.figures.average_s is None


def test_a_file_that_was_changed_in_the_league_is_not_raced(races, plan, toy, tmp_path):
    path = tmp_path / 'changed.racer'
    toy(steering=0.2).write(path)

    outcome = races.race(plan, path, toy(steering=0.25).sha256, 'Ann', Ranking()).outcome

    assert 'was changed' in outcome.reason


def children(process_id: int) -> list[int]:
    text = Path(f'/proc/{process_id}/task/{process_id}/children').read_text()
    return [int(word) for word in text.split()]


def first_child(process_id: int) -> int:
    until_s = time.monotonic() + DEADLINE_S
    while time.monotonic() < until_s:
        if found := children(process_id):
            return found[0]
        os.sched_yield()
    raise TimeoutError


@pytest.mark.skipif(not Path(f'/proc/self/task/{os.getpid()}/children').exists(),
                    reason='NOT TESTED: this system does not tell the children of a process')
def test_a_race_that_crashes_is_a_verdict_and_no_error(race, races, hostile, toy):
    race(toy(steering=0.25, speed=0.2))  # so that the process is there
    harm = threading.Thread(target=lambda: os.kill(
        first_child(races.process_id), signal.SIGSEGV))
    harm.start()
    outcome = race(hostile('endless')).outcome
    harm.join()

    assert outcome.verdict is Verdict.BROKE_DOWN
    assert 'SIGSEGV' in outcome.reason
    assert race(toy(steering=0.25, speed=0.2)).outcome.verdict is Verdict.RANKED


def test_a_killed_starter_of_races_is_nobodys_fault_and_takes_its_race_along(plan, hostile,
                                                                            tmp_path):
    bundle, confined = hostile('endless'), ConfinedRaces()
    bundle.write(tmp_path / 'a.racer')
    ends = []

    def harm():
        until_s = time.monotonic() + DEADLINE_S
        while confined.process_id == 0 and time.monotonic() < until_s:
            os.sched_yield()
        ends.append(os.pidfd_open(first_child(confined.process_id)))
        os.kill(confined.process_id, signal.SIGKILL)

    thread = threading.Thread(target=harm)
    thread.start()
    with pytest.raises(RaceProcessError, match='has ended'):
        confined.race(plan, tmp_path / 'a.racer', bundle.sha256, 'Ann', Ranking())
    thread.join()
    with open(ends[0], 'rb') as end:
        assert select.select([end], [], [], DEADLINE_S)[0], 'the race goes on alone'
