"""The wall clock, which jumps when it is set; to measure time, take `time.monotonic`."""

from __future__ import annotations

import datetime


def utc_s() -> float:
    """Seconds since 1970, UTC."""
    return datetime.datetime.now(datetime.UTC).timestamp()


def utc_now() -> str:
    """UTC, ISO 8601, to the millisecond: such texts sort as their moments do."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec='milliseconds')
