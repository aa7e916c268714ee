"""`racer budget` as people use it."""

import json
import time

import pytest

from racer_rl.budget.account import account
from racer_rl.budget.estimates import Estimate
from racer_rl.budget.ledger import ledger_path, open_ledger
from racer_rl.budget.money import Money, Spent
from racer_rl.budget.prices import rate_of_this_machine
from racer_rl.budget.usage import QUARTER_S, Usage
from racer_rl.cli.budget_words import cost_line, estimate_line
from racer_rl.cli.main import run
from racer_rl.clock import utc_s


def out_of(capsys, *words):
    assert run(['budget', *words]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def error_of(capsys, *words):
    assert run(['budget', *words]) == 2
    printed = capsys.readouterr()
    assert printed.out == '' and printed.err.count('\n') == 1
    return printed.err


def spend(run_of, name, money, **others):
    with open_ledger() as ledger:
        ledger.write(run_of(name, ended='then', steps=1234, **others), {
            int(utc_s() // QUARTER_S): Usage(3700.0, 7300.0, 3.6e6, money)})


def test_a_budget_is_set_shown_and_removed(racer_home, run_of, capsys):
    spend(run_of, 'a', 5.0, model='quick')
    spend(run_of, 'b', 1.0, model='slow')
    told = out_of(capsys, 'set', 'monthly', '20', 'EUR', '--alert', '100,forecast,50%', '--hard')
    assert told.startswith('monthly: 20.00 EUR; alerts: 50,100 %, forecast; hard:')
    out_of(capsys, 'set', 'run', '0.5', 'eur')
    shown = out_of(capsys, 'show')
    assert '6.00  30%  20.00 EUR' in shown and 'each run' in shown
    assert shown.index('quick') < shown.index('slow')
    found = json.loads(out_of(capsys, 'show', '--json'))
    monthly, each_run = found['budgets']
    assert (monthly['spent'], monthly['amount'], monthly['hard']) == (6.0, 20.0, True)
    assert (monthly['alerts'], monthly['forecast']) == ([50.0, 100.0], True)
    assert each_run['period'] == 'run' and each_run['alerts'] == [80.0, 100.0]
    assert [model['model'] for model in found['models']] == ['quick', 'slow']
    assert json.loads(out_of(capsys, 'remove', 'monthly', '--json'))['removed']['amount'] == 20.0
    assert [each['period'] for each in json.loads(out_of(capsys, 'show', '--json'))['budgets']
            ] == ['run']


def test_without_budgets_and_runs_it_says_what_to_do(racer_home, capsys):
    shown = out_of(capsys, 'show', '--by', 'annual')
    assert 'no budget is set; set one: racer budget set monthly 20 EUR' in shown
    assert 'nothing ran yet' in shown
    assert 'nothing ran yet with m' in out_of(capsys, 'runs', '--model', 'm')


@pytest.mark.parametrize(('words', 'message'), [
    (('set', 'monthly', '20', 'USD'), 'budget is in USD; allowed: EUR, the currency of the price'),
    (('set', 'weekly', '20', 'EUR'), "unknown period 'weekly'"),
    (('set', 'monthly', '0', 'EUR'), "amount is '0'; allowed: a number above 0"),
    (('set', 'monthly', '1', 'EUR', '--alert', '50,x'), "--alert is '50,x'; allowed: per cent"),
    (('set', 'monthly', '1', 'EUR', '--alert', 'nan'), 'allowed: per cent, above 0 up to 1000'),
    (('set', 'run', '1', 'EUR', '--alert', 'forecast'), 'a budget of a run has no forecast'),
    (('remove', 'annual'), 'there is no annual budget; there is: none'),
    (('show', '--by', 'run'), '--by is run; allowed: monthly, quarterly, annual')])
def test_what_cannot_be_is_refused_in_one_line(racer_home, capsys, words, message):
    assert message in error_of(capsys, *words)


def test_runs_are_listed_with_how_they_ended(racer_home, run_of, capsys):
    spend(run_of, 'a', 0.0043)
    with open_ledger() as ledger:
        ledger.write(run_of('gone', boot='another start', began='2026-11-28'), {})
    with account('race', 'now'):
        found, until_s = [], time.monotonic() + 20.0
        while len(found) < 3 and time.monotonic() < until_s:  # its first entry is on the way
            found = json.loads(out_of(capsys, 'runs', '--json'))['runs']
        listed = out_of(capsys, 'runs')
    assert '0.00430 EUR' in listed and '1,234' in listed and '1:01:40 h' in listed
    states = {row['id']: row['state'] for row in found}
    assert (states['a'], states['gone']) == ('done', 'cut off')
    assert [row['state'] for row in found if row['model'] == 'now'] == ['goes on']


def test_a_damaged_ledger_is_one_line(racer_home, capsys):
    ledger_path().write_bytes(b'no database' * 1000)
    assert 'is damaged' in error_of(capsys, 'show')


def test_prices_are_shown_and_their_copy_is_made(racer_home, capsys, monkeypatch):
    shown = out_of(capsys, 'prices')
    assert 'this machine is here: 0.29 EUR a kWh' in shown and 'comes with racer' in shown
    path = out_of(capsys, 'prices', '--edit-path').strip()
    assert path == str(racer_home / 'prices.yaml')
    monkeypatch.setenv('RACER_MACHINE', 'c7i.large')
    found = json.loads(out_of(capsys, 'prices', '--json'))
    assert (found['machine'], found['table']) == ('c7i.large', path)
    assert found['machines']['c7i.large']['per_hour'] == pytest.approx(0.0893 * 0.86)


def test_a_line_before_a_run_and_a_line_after(racer_home):
    rate = rate_of_this_machine()
    line = estimate_line(Estimate(money=Money(0.00123, 'EUR'), wall_s=600.0, busy_cores=1.62,
                                  earlier_runs=12, rate=rate))
    assert line == ('will cost about 0.00123 EUR for 10:00 min (here: 0.29 EUR a kWh, 10 W a busy '
                    'core, 15 W at rest (2026-11-26); 1.6 cores busy as in 12 runs before)')
    assert 'not known' in estimate_line(None)
    spent = Spent(wall_s=600.0, cpu_s=900.0, peak_memory_bytes=1, energy_j=3600.0,
                  energy_measured=False, money=Money(1.0, 'EUR'))
    assert cost_line(spent) == 'cost 1.00 EUR: 10:00 min, 15:00 min of a core, 1 Wh or so'
    assert cost_line(spent, completion=0.5, clean_laps=4).endswith(
        '; 0.0200 EUR a per cent of completion; 0.250 EUR a clean lap')
    assert cost_line(spent, completion=0.0, clean_laps=0) == cost_line(spent)
