"""Whatever is wrong with the input: one line that says what to do, code 2, and nothing written."""

import json

import numpy as np
import pytest

from racer_rl.cli.main import run

BEGIN = ['train', '--track', 'oval', '--name', 'm']


@pytest.fixture
def refused(racer_home, capsys):
    """Run words that must be refused; gives back the one line."""

    def content():
        return {path: path.read_bytes() if path.is_file() else None
                for path in racer_home.rglob('*')}

    def call(*words):
        before = content()
        code = run([str(word) for word in words])
        out, err = capsys.readouterr()
        assert (code, out) == (2, ''), err
        assert err.startswith('error: ')
        assert err.endswith('\n') and err.count('\n') == 1
        assert content() == before
        return err
    return call


def loop(points=80):
    angle = np.linspace(0.0, 2 * np.pi, points, endpoint=False)
    return np.stack((3 * np.cos(angle), 2 * np.sin(angle)), axis=1)


def route(centre, half_width=0.4):
    """A DeepRacer route array round the origin."""
    outward = centre / np.linalg.norm(centre, axis=1, keepdims=True)
    return np.hstack((centre, centre - half_width * outward, centre + half_width * outward))


def with_nan():
    rows = route(loop())
    rows[7, 0] = np.nan
    return rows


def eight():
    angle = np.linspace(0.0, 2 * np.pi, 120, endpoint=False) + 0.01
    return route(np.stack((4 * np.sin(angle), 4 * np.sin(angle) * np.cos(angle) + 20), axis=1))


@pytest.mark.parametrize(('rows', 'words'), [
    (with_nan(), 'the centre line holds [nan, '),
    (route(loop())[:, :5], 'four.npy has shape (80, 5); allowed: (N, 6)'),
    (np.zeros(12), 'four.npy has shape (12,); allowed: (N, 6)'),
    (eight(), 'the centre line crosses itself near ('),
    (route(loop()[:50]), "track 'four' is open: "),
    (route(loop(), 0.0), 'allowed: above 0; check widths and column order.'),
    (route(loop()[::20]), 'allowed: 8 or more; sample the centre line more finely.'),
    (np.array([['a', 'b']]), 'four.npy holds no array of numbers; allowed: float64.'),
    (np.array([{}], dtype=object), 'four.npy is not a plain numpy array'),
], ids=['nan', 'columns', 'flat', 'crossing', 'open', 'no-width', 'few', 'text', 'objects'])
def test_track_arrays(refused, tmp_path, rows, words):
    np.save(tmp_path / 'four.npy', rows)
    assert words in refused('train', '--name', 'm', '--track', tmp_path / 'four.npy')


@pytest.mark.parametrize(('name', 'text', 'words'), [
    ('t.npy', 'no array', 't.npy is not a plain numpy array'),
    ('t.csv', '', 't.csv has 0 columns; allowed: 2 (x, y) or 4'),
    ('t.csv', '1, 2\n3, x\n', "t.csv, line 2: '3, x' is no row of numbers"),
    ('t.csv', '1, 2, 3, 4\n5, 6, 7\n', 't.csv, line 2: 3 columns; allowed: 4'),
    ('t.csv', '1, 2\n3, 4\n', 't.csv has no widths; give one'),
])
def test_track_texts(refused, tmp_path, name, text, words):
    (tmp_path / name).write_text(text)
    assert words in refused('train', '--name', 'm', '--track', tmp_path / name)


@pytest.mark.parametrize(('words', 'message'), [
    (['train', '--name', 'm'], 'no --track was given; name at least one of: oval, pebble'),
    (['train', '--track', 'oval'], "Missing option '--name'. See: racer train --help"),
    (['train', '--name', 'm', '--track', 'ovla'], "unknown track 'ovla'; did you mean oval?"),
    (['train', '--name', 'm', '--track', 'absent.csv'], "there is no track file 'absent.csv'"),
    ([*BEGIN, '--track', 'ovla'], "unknown track 'ovla'; did you mean oval?"),
    ([*BEGIN, '--network', 'DEEP'], "unknown network 'DEEP'; "),
    ([*BEGIN, '--algorithm', 'spo'], "unknown algorithm 'spo'; did you mean ppo?"),
    ([*BEGIN, '--direction', 'up'], "direction is 'up'; allowed: forward, reverse, both."),
    ([*BEGIN, '--max-speed', '9'], 'speed_high_mps is 9.0; allowed: '),
    ([*BEGIN, '--max-speed', 'nan'], 'speed_high_mps is nan; allowed: '),
    ([*BEGIN, '--seed', '-1'], '--seed'),
    ([*BEGIN, '--seed', '4294967296'], 'seed is 4294967296; allowed: 0 to '),
    ([*BEGIN, '--steps', '0'], '--steps'),
    ([*BEGIN, '--steps', '1.5'], 'should be a valid integer'),
    ([*BEGIN, '--reward', 'progres'], "unknown reward function 'progres'; did you mean progress?"),
    ([*BEGIN, '--reward', 'absent.py'], 'No such file or directory; give the path'),
    ([*BEGIN, '--metadata', 'absent.json'], 'cannot read absent.json'),
    ([*BEGIN, '--hyperparameters', 'absent.json'], 'cannot read absent.json'),
    (['train', '--name', 'absent', '--resume'], "unknown model 'absent'; there is none yet."),
    (['evaluate', 'absent'], "unknown model 'absent'; there is none yet."),
])
def test_options(refused, words, message):
    assert message in refused(*words)


