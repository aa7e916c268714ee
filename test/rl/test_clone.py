"""`racer clone` and `racer train --from`: what a clone takes over, may change, and must not."""

import json
import re
import shutil
import signal

import numpy as np
import pytest

from racer_rl.cli.main import run
from racer_rl.cli.train_plan import resumed_plan
from racer_rl.reward.library import find_reward
from racer_rl.store.lineage import file_sha256
from racer_rl.store.models import model_folder, model_names, open_model
from racer_rl.training.checkpoint import load_checkpoint
from racer_rl.training.plan import Limits, StopReason
from racer_rl.training.train import train
from racer_vehicle.metadata import ModelMetadata

TINY = {'n_envs': 4, 'n_steps': 64, 'batch_size': 64, 'num_epochs': 2}
KINDS = {
    'ppo': (), 'sac': ('--algorithm', 'sac'), 'discrete': ('--metadata', 'discrete.json'),
    'taught': ('--method', 'distill'),
}
DISCRETE = {
    'action_space': [{'steering_angle': angle, 'speed': 1.2, 'index': index}
                     for index, angle in enumerate((-30, 0, 30))],
    'action_space_type': 'discrete', 'training_algorithm': 'clipped_ppo', 'version': '5',
    'sensor': ['FRONT_FACING_CAMERA'], 'neural_network': 'FAST',
}


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """Trains a model `p` of each wanted kind for some updates, once; gives its folder."""
    made = {}

    def folder(kind):
        if kind not in made:
            home = tmp_path_factory.mktemp(kind)
            (home / 'tiny.json').write_text(json.dumps(TINY))
            (home / 'sac.json').write_text(json.dumps({'n_envs': 4, 'learning_starts': 100}))
            (home / 'discrete.json').write_text(json.dumps(DISCRETE))
            settings = 'sac.json' if kind == 'sac' else 'tiny.json'
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv('RACER_HOME', str(home))
                patch.chdir(home)
                assert run(['train', '--track', 'oval', '--name', 'p', '--steps', '1500',
                            '--until-laps', '--trace', 'every', '--hyperparameters', settings,
                            *KINDS[kind]]) == 0
            made[kind] = home / 'models' / 'p'
        return made[kind]

    return folder


@pytest.fixture
def parent(trained, racer_home):
    """A model `p` of the wanted kind, in the test's own store."""

    def copy(kind='ppo'):
        shutil.copytree(trained(kind), racer_home / 'models' / 'p')
        return open_model('p')

    return copy


@pytest.fixture
def racer(racer_home, tmp_path, monkeypatch, capsys):
    """Run a command in a folder with settings; gives back exit code, output and errors."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'discrete.json').write_text(json.dumps(DISCRETE))

    def call(*words):
        capsys.readouterr()
        code = run([*map(str, words)])
        return code, *capsys.readouterr()

    return call


def weights(name, which='best'):
    model = load_checkpoint(open_model(name).checkpoint(which))[0]
    return {key: tensor.numpy() for key, tensor in model.policy.state_dict().items()}


def same(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize('kind', KINDS)
def test_a_clone_drives_as_its_parent_and_both_train_on(racer, parent, kind):
    folder = parent(kind)
    before = {path.name: file_sha256(path) for path in folder.path.glob('checkpoints/*')}
    code, out, err = racer('clone', 'p', 'c', '--json')
    assert code == 0, err
    lineage = json.loads(out)['lineage']
    assert (lineage['kind'], lineage['model'], lineage['id']) == ('clone', 'p', folder.run['id'])
    assert lineage['sha256'] == before['best.zip']
    assert lineage['steps'] == folder.progress['best_steps']
    assert same(weights('p'), weights('c')) and same(weights('p'), weights('c', 'last'))
    evaluations = [racer('evaluate', name, '--laps', 1, '--json', '--no-bound')[1]
                   for name in 'pc']
    assert json.loads(evaluations[0])['runs'] == json.loads(evaluations[1])['runs']

    code, _, err = racer('train', '--name', 'c', '--resume', '--steps', 600, '--until-laps')
    assert code == 0, err
    assert not same(weights('p'), weights('c', 'last')), 'the clone has learnt'
    assert {path.name: file_sha256(path) for path in folder.path.glob('checkpoints/*')} == before
    for name in 'pc':
        assert racer('evaluate', name, '--laps', 1, '--checkpoint', 'last', '--no-bound')[0] == 0


def test_the_first_thing_a_clone_does_is_to_be_judged(racer, parent):
    """Before it learns: so the parent's policy stays the best unless a better one comes."""
    judged = parent().progress['best']
    assert racer('clone', 'p', 'c')[0] == 0
    clone = open_model('c')
    reason, standing = train(
        clone, resumed_plan(clone, Limits(until_laps=True)), lambda standing: None, resume=True,
        improved=lambda model: signal.raise_signal(signal.SIGINT))  # told after the first one
    assert (reason, standing.steps) == (StopReason.INTERRUPTED, 0)
    assert clone.progress['best_steps'] == 0
    assert clone.progress['best'] == judged


