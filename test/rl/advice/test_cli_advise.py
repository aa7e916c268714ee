"""`racer advise` on models that were really trained, for a moment."""

import json
import shutil

import pytest

from racer_rl.advice.evidence import evidence_of
from racer_rl.cli.main import run
from racer_rl.store.evaluations import keep_evaluation
from racer_rl.store.models import open_model

CREEP = 'def reward_function(params):\n    return 1.0\n'


@pytest.fixture(scope='module')
def trained_once(tmp_path_factory):
    """A store with a model of a moment's training, by a reward that can be abused."""
    home = tmp_path_factory.mktemp('home')
    (home / 'creep.py').write_text(CREEP)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('RACER_HOME', str(home))
        assert run(['train', '--track', 'oval', '--name', 'm', '--steps', '2048', '--reward',
                    str(home / 'creep.py')]) == 0
    return home


@pytest.fixture
def trained(trained_once, racer_home):
    """The model in a store of the test's own."""
    shutil.copytree(trained_once, racer_home, dirs_exist_ok=True)
    return open_model('m')


def advised(capsys, *words):
    """What it said, and its actions in order."""
    capsys.readouterr()
    assert run(['advise', 'm', '--json', *words]) == 0
    said = json.loads(capsys.readouterr().out)
    return said, [advice['action'] for advice in said['advice']]


def test_an_abused_reward_is_found_and_nothing_is_changed(trained, capsys):
    before = {path: path.read_bytes() for path in trained.path.rglob('*') if path.is_file()}
    said, actions = advised(capsys)
    assert actions[0] == 'fix the reward'
    assert 'slow crawl' in ' '.join(said['advice'][0]['evidence'])
    assert said['steps'] == 2048 and said['wall_s'] > 0.0
    assert {path: path.read_bytes() for path in trained.path.rglob('*')
            if path.is_file()} == before


def test_without_a_look_at_the_reward_it_says_what_else_it_knows(trained, capsys):
    _, actions = advised(capsys, '--no-validate')
    assert 'train on' in actions and 'fix the reward' not in actions
    assert run(['advise', 'm', '--no-validate']) == 0
    out = capsys.readouterr().out
    assert 'm: 2,048 steps' in out and '$ racer train --name m --resume --time 20s' in out


def test_later_evaluations_count(trained):
    for track, clean in (('oval', 12), ('kidney', 3)):
        keep_evaluation(trained.path, 'laps', {'clean_laps': clean, 'total_laps': 12},
                        {'tracks': [track]})
    trained.write_robustness({'score': 0.5, 'conditions': [
        {'condition': 'unknown tracks', 'strength': strength, 'clean_share': share}
        for strength, share in (('mild', 0.1), ('', 0.3))]})
    known = evidence_of(trained, validate=False)
    assert [(laps.where, laps.clean) for laps in known.other_tracks] == [('kidney', 3)]
    assert known.evaluations == 2 and known.robust == 0.5
    assert known.unknown_tracks == 0.3
    assert known.exploits is None


def test_no_such_model(racer_home, capsys):
    assert run(['advise', 'nobody']) == 2
    assert 'Train one' in capsys.readouterr().err
