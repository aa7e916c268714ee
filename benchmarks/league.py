"""A league under load: submissions of many racers from several processes, all really raced.

    python benchmarks/league.py [--submissions 500] [--racers 50] [--clients 8]

Policies steer round a circle at constant angles and speeds, and one in 49 is harmful. Every
process submits its share and races whatever waits. Then the standings are computed once more from
the files of results, by other code than the league's. The league is thrown away.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from racer_rl.league.clock import now
from racer_rl.league.confined import ConfinedRaces
from racer_rl.league.divisions import Divisions
from racer_rl.league.intake import read_bundle, submit
from racer_rl.league.racing import race_next
from racer_rl.league.seasons import open_race
from racer_rl.league.store import RESULT_FILE, League, create_league, open_league
from racer_rl.league.terms import Conditions, RaceTerms
from racer_rl.races.plan import RacePlan
from racer_sim.rules import RaceRules
from racer_vehicle.action import ContinuousActions
from racer_vehicle.observation import ObservationSpec
from racer_vehicle.policy import PolicyBundle
from racer_vehicle.policy_card import CarDimensions, PolicyCard
from racer_vehicle.spec import CarSpec

NAME: Final = 'load'
HARMFUL_ONE_IN: Final = 49
RADIUS_M: Final = 1.5


def policy(steering: float, speed: float) -> bytes:
    """A bundle of a network that always answers the same; NaN where its steering is."""
    nodes = [helper.make_node('Cast', ['camera'], ['floats'], to=TensorProto.FLOAT),
             helper.make_node('GlobalAveragePool', ['floats'], ['pooled']),
             helper.make_node('Flatten', ['pooled'], ['mean']),
             helper.make_node('Mul', ['mean', 'none'], ['zero']),
             helper.make_node('Add', ['zero', 'answer'], ['action'])]
    graph = helper.make_graph(
        nodes, 'constant',
        [helper.make_tensor_value_info('camera', TensorProto.UINT8, ['cars', 1, 120, 160])],
        [helper.make_tensor_value_info('action', TensorProto.FLOAT, ['cars', 2])],
        [numpy_helper.from_array(np.zeros((1, 2), np.float32), 'none'),
         numpy_helper.from_array(np.array([[steering, speed]], np.float32), 'answer')])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 18)], ir_version=9)
    card = PolicyCard(
        model='constant', observation=ObservationSpec(), action=ContinuousActions(),
        car=CarDimensions.of(CarSpec()), onnx_sha256='0' * 64, track=('circle',),
        reward_sha256='0' * 64, seed=0, steps=0, versions={})
    return PolicyBundle.pack(card, model.SerializeToString()).content


def prepare(folder: Path, submissions: int, racers: int) -> None:
    """The league, its racers, and a policy for each submission."""
    angle = np.linspace(0.0, 2.0 * np.pi, 90, endpoint=False)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    np.save(folder / 'circle.npy', np.hstack(
        [circle * radius_m for radius_m in (RADIUS_M, RADIUS_M - 0.5, RADIUS_M + 0.5)]))
    create_league(NAME, Divisions(), now())
    with open_league(NAME) as league:
        rules = RaceRules(laps=3, resets=100, time_limit_s=60.0)
        open_race(league, RaceTerms(plan=RacePlan(track=str(folder / 'circle.npy'), rules=rules)),
                  Conditions(), now=now())
        for index in range(racers):
            league.join(f'racer {index}', now())
    generator = np.random.default_rng(1)
    for index in range(submissions):
        steering = float('nan') if index % HARMFUL_ONE_IN == 7 else generator.uniform(0.2, 0.3)
        (folder / f'{index}.racer').write_bytes(policy(steering, generator.uniform(-0.2, 0.6)))


def client(folder: Path, own: int, clients: int, submissions: int, racers: int) -> None:
    """Submit a share of the policies, then race what waits; numbers of what was raced, as JSON."""
    races, raced = ConfinedRaces(), []
    with open_league(NAME) as league:
        for index in range(own, submissions, clients):
            submit(league, league.racer(f'racer {index % racers}'),
                   read_bundle(folder / f'{index}.racer'), now=now(), model=f'policy {index}')
        while found := race_next(league, races):
            raced.append(found.number)
    races.close()
    sys.stdout.write(json.dumps(raced))


def recomputed(league: League) -> list[tuple[int, str]]:
    """Submission and racer in the order of the standings, from the files of results alone."""
    best: dict[str, tuple[float, int, int]] = {}
    for each in league.submissions():
        path = league.result_folder(each.result) / RESULT_FILE
        if not path.exists():
            continue
        entry: dict[str, Any] = json.loads(path.read_text())['entries'][0]
        times_s = entry['lap_times_s']
        if entry['failure'] or len(times_s) < 3:
            continue
        mean_s = min(round(sum(times_s[first:first + 3]) / 3, 9)
                     for first in range(len(times_s) - 2))
        run = (mean_s, sum(entry['incidents'].values()), each.number)
        best[each.racer] = min(run, best.get(each.racer, run))
    return [(run[2], racer) for run, racer in sorted((run, racer) for racer, run in best.items())]


def main() -> None:
    """Load a league, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (('submissions', 500), ('racers', 50), ('clients', 8), ('own', -1)):
        parser.add_argument(f'--{name}', type=int, default=default)
    parser.add_argument('--folder', type=Path)
    given = parser.parse_args()
    if given.own >= 0:
        client(given.folder, given.own, given.clients, given.submissions, given.racers)
        return
    with tempfile.TemporaryDirectory() as place:
        os.environ['RACER_HOME'] = place
        prepare(Path(place), given.submissions, given.racers)
        began_s = time.monotonic()
        processes = [subprocess.Popen(
            [sys.executable, __file__, '--own', str(own), '--folder', place,
             *(f'--{name}={getattr(given, name)}'
               for name in ('submissions', 'racers', 'clients'))],
            stdout=subprocess.PIPE) for own in range(given.clients)]
        raced = Counter(number for process in processes
                        for number in json.loads(process.communicate()[0]))
        wall_s = time.monotonic() - began_s
        with open_league(NAME) as league:
            lines = [(int(line.result), line.racer) for line in league.standings()]
            verdicts = Counter(str(each.outcome.verdict) for each in league.submissions()
                               if each.outcome is not None)
            same = lines == recomputed(league)
    once = raced == Counter(range(1, given.submissions + 1))
    sys.stdout.write(json.dumps({
        'submissions': given.submissions, 'racers': given.racers, 'clients': given.clients,
        'each_raced_once': once, 'ranked': len(lines), 'verdicts': verdicts,
        'standings_as_recomputed': same, 'wall_s': round(wall_s, 1)}, indent=2) + '\n')
    if not (once and same):
        raise SystemExit(1)


if __name__ == '__main__':
    main()
