"""How budgets stand, which thresholds are crossed, and what a hard one still allows."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Final

from racer_rl.budget.budget_file import Budget, read_budgets
from racer_rl.budget.ledger import Ledger, open_ledger
from racer_rl.budget.money import Money
from racer_rl.budget.periods import Period, Span, span_of
from racer_rl.budget.usage import QUARTER_S
from racer_rl.clock import utc_s
from racer_vehicle.errors import RacerError

DAY_S: Final = 86400.0
"""A pace is known after a day; before, one long run would look like the habit of a month."""

FORECAST: Final = 'forecast'

PATIENCE_S: Final = 1.0
"""How long a look into the ledger waits for whoever writes."""


class BudgetError(RacerError):
    """A hard budget does not allow it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How the budget of a month, quarter or year stands.

    Attributes:
        budget: What was set.
        span: The month, quarter or year that it is about.
        spent: So far.
        forecast: At its end, if things go on at the pace so far; None before a day of it is over.
    """

    budget: Budget
    span: Span
    spent: Money
    forecast: Money | None

    @property
    def share(self) -> float:
        """Spent of the amount, 0 and more; 1 is all of it."""
        return self.spent.amount / self.budget.amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """Something that people are told once.

    Attributes:
        period: Of the budget.
        span: Name of the month, quarter or year, `2026-11`; or of the run.
        at: Per cent as they were set, `80`, or `forecast`.
    """

    period: Period
    span: str
    at: str


def standings(now_s: float | None = None, zone: datetime.tzinfo | None = None) -> list[Standing]:
    """How the budgets of months, quarters and years stand.

    Args:
        now_s: Seconds since 1970, UTC; None: now.
        zone: Whose calendar; None is that of this machine.

    Raises:
        ConfigError: The budgets cannot be read.
        DatabaseError: The ledger cannot be read.
    """
    budgets = [budget for budget in read_budgets() if budget.period is not Period.RUN]
    if not budgets:
        return []
    at_s = utc_s() if now_s is None else now_s
    with open_ledger(patience_s=PATIENCE_S) as ledger:
        return [_standing(ledger, budget, at_s, zone) for budget in budgets]


def forecast(spent: float, span: Span, first_s: float, now_s: float) -> float | None:
    """What will be spent at the end of a span if things go on at the pace so far.

    The pace is what was spent by the time since the span began, or since the first run ever if
    that was later.

    Args:
        spent: In the span, so far.
        span: The month, quarter or year.
        first_s: When the first run ever was, seconds since 1970, UTC.
        now_s: The moment, seconds since 1970, UTC.

    Returns:
        None before a day has passed.
    """
    passed_s = now_s - max(span.begin_s, first_s)
    return None if passed_s < DAY_S else spent + spent / passed_s * max(span.end_s - now_s, 0.0)


def crossed(before: Standing | None, after: Standing) -> tuple[Threshold, ...]:
    """Thresholds that were reached in between.

    Args:
        before: How the budget stood; None, and one of an earlier month: everything is new.
        after: How it stands.
    """
    known = set() if before is None else set(_reached(before))
    return tuple(each for each in _reached(after) if each not in known)


def check_before(estimate: Money | None) -> None:
    """Refuse to begin a run for which a hard budget has too little.

    Args:
        estimate: What the run will cost; None if nobody knows.

    Raises:
        BudgetError: One has.
        ConfigError: The budgets cannot be read.
        DatabaseError: The ledger cannot be read.
    """
    for budget in read_budgets():
        if not budget.hard or estimate is None:
            continue
        if budget.currency != estimate.currency:
            raise BudgetError(
                f'the hard {budget.period} budget is in {budget.currency}, and runs on this '
                f'machine cost {estimate.currency}; set it anew: racer budget set {budget.period} '
                f'AMOUNT {estimate.currency} --hard, or change the currency of the price table.')
        if budget.period is Period.RUN and estimate.amount > budget.amount:
            raise BudgetError(f'this run will cost {estimate}, and a run may cost {budget.limit}; '
                              f'{_remedy(budget)}')
    for standing in _hard_standings():
        left = standing.budget.amount - standing.spent.amount
        if left <= 0.0 or (estimate is not None and estimate.amount > left):
            needs = '' if estimate is None else f'; this run will cost {estimate}'
            raise BudgetError(
                f'the hard {standing.budget.period} budget: {standing.spent} of '
                f'{standing.budget.limit} are spent{needs}; {_remedy(standing.budget)}')


def remaining(run: Money | None = None) -> Money | None:
    """What the tightest hard budget still allows, now.

    Args:
        run: What the run that asks has spent so far; the ledger may know it from a moment ago.

    Returns:
        0 or more; None if there is no hard budget. Budgets in a currency other than the run's
        say nothing about it.

    Raises:
        ConfigError: The budgets cannot be read.
        DatabaseError: The ledger cannot be read.
    """
    left = [Money(standing.budget.amount - standing.spent.amount, standing.budget.currency)
            for standing in _hard_standings()]
    if run is not None:
        left += [Money(budget.amount - run.amount, budget.currency) for budget in read_budgets()
                 if budget.hard and budget.period is Period.RUN]
        left = [money for money in left if money.currency == run.currency]
    if not left:
        return None
    tightest = min(left, key=lambda money: money.amount)
    return Money(max(tightest.amount, 0.0), tightest.currency)


def _standing(ledger: Ledger, budget: Budget, now_s: float, zone: datetime.tzinfo | None,
              ) -> Standing:
    span = span_of(budget.period, now_s, zone)
    spent = ledger.spent(span.begin_s, span.end_s, budget.currency)
    first = ledger.first_quarter()
    ahead = None if first is None else forecast(spent, span, first * QUARTER_S, now_s)
    return Standing(budget=budget, span=span, spent=Money(spent, budget.currency),
                    forecast=None if ahead is None else Money(ahead, budget.currency))


def _reached(standing: Standing) -> list[Threshold]:
    budget = standing.budget
    names = [f'{alert:g}' for alert in budget.alerts if standing.share * 100.0 >= alert]
    if budget.forecast and standing.forecast and standing.forecast.amount > budget.amount:
        names.append(FORECAST)
    return [Threshold(period=budget.period, span=standing.span.name, at=name) for name in names]


def _hard_standings() -> list[Standing]:
    if not any(budget.hard for budget in read_budgets()):
        return []
    return [standing for standing in standings() if standing.budget.hard]


def _remedy(budget: Budget) -> str:
    return (f'give it less (--max-cost, --max-time), or raise the budget: racer budget set '
            f'{budget.period} AMOUNT {budget.currency} --hard.')
