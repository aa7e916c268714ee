"""What this machine costs: a table of prices, each with its date and source, that people edit."""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from racer_rl.budget.money import Money, require_currency
from racer_rl.budget.strict_yaml import parse_yaml
from racer_vehicle.errors import ConfigError, UnknownNameError
from racer_vehicle.spec import require_range
from racer_vehicle.storage import racer_home, write_atomically
from racer_vehicle.strict_json import from_object

FORMAT: Final = 1

MACHINE: Final = 'RACER_MACHINE'
"""Variable in the environment that names the row of this machine."""

SHIPPED: Final = Path(__file__).with_name('prices.yaml')

_HOUR_S: Final = 3600.0
_KWH_J: Final = 3.6e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Electricity:
    """A machine of one's own, of which the electricity counts.

    Attributes:
        per_kwh: Money for a kilowatt-hour, 0 to 1000.
        currency: Of it.
        busy_core_w: Watts that a working core takes more than a resting one, 0 to 10,000.
        idle_w: Watts of the whole machine at rest, 0 to 10,000.
        date: When that held, ISO 8601.
        source: Where it comes from.
    """

    per_kwh: float
    currency: str
    busy_core_w: float
    idle_w: float
    date: str
    source: str

    def __post_init__(self) -> None:
        """Refuse what cannot be a price."""
        require_range(self, per_kwh=(0.0, 1000.0), busy_core_w=(0.0, 1e4), idle_w=(0.0, 1e4))
        _require_told(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rented:
    """A machine by the hour, whatever it does meanwhile.

    Attributes:
        per_hour: Money for an hour, 0 to 100,000.
        currency: Of it.
        date: When that held, ISO 8601.
        source: Where it comes from.
    """

    per_hour: float
    currency: str
    date: str
    source: str

    def __post_init__(self) -> None:
        """Refuse what cannot be a price."""
        require_range(self, per_hour=(0.0, 1e5))
        _require_told(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What one unit of a currency is worth in that of the table.

    Attributes:
        worth: In the table's currency, 1e-9 to 1e9.
        date: When that held, ISO 8601.
        source: Where it comes from.
    """

    worth: float
    date: str
    source: str

    def __post_init__(self) -> None:
        """Refuse what cannot be a rate."""
        require_range(self, worth=(1e-9, 1e9))
        _require_date(self.date, 'Exchange.date')


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What a run on a machine costs by the second.

    Attributes:
        machine: Row of the table.
        currency: That of the table.
        per_wall_s: Money for a second of the machine; runs that share it share this.
        per_cpu_s: Money for a second of one core.
        idle_w: Watts at rest; None if the table has none.
        busy_core_w: Watts of a working core; None if the table has none.
        date: Of the price, ISO 8601.
        why: In words: what is paid, since when and by which table.
    """

    machine: str
    currency: str
    per_wall_s: float
    per_cpu_s: float
    idle_w: float | None
    busy_core_w: float | None
    date: str
    why: str

    def cost(self, wall_s: float, cpu_s: float) -> Money:
        """What so much takes, on a machine that it has for itself."""
        return Money(wall_s * self.per_wall_s + cpu_s * self.per_cpu_s, self.currency)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTable:
    """A whole table.

    Attributes:
        format: Of the file, 1.
        currency: Of all sums.
        machine: Row that this machine is.
        exchange: Currency to what it is worth.
        machines: Rows by name.
    """

    format: int
    currency: str
    machine: str
    exchange: Mapping[str, Exchange]
    machines: Mapping[str, Electricity | Rented]

    def __post_init__(self) -> None:
        """Refuse a table of which a row could not be used."""
        if self.format != FORMAT:
            raise ConfigError(f'format is {self.format}; allowed: {FORMAT}.')
        require_currency(self.currency, 'currency')
        for currency in self.exchange:
            require_currency(currency, 'exchange')
        known = {*self.exchange, self.currency}
        for name, row in self.machines.items():
            if row.currency not in known:
                raise ConfigError(
                    f'machines.{name}.currency is {row.currency}; allowed: '
                    f'{", ".join(sorted(known))}; say under `exchange` what one {row.currency} '
                    f'is worth in {self.currency}.')
        self._row(self.machine)

    def rate(self, machine: str) -> Rate:
        """What a machine costs by the second, in the table's currency.

        Raises:
            UnknownNameError: The table has no such row.
        """
        row = self._row(machine)
        foreign = row.currency != self.currency
        worth = self.exchange[row.currency].worth if foreign else 1.0
        at = f', 1 {row.currency} = {worth:g} {self.currency}' if foreign else ''
        if isinstance(row, Rented):
            return Rate(
                machine=machine, currency=self.currency, per_wall_s=row.per_hour / _HOUR_S * worth,
                per_cpu_s=0.0, idle_w=None, busy_core_w=None, date=row.date,
                why=f'{machine}: {row.per_hour:g} {row.currency} an hour ({row.date}{at})')
        per_joule = row.per_kwh / _KWH_J * worth
        return Rate(
            machine=machine, currency=self.currency, per_wall_s=row.idle_w * per_joule,
            per_cpu_s=row.busy_core_w * per_joule, idle_w=row.idle_w, busy_core_w=row.busy_core_w,
            date=row.date,
            why=f'{machine}: {row.per_kwh:g} {row.currency} a kWh, {row.busy_core_w:g} W a busy '
                f'core, {row.idle_w:g} W at rest ({row.date}{at})')

    def _row(self, machine: str) -> Electricity | Rented:
        if machine not in self.machines:
            raise UnknownNameError('machine of the price table', machine, self.machines,
                                   'See: racer budget prices.')
        return self.machines[machine]


def parse_prices(text: str, name: str) -> PriceTable:
    """The table in a text.

    Args:
        text: YAML, as the file that racer comes with.
        name: Of the document, for messages.

    Raises:
        ConfigError: It is something else; what, and where.
    """
    try:
        return from_object(PriceTable, parse_yaml(text), 'table')
    except ConfigError as error:
        raise ConfigError(f'{name}: {error}') from None


def price_table() -> PriceTable:
    """The person's own table, or the one that racer comes with.

    Raises:
        ConfigError: The person's own cannot be used.
    """
    path = own_path() if own_path().exists() else SHIPPED
    try:
        text = path.read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f'cannot read {path} ({error}); mend or delete it.') from None
    return parse_prices(text, str(path))


def own_path() -> Path:
    """Where the person's own table is, or would be."""
    return racer_home() / 'prices.yaml'


def own_copy() -> Path:
    """The person's own table; a copy of the one that racer comes with if there was none yet.

    Raises:
        OSError: The disk refused.
    """
    if not own_path().exists():
        write_atomically(own_path(), SHIPPED.read_bytes())
    return own_path()


def rate_of_this_machine() -> Rate:
    """What this machine costs: the row that `RACER_MACHINE` or the table itself names.

    Raises:
        ConfigError: There is no such row, or the table cannot be used.
    """
    table = price_table()
    return table.rate(os.environ.get(MACHINE) or table.machine)


def _require_told(row: Electricity | Rented) -> None:
    require_currency(row.currency, f'{type(row).__name__}.currency')
    _require_date(row.date, f'{type(row).__name__}.date')


def _require_date(date: str, name: str) -> None:
    try:
        datetime.date.fromisoformat(date)
    except ValueError:
        raise ConfigError(f'{name} is {date!r}; allowed: a day, e.g. 2026-11-26.') from None
