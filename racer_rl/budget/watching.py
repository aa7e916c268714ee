"""Tells people, while a run goes on, which thresholds their budgets have reached."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from racer_rl.budget.account import Account
from racer_rl.budget.alert_box import Alert
from racer_rl.budget.alerts import LAST_WAIT_S, AlertSender
from racer_rl.budget.budget_file import read_budgets
from racer_rl.budget.budgets import FORECAST, Standing, Threshold, crossed, standings
from racer_rl.budget.periods import Period, Span


class BudgetWatch:
    """What is to be told at a moment, told already or not."""

    def __init__(self) -> None:
        self._account: Account | None = None

    def follow(self, account: Account) -> None:
        """Watch the budget of a run for this one, too."""
        self._account = account

    def alerts(self) -> Iterator[Alert]:
        """One for each threshold that is reached.

        Raises:
            RacerError: Budgets or the ledger cannot be read.
        """
        for standing in (*standings(), *self._run_standings()):
            for threshold in crossed(None, standing):
                yield alert_of(threshold, standing)

    def _run_standings(self) -> Iterator[Standing]:
        if self._account is None:
            return
        for budget in read_budgets():
            spent = self._account.spent.money
            if budget.period is Period.RUN and budget.currency == spent.currency:
                yield Standing(budget=budget, span=Span(self._account.run_id, 0.0, 0.0),
                               spent=spent, forecast=None)


def alert_of(threshold: Threshold, standing: Standing) -> Alert:
    """A threshold in words; one of a budget that was changed since is another one."""
    budget, is_run = standing.budget, threshold.period is Period.RUN
    which = 'budget of a run' if is_run else f'{budget.period} budget'
    when = 'by a run' if is_run else f'in {threshold.span}'
    body = [f'{standing.spent} of {budget.limit} ({standing.share:.0%}) is spent {when}.']
    if standing.forecast is not None:
        body.append(f'At this pace it will be {standing.forecast}.')
    if budget.hard and standing.share >= 1.0:
        body.append('It is a hard budget: runs stop.')
    body += [f'Told by {platform.node()}.', 'See: racer budget show']
    title = (f'racer: the {which} will not do' if threshold.at == FORECAST
             else f'racer: {threshold.at} % of the {which} is spent')
    return Alert(key=f'{threshold.period} {threshold.span} {budget.limit} {threshold.at}',
                 title=title, body='\n'.join(body))


@contextmanager
def watch_budgets(tell: Callable[[str], None], *, last_wait_s: float = LAST_WAIT_S,
                  ) -> Iterator[BudgetWatch]:
    """Send alerts while the block runs, and what came up at its end; it costs a run nothing.

    Open it before the run's account, so that it closes after that and sees all that was spent.

    Args:
        tell: Prints a line for the person at the terminal, at the begin or at the end.
        last_wait_s: As of `AlertSender`.
    """
    watch = BudgetWatch()
    with AlertSender(watch.alerts, tell=tell, last_wait_s=last_wait_s):
        yield watch
