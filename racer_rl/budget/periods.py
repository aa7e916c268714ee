"""Months, quarters and years as people have them: in their time zone, summer time included."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from enum import StrEnum


class Period(StrEnum):
    """What a budget is for."""

    MONTHLY = 'monthly'
    QUARTERLY = 'quarterly'
    ANNUAL = 'annual'
    RUN = 'run'

    @property
    def months(self) -> int:
        """Its length; 0 of a run, which is no stretch of the calendar."""
        return {Period.MONTHLY: 1, Period.QUARTERLY: 3, Period.ANNUAL: 12, Period.RUN: 0}[self]


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the calendar.

    Attributes:
        name: `2026-11`, `2026-Q4` or `2026`.
        begin_s: Its first moment, seconds since 1970, UTC.
        end_s: The first moment of the next one.
    """

    name: str
    begin_s: float
    end_s: float


def span_of(period: Period, now_s: float, zone: datetime.tzinfo | None = None) -> Span:
    """The month, quarter or year of a moment.

    Args:
        period: Which of them; not `RUN`.
        now_s: The moment, seconds since 1970, UTC.
        zone: Whose calendar; None is that of this machine.

    Returns:
        From its first midnight to that of the next one; both are moments at which, in zones of
        today, a quarter of an hour begins.
    """
    today = datetime.datetime.fromtimestamp(now_s, zone)
    months = period.months
    first = today.year * 12 + (today.month - 1) // months * months
    name = {Period.MONTHLY: f'{today.year}-{today.month:02d}',
            Period.QUARTERLY: f'{today.year}-Q{(today.month + 2) // 3}'}
    return Span(name.get(period, str(today.year)), _first_moment(first, zone),
                _first_moment(first + months, zone))


def _first_moment(month: int, zone: datetime.tzinfo | None) -> float:
    """Of a month, counted from the year 0; without a zone, Python asks the machine's."""
    return datetime.datetime(month // 12, month % 12 + 1, 1, tzinfo=zone).timestamp()
