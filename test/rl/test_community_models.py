"""DeepRacer's models: what is taken of them, what is said of the rest, and learning from laps."""

import json
import math
import tarfile
from pathlib import Path

import numpy as np
import pytest

from racer_rl.cli.main import run
from racer_rl.store.community import WEIGHTS_NOTE, lay_out, read_community
from racer_rl.store.models import model_names, open_model
from racer_rl.traces.log import read_log
from racer_rl.traces.recorded_laps import best_laps, driven_direction
from racer_rl.traces.roles import Kind
from racer_rl.training.plan import Limits, TrainingPlan
from racer_rl.training.train import train
from racer_sim.track_library import find_track
from racer_vehicle.errors import ConfigError
from racer_vehicle.spec import CarSpec

METADATA = {
    'action_space': {'steering_angle': {'low': -30.0, 'high': 30.0},
                     'speed': {'low': 0.5, 'high': 1.0}},
    'action_space_type': 'continuous', 'sensor': ['FRONT_FACING_CAMERA'], 'version': '5',
    'neural_network': 'DEEP_CONVOLUTIONAL_NETWORK_SHALLOW', 'training_algorithm': 'clipped_ppo'}
TABLE = {**METADATA, 'action_space_type': 'discrete', 'action_space': [
    {'steering_angle': angle, 'speed': 1.0} for angle in (-30, -20, -10, 0, 10, 20, 30)]}
SETTINGS = {'batch_size': 64, 'lr': 0.0003, 'num_episodes_between_training': 20,
            'exploration_type': 'categorical'}
REWARD = 'def reward_function(params):\n    return float(params["progress"])\n'
FRONT_M = 0.14


def text(files, folder):
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


CONSOLE = {'model/model_metadata.json': METADATA, 'ip/hyperparameters.json': SETTINGS,
           'model/model_12.pb': 'x', 'reward_function.py': REWARD,
           'training_params.yaml': 'WORLD_NAME: "meander"\nREVERSE_DIR: "True"\n'}
DRFC = {'custom_files/model_metadata.json': METADATA, 'custom_files/reward_function.py': REWARD,
        'custom_files/hyperparameters.json': SETTINGS, 'model/3_Step-1.ckpt.index': 'x',
        'run.env': 'DR_WORLD_NAME=meander\nDR_TRAIN_REVERSE_DIRECTION=True\n'
                   'DR_EVAL_REVERSE_DIRECTION=False\n'}
SOLUTION = {'model_metadata.json': METADATA, 'hyperparameters.json': SETTINGS,
            'reward_function.py': REWARD, 'agent/model.pb': 'x',
            'eval_params.yaml': "WORLD_NAME: 'oval'\nREVERSE_DIR: 'False'\n",
            'training_params.yaml': "WORLD_NAME: ['meander']\nREVERSE_DIR:\n- 'True'\n"}


@pytest.mark.parametrize('files', [CONSOLE, DRFC, SOLUTION], ids=['console', 'drfc', 'solution'])
@pytest.mark.parametrize('packed', [False, True])
def test_files_are_found_wherever_they_lie(tmp_path, files, packed):
    source = text(files, tmp_path / 'fast car!')
    if packed:
        with tarfile.open(tmp_path / 'fast car!.tar.gz', 'w:gz') as archive:
            archive.add(source, 'inside')
        source = tmp_path / 'fast car!.tar.gz'
    model = read_community(source)
    assert model.name == 'fast-car'
    assert (model.world, model.direction) == ('meander', 'reverse')
    assert model.has_weights
    assert not model.has_steps
    assert model.texts[Kind.REWARD] == REWARD
    assert json.loads(model.texts[Kind.METADATA]) == METADATA
    start = lay_out(model, tmp_path / 'out', 'n', None)
    assert [path.name for path in start.files] == [
        'model_metadata.json', 'hyperparameters.json', 'reward_function.py']
    assert ' '.join(start.arguments).startswith('--name n --track meander --direction reverse --m')
    assert start.arguments[-1] == '--compat'
    assert any('num_episodes_between_training = 20 became' in note for note in start.notes)


