"""`racer clean` as a person types it."""

import io
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from racer_rl.cleaning import litter
from racer_rl.cleaning.protection import protected_models
from racer_rl.cli.clean import parse_age, parse_keep, parse_size
from racer_rl.cli.main import run
from racer_rl.store import locks
from racer_vehicle.errors import ConfigError

RUN = dict.fromkeys(('format', 'seed', 'track', 'direction', 'colour', 'stack', 'image_age_s',
                     'car', 'reward', 'hyperparameters'), 1)


@pytest.fixture(autouse=True)
def only_the_store(monkeypatch):
    """What else killed processes left on this machine is not a test's to remove."""
    monkeypatch.setattr(litter, 'find_orphans', lambda: ())
    monkeypatch.setattr(litter, 'dead_segments', lambda now_s: ())


@pytest.fixture
def model(racer_home):
    """A model with four checkpoints, steps of training and a file that a kill left."""
    path = racer_home / 'models' / 'm'
    with locks.staged(path) as hidden:
        for name in ('run.json', 'checkpoints/best.zip', 'checkpoints/last.zip',
                     'checkpoints/10.zip', 'checkpoints/20.zip',
                     'training-simtrace/0-iteration.csv', 'checkpoints/.best.zip.1.part'):
            (hidden / name).parent.mkdir(exist_ok=True)
            (hidden / name).write_text(name * 500)
        (hidden / 'run.json').write_text(json.dumps({**RUN, 'id': 'i'}))
    return path


def names(path):
    return {str(file.relative_to(path)) for file in path.rglob('*') if file.is_file()}


def cleaned(capsys, *words):
    """What `racer clean … --json` said, whether it ended well."""
    code = run(['clean', *words, '--json'])
    return code, json.loads(capsys.readouterr().out)


def test_without_options_only_leftovers_go(model, capsys):
    before = names(model)
    code, dry = cleaned(capsys, '--dry-run')
    assert code == 0 and names(model) == before and 'freed_bytes' not in dry
    code, said = cleaned(capsys, '--yes')
    assert code == 0 and before - names(model) == {'checkpoints/.best.zip.1.part'}
    assert said['freed_bytes'] == dry['frees_bytes'] > 0
    assert cleaned(capsys, '--yes')[1]['frees_bytes'] == 0


@pytest.mark.parametrize(('words', 'gone'), [
    (['--keep', 'best,last,1'], {'checkpoints/10.zip'}),
    (['--keep', 'best'], {'checkpoints/10.zip', 'checkpoints/20.zip', 'checkpoints/last.zip'}),
    (['--traces'], {'training-simtrace/0-iteration.csv'}),
    (['--traces', '--older-than', '30d'], set()),
    (['--max-size', '1kB'], {'training-simtrace/0-iteration.csv', 'checkpoints/10.zip',
                             'checkpoints/20.zip'}),
])
def test_what_is_asked_for_goes(model, capsys, words, gone):
    before = names(model)
    code, said = cleaned(capsys, *words, '--yes')
    assert code == 0 and before - names(model) == gone | {'checkpoints/.best.zip.1.part'}
    assert said['fits'] is ('--max-size' not in words)


def test_the_cheapest_goes_first(model, capsys):
    _, said = cleaned(capsys, '--dry-run')
    size = said['left_bytes'] - 1  # one byte too many, once the leftovers have gone
    _, said = cleaned(capsys, '--dry-run', '--max-size', f'{size / 1000:.3f}kB')
    assert [removal['kind'] for removal in said['removals']] == ['leftover', 'training trace']
    assert said['fits']


def test_no_is_an_answer(model, capsys, monkeypatch):
    before = names(model)
    monkeypatch.setattr('sys.stdin', io.StringIO('n\n'))
    assert run(['clean']) == 1
    assert names(model) == before


def test_a_model_in_use_stays_and_that_is_said(model, capsys):
    before = names(model)
    with locks.training_in(model):
        _, said = cleaned(capsys, '--keep', 'best', '--yes')
    assert names(model) == before
    assert {stay['name'] for stay in said['stays']} >= {'m: checkpoint last', 'm: checkpoint 10'}
    assert 'in use' in said['stays'][0]['why']


@pytest.mark.parametrize('named', ['m', 'i'])
def test_a_model_that_a_race_names_stays(model, racer_home, capsys, named):
    (racer_home / 'leagues').mkdir()
    (racer_home / 'leagues' / 'protected.json').write_text(json.dumps([named]))
    before = names(model)
    _, said = cleaned(capsys, '--keep', 'best', '--traces', '--yes')
    assert names(model) == before
    assert all(stay['why'] == 'a race names it' for stay in said['stays'])


@pytest.mark.parametrize('text', ['', '{}', '[1]', '["a"', '"m"'])
def test_nothing_goes_while_races_cannot_be_read(model, racer_home, capsys, text):
    (racer_home / 'leagues').mkdir()
    (racer_home / 'leagues' / 'protected.json').write_text(text)
    before = names(model)
    assert run(['clean', '--keep', 'best', '--yes']) == 2
    assert 'protected.json is damaged' in capsys.readouterr().err
    assert names(model) == before


@given(st.text(max_size=20))
def test_odd_words_are_refused_in_words(text):
    for parse, option in ((parse_keep, '--keep'), (parse_age, '--older-than'),
                          (parse_size, '--max-size')):
        try:
            parse(text)
        except ConfigError as error:
            assert str(error).startswith(option) and 'allowed: ' in str(error)


@given(st.booleans(), st.integers(0, 9999))
def test_keep_says_what_it_means(last, number):
    words = ['best', *(['last'] if last else []), str(number)]
    assert parse_keep(','.join(words)) == (last, number)


@pytest.mark.parametrize(('text', 'value'), [('12h', 43_200), ('30d', 2_592_000)])
def test_ages(text, value):
    assert parse_age(text) == value


@pytest.mark.parametrize(('text', 'value'), [('500MB', 5 * 10**8), ('1.5GB', 1_500_000_000),
                                             ('5 GB', 5 * 10**9)])
def test_sizes(text, value):
    assert parse_size(text) == value


@pytest.mark.parametrize(('words', 'why'), [
    (['--keep', 'last'], 'The best is always kept'), (['--models'], 'give --older-than or'),
    (['--older-than', '3'], 'allowed: a whole number with h, d or w')])
def test_refusals(racer_home, capsys, words, why):
    assert run(['clean', *words]) == 2
    assert why in capsys.readouterr().err


def test_whole_models_go_only_without_a_best(model, racer_home, capsys):
    other = racer_home / 'models' / 'aborted'
    with locks.staged(other) as hidden:
        (hidden / 'run.json').write_text(json.dumps({**RUN, 'id': 'j'}))
    for path in (model, other):
        os.utime(path / 'run.json', (1e9, 1e9))
    _, said = cleaned(capsys, '--models', '--older-than', '30d', '--yes')
    assert model.exists() and not other.exists()
    assert [stay['name'] for stay in said['stays']] == ['m: the whole model']
    assert 'only copy of its best' in said['stays'][0]['why']


def test_an_empty_store_is_clean(racer_home):
    assert protected_models(racer_home) == frozenset()
    assert run(['clean', '--dry-run', '--keep', 'best', '--max-size', '1MB']) == 0
