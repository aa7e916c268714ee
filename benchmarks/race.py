"""How fast a race of several cars is driven, with every camera drawn and every policy asked.

    python benchmarks/race.py [--cars 8] [--track kidney] [--periods 1000] [--repetitions 5]
                              [--network FAST] [--model NAME|FILE.racer] [--json]

Counted are control periods of the whole field a second: physics, an image of 160x120 pixels for
each car with the other cars in it, a decision of each policy alone in its network, rules, digest.
Nobody serves a penalty, so all are on the track all the time. Every repetition has to give the
same bits.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from dataclasses import asdict
from typing import Any

import typer

from racer_rl.benchmarks.machine import Machine
from racer_rl.benchmarks.subjects import subjects_of
from racer_rl.races.entrants import Entrant
from racer_rl.races.plan import RacePlan
from racer_rl.races.run import run_race
from racer_sim.race_format import RaceFormat
from racer_sim.rules import RaceRules
from racer_vehicle.spec import CONTROL_PERIOD_S

UNTIMED_PERIODS = 50


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """Race again and again."""
    bundle = subjects_of(asked.model, (asked.network,), int8=False)[0].bundle
    entrants = [Entrant(name=f'car {number}', bundle=bundle)
                for number in range(1, asked.cars + 1)]
    race(asked.track, entrants, UNTIMED_PERIODS)  # kernels are compiled, memory is mapped
    wall, cpu, digests = [], [], []
    for repetition in range(asked.repetitions):
        typer.echo(f'repetition {repetition + 1} of {asked.repetitions}', err=True)
        began_s, used_s = time.perf_counter(), time.process_time()
        digests.append(race(asked.track, entrants, asked.periods))
        wall.append(asked.periods / (time.perf_counter() - began_s))
        cpu.append(asked.periods / (time.process_time() - used_s))
    return {'cars': asked.cars, 'track': asked.track, 'periods': asked.periods,
            'wall_periods_per_s': wall, 'cpu_periods_per_s': cpu,
            'identical': len(set(digests)) == 1, 'trace_sha256': digests[0],
            'load_after': os.getloadavg()[0]}


def race(track: str, entrants: list[Entrant], periods: int) -> str:
    """Drive so many control periods; returns the digest of all states."""
    rules = RaceRules(laps=1000, resets=1_000_000, off_track_penalty_s=0.0,
                      collision_penalty_s=0.0, time_limit_s=periods * CONTROL_PERIOD_S)
    plan = RacePlan(track=track, format=RaceFormat(cars=len(entrants)), rules=rules)
    return run_race(plan, entrants).trace_sha256


def spread(values: list[float]) -> str:
    """Median, least and most."""
    return f'{statistics.median(values):,.0f} ({min(values):,.0f}-{max(values):,.0f})'


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--cars', type=int, default=8, choices=range(2, 9))
    parser.add_argument('--track', default='kidney')
    parser.add_argument('--periods', type=int, default=1000)
    parser.add_argument('--repetitions', type=int, default=5)
    parser.add_argument('--network', default='FAST', help='of untrained policies')
    parser.add_argument('--model', help='of the store, or a .racer file, instead')
    parser.add_argument('--json', action='store_true')
    asked = parser.parse_args()
    machine = Machine.here()
    found = measure(asked)
    if asked.json:
        typer.echo(json.dumps({'machine': asdict(machine), **found}, indent=2))
        return
    typer.echo(f'{machine.cpu}, load {machine.load[0]:g} before, {found["load_after"]:.2f} after')
    typer.echo(f'{asked.cars} cars on {asked.track}: control periods a second, median '
               f'(least-most) of {asked.repetitions}: {spread(found["wall_periods_per_s"])} by '
               f'the clock, {spread(found["cpu_periods_per_s"])} by CPU time')
    typer.echo('every repetition the same, bit for bit' if found['identical']
               else 'REPETITIONS DIFFER')


if __name__ == '__main__':
    main()
