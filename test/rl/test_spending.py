"""Runs and their money: limits, hard budgets, and what is in the ledger after each kind of run."""

import json
import re
import time

import numpy as np
import pytest

from racer_rl.budget.budget_file import Budget, set_budget
from racer_rl.budget.ledger import open_ledger
from racer_rl.budget.periods import Period
from racer_rl.budget.prices import SHIPPED, own_path
from racer_rl.cli.main import run
from racer_rl.cli.spending import spending
from racer_rl.store.models import model_names, open_model
from racer_rl.training.checkpoint import load_checkpoint
from racer_rl.training.plan import StopReason

SETTINGS = {'n_envs': 4, 'n_steps': 64, 'batch_size': 64, 'num_epochs': 2}


@pytest.fixture
def racer(racer_home, tmp_path, monkeypatch, capsys):
    """Run a command in a folder with settings; gives back exit code, output and errors."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'tiny.json').write_text(json.dumps(SETTINGS))

    def call(*words):
        code = run([*map(str, words)])
        return code, *capsys.readouterr()

    return call


@pytest.fixture
def train(racer):
    """Train on the oval to a number of steps; gives the result, or the error."""

    def call(name, steps, *more):
        begin = ('--resume',) if name in model_names() else (
            '--track', 'oval', '--hyperparameters', 'tiny.json')
        code, out, err = racer('train', '--name', name, '--steps', steps, '--until-laps',
                               '--json', *begin, *more)
        return json.loads(out) if code == 0 else err

    return call


def weights(name):
    model = load_checkpoint(open_model(name).checkpoint('last'))[0]
    return model.num_timesteps, {key: tensor.numpy()
                                 for key, tensor in model.policy.state_dict().items()}


@pytest.fixture
def only_work_costs(racer_home):
    """Prices by which time that others took costs nothing."""
    shipped = SHIPPED.read_text(encoding='utf-8')
    own_path().write_text(re.sub(r'idle_w: [\d.]+', 'idle_w: 0.0', shipped, count=1))


def test_a_run_that_ran_out_of_money_ends_with_the_same_weights(train, only_work_costs):
    train('warm', 300)  # imports and compiles
    needed = train('whole', 2500)['cost']['amount']
    part = train('part', 2500, '--max-cost', f'{needed / 2:.9f}')
    assert part['stopped_because'] == 'the cost limit was reached'
    assert 0 < part['steps'] < 2500
    assert part['cost']['amount'] > 0.1 * needed / 2
    rest = train('part', 2500, '--max-cost', f'{20 * needed:.9f}')
    assert rest['stopped_because'] == 'the step limit was reached'
    assert rest['cost']['all_sessions'] == pytest.approx(
        part['cost']['amount'] + rest['cost']['amount'], rel=0.02)
    (steps, ours), (their_steps, theirs) = weights('whole'), weights('part')
    assert steps == their_steps
    assert all(np.array_equal(ours[key], theirs[key]) for key in ours)


def test_what_is_spent_already_is_refused_with_both_amounts(train):
    spent = train('m', 300)['cost']['amount']
    err = train('m', 600, '--max-cost', f'{spent / 2:.9f}')
    assert err.startswith('will cost about ') or 'error: --max-cost is ' in err
    assert "are spent on 'm' already; give it more." in err
    assert 'a cost is ' in train('m', 600, '--max-cost', 'plenty')
    assert 'allowed' in train('m', 600, '--max-cost', 'plenty')
    assert 'runs on this machine cost EUR' in train('m', 600, '--max-cost', '1 USD')


def test_caps_end_a_run_that_would_go_on(train):
    assert train('a', 10**9, '--max-steps', 512)['steps'] == 512
    result = train('b', 10**9, '--max-time', '1s')
    assert result['stopped_because'] == 'the time limit was reached'


def test_a_hard_budget_refuses_what_cannot_fit(train, racer):
    train('m', 2000)  # from which the next estimate is made
    set_budget(Budget(period=Period.MONTHLY, amount=1e-9, currency='EUR', hard=True))
    err = train('new', 10**6)
    assert 'error: the hard monthly budget: ' in err
    assert 'racer budget set monthly' in err
    assert model_names() == ['m']
    code, _, err = racer('evaluate', 'm', '--laps', 1)
    assert code == 2
    assert 'the hard monthly budget' in err


def test_a_hard_budget_stops_what_reaches_it(racer_home):
    """Also one that was set, or used up by another run, after this one began."""
    with spending('train', 'm') as money:
        assert money.brake() is None
        set_budget(Budget(period=Period.MONTHLY, amount=1e-9, currency='EUR', hard=True))
        until_s = time.monotonic() + 20.0
        while (reason := money.brake()) is None and time.monotonic() < until_s:
            time.sleep(0.05)
    assert reason is StopReason.BUDGET and reason.cuts_short


def test_every_kind_of_run_is_in_the_ledger(train, racer):
    result = train('m', 600)
    assert racer('evaluate', 'm', '--laps', 1, '--no-bound')[0] == 0
    with open_ledger() as ledger:
        runs = {row.kind: (row, sums) for row, sums in ledger.runs()}
    assert runs.keys() == {'train', 'evaluate'}
    row, sums = runs['train']
    assert (row.model, row.model_id) == ('m', open_model('m').run['id'])
    assert row.steps == result['steps']
    assert row.outcome == 'the step limit was reached'
    assert sums.money == pytest.approx(result['cost']['amount'], rel=0.01)
    assert sums.wall_s > 0.0 and sums.cpu_s > 0.0
    assert runs['evaluate'][0].model_id == row.model_id
    assert runs['evaluate'][0].outcome == 'done'


def test_before_and_after_a_run_people_are_told(racer):
    code, out, err = racer('train', '--track', 'oval', '--hyperparameters', 'tiny.json', '--name',
                           'm', '--steps', 600, '--until-laps', '--max-time', '5m')
    assert code == 0
    assert err.startswith('will cost about ') and ' EUR for ' in err.splitlines()[0]
    assert '\ncost ' in out and ' of a core' in out
