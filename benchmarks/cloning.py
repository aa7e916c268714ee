"""What a clone saves: steps to clean laps on another track, and a long run in two passes.

    python benchmarks/cloning.py transfer --track A --to B [--to C] [--rate 0.001] [--seeds 5]
    python benchmarks/cloning.py passes --track A [--steps 120000] [--seeds 5]

Counted are steps of training, which the load of the machine does not change: the same seed takes
the same course. Every run is a `racer train` of its own in a store that is thrown away.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

import typer

COMMAND = 'from racer_rl.cli.main import main; main()'


def racer(*words: object) -> dict[str, Any]:
    """What a command prints with `--json`."""
    done = subprocess.run([sys.executable, '-c', COMMAND, *map(str, words), '--json'],
                          capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f'racer {" ".join(map(str, words))}: {done.stderr.strip()}')
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def steps_of(*words: object) -> int | None:
    """Steps that `racer train` took to clean laps; None if it did not get there."""
    result = racer('train', '--trace', 'none', *words)
    clean = result['stopped_because'] == 'every evaluation lap was clean'
    return result['steps'] if clean else None


def transfer(track: str, targets: Sequence[str], rate: float, seeds: int) -> None:
    """Steps to clean laps on other tracks: from nothing, and as a clone at a reduced rate."""
    rows: dict[str, list[tuple[int | None, int | None]]] = {target: [] for target in targets}
    for seed in range(seeds):
        parent = f'parent{seed}'
        steps = steps_of('--track', track, '--name', parent, '--seed', seed)
        typer.echo(f'seed {seed}: parent {steps}', err=True)
        for number, target in enumerate(targets):
            fresh = steps_of('--track', target, '--name', f'fresh{seed}-{number}', '--seed', seed)
            clone = steps_of('--from', parent, '--track', target, '--learning-rate', rate,
                             '--name', f'clone{seed}-{number}')
            rows[target].append((fresh, clone))
            typer.echo(f'seed {seed}: {target} fresh {fresh}, clone {clone}', err=True)
    for target, pairs in rows.items():
        fresh, clone = ([pair[side] for pair in pairs] for side in (0, 1))
        typer.echo(f'{target}: fresh {_median(fresh):,.0f} ({fresh}), clone {_median(clone):,.0f} '
              f'({clone}), {_median(clone) / _median(fresh):.0%}')


def _median(steps: Sequence[int | None]) -> float:
    return statistics.median(float('inf') if step is None else step for step in steps)


def passes(track: str, steps: int, speed: float, rates: tuple[float, float],
           seeds: int) -> None:
    """One run of so many steps, and the same steps as a fast pass and a clone at a lower rate."""
    begin = ('--track', track, '--max-speed', speed, '--no-early-stop', '--trace', 'none')
    table: dict[str, list[dict[str, Any]]] = {'long': [], 'two passes': []}
    for seed in range(seeds):
        racer('train', *begin, '--seed', seed, '--learning-rate', rates[0], '--steps', steps,
              '--name', f'long{seed}')
        racer('train', *begin, '--seed', seed, '--learning-rate', rates[0], '--steps', steps // 2,
              '--name', f'first{seed}')
        racer('train', '--from', f'first{seed}', '--learning-rate', rates[1], '--trace', 'none',
              '--no-early-stop', '--steps', steps // 2, '--name', f'second{seed}')
        for kind, name in (('long', f'long{seed}'), ('two passes', f'second{seed}')):
            laps, suite = racer('evaluate', name), racer('evaluate', name, '--suite', 'robust')
            table[kind].append({'clean': laps['clean_laps'], 'lap_s': laps['mean_lap_s'],
                                'ratio': laps['ratio'], 'robust': suite['score']})
            typer.echo(f'seed {seed}: {kind} {table[kind][-1]}', err=True)
    for kind, found in table.items():
        middle = {name: statistics.median(row[name] or float('nan') for row in found)
                  for name in found[0]}
        figures = ', '.join(f'{name} {value:.3f}' for name, value in middle.items())
        typer.echo(f'{kind}: {figures}')


def main() -> None:
    """Run one of the two comparisons."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('what', choices=('transfer', 'passes'))
    parser.add_argument('--track', required=True)
    parser.add_argument('--to', action='append', default=[])
    parser.add_argument('--rate', type=float, default=0.001)
    parser.add_argument('--first-rate', type=float, default=0.002)
    parser.add_argument('--steps', type=int, default=120_000)
    parser.add_argument('--max-speed', type=float, default=3.0)
    parser.add_argument('--seeds', type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ['RACER_HOME'] = home
        if given.what == 'transfer':
            transfer(given.track, given.to, given.rate, given.seeds)
        else:
            passes(given.track, given.steps, given.max_speed, (given.first_rate, given.rate),
                   given.seeds)


if __name__ == '__main__':
    main()
