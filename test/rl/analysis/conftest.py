"""Runs whose course is known because it was planted: cars on rails round a shipped track."""

from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest

from racer_rl.analysis.road import road_of_track
from racer_rl.analysis.run import Run, prepared
from racer_rl.cli.main import run as racer
from racer_rl.traces.log import EPISODE_COLUMNS, STEP_COLUMNS, Log
from racer_sim.lap_bound import LapBound
from racer_sim.track_library import find_track

matplotlib.use('Agg')  # what a machine without a display has

REPOSITORY = Path(__file__).resolve().parents[3]
TRACK = 'kidney'
POSSIBLE_MPS = 2.0


def episode_rows(track, *, speed_mps=1.8, stop=None, steering_deg=None, period_s=0.066,
                 reward=None, command_mps=None, offset_m=0.0):
    """Rows of a lap along the centre line; `stop`: share of the lap at which it leaves the track.

    `speed_mps` and `steering_deg` may be functions of the share of the lap; `reward` of the rows.
    """
    fine = np.linspace(0.0, 1.0, 4000)
    speeds = np.broadcast_to(speed_mps(fine) if callable(speed_mps) else speed_mps, fine.shape)
    times_s = np.concatenate(([0.0], np.cumsum(np.diff(fine) * track.length_m / speeds[1:])))
    clock_s = np.arange(period_s, times_s[-1], period_s)
    share = np.interp(clock_s, times_s, fine)
    end = 1.0 if stop is None else stop
    share = np.append(share[share < end], end)
    s_m = share * track.length_m
    x, y, yaw = track.pose_at(s_m, offset_m)
    count = len(share)
    speed = np.interp(share, fine, speeds)
    steering = np.zeros(count) if steering_deg is None else steering_deg(share)
    status = np.full(count, 'in_progress', dtype=object)
    status[-1] = 'lap_complete' if stop is None else 'off_track'
    rows = pd.DataFrame({
        'steps': np.arange(1, count + 1), 'x': x, 'y': y, 'yaw': np.degrees(yaw),
        'steering_angle': steering, 'action': -1, 'progress': 100.0 * share,
        'speed': speed if command_mps is None else command_mps, 'done': status != 'in_progress',
        'on_track': status != 'off_track', 'track_len': track.length_m, 'pause_duration': 0.0,
        'closest_waypoint': track.project(np.column_stack((x, y))).segment,
        'tstamp': period_s * np.arange(1, count + 1), 'episode_status': status,
        'obstacle_crash_counter': 0, 'wall_clock': np.nan, 'worker': 0})
    return rows.assign(reward=speed if reward is None else reward(rows.assign(pace=speed)))


def frame_of(episodes):
    """Rows of (iteration, rows of an episode) as a frame of steps."""
    parts, clock_s = [], 0.0
    for number, (iteration, rows) in enumerate(episodes):
        parts.append(rows.assign(iteration=iteration, episode=number, unique_episode=number,
                                 tstamp=clock_s + rows['tstamp']))
        clock_s = parts[-1]['tstamp'].iloc[-1] + 1.0
    frame = pd.concat(parts, ignore_index=True)
    return frame[list(STEP_COLUMNS)].astype(STEP_COLUMNS)


def log_of(training, **changes):
    """A log of these steps and nothing else."""
    empty = {name: pd.DataFrame({column: pd.Series(dtype=kind) for column, kind in kinds.items()})
             for name, kinds in (('steps', STEP_COLUMNS), ('episodes', EPISODE_COLUMNS))}
    parts = {'name': 'planted', 'source': Path('planted'), 'layout': 'file', 'training': training,
             'evaluation': empty['steps'], 'episodes': empty['episodes'], 'metadata': None,
             'hyperparameters': None, 'reward_source': None, 'damage': (), 'remarks': (),
             'track': TRACK,
             'printed': pd.DataFrame({'text': [], 'count': [], 'first_episode': []})}
    return Log(**{**parts, **changes})


@pytest.fixture(scope='session')
def track():
    return find_track(TRACK)


@pytest.fixture(scope='session')
def bound(track):
    return LapBound(bound_s=track.length_m / POSSIBLE_MPS, margin_s=0.0, qss_s=8.0,
                    max_speed_mps=POSSIBLE_MPS, line=track.centre_m.copy(),
                    speed_mps=np.full(len(track.centre_m), POSSIBLE_MPS))


@pytest.fixture(scope='session')
def lap_log():
    """A log of one episode on a track, made of what `episode_rows` takes."""

    def make(track, **how):
        return log_of(frame_of([(0, episode_rows(track, **how))]), track=None)

    return make


@pytest.fixture(scope='session')
def plant(track, bound):
    """Make a `Run` of what `episode(iteration, number)` says an episode's rows are made of."""

    def make(episode, *, iterations=16, episodes=10, with_bound=True, **changes):
        frame = frame_of(
            (iteration, episode_rows(track, **episode(iteration, number)))
            for iteration in range(iterations) for number in range(episodes))
        log = log_of(frame, **changes)
        road = road_of_track(track, 'planted.')
        return Run(log=log, road=road, training=prepared(log.training, road),
                   evaluation=prepared(log.evaluation, road), bound=bound if with_bound else None)

    return make


def healthy_episode(iteration, number):
    """Learns to get round, then gets a little faster, then stays as it is."""
    finishes = number < min(10, 1 + iteration)
    return {'speed_mps': 1.5 + 0.03 * min(iteration, 11) + 0.005 * number,
            'stop': None if finishes else (0.17 * number + 0.13 * iteration) % 0.8 + 0.1,
            'steering_deg': lambda share: 12.0 + 5.0 * np.sin(6.0 * share),
            'reward': lambda rows: rows['pace'] ** 2}


@pytest.fixture(scope='session')
def healthy(plant):
    return plant(healthy_episode)


@pytest.fixture(scope='session')
def trained_home(tmp_path_factory):
    """`$RACER_HOME` with a model `tiny` that was trained for a moment, every step traced."""
    home = tmp_path_factory.mktemp('analysis') / 'racer_home'
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('RACER_HOME', str(home))
        assert racer(['train', '--name', 'tiny', '--track', TRACK, '--steps', '6000',
                      '--trace', 'every', '--reward', 'stay_on_track']) == 0
    return home


@pytest.fixture
def tiny(trained_home, monkeypatch):
    """The model's name, with its home in place."""
    monkeypatch.setenv('RACER_HOME', str(trained_home))
    return 'tiny'


@pytest.fixture(scope='session')
def console_log():
    """A real log of DeepRacer's console, kept beside the checkout because it is not ours."""
    folder = REPOSITORY.parent / 'shared' / 'data' / 'logs' / 'console-2022'
    if not folder.is_dir():
        pytest.skip('NOT TESTED on a real log: ../shared/data/logs/console-2022 is absent')
    return folder
