"""The money of one run: what it may cost, whether a budget has it, and when it has to stop."""

from __future__ import annotations

import math
import re
import time
from typing import Final

from racer_rl.budget.account import Account
from racer_rl.budget.budgets import remaining
from racer_rl.budget.ledger import open_ledger
from racer_rl.budget.money import Money, parse_money
from racer_rl.budget.prices import rate_of_this_machine
from racer_rl.database import DatabaseError
from racer_vehicle.errors import ConfigError

BUDGET_EVERY_S: Final = 1.0
"""Between two looks at hard budgets, which are files."""

CLOSING_S: Final = 2.0
CLOSING_SHARE: Final = 0.1
"""What the end of a run takes (the last checkpoint, its traces, a picture), but no more than this
share of the limit: so much before it is reached, the run stops."""

_AMOUNT: Final = re.compile(r'\s*([\d.,]+)\s*([A-Za-z]{3})?\s*')


def parse_cost(text: str) -> Money:
    """A limit as a person writes it: `0.05` in the table's currency, `0.05EUR` or `0.05 EUR`.

    Raises:
        ConfigError: It is something else, or in another currency than runs here cost.
    """
    currency, match = rate_of_this_machine().currency, _AMOUNT.fullmatch(text)
    if match is None:
        raise ConfigError(f'a cost is {text!r}; allowed: an amount above 0, e.g. 0.05 or '
                          f'"0.05 {currency}".')
    money = parse_money(match[1], match[2] or currency)
    if money.currency != currency:
        raise ConfigError(f'a cost is in {money.currency}, and runs on this machine cost '
                          f'{currency}; give it in {currency}, or change the price table.')
    return money


class Purse:
    """What one run may still spend."""

    def __init__(self, limit: Money | None, earlier: Money | None) -> None:
        """Set the limit.

        Args:
            limit: Of the model's cost, all its sessions together; None for none.
            earlier: What earlier sessions cost; None if nobody knows.
        """
        self.limit, self.earlier = limit, earlier
        self._budget_at_s, self._allowed = -math.inf, True
        self._asked_s = time.monotonic()

    @classmethod
    def of(cls, model_id: str, limit: Money | None) -> Purse:
        """That of a model.

        Args:
            model_id: Its id, or its name if it has none.
            limit: As of the constructor.

        Raises:
            DatabaseError: There is a limit, and the ledger cannot tell what is spent already.
        """
        try:
            with open_ledger(make=False) as ledger:
                rows = ledger.runs(model=model_id, kind='train')
        except DatabaseError:
            if limit is not None:
                raise
            return cls(None, None)
        currency = rate_of_this_machine().currency
        money = sum(sums.money for _, sums in rows if sums.currency == currency)
        return cls(limit, Money(money, currency))

    @property
    def left(self) -> Money | None:
        """What the limit leaves for this session, 0 or more; None without a limit."""
        if self.limit is None:
            return None
        earlier = 0.0 if self.earlier is None else self.earlier.amount
        return Money(max(self.limit.amount - earlier, 0.0), self.limit.currency)

    def is_empty(self, account: Account) -> bool:
        """Whether the run has to stop now in order to have reached its limit at its end.

        To be asked before every round: half of such a round is taken to be over the limit, or
        below it.
        """
        left, now_s = self.left, time.monotonic()
        round_s, self._asked_s = now_s - self._asked_s, now_s
        if left is None:
            return False
        spent = account.spent
        per_s = spent.money.amount / max(spent.wall_s, 1e-3)
        closing = min(CLOSING_S * per_s, CLOSING_SHARE * left.amount)
        return spent.money.amount + closing + round_s / 2.0 * per_s >= left.amount

    def is_forbidden(self, account: Account) -> bool:
        """Whether a hard budget has nothing left; looks at most once a second.

        A ledger that cannot be read just now stops no run.
        """
        now_s = time.monotonic()
        if now_s - self._budget_at_s >= BUDGET_EVERY_S:
            self._budget_at_s = now_s
            try:
                left = remaining(account.spent.money)
            except DatabaseError:
                return not self._allowed
            self._allowed = left is None or left.amount > 0.0
        return not self._allowed
