"""Several processes submit and race at once: nothing is lost, raced twice or ranked twice."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

from racer_rl.league.clock import now
from racer_rl.league.divisions import Divisions
from racer_rl.league.seasons import open_race
from racer_rl.league.store import RESULT_FILE, create_league, open_league
from racer_rl.league.terms import Conditions, RaceTerms
from racer_rl.races.plan import RacePlan
from racer_rl.races.result import RaceResult
from racer_sim.rules import RaceRules

CLIENT = Path(__file__).with_name('client.py')
PATIENCE_S = 240.0


def race_from(clients, submissions, racers, really, bundles, track='oval'):
    """Have them do all that; returns what they say they did, and the league's name."""
    create_league('spring', Divisions(), now())
    with open_league('spring') as league:
        rules = RaceRules(laps=3, resets=100, time_limit_s=40.0)
        open_race(league, RaceTerms(plan=RacePlan(track=track, rules=rules)), Conditions(),
                  now=now())
        for index in range(racers):
            league.join(f'racer {index}', now())
    processes = [subprocess.Popen(
        [sys.executable, CLIENT, str(client), str(clients), str(submissions), str(racers),
         'really' if really else 'pretend', *map(str, bundles)],
        stdout=subprocess.PIPE, text=True) for client in range(clients)]
    told = [json.loads(line) for process in processes
            for line in process.communicate(timeout=PATIENCE_S)[0].splitlines()]
    assert [process.returncode for process in processes] == [0] * clients
    for what in ('submitted', 'raced'):
        numbers = [each['number'] for each in told if each['what'] == what]
        assert sorted(numbers) == list(range(1, submissions + 1)), f'{what}, each once'
    return told


def best_of_each(runs):
    """Runs (time, incidents, number, racer): the best of each racer, in order, told simply."""
    ranked = []
    for run in sorted(runs):
        if run[3] not in {each[3] for each in ranked}:
            ranked.append(run)
    return ranked


def test_500_submissions_of_50_racers_from_8_processes_are_each_ranked_once(racer_home, toy,
                                                                           tmp_path):
    toy().write(tmp_path / 'toy.racer')

    told = race_from(8, 500, 50, False, [tmp_path / 'toy.racer'])

    # As client.pretended has it, from who submitted what.
    runs = [(9.0 + (each['number'] * 7919 % 37) / 10.0, each['number'] % 3, each['number'],
             each['racer']) for each in told if each['what'] == 'submitted']
    with open_league('spring') as league:
        lines = league.standings()
    assert [(line.score_s, line.incidents, int(line.result), line.racer)
            for line in lines] == best_of_each(runs)
    assert [line.rank for line in lines] == list(range(1, 51))
    assert {line.submissions for line in lines} == {10}
    assert len({each['racer'] for each in told}) == 50


def test_real_and_harmful_policies_from_several_processes(racer_home, toy, hostile, ring,
                                                          tmp_path):
    made = [toy(steering=steering, speed=speed) for steering, speed in
            ((0.25, 0.2), (0.25, 0.4), (0.24, 0.3), (0.2, 0.2))]
    made += [hostile('wide'), hostile('no-numbers'), hostile('hog')]
    paths = [tmp_path / f'{index}.racer' for index in range(len(made))]
    for bundle, path in zip(made, paths, strict=True):
        bundle.write(path)

    told = race_from(2, 12, 4, True, paths, str(ring))

    verdicts = Counter(each['verdict'] for each in told if each['what'] == 'raced')
    assert verdicts == {'ranked': 8, 'does not fit': 2, 'outputs no numbers': 1,
                        'too much memory': 1}
    runs = []
    with open_league('spring') as league:
        lines, raced = league.standings(), league.submissions()
        for each in raced:
            path = league.result_folder(each.result) / RESULT_FILE
            if each.outcome.verdict == 'ranked':
                result, = RaceResult.read(path).entries
                runs.append((sum(result.lap_times_s) / 3, sum(result.incidents.values()),
                             each.number, each.racer))
    ranked = best_of_each(runs)
    assert [(int(line.result), line.racer) for line in lines] == [run[2:] for run in ranked]
    assert [line.rank for line in lines] == list(range(1, len(ranked) + 1))
