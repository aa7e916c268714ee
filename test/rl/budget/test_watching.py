"""Budgets that real accounts fill tell about each threshold once, over all runs of a month."""

import pytest

from racer_rl.budget.account import account
from racer_rl.budget.budget_file import Budget, set_budget
from racer_rl.budget.budgets import Standing, crossed
from racer_rl.budget.money import Money
from racer_rl.budget.periods import Period, Span
from racer_rl.budget.prices import rate_of_this_machine
from racer_rl.budget.watching import alert_of, watch_budgets

pytestmark = pytest.mark.usefixtures('racer_home')


def a_run():
    told = []
    with watch_budgets(told.append, last_wait_s=60.0) as watch, account('train', 'm') as own:
        watch.follow(own)
    assert told == []


def a_run_among_others(barrier):
    barrier.wait()
    a_run()


def test_runs_at_once_that_reach_thresholds_send_one_message_each(monkeypatch, webhook, forking):
    currency = rate_of_this_machine().currency
    with webhook() as hook:
        monkeypatch.setenv('RACER_ALERTS', hook.address)
        first = forking.Process(target=a_run)
        first.start()
        first.join()
        assert (first.exitcode, hook.titles) == (0, [])
        # Whatever the first of these runs costs, it is more than that.
        set_budget(Budget(period=Period.MONTHLY, amount=1e-9, currency=currency,
                          alerts=(50.0, 100.0)))
        set_budget(Budget(period=Period.ANNUAL, amount=1e9, currency=currency, alerts=(50.0,)))
        barrier = forking.Barrier(3)
        runs = [forking.Process(target=a_run_among_others, args=(barrier,)) for _ in range(3)]
        for run in runs:
            run.start()
        for run in runs:
            run.join()
        assert [run.exitcode for run in runs] == [0, 0, 0]
        assert sorted(hook.titles) == ['racer: 100 % of the monthly budget is spent',
                                       'racer: 50 % of the monthly budget is spent']


def test_the_budget_of_a_run_is_each_runs_own(monkeypatch, webhook):
    currency = rate_of_this_machine().currency
    set_budget(Budget(period=Period.RUN, amount=1e-9, currency=currency, alerts=(80.0,)))
    with webhook() as hook:
        monkeypatch.setenv('RACER_ALERTS', hook.address)
        a_run()
        a_run()
        assert hook.titles == ['racer: 80 % of the budget of a run is spent'] * 2


def test_a_raised_budget_has_thresholds_of_its_own():
    keys = set()
    for amount in (20.0, 30.0):
        budget = Budget(period=Period.MONTHLY, amount=amount, currency='EUR', alerts=(50.0,),
                        forecast=True, hard=True)
        standing = Standing(budget=budget, span=Span('2026-11', 0.0, 1.0),
                            spent=Money(20.0, 'EUR'), forecast=Money(40.0, 'EUR'))
        alerts = [alert_of(threshold, standing) for threshold in crossed(None, standing)]
        assert [alert.title for alert in alerts] == [
            'racer: 50 % of the monthly budget is spent',
            'racer: the monthly budget will not do']
        assert alerts[0].body.startswith(f'20.00 EUR of {amount:.2f} EUR (')
        assert 'At this pace it will be 40.00 EUR.' in alerts[0].body
        assert ('runs stop' in alerts[0].body) == (amount == 20.0)
        keys |= {alert.key for alert in alerts}
    assert len(keys) == 4