@pytest.mark.parametrize('time', ['', '0s', '10', 'ten minutes', '-5m', '1e3s', '10 m', 'nans'])
def test_times(refused, time):
    assert refused(*BEGIN, f'--time={time}') == (
        f'error: duration is {time!r}; allowed: a number above 0 with s, m or h, '
        'e.g. 90s, 10m, 1.5h.\n')


@pytest.mark.parametrize('time', ['0.01s', '99999999h'])
def test_times_out_of_range(refused, time):
    assert 'Limits.time_s is ' in refused(*BEGIN, '--time', time)


@pytest.mark.parametrize('name', ['', '../m', 'a/b', '.m', 'a b', '-'])
def test_model_names(refused, name):
    assert 'model name is ' in refused('train', '--track', 'oval', f'--name={name}')


@pytest.mark.parametrize(('text', 'words'), [
    ('{', 'is not JSON'),
    ('[1]', 'holds a list; allowed: one object'),
    ('{"lr": 5}', 'learning_rate (lr) is 5; allowed: a number, 1e-08 to 0.1'),
    ('{"lr": NaN}', 'learning_rate (lr) is nan; allowed: '),
    ('{"lr": "fast"}', "learning_rate (lr) is 'fast'; allowed: "),
    ('{"n_envs": 2.5}', 'n_envs is 2.5; allowed: a whole number, 1 to 4096'),
    ('{"batch_size": 1000}', 'does not split into minibatches of 1000'),
    ('{"learning_rat": 1}', "unknown hyperparameter 'learning_rat'; did you mean learning_rate"),
    ('{"lr": 1e-3, "learning_rate": 1e-3}', 'are both given; they set the same thing'),
])
def test_hyperparameters(refused, tmp_path, text, words):
    path = tmp_path / 'h.json'
    path.write_text(text)
    assert words in refused(*BEGIN, '--hyperparameters', path)


@pytest.mark.parametrize(('text', 'words'), [
    ('def reward_function(params:\n    return 1\n', 'r.py:1: '),
    ('import nothing_of_the_kind\n', 'r.py:1: `import nothing_of_the_kind` raised '),
    ('def reward(params):\n    return 1.0\n', 'no function reward_function; define reward_func'),
    ('def reward_function():\n    return 1.0\n', 'cannot be called with one argument'),
    ('x = 1 / 0\n', 'r.py:1: `x = 1 / 0` raised ZeroDivisionError'),
    ('raise SystemExit(0)\n', 'raised SystemExit'),
    ('\0', 'r.py:1: '),
])
def test_reward_files(refused, tmp_path, text, words):
    path = tmp_path / 'r.py'
    path.write_text(text)
    assert words in refused(*BEGIN, '--reward', path)


METADATA = {
    'action_space': {'steering_angle': {'low': -30, 'high': 30}, 'speed': {'low': 1, 'high': 2}},
    'action_space_type': 'continuous', 'version': '5', 'sensor': ['FRONT_FACING_CAMERA'],
    'neural_network': 'FAST',
}


@pytest.mark.parametrize(('changes', 'words'), [
    ({'sensor': ['SONAR']}, "unknown sensor 'SONAR'; "),
    ({'sensor': ['LIDAR']}, 'sensors are LIDAR; allowed: exactly one of'),
    ({'neural_network': 'DEEPER'}, "unknown network 'DEEPER'; "),
    ({'training_algorithm': 'dqn'}, "training_algorithm is 'dqn'; allowed: clipped_ppo, sac."),
    ({'action_space': None}, 'action_space (action_space_type is continuous) is missing'),
    ({'version': '9'}, 'version is 9.0; allowed: a whole number from 1 to 6.'),
    ({'action_space_type': 'discrete', 'training_algorithm': 'sac',
      'action_space': [{'steering_angle': angle, 'speed': 1} for angle in (-10, 10)]},
     'training_algorithm is sac and action_space_type is discrete; allowed with sac: continuous.'),
])
def test_metadata(refused, tmp_path, changes, words):
    path = tmp_path / 'model_metadata.json'
    path.write_text(json.dumps({**METADATA, **changes}))
    assert words in refused(*BEGIN, '--metadata', path)


def test_metadata_that_is_no_json(refused, tmp_path):
    path = tmp_path / 'model_metadata.json'
    path.write_text('{')
    assert 'model metadata is not JSON' in refused(*BEGIN, '--metadata', path)
    path.write_bytes(b'\xff\xfe\x00')
    assert 'cannot read ' in refused(*BEGIN, '--metadata', path)


def test_a_home_that_cannot_be_written(refused, tmp_path, monkeypatch):
    (tmp_path / 'file').write_text('not a folder')
    monkeypatch.setenv('RACER_HOME', str(tmp_path / 'file' / 'home'))
    line = refused(*BEGIN)
    assert 'cannot write ' in line
    assert line.endswith('free space there, or set RACER_HOME to a folder that you may write.\n')


def test_a_reward_that_fails_while_training(racer_home, tmp_path, capsys):
    reward = tmp_path / 'r.py'
    reward.write_text("def reward_function(params):\n    if params['steps'] > 9:\n"
                      "        return params['sped']\n    return 1.0\n")
    assert run([*BEGIN, '--reward', str(reward), '--steps', '2000']) == 2
    out, err = capsys.readouterr()
    assert out == '' and err.count('\n') == 2, 'what it would cost, and why it ended'
    assert f"error: {reward}:3: `return params['sped']` raised KeyError: 'sped' at steps=10" in err
    assert "Did you mean params['speed']?" in err
    assert not (racer_home / 'models' / 'm').exists(), 'it never learnt: its name is free again'