def test_the_printed_command_trains(tmp_path, monkeypatch, racer_home, capsys):
    monkeypatch.chdir(tmp_path)
    text({**CONSOLE, 'model/model_metadata.json': {**METADATA, 'neural_network': 'FAST'}},
         tmp_path / 'theirs')
    assert run(['models', 'import', 'theirs', '--name', 'mine', '--json']) == 0
    captured = capsys.readouterr()
    record = json.loads(captured.out)
    assert f'note: {WEIGHTS_NOTE}' in captured.err
    command = record['command'].split()
    assert command[:4] == ['racer', 'train', '--name', 'mine']
    assert run([*command[1:], '--steps', '1000']) == 0
    model = open_model('mine')
    assert (model.setup.direction, model.setup.compat) == ('reverse', True)
    assert model.reward_path.read_text() == REWARD
    assert model.run['hyperparameters']['learning_rate'] == 3e-4
    # Files of a person are not replaced unasked.
    assert run(['models', 'import', 'theirs', '--name', 'mine']) == 2
    assert 'exists already; give another --name or --out, or --force' in capsys.readouterr().err
    assert run(['models', 'import', 'theirs', '--name', 'mine', '--force']) == 0


@pytest.mark.parametrize(('change', 'words'), [
    ({'model/model_metadata.json': '{'}, 'model_metadata.json is not used: model metadata is not'),
    ({'ip/hyperparameters.json': {'lrate': 1}}, 'hyperparameters.json is not used: unknown hyper'),
    ({'reward_function.py': 'import os\n' + REWARD}, '[import-not-allowed]'),
    ({'reward_function.py': 'def reward_function(params)\n'}, '[syntax]'),
    ({'training_params.yaml': 'WORLD_NAME: jyllandsringen_open'},
     'it drove jyllandsringen_open, which is not here: racer tracks import'),
    ({'training_params.yaml': ''}, 'nothing tells which track it drove'),
])
def test_what_cannot_be_used_is_said(tmp_path, change, words):
    model = read_community(text({**CONSOLE, **change}, tmp_path / 'theirs'))
    notes = lay_out(model, tmp_path / 'out', 'n', None).notes
    assert [note for note in notes if words in note], notes


def test_what_is_no_model_is_refused(tmp_path, capsys, racer_home):
    for name, words in (
            ('empty', 'holds no model_metadata.json'), ('a.txt', 'is neither a folder'),
            ('a.racer', 'is a policy bundle'), ('absent', 'there is no')):
        path = tmp_path / name
        if name == 'empty':
            path.mkdir()
        elif name != 'absent':
            path.write_text('x')
        assert run(['models', 'import', str(path)]) == 2
        error = capsys.readouterr().err
        assert words in error
        assert error.count('\n') == 1
    assert model_names() == []


def driven(track, lap, reverse=False):
    """Rows of a lap at 1 m/s that sways about the centre line, as DeepRacer's log has them."""
    road = find_track(track).reversed() if reverse else find_track(track)
    s = np.arange(0.0, road.length_m, 0.066)
    waves, wide, phase = 4 + lap % 3, 0.12 * (lap % 4) / 3.0, lap * 0.7
    lateral = wide * np.sin(2 * np.pi * waves * s / road.length_m + phase)
    x, y, _ = road.pose_at(s, lateral)
    line = np.column_stack((x, y))
    steps = np.roll(line, -1, axis=0) - line
    yaw = np.arctan2(steps[:, 1], steps[:, 0])
    turned = (np.roll(yaw, -1) - yaw + np.pi) % (2 * np.pi) - np.pi
    bend = turned / np.hypot(*steps.T)
    steering = np.degrees(np.arctan(CarSpec().wheelbase_m * bend)).clip(-30, 30)
    for step in range(len(s)):
        front = line[step] + FRONT_M * np.array((np.cos(yaw[step]), np.sin(yaw[step])))
        last = step == len(s) - 1
        status = 'lap_complete' if last else 'in_progress'
        yield (f'{lap},{step + 1},{front[0]:.4f},{front[1]:.4f},{math.degrees(yaw[step]):.4f},'
               f'{steering[step]:.2f},1.00,-1,1.0,{last},True,{100 * (step + 1) / len(s):.4f},1,'
               f'{road.length_m:.2f},{10 * lap + 0.066 * step:.3f},{status},0.00')


