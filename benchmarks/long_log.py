"""How long `racer analyze` takes for a log of a million steps, and how much memory.

    python benchmarks/long_log.py [--rows 1000000]

The log is made here, in DeepRacer's files: cars that learn to follow the middle of a track.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from racer_rl.traces.columns import FILE_COLUMNS
from racer_sim.track_library import find_track

EPISODES_AN_ITERATION = 40
PERIOD_S = 0.066
PERIODS_A_LAP = 140


def write_log(folder: Path, rows: int, track_name: str = 'kidney', seed: int = 0) -> int:
    """Write a console-like folder of at least so many steps.

    Args:
        folder: Made if missing.
        rows: Wanted steps.
        track_name: In the track library.
        seed: Of everything random.

    Returns:
        Steps written.
    """
    rng, track = np.random.default_rng(seed), find_track(track_name)
    traces = folder / 'sim-trace/training/training-simtrace'
    traces.mkdir(parents=True)
    written, iteration = 0, 0
    while written < rows:
        # The share of the lap that is driven grows; from 1 on it is a complete lap.
        shares = np.clip(rng.normal(0.1 + 1.2 * written / rows, 0.2, EPISODES_AN_ITERATION),
                         0.03, 1.0)
        counts = np.maximum(2, (PERIODS_A_LAP * shares).astype(np.int64))
        step = np.concatenate([np.arange(1, count + 1) for count in counts])
        episode = np.repeat(np.arange(EPISODES_AN_ITERATION), counts)
        share, last = shares[episode] * step / counts[episode], step == counts[episode]
        x, y, yaw = track.pose_at(share * track.length_m, rng.normal(0.0, 0.1, len(step)))
        steering = 10 * rng.integers(-3, 4, len(step))
        frame = pd.DataFrame({
            'episode': iteration * EPISODES_AN_ITERATION + episode, 'steps': step, 'X': x, 'Y': y,
            'yaw': np.degrees(yaw), 'steer': steering, 'throttle': rng.choice((1.0, 2.0), len(x)),
            'action': rng.integers(0, 14, len(step)), 'reward': rng.random(len(step)),
            'done': last, 'all_wheels_on_track': ~last, 'progress': 100.0 * share,
            'closest_waypoint': (share * len(track.centre_m)).astype(np.int64),
            'track_len': track.length_m, 'tstamp': PERIOD_S * (written + np.arange(len(step))),
            'episode_status': np.where(~last, 'in_progress', np.where(
                shares[episode] >= 1.0, 'lap_complete', 'off_track')),
            'pause_duration': 0.0, 'obstacle_crash_counter': 0,
            'wall_clock': 1.7e9 + PERIOD_S * (written + np.arange(len(step)))})
        frame[list(FILE_COLUMNS)].to_csv(traces / f'{iteration}-iteration.csv', index=False,
                                         float_format='%.4f')
        written, iteration = written + len(step), iteration + 1
    return written


def main() -> None:
    """Write a log, have it analysed by the command, and print what that took as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--rows', type=int, default=1_000_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        steps = write_log(folder / 'long', rows)
        began_s = time.monotonic()
        subprocess.run([sys.executable, '-c', 'from racer_rl.cli.main import main; main()',
                        'analyze', str(folder / 'long'), '--out', name], check=True)
        seconds = time.monotonic() - began_s
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        sys.stdout.write(json.dumps({
            'steps': steps, 'wall_s': round(seconds, 1),
            'cpu_s': round(used.ru_utime + used.ru_stime, 1),
            'memory_mib': round(used.ru_maxrss / 1024),
            'report_kib': round((folder / 'long.html').stat().st_size / 1024)}) + '\n')


if __name__ == '__main__':
    main()
