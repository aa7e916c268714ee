"""`racer train`, as a person types it: what it prints, keeps, refuses and does on Ctrl-C."""

import json
import os
import signal
import subprocess
import sys

import pytest

from racer_rl.cli.main import run
from racer_rl.evaluation.laps import EvaluationPlan, evaluate
from racer_rl.store.models import model_folder
from racer_rl.training.checkpoint import load_checkpoint
from racer_vehicle.metadata import ModelMetadata, TrainingAlgorithm
from racer_vehicle.observation import Sensor

pytestmark = pytest.mark.usefixtures('racer_home')

TINY = {'n_envs': 4, 'n_steps': 32, 'batch_size': 64, 'num_epochs': 2}
DISCRETE = {
    'action_space': [{'steering_angle': angle, 'speed': 1.2, 'index': index}
                     for index, angle in enumerate((-30, 0, 30))],
    'action_space_type': 'discrete', 'training_algorithm': 'clipped_ppo', 'version': '5',
    'sensor': ['FRONT_FACING_CAMERA', 'SECTOR_LIDAR'], 'neural_network': 'FAST',
}


def command(*words):
    """A `racer` process of its own; Ctrl-C in the test's terminal does not reach it."""
    code = 'from racer_rl.cli.main import main; main()'
    return subprocess.Popen([sys.executable, '-c', code, *map(str, words)], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            start_new_session=True)


@pytest.fixture
def tiny(tmp_path):
    path = tmp_path / 'tiny.json'
    path.write_text(json.dumps(TINY))
    return path


@pytest.fixture
def racer(capsys):
    """Run `racer train` in this process; gives back exit code, output and errors."""

    def call(*words):
        code = run(['train', *map(str, words)])
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.mark.slow
def test_until_laps_reaches_twelve_of_twelve():
    process = command('train', '--track', 'oval', '--name', 'fast', '--until-laps', '--json')
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    result = json.loads(out)
    assert set(result) == {'model', 'folder', 'stopped_because', 'steps', 'episodes', 'seconds',
                           'best', 'warning', 'cost'}
    assert result['stopped_because'] == 'every evaluation lap was clean'
    assert (result['best']['clean_laps'], result['best']['total_laps']) == (12, 12)
    assert err.splitlines()[1].startswith('steps 1,024 ') and 'Traceback' not in err

    folder = model_folder('fast')
    assert result['folder'] == str(folder.path)
    files = {path.relative_to(folder.path).as_posix() for path in folder.path.rglob('*')
             if path.is_file()}
    events = {name for name in files if name.startswith('tensorboard/events.out.tfevents.')}
    assert len(events) == 1
    traces = {name for name in files if name.split('/')[0] in {
        'training-simtrace', 'metrics', 'logs', 'model', 'ip'}}
    assert {'training-simtrace/0-iteration.csv', 'metrics/TrainingMetrics.json',
            'logs/training/training-simulation.log'} <= traces
    earlier = {name for name in files if name.startswith('checkpoints/')
               and name[len('checkpoints/'):-len('.zip')].isdecimal()}
    assert len(earlier) <= 2
    assert files - events - traces - earlier == {
        'model_metadata.json', 'hyperparameters.json', 'reward_function.py', 'run.json',
        'progress.json', 'sessions.json', 'training.png', '.writer',
        'checkpoints/last.zip', 'checkpoints/best.zip'}
    metadata = ModelMetadata.from_json((folder.path / 'model_metadata.json').read_text())
    assert metadata.training_algorithm is TrainingAlgorithm.CLIPPED_PPO
    assert json.loads((folder.path / 'hyperparameters.json').read_text())['lr'] == 2e-3
    assert folder.progress['best'] == result['best']
    confirmed = {'confirmation': {'clean_laps': 48, 'total_laps': 48}, 'robust_score': None}
    judged = evaluate(folder.policy(), folder.setup, EvaluationPlan())
    assert judged.as_dict() | confirmed == result['best']


def test_without_json_it_says_what_to_do_next(racer, tiny):
    code, out, _ = racer('--track', 'oval', '--name', 'm', '--hyperparameters', tiny,
                         '--steps', 128)
    assert code == 0
    assert out.startswith('stopped: the step limit was reached after 128 steps, ')
    assert 'best model: 0 of 12 laps clean.' in out
    assert out.endswith('train on: racer train --name m --resume\n')


@pytest.mark.parametrize(('wanted', 'is_kept'), [('none', False), ('every', True)])
def test_trace_says_whether_steps_are_kept(racer, tiny, wanted, is_kept):
    code, _, err = racer('--name', 'kept', '--track', 'oval', '--steps', '1024', '--trace', wanted,
                         '--hyperparameters', tiny, '--no-early-stop')
    assert code == 0, err
    assert (model_folder('kept').path / 'training-simtrace').is_dir() == is_kept


