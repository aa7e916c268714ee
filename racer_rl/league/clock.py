"""Moments of a league: UTC, written so that their texts sort as they do."""

from __future__ import annotations

import datetime

from racer_vehicle.errors import ConfigError

Moment = datetime.datetime


def now() -> Moment:
    """This moment."""
    return datetime.datetime.now(datetime.UTC)


def as_text(moment: Moment) -> str:
    """UTC, ISO 8601, to the microsecond: always of the same length."""
    return moment.astimezone(datetime.UTC).isoformat(timespec='microseconds')


def parse_moment(what: str, text: str) -> Moment:
    """A moment as people type it.

    Args:
        what: It is for, e.g. `--opens`.
        text: ISO 8601 with its zone, e.g. `2027-03-01T18:00+01:00`, or with `Z` for UTC.

    Raises:
        ConfigError: It is no moment, or it has no zone.
    """
    try:
        moment = datetime.datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError('it has no zone')
        return moment.astimezone(datetime.UTC)
    except (ValueError, OverflowError) as error:
        raise ConfigError(f'{what} is {text!r} ({error}); allowed: date, time and zone, e.g. '
                          '2027-03-01T18:00+01:00, or 2027-03-01T17:00Z.') from None


def shown(text: str) -> str:
    """A moment of the store for people: `2027-03-01 17:00 UTC`; empty stays empty."""
    return f'{text[:16].replace("T", " ")} UTC' if text else ''