def test_a_clone_changes_what_it_was_asked_to(racer, parent, tmp_path):
    parent()
    (tmp_path / 'mine.py').write_text('def reward_function(params):\n    return 1.0\n')
    (tmp_path / 'other.json').write_text(json.dumps(
        {'gamma': 0.5, 'n_envs': 2, 'n_steps': 32, 'init_std': 0.25}))
    code, _, err = racer(
        'clone', 'p', 'c', '--track', 'meander', '--direction', 'both', '--reward', 'mine.py',
        '--randomization', 'default', '--seed', 7, '--learning-rate', 0.0005,
        '--hyperparameters', 'other.json', '--fresh-optimizer')
    assert code == 0, err
    clone, setup = open_model('c'), open_model('c').setup
    assert (setup.tracks, setup.direction) == (('meander',), 'both')
    assert clone.run['seed'] == 7
    assert clone.run['reward']['sha256'] == find_reward('mine.py').sha256
    assert setup.randomization != open_model('p').setup.randomization
    settings = clone.run['hyperparameters']
    assert (settings['learning_rate'], settings['gamma']) == (0.0005, 0.5)
    assert (settings['n_envs'], settings['n_epochs']) == (2, 2), 'as the parent where not said'
    model = load_checkpoint(clone.checkpoint('last'))[0]
    assert model.num_timesteps == 0
    assert model.policy.log_std.exp().tolist() == pytest.approx([0.25, 0.25])
    assert not model.policy.optimizer.state_dict()['state']
    assert clone.lineage is not None and not clone.lineage.optimizer
    assert racer('train', '--name', 'c', '--resume', '--steps', 100, '--until-laps')[0] == 0


def test_the_optimiser_comes_along(racer, parent):
    parent()
    assert racer('clone', 'p', 'c')[0] == 0
    parts = [load_checkpoint(open_model(name).checkpoint('best'))[0].policy.optimizer.state_dict()
             ['state'] for name in 'pc']
    assert parts[0] and parts[0].keys() == parts[1].keys()
    for key in parts[0]:
        assert np.array_equal(parts[0][key]['exp_avg'], parts[1][key]['exp_avg'])


@pytest.mark.parametrize(('option', 'value', 'message'), [
    ('--network', 'FINE', "'c' cannot have network FINE: a clone begins with the weights of 'p'"),
    ('--max-speed', 3, 'cannot have actions up to 3 m/s: .* made for 2 m/s'),
    ('--algorithm', 'sac', 'cannot have algorithm sac: .* made for ppo'),
    ('--metadata', 'discrete.json', 'cannot have actions 3 discrete, up to 1.2 m/s: .* made for '
     'continuous, 0.5 to 2 m/s'),
    ('--metadata', 'stereo.json', 'cannot have sensors STEREO_CAMERAS: .* FRONT_FACING_CAMERA'),
    ('--hyperparameters', 'stack.json', 'cannot have a stack of 2: .* To clone, leave '
     'stack_size out'),
])
@pytest.mark.parametrize('command', ['clone', 'train'])
def test_what_is_fixed_is_refused_with_the_reason(racer, parent, tmp_path, command, option, value,
                                                  message):
    folder = parent()
    metadata = json.loads(folder.metadata.to_json())
    (tmp_path / 'stereo.json').write_text(json.dumps({**metadata, 'sensor': ['STEREO_CAMERAS']}))
    (tmp_path / 'stack.json').write_text('{"stack_size": 2}')
    words = ('clone', 'p', 'c') if command == 'clone' else (
        'train', '--from', 'p', '--name', 'c')
    code, out, err = racer(*words, option, value)
    assert (code, out) == (2, '')
    assert err.count('\n') == 1
    assert 'train a new model: racer train --name c' in err
    assert re.search(message, err), err
    assert model_names() == ['p']


