"""Amounts of money, and what a run has spent of it, of time and of energy."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

from racer_vehicle.errors import ConfigError

_CURRENCY: Final = re.compile(r'[A-Z]{3}')
_AMOUNT: Final = re.compile(r'\d{1,12}(?:\.\d{1,9})?')


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in one currency.

    Attributes:
        amount: Finite; of what is spent and allowed, 0 or more.
        currency: Three capital letters, as ISO 4217 has them.
    """

    amount: float
    currency: str

    def __post_init__(self) -> None:
        """Refuse what is no money."""
        require_currency(self.currency, 'currency')
        if not math.isfinite(self.amount):
            raise ConfigError(f'an amount of money is {self.amount!r}; allowed: finite numbers.')

    def __str__(self) -> str:
        """`12.34 EUR`; amounts below one with three digits that count: `0.00432 EUR`."""
        return f'{readable_amount(self.amount)} {self.currency}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What a run has taken so far.

    Attributes:
        wall_s: Seconds that passed while it ran; a suspended machine's do not count.
        cpu_s: Seconds of a core that it and all processes it started took.
        peak_memory_bytes: The most that those held at once, looked at every second or two.
        energy_j: Joules; None where nothing is measured and the price table has no watts.
        energy_measured: Whether the processor's counter was read; else it is an estimate.
        money: By the price table.
    """

    wall_s: float
    cpu_s: float
    peak_memory_bytes: int
    energy_j: float | None
    energy_measured: bool
    money: Money


def readable_amount(amount: float) -> str:
    """Two decimals from one on; below, three digits that count, and never `1e-05`."""
    if amount == 0.0 or abs(amount) >= 0.995:
        return f'{amount:.2f}'
    digits = min(2 - math.floor(math.log10(abs(amount))), 9)
    return f'{amount:.{digits}f}'


def require_currency(currency: str, name: str) -> None:
    """Refuse what is no currency's code.

    Raises:
        ConfigError: It is not three capital letters.
    """
    if not _CURRENCY.fullmatch(currency):
        raise ConfigError(f'{name} is {currency!r}; allowed: three capital letters, e.g. EUR.')


def parse_money(amount: str, currency: str) -> Money:
    """Money as a person writes it, `20 EUR`.

    Args:
        amount: Digits, with a point or a comma before up to nine decimals.
        currency: Three letters, in any case.

    Raises:
        ConfigError: Something else, or nothing at all (0).
    """
    if not _AMOUNT.fullmatch(amount.replace(',', '.')) or float(amount.replace(',', '.')) == 0.0:
        raise ConfigError(f'amount is {amount!r}; allowed: a number above 0, e.g. 20 or 7.50.')
    return Money(float(amount.replace(',', '.')), currency.upper())
