"""`racer models export` and `import` as commands."""

import json
import shutil
import zipfile

import pytest

from racer_rl.cli.main import run
from racer_rl.envs.build import RaceSetup
from racer_rl.store.keys import new_key
from racer_rl.store.models import model_folder, model_names, open_model
from racer_rl.training.hyperparameters import PPOHyperparameters
from racer_rl.training.plan import Limits, TrainingPlan
from racer_rl.training.train import train
from racer_vehicle.policy import PolicyBundle
from racer_vehicle.signing import TrustedKeys


@pytest.fixture
def model(racer_home, tmp_path, monkeypatch):
    """A model that has hardly learnt, and an empty folder to work in."""
    folder = model_folder('m')
    plan = TrainingPlan(setup=RaceSetup(), limits=Limits(steps=512),
                        hyperparameters=PPOHyperparameters(n_envs=4, n_steps=64))
    train(folder, plan, lambda standing: None)
    (tmp_path / 'work').mkdir()
    monkeypatch.chdir(tmp_path / 'work')
    return folder


def told(capsys, *arguments):
    assert run([*arguments, '--json']) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys, *arguments):
    assert run(arguments) == 2
    error = capsys.readouterr().err
    assert error.count('\n') == 1, error
    return error


def test_a_bundle_signed_by_a_key(model, tmp_path, capsys):
    pair = new_key('mine')
    record = told(capsys, 'models', 'export', 'm', '--sign', 'mine')
    bundle = PolicyBundle.read(tmp_path / 'work' / 'm.racer')
    assert bundle.card.model == 'm'
    assert record['key_id'] == pair.public.key_id
    (tmp_path / 'trusted').mkdir()
    shutil.copy(pair.public_path, tmp_path / 'trusted')
    TrustedKeys.read(tmp_path / 'trusted').require_signed(bundle)
    assert 'm.racer exists already; give another --out' in refused(capsys, 'models', 'export', 'm')
    told(capsys, 'models', 'export', 'm', '--force', '--checkpoint', 'last')
    assert PolicyBundle.read(tmp_path / 'work' / 'm.racer').signature is None
    assert told(capsys, 'models', 'export', 'm', '--out', str(tmp_path))['file'] == str(
        tmp_path / 'm.racer')


def test_a_bundle_in_8_bits_says_what_that_costs(model, tmp_path, capsys):
    record = told(capsys, 'models', 'export', 'm', '--int8', '--out', 'small.racer')
    assert record['bytes'] == (tmp_path / 'work' / 'small.racer').stat().st_size
    assert record['int8']['int8']['total_laps'] > 0
    assert PolicyBundle.read(tmp_path / 'work' / 'small.racer').card.precision == 'int8'


def test_an_archive_goes_there_and_back(model, tmp_path, capsys):
    record = told(capsys, 'models', 'export', 'm', '--archive')
    path = tmp_path / 'work' / 'm.racer-model.zip'
    assert record['bytes'] == path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        assert len(archive.namelist()) == record['files'] + 1
        assert archive.testzip() is None
    assert '--name' in refused(capsys, 'models', 'import', str(path))
    came = told(capsys, 'models', 'import', str(path), '--name', 'n')
    assert came['id'] == model.run['id']
    assert open_model('n').run == model.run
    assert told(capsys, 'models', 'import', came['folder'], '--name', 'o')['id'] == came['id']
    assert model_names() == ['m', 'n', 'o']


@pytest.mark.parametrize(('arguments', 'words'), [
    (('export', 'm', '--archive', '--int8'), '--int8 with --archive; allowed with --bundle'),
    (('export', 'm', '--no-traces'), '--no-traces with --bundle; allowed with --archive'),
    (('export', 'm', '--checkpoint', '7'), "model 'm' has no 7 checkpoint yet; there is: best, l"),
    (('export', 'm', '--sign', 'nobody'), "unknown key 'nobody'"),
    (('export', 'absent'), "unknown model 'absent'"),
    (('export', 'm', '--out', '/proc/nothing/m.racer'), 'cannot write /proc/nothing/m.racer'),
    (('import', '.', '--name', 'x'), 'holds no model_metadata.json'),
    (('import', 'work.racer'), 'there is no work.racer'),
])
def test_what_is_refused(model, capsys, arguments, words):
    assert words in refused(capsys, 'models', *arguments)
    assert model_names() == ['m']


def test_options_for_deepracers_models_are_refused_for_ours(model, capsys):
    told(capsys, 'models', 'export', 'm', '--archive')
    for option in (('--track', 'oval'), ('--distill',), ('--seed', '1')):
        error = refused(capsys, 'models', 'import', 'm.racer-model.zip', '--name', 'n', *option)
        assert f'{option[0]} given, but a model of racer brings its own' in error
