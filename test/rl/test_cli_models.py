"""`racer models list, show, rename, delete`, as a person types them."""

import json
import os

import pytest

from racer_rl.cli.main import run
from racer_rl.envs.build import RaceSetup
from racer_rl.reward.library import find_reward
from racer_rl.store import locks
from racer_rl.store.evaluations import keep_evaluation, read_evaluations
from racer_rl.store.lineage import Kinship, Lineage
from racer_rl.store.models import model_folder, model_names, open_model
from racer_rl.store.sessions import Session
from racer_rl.store.summary import folder_bytes, summarise
from racer_rl.training.hyperparameters import PPOHyperparameters

BEST = {'clean_laps': 11, 'total_laps': 12, 'mean_lap_s': 12.5, 'robust_score': 0.25}
SESSION = Session(began='2026-11-27T00:00:00+00:00', steps=4096, wall_s=61.5, cpu_s=80.0,
                  stopped='the step limit was reached')


def make(name, lineage=None):
    """A model of plain files, with a checkpoint that is never read."""
    folder = model_folder(name)
    setup = RaceSetup(track='oval')
    folder.checkpoint('last').parent.mkdir(parents=True)
    for which in ('last', 'best', '1024'):
        folder.checkpoint(which).write_bytes(bytes(1000))
    folder.write_progress({'steps': 4096, 'episodes': 9, 'best_steps': 2048, 'best': BEST})
    folder.write_sessions([SESSION])
    folder.create(setup, PPOHyperparameters(), find_reward('progress'), 3, 'ppo', lineage)
    return folder


@pytest.fixture
def racer(racer_home, capsys):
    """Run `racer models`; gives back exit code, output and errors."""

    def call(*words):
        code = run(['models', *map(str, words)])
        return code, *capsys.readouterr()

    return call


def test_an_empty_store_says_how_to_fill_it(racer):
    code, out, _ = racer('list')
    assert code == 0
    assert 'racer train --track oval --name first' in out
    assert racer('list', '--json')[1] == '[]\n'


def test_a_list_has_a_row_a_model(racer):
    parent = make('alpha')
    make('beta', Lineage(kind=Kinship.CLONE, model='alpha', id=parent.run['id'],
                         checkpoint='best', steps=2048, sha256='0' * 64))
    code, out, err = racer('list')
    assert (code, err) == (0, '')
    rows = [line.split() for line in out.splitlines()]
    assert rows[1][:8] == ['alpha', 'oval', 'FAST', '4,096', '11/12', '12.50', '1:01', 'min']
    assert rows[2][0] == 'beta' and rows[2][-1] == 'alpha'
    listed = json.loads(racer('list', '--json')[1])
    assert [model['name'] for model in listed] == ['alpha', 'beta']
    assert listed[1]['parent'] == 'clone of alpha (best, 2,048 steps)'
    assert listed[0]['checkpoints'] == ['best', 'last', '1024']
    assert (listed[0]['wall_s'], listed[0]['cpu_s']) == (61.5, 80.0)
    assert all(max(map(len, out.splitlines())) <= 80 for _ in '1')


def test_a_damaged_model_keeps_its_place_and_says_what_is_wrong(racer):
    make('alpha')
    broken = make('broken')
    (broken.path / 'run.json').write_text('{"format": 1')
    code, out, err = racer('list')
    assert code == 0
    assert 'damaged' in out and 'alpha' in out
    assert 'run.json is damaged' in err
    assert json.loads(racer('list', '--json')[1])[1]['damage']
    code, _, err = racer('show', 'broken')
    assert code == 2 and 'run.json is damaged' in err


def test_one_model_shows_its_whole_story(racer):
    alpha = make('alpha')
    make('beta', Lineage(kind=Kinship.CLONE, model='alpha', id=alpha.run['id'],
                         checkpoint='best', steps=2048, sha256='0' * 64, optimizer=True))
    keep_evaluation(open_model('beta').path, 'laps',
                    {'clean_laps': 3, 'total_laps': 12, 'mean_lap_s': None}, {'tracks': ['oval']})
    assert racer('rename', 'alpha', 'first')[0] == 0
    code, out, _ = racer('show', 'beta')
    assert code == 0
    words = ' '.join(out.split())
    assert 'clone of alpha (best, 2,048 steps), now called first' in words
    assert '11 of 12 laps clean, mean lap 12.50 s, 25% of the laps elsewhere' in words
    assert 'to 4,096 steps in 1:01 min, the step limit was reached' in words
    assert 'oval, 3 of 12 laps clean' in words
    shown = json.loads(racer('show', 'beta', '--json')[1])
    assert shown['lineage']['id'] == open_model('first').run['id']
    assert shown['evaluations'][0]['result']['clean_laps'] == 3
    assert racer('delete', 'first', '--yes')[0] == 0
    assert 'no longer here' in ' '.join(racer('show', 'beta')[1].split())


def test_names_are_not_taken_twice(racer):
    make('alpha')
    make('beta')
    code, _, err = racer('rename', 'alpha', 'beta')
    assert code == 2 and "model 'beta' exists already" in err
    code, _, err = racer('rename', 'alpha', '../beta')
    assert code == 2 and 'allowed: letters, digits' in err
    assert model_names() == ['alpha', 'beta']


def test_deleting_asks_first(racer, monkeypatch):
    make('alpha')
    monkeypatch.setattr('sys.stdin', open(os.devnull))  # noqa: SIM115 (closed with the process)
    code, _, err = racer('delete', 'alpha')
    assert code == 1
    assert 'Delete for good?' in err
    assert model_names() == ['alpha']
    assert racer('delete', 'alpha', '--yes')[1] == 'deleted alpha.\n'
    assert list(model_folder('alpha').path.parent.iterdir()) == []


@pytest.mark.parametrize('words', [('delete', 'alpha', '--yes'), ('rename', 'alpha', 'new')])
def test_a_model_in_training_stays(racer, words):
    folder = make('alpha')
    with locks.training_in(folder.path):
        assert summarise(folder).is_training
        code, _, err = racer(*words)
    assert code == 2
    assert "model 'alpha' is in use" in err
    assert model_names() == ['alpha']


def test_evaluations_are_kept_one_file_each(racer_home):
    folder = make('alpha')
    for number in range(3):
        keep_evaluation(folder.path, 'laps', {'clean_laps': number}, {})
    (folder.path / 'evaluations' / 'cut.json').write_text('{"when"')
    assert [each['result']['clean_laps'] for each in read_evaluations(folder.path)] == [0, 1, 2]


def test_a_file_with_two_names_counts_once(racer_home):
    folder = make('alpha')
    before = folder_bytes(folder.path)
    folder.retire_best(keep=5)
    assert folder.earlier == [1024, 2048]
    assert folder_bytes(folder.path) == before


def test_only_the_newest_of_the_earlier_checkpoints_are_kept(racer_home):
    folder = make('alpha')
    folder.retire_best(keep=1)
    assert folder.earlier == [2048]
    folder.retire_best(keep=0)
    assert folder.earlier == []
    assert folder.checkpoint('best').is_file()


def test_damage_of_another_model_is_not_this_ones(racer):
    make('alpha')
    (make('broken').path / 'run.json').write_text('{')
    assert racer('show', 'alpha')[0] == 0
