"""Budgets: kept exactly, standing by the ledger, refusing when they are hard."""

import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from racer_rl.budget.budget_file import (
    Budget,
    budgets_path,
    read_budgets,
    remove_budget,
    set_budget,
)
from racer_rl.budget.budgets import (
    DAY_S,
    BudgetError,
    Standing,
    check_before,
    crossed,
    forecast,
    remaining,
    standings,
)
from racer_rl.budget.estimates import estimate_of
from racer_rl.budget.ledger import open_ledger
from racer_rl.budget.money import Money
from racer_rl.budget.periods import Period, Span, span_of
from racer_rl.budget.usage import QUARTER_S, Usage
from racer_rl.clock import utc_s
from racer_vehicle.errors import ConfigError


def budget(period=Period.MONTHLY, amount=20.0, **others):
    return Budget(period=period, amount=amount, **{'currency': 'EUR', **others})


def spend(run_of, money, when_s=None, **others):
    """A run in the ledger that took that much money."""
    name = f'{money}-{when_s}-{others}'
    quarter = int((utc_s() if when_s is None else when_s) // QUARTER_S)
    with open_ledger() as ledger:
        ledger.write(run_of(name, ended='then', **others),
                     {quarter: Usage(wall_s=100.0, cpu_s=150.0, money=money)})


def test_budgets_are_kept_in_order_and_replaced_by_period(racer_home):
    assert read_budgets() == ()
    yearly = budget(Period.ANNUAL, alerts=(50.0, 80.5), forecast=True)
    for each in (budget(Period.RUN, hard=True), yearly, budget(), budget(amount=30.0)):
        set_budget(each)
    assert read_budgets() == (budget(amount=30.0), yearly, budget(Period.RUN, hard=True))
    assert remove_budget(Period.ANNUAL) == yearly
    assert [each.period for each in read_budgets()] == [Period.MONTHLY, Period.RUN]
    with pytest.raises(ConfigError, match='no annual budget; there is: monthly, run'):
        remove_budget(Period.ANNUAL)


@pytest.mark.parametrize(('wrong', 'message'), [
    ({'amount': 0.0}, 'Budget.amount is 0.0'), ({'amount': float('nan')}, 'Budget.amount is nan'),
    ({'currency': 'eur'}, 'three capital letters'), ({'alerts': (0.0,)}, 'above 0 up to 1000'),
    ({'alerts': (80.0, 50.0)}, 'rising'), ({'alerts': (50.0, 50.0)}, 'none of them twice'),
    ({'period': Period.RUN, 'forecast': True}, 'has no forecast')])
def test_what_is_no_budget_is_refused(wrong, message):
    with pytest.raises(ConfigError, match=message):
        budget(**wrong)


@given(st.lists(st.builds(
    Budget, period=st.sampled_from(Period), amount=st.floats(1e-9, 1e12),
    currency=st.from_regex(r'[A-Z]{3}', fullmatch=True), hard=st.booleans(),
    alerts=st.sets(st.floats(0.001, 1000.0)).map(sorted).map(tuple), forecast=st.just(False)),
    unique_by=lambda each: each.period))
@settings(max_examples=30)
def test_what_is_kept_comes_back_exactly(tmp_path_factory, budgets):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('RACER_HOME', str(tmp_path_factory.mktemp('home')))
        for each in budgets:
            set_budget(each)
        assert set(read_budgets()) == set(budgets)


@pytest.mark.parametrize('content', [
    '', '[]', '{"format": 1}', '{"format": 2, "budgets": []}', '\xff',
    '{"format": 1, "budgets": [{"period": "weekly"}]}'])
def test_a_damaged_file_is_told_by_its_name(racer_home, content):
    budgets_path().write_text(content, encoding='latin-1')
    with pytest.raises(ConfigError, match=r'budgets\.json: .*Mend or delete it'):
        read_budgets()
    assert budgets_path().read_text(encoding='latin-1') == content


@given(data=st.data())
@settings(max_examples=60)
def test_any_bytes_changed_are_budgets_or_told(tmp_path_factory, data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('RACER_HOME', str(tmp_path_factory.mktemp('home')))
        set_budget(budget(alerts=(50.0,), hard=True))
        content = bytearray(budgets_path().read_bytes())
        for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=3)):
            content[place] = data.draw(st.integers(0, 255))
        budgets_path().write_bytes(content)
        try:
            assert all(each.amount > 0.0 for each in read_budgets())
        except ConfigError as error:
            assert str(budgets_path()) in str(error)


def test_a_period_that_is_there_twice_is_refused(racer_home):
    set_budget(budget())
    text = budgets_path().read_text()
    row = text[text.index('    {'):text.rindex('    }') + 5]
    budgets_path().write_text(text.replace(row, f'{row},{row}'))
    with pytest.raises(ConfigError, match='a period is there twice'):
        read_budgets()


def test_a_budget_stands_by_what_was_spent_in_its_period_and_currency(racer_home, run_of):
    now_s = datetime.datetime(2026, 11, 16, tzinfo=datetime.UTC).timestamp()
    month = span_of(Period.MONTHLY, now_s, datetime.UTC)
    spend(run_of, 3.0, month.begin_s)
    spend(run_of, 4.0, month.begin_s - 1.0)
    spend(run_of, 5.0, month.end_s)
    spend(run_of, 7.0, month.begin_s, currency='USD')
    for period in (Period.MONTHLY, Period.QUARTERLY, Period.RUN):
        set_budget(budget(period))
    monthly, quarterly = standings(now_s, datetime.UTC)
    assert (monthly.spent, monthly.share) == (Money(3.0, 'EUR'), 0.15)
    # 15 of 30 days are over.
    assert monthly.forecast.amount == pytest.approx(6.0)
    assert (quarterly.spent, quarterly.span.name) == (Money(12.0, 'EUR'), '2026-Q4')


