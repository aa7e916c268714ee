"""The budgets that a person has set: `$RACER_HOME/budgets.json`."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from racer_rl.budget.money import Money, require_currency
from racer_rl.budget.periods import Period
from racer_vehicle.errors import ConfigError
from racer_vehicle.spec import require_range
from racer_vehicle.storage import racer_home, write_atomically
from racer_vehicle.strict_json import from_object, parse_object, to_json

FORMAT: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What may be spent in a month, quarter or year, or on one run.

    Attributes:
        period: Which of them.
        amount: Above 0.
        currency: Of it, that of the price table.
        alerts: Per cent of the amount at which people are told, each above 0 up to 1000, rising.
        forecast: Whether they are told when the amount will not do at this pace; not for runs.
        hard: Whether runs are refused and stopped for it.
    """

    period: Period
    amount: float
    currency: str
    alerts: tuple[float, ...] = ()
    forecast: bool = False
    hard: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be kept."""
        require_range(self, amount=(1e-9, 1e12))
        require_currency(self.currency, 'Budget.currency')
        if any(not 0.0 < alert <= 1000.0 for alert in self.alerts):
            raise ConfigError(f'alerts are {self.alerts}; allowed: per cent, above 0 up to 1000.')
        if list(self.alerts) != sorted(set(self.alerts)):
            raise ConfigError(f'alerts are {self.alerts}; allowed: rising, none of them twice.')
        if self.forecast and self.period is Period.RUN:
            raise ConfigError('a budget of a run has no forecast; leave out `forecast`.')

    @property
    def limit(self) -> Money:
        """The amount with its currency."""
        return Money(self.amount, self.currency)


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    format: int
    budgets: tuple[Budget, ...]


def budgets_path() -> Path:
    """Where they are kept."""
    return racer_home() / 'budgets.json'


def read_budgets() -> tuple[Budget, ...]:
    """All that are set, shortest period first and that of a run last.

    Raises:
        ConfigError: The file is damaged.
    """
    path = budgets_path()
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        raise ConfigError(f'cannot read {path} ({error.strerror}); make it readable.') from None
    return _parsed(content, str(path))


def set_budget(budget: Budget) -> None:
    """Set the budget of a period; one that was there is replaced.

    Raises:
        ConfigError: The file is damaged.
        OSError: The disk refused.
    """
    with _alone():
        _write((*(each for each in read_budgets() if each.period is not budget.period), budget))


def remove_budget(period: Period) -> Budget:
    """Remove the budget of a period.

    Returns:
        What it was.

    Raises:
        ConfigError: There is none, or the file is damaged.
        OSError: The disk refused.
    """
    with _alone():
        budgets = read_budgets()
        gone = next((each for each in budgets if each.period is period), None)
        if gone is None:
            there = ', '.join(each.period for each in budgets) or 'none'
            raise ConfigError(f'there is no {period} budget; there is: {there}.')
        _write(tuple(each for each in budgets if each is not gone))
    return gone


def _parsed(content: bytes, name: str) -> tuple[Budget, ...]:
    try:
        found = from_object(_File, parse_object(content, 'it'), 'budgets')
        if found.format != FORMAT:
            raise ConfigError(f'format is {found.format}; allowed: {FORMAT}.')
        periods = [budget.period for budget in found.budgets]
        if len(set(periods)) < len(periods):
            raise ConfigError('a period is there twice; keep one of them.')
    except ConfigError as error:
        raise ConfigError(f'{name}: {error} Mend or delete it.') from None
    return _in_order(found.budgets)


def _in_order(budgets: tuple[Budget, ...]) -> tuple[Budget, ...]:
    order = list(Period)
    return tuple(sorted(budgets, key=lambda budget: order.index(budget.period)))


def _write(budgets: tuple[Budget, ...]) -> None:
    text = to_json(_File(format=FORMAT, budgets=_in_order(budgets)))
    write_atomically(budgets_path(), text.encode())


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Let nobody else change the file meanwhile; the lock ends with the process."""
    racer_home().mkdir(parents=True, exist_ok=True)
    handle = os.open(racer_home(), os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
