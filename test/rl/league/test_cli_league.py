"""`racer league`, as a person types it."""

import hashlib
import json

import pytest

from racer_rl.budget.ledger import open_ledger
from racer_rl.cli.main import run
from racer_rl.envs.build import RaceSetup
from racer_rl.evaluation.laps import EvaluationPlan
from racer_rl.races.result import RaceResult
from racer_rl.store.models import model_folder, open_model
from racer_rl.training.hyperparameters import PPOHyperparameters
from racer_rl.training.plan import Limits, TrainingPlan
from racer_rl.training.train import train


@pytest.fixture
def league(racer_home, capsys):
    """Run `racer league`; gives back exit code, output and errors."""
    def call(*words):
        code = run(['league', *map(str, words)])
        return code, *capsys.readouterr()
    return call


@pytest.fixture
def told(league):
    """What a command that works prints with `--json`."""
    def call(*words):
        code, out, err = league(*words, '--json')
        assert code == 0, err
        return json.loads(out)
    return call


@pytest.fixture
def files(toy, hostile, tmp_path):
    """Policies by name: fast, slow, wide."""
    for name, bundle in (('fast', toy(model='fast', steering=0.25, speed=0.4)),
                         ('slow', toy(model='slow', steering=0.25, speed=0.0)),
                         ('wide', hostile('wide'))):
        bundle.write(tmp_path / f'{name}.racer')
    return lambda name: tmp_path / f'{name}.racer'


def test_a_season_from_its_first_race_to_its_promotion(league, told, files, ring, tmp_path,
                                                       racer_home):
    made = told('create', 'spring', '--track', ring, '--max-submissions', 5,
                '--hidden-conditions', 'default')
    assert (made['state'], made['conditions']) == ('open', None)
    for racer in ('Ann', '=Bob'):
        assert told('join', 'spring', '--racer', racer)['division'] == 'Open'

    for name in ('slow', 'fast', 'wide'):
        queued = told('submit', 'spring', files(name), '--racer', 'Ann', '--queue')
        assert (queued['state'], queued['outcome']) == ('queued', None)
    code, out, err = league('submit', 'spring', files('fast'), '--racer', '=Bob')
    assert (code, out.splitlines()[-1]) == (0, 'rank 1 of division Open')

    before = told('standings', 'spring')
    assert [line['racer'] for line in before['standings']] == ['=Bob']
    assert (before['waiting'], before['final'], before['conditions']) == (3, False, None)
    code, _, err = league('close', 'spring')
    assert (code, 'refused, does not fit: the network has outputs' in err) == (0, True)
    closed = told('standings', 'spring')
    assert (closed['waiting'], closed['final']) == (0, True)
    # The same policy under the same conditions takes the same time: who came first is before.
    assert [(line['rank'], line['racer'], line['model']) for line in closed['standings']] == [
        (1, 'Ann', 'fast'), (2, '=Bob', 'fast')]
    text = json.dumps(closed['conditions'], indent=2) + '\n'
    assert hashlib.sha256(text.encode()).hexdigest() == made['commitment']

    folder = racer_home / 'leagues' / 'spring' / 'results'
    result = RaceResult.read(folder / closed['standings'][0]['result'] / 'result.json')
    assert result.plan.seed == closed['conditions']['seed']
    line = json.loads((folder / closed['standings'][0]['result'] / 'line.json').read_text())
    assert line['time_s'] == closed['standings'][0]['best_lap_s']
    with open_ledger() as ledger:
        assert {run.model for run, _ in ledger.runs(kind='race')} == {'fast', 'slow', 'wide'}

    table = tmp_path / 'spring.csv'
    assert told('export', 'spring', table)['rows'] == 4
    assert "'=Bob" in table.read_text()
    assert told('import', 'spring', table, '--title', 'again')['rows'] == 4
    code, out, _ = league('standings', 'spring', '--csv', '--race', 2)
    assert (code, out) == (0, table.read_text())

    final = told('next-season', 'spring')
    assert [line['racer'] for line in final['standings'] if line['promoted']] == ['Ann']
    shown = told('show', 'spring')
    assert {racer['name']: racer['division'] for racer in shown['racers']} == {
        'Ann': 'Pro', '=Bob': 'Open'}
    assert (shown['season'], len(shown['races'])) == (2, 2)


def test_what_another_race_is_not_told_is_as_before(told):
    first = told('create', 'spring', '--track', 'oval', '--laps', 2, '--obstacles', 2,
                 '--ranking', 'best', '--resets', 7)
    second = told('open', 'spring', '--track', 'pebble', '--title', 'the second',
                  '--opens', '2027-03-01T18:00+01:00')

    same = ('type', 'laps', 'ranking', 'resets', 'time_limit_s')
    assert [second[name] for name in same] == [first[name] for name in same] == [
        'object-avoidance', 2, 'best', 7, 120.0]
    assert (second['race'], second['track'], second['title']) == (2, 'pebble', 'the second')
    assert told('list')['leagues'][0]['season'] == 1


@pytest.mark.parametrize(('words', 'message'), [
    (('create', 'spring', '--track', 'ovall'), 'did you mean oval'),
    (('create', 'spring', '--track', 'oval', '--consecutive', '9'), '9 consecutive laps'),
    (('create', 'spring', '--track', 'oval', '--closes', '2020-01-01'), 'it has no zone'),
    (('create', 'spring', '--track', 'oval', '--closes', '2020-01-01T00:00Z'), 'would close at'),
    (('create', 'spring', '--track', 'oval', '--hidden-conditions', 'strong', '--seed', '3'),
     'allowed: hidden conditions, or known ones'),
    (('show', 'spring'), 'there is none yet. Make one: racer league create spring'),
])
def test_what_cannot_be_leaves_nothing(league, racer_home, words, message):
    code, out, err = league(*words)

    assert (code, out) == (2, '')
    assert message in err
    assert list((racer_home / 'leagues').glob('*')) == []


def test_people_are_told_what_to_do(league, told, files):
    told('create', 'spring', '--track', 'oval')

    code, _, err = league('submit', 'spring', files('slow'), '--racer', 'Ann')
    assert (code, 'nobody joined yet. Join: racer league join spring' in err) == (2, True)
    told('join', 'spring', '--racer', 'Ann')
    code, _, err = league('submit', 'spring', 'nothing.racer', '--racer', 'Ann')
    assert (code, 'cannot read nothing.racer' in err) == (2, True)
    code, _, err = league('submit', 'spring', 'nothing', '--racer', 'Ann')
    assert (code, "unknown model 'nothing'" in err) == (2, True)
    assert told('show', 'spring')['submissions'] == 0
    for words in (('list',), ('show', 'spring'), ('standings', 'spring'),
                  ('standings', 'spring', '--season', '1')):
        code, out, _ = league(*words)
        assert (code, 'spring' in out) == (0, True)


def test_a_model_of_the_store_is_exported_and_protected(told, racer_home):
    short = EvaluationPlan(laps=1, starts=1, lap_time_limit_s=1.0)
    train(model_folder('red'), TrainingPlan(
        setup=RaceSetup(), limits=Limits(steps=256), evaluation=short, confirmed=False,
        hyperparameters=PPOHyperparameters(n_envs=4, n_steps=64)), lambda standing: None)
    told('create', 'spring', '--track', 'oval', '--laps', 1)
    told('join', 'spring', '--racer', 'Ann')

    entry = told('submit', 'spring', 'red', '--racer', 'Ann', '--queue')

    assert entry['model'] == 'red'
    protected = json.loads((racer_home / 'leagues' / 'protected.json').read_text())
    assert protected == [entry['model_id']] == [open_model('red').run['id']]
