"""What a run writes: the community's reader agrees with ours, and a kill costs little."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.parquet as parquet
import pytest
from deepracer.logs import AnalysisUtils, DeepRacerLog
from deepracer.logs.metrics import TrainingMetrics
from hypothesis import given, settings
from hypothesis import strategies as st

from racer_rl.envs.build import RaceSetup, build_batch
from racer_rl.envs.vector import RaceVecEnv
from racer_rl.evaluation.laps import EvaluationPlan
from racer_rl.store.models import ModelFolder
from racer_rl.traces.columns import STATUSES, STEP_COLUMNS
from racer_rl.traces.files import TraceFolder
from racer_rl.traces.laps import episodes_of
from racer_rl.traces.log import read_log
from racer_rl.traces.recording import FIRST_ROOM
from racer_rl.traces.sampling import FULL_ITERATIONS, SAMPLE_STRIDE, Sampling
from racer_rl.traces.step_files import read_parquet, read_table
from racer_rl.traces.texts import HEADER, csv_lines, log_lines, parquet_table
from racer_rl.traces.writing import TrainingTrace
from racer_rl.training.distillation import Distillation
from racer_rl.training.hyperparameters import PPOHyperparameters, SACHyperparameters
from racer_rl.training.plan import Limits, TrainingPlan
from racer_rl.training.train import train
from racer_vehicle.action import DiscreteActions

PPO = PPOHyperparameters(n_envs=4, n_steps=256, batch_size=256, n_epochs=1)
SAC = SACHyperparameters(n_envs=4, batch_size=32, learning_starts=4000, buffer_size=8000,
                         train_freq=8)
TABLE = DiscreteActions(steering_rad=(-0.5, 0.0, 0.5), speed_mps=(1.0, 1.5, 1.0))


def plan_for(steps, settings=PPO, trace=Sampling.SAMPLE, **setup):
    return TrainingPlan(setup=RaceSetup(track='pebble', **setup), hyperparameters=settings,
                        evaluation=EvaluationPlan(laps=1, starts=2), limits=Limits(steps=steps),
                        seed=3, trace=trace)


def run(folder, plan, *, resume=False):
    train(folder, plan, lambda standing: None, resume=resume)
    return read_log(folder.path)


@pytest.fixture
def folder(tmp_path):
    return ModelFolder(tmp_path / 'models' / 'alpha')


@pytest.mark.parametrize(('setup', 'settings'), [
    ({}, PPO), ({'actions': TABLE}, PPO), ({}, SAC)], ids=['continuous', 'discrete', 'sac'])
def test_the_community_reads_a_run_as_we_do(setup, settings, folder):
    log = run(folder, plan_for(3072, settings, **setup))
    community = DeepRacerLog(str(folder.path))
    community.load()
    theirs, ours = community.dataframe(), log.training
    assert log.layout == 'racer' and log.track == 'pebble' and not log.damage
    assert len(theirs) == len(ours)
    assert list(theirs['unique_episode']) == list(ours['unique_episode'])
    assert list(theirs['action']) == list(ours['action'])
    assert (ours['action'].min() >= 0) == ('actions' in setup)
    summary = AnalysisUtils.simulation_agg(theirs, secondgroup='unique_episode')
    driven = episodes_of(ours)
    for their_name, our_name in (('steps', 'steps'), ('time', 'time_s'), ('speed', 'mean_speed'),
                                 ('progress', 'progress'), ('reward', 'reward'),
                                 ('dist', 'distance_m'), ('start_at', 'start_waypoint')):
        np.testing.assert_allclose(summary[their_name], driven[our_name], rtol=1e-5, atol=1e-5)
    assert community.hyperparameters() == log.hyperparameters
    assert community.agent_and_network()['network'] == 'FAST'
    assert_metrics_agree(log)


def assert_metrics_agree(log):
    """Every episode, its steps and its row in the metrics."""
    told = log.episodes[log.episodes['phase'] == 'training']
    driven = episodes_of(log.training)
    assert list(told['episode'] - 1) == list(driven['unique_episode'])
    assert list(told['episode_status'].str.lower().str.replace(' ', '_')) == list(
        driven['end_status'])
    np.testing.assert_allclose(told['reward_score'], driven['reward'], atol=1e-2)
    # A lap ends where the line is crossed, within a control period.
    early_s = driven['time_s'].to_numpy() - told['elapsed_time_in_milliseconds'].to_numpy() / 1e3
    assert ((early_s >= -1e-3) & (early_s < 0.067)).all()


def test_steps_are_what_the_cars_did(folder):
    log = run(folder, plan_for(2048, actions=TABLE))
    steps = log.training
    first, last = steps.groupby('unique_episode').head(1), steps.groupby('unique_episode').tail(1)
    assert set(first['episode_status']) == {'prepare'} and set(first['steps']) == {1}
    assert not first['progress'].any() and not first['reward'].any()
    assert last['done'].all() and steps['done'].sum() == len(last)
    driven = steps[steps['episode_status'] != 'prepare']
    assert set(driven['steering_angle'].round()) <= {-29.0, 0.0, 29.0}
    np.testing.assert_allclose(steps.groupby('unique_episode')['tstamp'].diff().dropna(), 0.066,
                               atol=2e-3)
    moved_m = np.hypot(steps['x'].diff(), steps['y'].diff())[driven.index]
    assert moved_m.max() < 0.066 * 2.0


def test_the_metrics_load_as_a_round_of_training(folder, monkeypatch):
    monkeypatch.setenv('AWS_DEFAULT_REGION', 'eu-west-1')  # their class makes an S3 client
    log = run(folder, plan_for(2048))
    community = TrainingMetrics(None, fname=str(folder.path / 'metrics' / 'TrainingMetrics.json'))
    told = log.episodes
    assert len(community.getTraining()) == int((told['phase'] == 'training').sum())
    assert len(community.getEvaluation()) == int((told['phase'] == 'evaluation').sum()) > 0


def test_resuming_goes_on_with_the_iteration_that_was_not_full(folder):
    before = run(folder, plan_for(2048))
    after = run(folder, plan_for(4096), resume=True)
    count = before.training['unique_episode'].nunique()
    assert count % before.hyperparameters['num_episodes_between_training']
    numbers = after.training['unique_episode'].unique()
    assert list(numbers) == list(range(len(numbers))) and len(numbers) > count
    kept = after.training[after.training['unique_episode'] < count].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, before.training)
    per_iteration = after.training.groupby('iteration')['episode'].nunique()
    assert set(per_iteration[:-1]) == {after.hyperparameters['num_episodes_between_training']}
    assert_metrics_agree(after)
    whole = read_log(TraceFolder(folder.path).training_log).training
    assert len(whole) == len(after.training)


def test_the_teachers_cars_are_traced_and_then_the_models(folder):
    plan = replace(plan_for(6144), distillation=Distillation())
    log = run(folder, plan)
    assert_metrics_agree(log)
    ended_s = log.training.groupby('unique_episode')['tstamp'].last()
    assert ended_s.is_monotonic_increasing


def test_nothing_is_written_where_nothing_is_wanted(folder):
    train(folder, plan_for(1024, trace=Sampling.NONE), lambda standing: None)
    there = {path.name for path in folder.path.iterdir()}
    assert not there & {'training-simtrace', 'metrics', 'logs', 'ip', 'model'}


def test_a_sample_is_dense_where_most_is_learnt():
    kept = [number for number in range(1000) if Sampling.SAMPLE.keeps(number)]
    assert kept[:FULL_ITERATIONS] == list(range(FULL_ITERATIONS))
    assert set(np.diff(kept[FULL_ITERATIONS:])) == {SAMPLE_STRIDE}
    assert all(Sampling.EVERY.keeps(number) for number in range(200))


def driving_trace(path, **options):
    """A trace and cars that end their episodes soon."""
    batch = build_batch(RaceSetup(track='pebble'), cars=4, seed=1)
    trace = TrainingTrace(TraceFolder(path), Sampling.EVERY, episodes_per_iteration=4,
                          simulator=batch.simulator, discrete=False, **options)
    return trace, RaceVecEnv(batch)


def drive(trace, env, steps):
    trace.watch(env.batch)
    env.reset()
    for _ in range(steps):
        env.step(np.tile(np.float32((1.0, 1.0)), (4, 1)))


def test_a_kill_leaves_whole_iterations(tmp_path):
    trace, env = driving_trace(tmp_path)
    drive(trace, env, 120)  # and nobody closes it
    log = read_log(tmp_path)
    counts = log.training.groupby('iteration')['episode'].nunique()
    assert len(counts) >= 2 and set(counts) == {4}
    assert len(read_log(tmp_path / 'logs').training) == len(log.training)
    env.close()


def test_after_a_kill_numbers_go_on_and_a_torn_log_in_its_next_line(tmp_path):
    trace, env = driving_trace(tmp_path)
    drive(trace, env, 120)
    env.close()
    files = TraceFolder(tmp_path)
    before = read_log(tmp_path).training
    files.training_log.write_bytes(files.training_log.read_bytes()[:-50])
    rows = json.loads(files.training_metrics.read_text())['metrics']
    files.write_metrics(files.training_metrics, [json.dumps(row) for row in rows[:2]])
    trace, env = driving_trace(tmp_path)
    trace.resume()
    drive(trace, env, 120)
    trace.close()
    env.close()
    after = read_log(tmp_path)
    old = after.training[after.training['episode'] <= before['episode'].max()]
    pd.testing.assert_frame_equal(old.reset_index(drop=True), before)
    assert after.training['episode'].nunique() > before['episode'].nunique()
    log = read_log(tmp_path / 'logs')
    assert [damage.lines for damage in log.damage] == [1]
    assert len(log.training) == len(after.training) - 1


def test_an_episode_may_be_long(tmp_path):
    trace, env = driving_trace(tmp_path)
    trace.watch(env.batch)
    seen = env.reset()
    for _ in range(700):  # slow laps, of more steps than there is room for at first
        truth = seen['privileged']
        steering = np.clip(-0.7 * truth[:, 0] - 1.5 * truth[:, 2] + 0.5 * truth[:, 14], -1.0, 1.0)
        seen, *_ = env.step(np.column_stack((steering, np.full(4, -1.0))))
    trace.close()
    env.close()
    steps = read_log(tmp_path).training
    longest = episodes_of(steps)['steps'].max()
    assert longest > FIRST_ROOM
    assert list(steps.groupby('unique_episode')['steps'].count()) == list(
        episodes_of(steps)['steps'])


def test_what_the_reward_printed_is_in_the_log(folder, tmp_path):
    reward = tmp_path / 'loud.py'
    reward.write_text('def reward_function(params):\n'
                      '    if params["steps"] == 2:\n        print("second step")\n'
                      '    return 1.0\n')
    log = run(folder, plan_for(1024, reward=str(reward)))
    (row,) = log.printed.to_dict('records')
    assert row['text'] == 'second step' and row['first_episode'] >= 1
    assert log.reward_source == reward.read_text()


def test_parquet_that_is_damaged_costs_time_and_nothing_else(folder):
    before = run(folder, plan_for(2048)).training
    (packed,) = (folder.path / 'training-simtrace').glob('*.parquet')
    packed.write_bytes(packed.read_bytes()[:100])
    log = read_log(folder.path)
    assert [damage.file for damage in log.damage] == [f'training-simtrace/{packed.name}']
    pd.testing.assert_frame_equal(log.training, before)


class Taken:
    """Collects what a file gives."""

    def __init__(self):
        self.columns, self.problems = [], []

    def rows(self, columns):
        self.columns.append(columns)

    def refused(self, lines, first_line, why):
        self.problems.append(why)

    def text(self, chunk):
        pass


NUMBERS = st.floats(-1e4, 1e4).map(lambda value: round(value, 2))


@settings(max_examples=50)
@given(data=st.data(), discrete=st.booleans())
def test_what_is_written_is_what_is_read(data, discrete, tmp_path_factory):
    count = data.draw(st.integers(1, 20))

    def column(values, kind):
        return np.array(data.draw(st.lists(values, min_size=count, max_size=count)), dtype=kind)

    columns = {
        **{name: column(NUMBERS, 'f8') for name in (
            'X', 'Y', 'yaw', 'steer', 'throttle', 'reward', 'progress', 'track_len', 'tstamp')},
        **{name: column(st.integers(0, 30_000), 'i8') for name in (
            'episode', 'steps', 'closest_waypoint', 'obstacle_crash_counter')},
        **{name: column(st.booleans(), '?') for name in ('done', 'all_wheels_on_track')},
        'output': np.column_stack((column(st.integers(0, 100), 'f4'), np.zeros(count, 'f4'))),
        'episode_status': column(st.integers(1, len(STATUSES) - 1), 'i1'),
        'pause_duration': column(NUMBERS.map(abs), 'f8'),
        'wall_clock': column(st.floats(1e9, 2e9).map(lambda value: round(value, 3)), 'f8'),
    }
    folder = tmp_path_factory.mktemp('steps')
    text, packed, log = folder / 'a.csv', folder / 'a.parquet', folder / 'a.log'
    lines = csv_lines(columns, discrete=discrete)
    text.write_bytes(HEADER + lines)
    log.write_bytes(log_lines(lines))
    parquet.write_table(parquet_table(columns, 7, discrete=discrete), packed)
    frames = []
    for path, read in ((text, read_table), (packed, read_parquet)):
        taken = Taken()
        with path.open('rb') as stream:
            read(stream, taken)
        assert not taken.problems
        frames.append(taken.columns[0])
    theirs = {'x': 'X', 'y': 'Y', 'steering_angle': 'steer', 'speed': 'throttle',
              'on_track': 'all_wheels_on_track'}
    for frame in frames:
        for name, kind in STEP_COLUMNS.items():
            if name in ('iteration', 'worker', 'unique_episode'):
                continue
            wanted = (columns['output'][:, 0] if discrete else np.full(count, -1)) if (
                name == 'action') else columns[theirs.get(name, name)]
            np.testing.assert_array_equal(
                frame[name], wanted.astype('i1' if kind == 'category' else kind))
    assert len(read_log(log).training) == count