def test_a_metadata_file_decides_car_and_actions(racer, tiny, tmp_path):
    given = tmp_path / 'model_metadata.json'
    given.write_text(json.dumps(DISCRETE))
    code, out, err = racer('--track', 'oval', '--name', 'm', '--hyperparameters', tiny,
                           '--metadata', given, '--steps', 128, '--json')
    assert code == 0, err
    assert json.loads(out)['steps'] == 128
    kept = model_folder('m').metadata
    assert kept.sensors == (Sensor.FRONT_FACING_CAMERA, Sensor.SECTOR_LIDAR)
    assert len(kept.action_space) == 3
    assert load_checkpoint(model_folder('m').checkpoint('last'))[0].action_space.n == 3


@pytest.mark.parametrize(('option', 'value'), [
    ('--network', 'FAST'), ('--algorithm', 'ppo'), ('--max-speed', '2.0')])
def test_what_a_metadata_file_says_is_not_said_twice(racer, tmp_path, option, value):
    given = tmp_path / 'model_metadata.json'
    given.write_text(json.dumps(DISCRETE))
    code, _, err = racer('--track', 'oval', '--name', 'm', '--metadata', given, option, value)
    assert code == 2
    assert err == (f'error: {option} is {value}, but --metadata is given and says the same; '
                   'leave one out.\n')


def test_notes_about_hyperparameters_go_to_stderr(racer, tmp_path):
    path = tmp_path / 'deepracer.json'
    path.write_text(json.dumps({**TINY, 'exploration_type': 'categorical'}))
    code, out, err = racer('--track', 'oval', '--name', 'm', '--hyperparameters', path,
                           '--steps', 128, '--json')
    assert code == 0
    assert json.loads(out)['model'] == 'm'
    assert err.startswith("note: exploration_type = 'categorical' has no effect here: ")


def test_resume_goes_on_with_what_it_began(racer, tiny, tmp_path, monkeypatch):
    reward = tmp_path / 'mine.py'
    reward.write_text('def reward_function(params):\n    return 1.0\n')
    _, out, _ = racer('--track', 'pebble', '--name', 'm', '--hyperparameters', tiny, '--seed', 9,
                      '--direction', 'reverse', '--reward', reward, '--steps', 128, '--json')
    before, setup = json.loads(out), model_folder('m').setup
    reward.unlink()
    tiny.unlink()
    monkeypatch.chdir(tmp_path)
    code, out, err = racer('--name', 'm', '--resume', '--steps', 300, '--json')
    after, folder = json.loads(out), model_folder('m')
    assert code == 0, err
    assert (before['steps'], after['steps']) == (128, 384)
    assert after['episodes'] > before['episodes']
    assert folder.setup == setup
    assert (setup.tracks, setup.direction) == (('pebble',), 'reverse')
    assert folder.run['seed'] == load_checkpoint(folder.checkpoint('last'))[0].seed == 9


def test_resume_reports_a_best_that_it_did_not_better(racer, tiny):
    racer('--track', 'oval', '--name', 'm', '--hyperparameters', tiny, '--steps', 128)
    best = model_folder('m').progress['best']
    code, out, _ = racer('--name', 'm', '--resume', '--steps', 128, '--json')
    assert code == 0
    assert json.loads(out)['best'] == best is not None


def test_a_track_file_is_found_again_from_another_folder(racer, tiny, tmp_path, monkeypatch):
    assert run(['tracks', 'generate', '--seed', '4', '--name', 'four']) == 0
    drawn = next((tmp_path / 'racer_home').rglob('four.npy'))
    drawn.rename(tmp_path / 'four.npy')
    monkeypatch.chdir(tmp_path)
    code, _, err = racer('--track', 'four.npy', '--name', 'm', '--hyperparameters', tiny,
                         '--steps', 128)
    assert code == 0, err
    monkeypatch.chdir('/')
    code, _, err = racer('--name', 'm', '--resume', '--steps', 256)
    assert code == 0, err


@pytest.mark.parametrize(('option', 'value'), [
    ('--track', 'oval'), ('--direction', 'both'), ('--reward', 'progress'), ('--algorithm', 'ppo'),
    ('--method', 'distill'),
    ('--network', 'FAST'), ('--metadata', 'm.json'), ('--hyperparameters', 'h.json'),
    ('--max-speed', '2.0'), ('--seed', '0'),
])
def test_resume_refuses_what_it_would_have_to_ignore(racer, option, value):
    code, out, err = racer('--name', 'm', '--resume', option, value)
    assert (code, out) == (2, '')
    assert err == (f'error: {option} is {value}, but --resume is given; allowed with it: --time, '
                   '--steps, --until-laps, --until-robust, --no-early-stop, --max-time, '
                   '--max-steps, --max-cost, --trace, --keep. Leave it out, or train a new '
                   'model, or a clone: --from.\n')