def test_what_is_the_same_is_not_refused(racer, parent, tmp_path):
    folder = parent()
    (tmp_path / 'same.json').write_text(folder.metadata.to_json())
    code, _, err = racer('clone', 'p', 'c', '--metadata', 'same.json', '--network', 'FAST',
                         '--algorithm', 'ppo', '--max-speed', 2)
    assert code == 0, err
    assert ModelMetadata.from_json((open_model('c').path / 'model_metadata.json').read_text()) == (
        folder.metadata)


def test_a_radically_other_reward_is_warned_of(racer, parent, tmp_path):
    parent()
    (tmp_path / 'backwards.py').write_text(
        'def reward_function(params):\n    return -params["progress"]\n')
    (tmp_path / 'double.py').write_text(
        find_reward('progress').source.replace('return ', 'return 2.0 * '))
    code, _, err = racer('clone', 'p', 'c', '--reward', 'backwards.py')
    assert code == 0
    assert 'warning: the new reward likes other episodes of p than the old one did' in err
    code, _, err = racer('clone', 'p', 'd', '--reward', 'double.py')
    assert code == 0
    assert 'warning' not in err
    code, _, err = racer('clone', 'p', 'e')
    assert (code, err) == (0, '')


def test_names_and_checkpoints_that_do_not_fit_are_refused(racer, parent):
    parent()
    assert "'p' exists already" in racer('clone', 'p', 'p')[2]
    assert "unknown model 'q'" in racer('clone', 'q', 'c')[2]
    assert "'p' has no 77 checkpoint yet; there is: best, last" in (
        racer('clone', 'p', 'c', '--checkpoint', 77)[2])
    assert '--goal is race, but --from is given' in (
        racer('train', '--from', 'p', '--name', 'c', '--goal', 'race')[2])
    assert '--checkpoint is last, but there is no --from' in (
        racer('train', '--name', 'c', '--track', 'oval', '--checkpoint', 'last')[2])
    assert model_names() == ['p']


def test_a_damaged_parent_leaves_no_clone(racer, parent):
    folder = parent()
    best = folder.checkpoint('best')
    best.write_bytes(best.read_bytes()[:-100])
    code, _, err = racer('clone', 'p', 'c')
    assert code == 2
    assert 'truncated' in err
    assert sorted(path.name for path in model_folder('p').path.parent.iterdir()) == ['p']


def test_earlier_best_checkpoints_are_kept_and_can_be_cloned(racer, parent):
    folder = parent()
    folder.retire_best(keep=2)
    earlier = folder.earlier
    assert earlier[-1] == folder.progress['best_steps']
    assert len(earlier) <= 2
    code, out, err = racer('clone', 'p', 'c', '--checkpoint', earlier[-1], '--json')
    assert code == 0, err
    assert json.loads(out)['lineage']['steps'] == earlier[-1]
    assert same(weights('p', str(earlier[-1])), weights('c'))


def test_a_track_file_that_came_with_the_parent_goes_with_the_clone(racer, parent):
    folder = parent()
    code, _, err = racer('tracks', 'generate', '--seed', 7, '--length', 20, '--name', 'lucky')
    assert code == 0, err
    run_record = folder.run
    (folder.path / 'tracks').mkdir()
    own = next((folder.path.parents[1] / 'tracks').glob('lucky*'))
    shutil.move(own, folder.path / 'tracks' / own.name)
    (folder.path / 'run.json').write_text(json.dumps(
        {**run_record, 'track': [f'tracks/{own.name}']}))
    assert racer('clone', 'p', 'c')[0] == 0
    assert racer('models', 'delete', 'p', '--yes')[0] == 0
    clone = open_model('c')
    assert clone.setup.tracks == (str(clone.path / 'tracks' / own.name),)
    code, _, err = racer('train', '--name', 'c', '--resume', '--steps', 100, '--until-laps')
    assert code == 0, err