def log_of(folder, metadata, laps, **driving):
    head = ('episode,steps,X,Y,yaw,steer,throttle,action,reward,done,all_wheels_on_track,progress,'
            'closest_waypoint,track_len,tstamp,episode_status,pause_duration')
    rows = [row for lap in range(laps) for row in driven('oval', lap, **driving)]
    return text({'model/model_metadata.json': metadata, 'ip/hyperparameters.json': SETTINGS,
                 'sim-trace/training/training-simtrace/0-iteration.csv':
                 '\n'.join((head, *rows)) + '\n'}, folder)


def test_laps_of_a_log_are_those_of_the_middle_of_our_car(tmp_path):
    log = read_log(log_of(tmp_path / 'log', METADATA, 3, reverse=True))
    laps = best_laps(log)
    assert len(laps) == 3
    road = find_track('oval').reversed()
    # The first lap does not sway: the point midway between the axles is on the centre line.
    straight = [lap for lap in laps if np.abs(road.project(lap.poses[:, :2]).lateral_m).max()
                < 2e-3]
    assert len(straight) == 1
    assert driven_direction(laps, find_track('oval')) == 'reverse'
    assert driven_direction(laps, road) == 'forward'
    with pytest.raises(ConfigError, match=r'of the log lie between the borders of kidney; allow'):
        driven_direction(laps, find_track('kidney'))


def test_a_log_without_a_complete_lap_is_refused(tmp_path):
    source = log_of(tmp_path / 'log', METADATA, 1)
    table = source / 'sim-trace/training/training-simtrace/0-iteration.csv'
    table.write_text(table.read_text().replace('lap_complete', 'off_track'))
    with pytest.raises(ConfigError, match=r'holds no complete lap \(the furthest is 100%\)'):
        best_laps(read_log(source))


@pytest.mark.slow
@pytest.mark.parametrize('metadata', [METADATA, TABLE], ids=['continuous', 'discrete'])
def test_a_network_learns_to_drive_from_laps(tmp_path, racer_home, metadata, capsys):
    source = log_of(tmp_path / 'log', metadata, 12)
    arguments = ['models', 'import', str(source), '--name', 'd', '--track', 'oval', '--distill']
    assert run([*arguments, '--network', 'FAST', '--json']) == 0
    captured = capsys.readouterr()
    assert 'note: learnt from 12 laps of' in captured.err
    best = json.loads(captured.out)['best']
    assert best['clean_laps'] >= 9, best
    model = open_model('d')
    assert str(model.lineage) == 'learnt from what log did'
    assert model.run['method'] == 'distill'
    assert model.checkpoint('best').is_file()
    # It is a model like any other: training goes on.
    plan = TrainingPlan(setup=model.setup, hyperparameters=settings_of(model),
                        limits=Limits(steps=model.progress['steps'] + 2000))
    _, standing = train(model, plan, lambda standing: None, resume=True)
    assert standing.phase is None
    assert standing.session_steps >= 2000
    assert run([*arguments, '--network', 'FAST']) == 2
    assert "model 'd' exists already" in capsys.readouterr().err


def settings_of(model):
    from racer_rl.training.hyperparameters import PPOHyperparameters
    return PPOHyperparameters(**model.run['hyperparameters'])


@pytest.mark.slow
def test_a_real_log_teaches_clean_laps(real_tracks, racer_home, capsys, repository):
    log = repository.parent / 'shared' / 'data' / 'logs' / 'console-2022'
    if not Path(log).is_dir():
        pytest.skip('NOT TESTED on a real DeepRacer log: ../shared/data/logs is absent')
    assert run(['models', 'import', str(log), '--name', 'real', '--distill', '--network', 'FAST',
                '--track', str(real_tracks / 'reinvent_base.npy'), '--json']) == 0
    best = json.loads(capsys.readouterr().out)['best']
    assert best['clean_laps'] >= 11, best
    assert run(['models', 'import', str(log), '--name', 'wrong', '--distill', '--track', 'oval',
                '--network', 'FAST']) == 2
    assert 'of the log lie between the borders of oval' in capsys.readouterr().err
    assert model_names() == ['real']
    assert not list(Path(racer_home / 'models').glob('.new-*'))