def test_a_taught_model_says_so_and_is_resumed(racer, tiny):
    code, _, err = racer('--track', 'oval', '--name', 'm', '--hyperparameters', tiny, '--method',
                         'distill', '--steps', 1200, '--no-early-stop', '--json')
    assert code == 0, err
    assert err.splitlines()[1].startswith('learner teacher  steps 128 ')
    folder = model_folder('m')
    assert folder.run['method'] == 'distill'
    assert folder.metadata.training_algorithm is TrainingAlgorithm.CLIPPED_PPO
    code, out, err = racer('--name', 'm', '--resume', '--steps', 1300, '--no-early-stop', '--json')
    assert code == 0, err
    assert json.loads(out)['steps'] == 1408
    assert err.splitlines()[1].startswith('steps ')


def test_settings_for_convolutions_do_not_fit_their_teacher(racer, tiny):
    code, _, err = racer('--track', 'oval', '--name', 'm', '--hyperparameters', tiny, '--network',
                         'DEEP_CONVOLUTIONAL_NETWORK_SHALLOW', '--steps', 1)
    assert code == 0, err
    assert err.startswith('note: the model learns from a teacher, ')


def test_sac_by_method_is_sac_by_algorithm(racer, tmp_path):
    settings = tmp_path / 'sac.json'
    settings.write_text(json.dumps({'n_envs': 4, 'buffer_size': 1000}))
    code, _, err = racer('--track', 'oval', '--name', 'm', '--hyperparameters', settings,
                         '--method', 'sac', '--steps', 1, '--no-early-stop')
    assert code == 0, err
    assert model_folder('m').metadata.training_algorithm is TrainingAlgorithm.SAC
    assert model_folder('m').run['method'] == 'sac'


def test_a_method_that_contradicts_the_metadata_is_refused(racer, tmp_path):
    given = tmp_path / 'model_metadata.json'
    given.write_text(json.dumps(DISCRETE))
    code, _, err = racer('--track', 'oval', '--name', 'm', '--metadata', given, '--method', 'sac')
    assert code == 2
    assert err == ('error: --method is sac, but the algorithm is clipped_ppo; allowed with that: '
                   'auto, ppo, distill; leave one of them out.\n')


def test_names_are_taken_once_and_resumed_by_the_nearest(racer, tiny):
    racer('--track', 'oval', '--name', 'swift', '--hyperparameters', tiny, '--steps', 128)
    checkpoint = model_folder('swift').checkpoint('last').read_bytes()
    code, _, err = racer('--track', 'oval', '--name', 'swift')
    assert code == 2
    assert err == ("error: model 'swift' exists already; choose another --name, or go on with it: "
                   'racer train --name swift --resume.\n')
    assert model_folder('swift').checkpoint('last').read_bytes() == checkpoint
    code, _, err = racer('--name', 'swfit', '--resume')
    assert (code, err) == (2, "error: unknown model 'swfit'; did you mean swift?\n")


def test_time_ends_a_run(racer, tiny):
    code, out, _ = racer('--track', 'oval', '--name', 'm', '--hyperparameters', tiny,
                         '--time', '1s', '--json')
    assert code == 0
    assert json.loads(out)['stopped_because'] == 'the time limit was reached'


@pytest.mark.slow
@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_saves_and_resumes(racer, tiny, number):
    process = command('train', '--track', 'oval', '--name', 'm', '--hyperparameters', tiny,
                      '--steps', 10**9, '--json')
    assert 'what this will cost is not known' in process.stderr.readline()
    assert process.stderr.readline().startswith('steps ')
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    result = json.loads(out)
    assert result['stopped_because'] == 'interrupted'
    assert model_folder('m').progress['steps'] == result['steps'] > 0
    code, out, _ = racer('--name', 'm', '--resume', '--steps', result['steps'] + 1, '--json')
    assert code == 0
    assert json.loads(out)['steps'] == result['steps'] + 128


SLOW = """import time

calls = {'count': 0}


def reward_function(params):
    calls['count'] += 1
    if calls['count'] > 100:
        print('now')
        time.sleep(0.25)
    return 1.0
"""


@pytest.mark.slow
def test_a_second_ctrl_c_leaves_at_once(tiny, tmp_path):
    reward, log = tmp_path / 'slow.py', model_folder('m').path / 'reward.log'
    reward.write_text(SLOW)
    log.parent.mkdir(parents=True)
    os.mkfifo(log)
    process = command('train', '--track', 'oval', '--name', 'm', '--hyperparameters', tiny,
                      '--reward', reward, '--steps', 10**9)
    said = log.open()
    try:
        assert said.readline().endswith(': now\n')
        process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=0.5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        said.close()
    assert process.returncode == 130, err
    assert out == '' and 'Traceback' not in err
    folder = model_folder('m')
    assert evaluate(folder.policy('last'), folder.setup, EvaluationPlan(laps=1, starts=1)).runs
