"""A run and its money, for commands: said before, accounted for meanwhile, said after."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import typer

from racer_rl.budget.account import Account, Kind, account
from racer_rl.budget.budgets import check_before
from racer_rl.budget.estimates import Estimate, estimate_of
from racer_rl.budget.money import Money, Spent
from racer_rl.budget.purse import Purse, parse_cost
from racer_rl.budget.watching import watch_budgets
from racer_rl.cli.budget_words import estimate_line
from racer_rl.database import DatabaseError
from racer_rl.store.models import ModelFolder
from racer_rl.training.plan import Limits, StopReason
from racer_vehicle.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Spending:
    """A run that is being accounted for.

    Attributes:
        account: Of the run.
        purse: What it may spend.
    """

    account: Account
    purse: Purse

    def brake(self) -> StopReason | None:
        """Why money stops the run now, if it does; to be asked before every round."""
        if self.purse.is_empty(self.account):
            return StopReason.COST
        return StopReason.BUDGET if self.purse.is_forbidden(self.account) else None


@contextmanager
def spending(kind: Kind, model: str, model_id: str = '', *, purse: Purse | None = None,
             ) -> Iterator[Spending]:
    """Account for a run while the block runs, and have budgets watched.

    Args:
        kind: What the run does.
        model: Name of the model.
        model_id: That outlives its name.
        purse: What it may spend.
    """
    def tell(line: str) -> None:
        typer.echo(line, err=True)

    with watch_budgets(tell) as watch, account(kind, model, model_id) as own:
        watch.follow(own)
        yield Spending(own, purse or Purse(None, None))


def afford(folder: ModelFolder, model_id: str, limits: Limits, max_cost: str | None,
           ) -> tuple[Purse, str]:
    """Before training: what it will cost; refuses what cannot be paid.

    Args:
        folder: Of the model, which may be new.
        model_id: Its id, or its name if it has none.
        limits: Of the run.
        max_cost: As it was typed.

    Returns:
        What the run may spend, and a line about it to say once the run begins.

    Raises:
        BudgetError: A hard budget has too little for it.
        ConfigError: The cost is no amount, or the price table cannot be used.
    """
    purse = Purse.of(model_id, None if max_cost is None else parse_cost(max_cost))
    estimate = _estimate(folder, limits)
    needs = None if estimate is None else estimate.money
    left = purse.left
    if left is not None and left.amount == 0.0:
        raise ConfigError(f'--max-cost is {purse.limit}, and {purse.earlier} are spent on '
                          f'{folder.name!r} already; give it more.')
    if left is not None and (needs is None or left.amount < needs.amount):
        needs = left
    check_before(needs)
    return purse, estimate_line(estimate) + _before(purse)


def _estimate(folder: ModelFolder, limits: Limits) -> Estimate | None:
    steps = limits.steps
    if steps is not None and folder.exists:
        steps = max(steps - folder.progress.get('steps', 0), 0)
    try:
        return estimate_of(time_s=None if math.isinf(limits.time_s) else limits.time_s,
                           steps=steps, model=folder.name)
    except DatabaseError as error:
        typer.echo(f'note: {error}', err=True)
        return None


def _before(purse: Purse) -> str:
    if purse.limit is None:
        return ''
    spent = '' if purse.earlier is None or not purse.earlier.amount else (
        f', of which {purse.earlier} are spent')
    return f'; at most {purse.limit}{spent}'


def cost_as_dict(spent: Spent, purse: Purse | None = None) -> dict[str, Any]:
    """What a run cost, for `--json`."""
    plain = asdict(spent)
    money: dict[str, Any] = plain.pop('money')
    total: Money | None = None
    if purse is not None and purse.earlier is not None:
        total = Money(purse.earlier.amount + spent.money.amount, spent.money.currency)
    return {**money, **plain, 'all_sessions': None if total is None else total.amount}