@given(spent=st.floats(0.0, 1e6), days=st.floats(0.0, 30.0), first=st.floats(-400.0, 30.0))
def test_a_forecast_is_a_straight_line(spent, days, first):
    span = Span('a month', 0.0, 30 * DAY_S)
    ahead = forecast(spent, span, first * DAY_S, days * DAY_S)
    passed = days - max(first, 0.0)
    if passed < 0.999:
        assert ahead is None
    elif passed > 1.001:
        assert ahead >= spent
        assert ahead == pytest.approx(spent * (1.0 + (30.0 - days) / passed))


def standing(spent, expected=None, span='2026-11', **others):
    return Standing(budget=budget(amount=10.0, **others), span=Span(span, 0.0, 1.0),
                    spent=Money(spent, 'EUR'),
                    forecast=None if expected is None else Money(expected, 'EUR'))


def test_each_threshold_is_crossed_once_a_period():
    alerts = {'alerts': (50.0, 80.0, 100.0), 'forecast': True}

    def names(*pair):
        return [each.at for each in crossed(*pair)]
    assert names(None, standing(4.9, 9.0, **alerts)) == []
    assert names(None, standing(8.5, 9.0, **alerts)) == ['50', '80']
    assert names(standing(4.0, **alerts), standing(5.0, 11.0, **alerts)) == ['50', 'forecast']
    assert names(standing(5.0, 11.0, **alerts), standing(5.1, 12.0, **alerts)) == []
    again = crossed(standing(11.0, **alerts), standing(6.0, span='2026-12', **alerts))
    assert [(each.at, each.span) for each in again] == [('50', '2026-12')]


def test_a_hard_budget_refuses_what_does_not_fit(racer_home, run_of):
    spend(run_of, 15.0)
    check_before(Money(1e6, 'EUR'))
    set_budget(budget())
    check_before(Money(1e6, 'EUR'))
    set_budget(budget(hard=True))
    check_before(Money(5.0, 'EUR'))
    check_before(None)
    with pytest.raises(BudgetError, match=r'hard monthly budget: 15\.00 EUR of 20\.00 EUR are '
                                          r'spent; this run will cost 5\.01 EUR; .*--max-cost'):
        check_before(Money(5.01, 'EUR'))
    with pytest.raises(BudgetError, match=r'is in EUR, and runs on this machine cost USD; set it '
                                          r'anew'):
        check_before(Money(1.0, 'USD'))
    spend(run_of, 5.0)
    with pytest.raises(BudgetError, match=r'20\.00 EUR of 20\.00 EUR are spent; give it less'):
        check_before(None)


def test_a_hard_budget_of_a_run_is_for_that_run(racer_home, run_of):
    spend(run_of, 15.0)
    set_budget(budget(Period.RUN, 2.0, hard=True))
    check_before(Money(2.0, 'EUR'))
    check_before(None)
    with pytest.raises(BudgetError, match=r'will cost 2\.10 EUR, and a run may cost 2\.00 EUR'):
        check_before(Money(2.1, 'EUR'))


def test_the_tightest_hard_budget_says_what_is_left(racer_home, run_of):
    spend(run_of, 15.0)
    assert remaining() is None
    set_budget(budget(Period.ANNUAL, 16.0))
    assert remaining() is None, 'it is not hard'
    set_budget(budget(hard=True))
    assert remaining() == Money(5.0, 'EUR')
    set_budget(budget(Period.ANNUAL, 17.0, hard=True))
    assert remaining() == Money(2.0, 'EUR')
    set_budget(budget(Period.RUN, 1.0, hard=True))
    assert remaining(Money(0.25, 'EUR')) == Money(0.75, 'EUR')
    assert remaining(Money(3.0, 'EUR')) == Money(0.0, 'EUR')
    assert remaining(Money(0.25, 'USD')) is None


def test_an_estimate_is_learnt_from_earlier_runs(racer_home, run_of):
    assert estimate_of(time_s=None, steps=1000) is None
    first = estimate_of(time_s=60.0, steps=1000)
    assert first.earlier_runs == 0 and first.wall_s == 60.0
    assert first.money == first.rate.cost(60.0, 60.0 * first.busy_cores)
    for index, steps in enumerate((1000, 2000, 4000)):
        spend(run_of, 1.0 + index, steps=steps)  # 100 s and 150 s of a core each
    spend(run_of, 9.0, steps=10_000, model='quick')
    spend(run_of, 9.5, steps=10, machine='elsewhere')
    spend(run_of, 9.6, steps=10, kind='race')
    known = estimate_of(time_s=None, steps=1000, model='quick')
    assert (known.wall_s, known.earlier_runs, known.busy_cores) == (pytest.approx(10.0), 1, 1.5)
    new = estimate_of(time_s=None, steps=1000, model='new')
    assert new.earlier_runs == 4
    assert new.wall_s == pytest.approx(1000 * (0.025 + 0.05) / 2)
    assert estimate_of(time_s=1.0, steps=1000).wall_s == 1.0
