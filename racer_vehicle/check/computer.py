"""Whether the car's computer is fit to drive: room on the disk, a sane clock, not too hot."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from racer_vehicle.check.outcome import Outcome, Problem

LEAST_FREE_MB: Final = 500.0
"""Logs of a day, and room for the next release."""

NOT_BEFORE: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""A clock that says less has lost its time; boards without a battery begin in 1970 or 2023."""

HOTTEST_C: Final = 80.0
"""Boards of this class begin to slow down here, and then decisions come late."""

SYNCHRONISED: Final = Path('/run/systemd/timesync/synchronized')
ZONES: Final = Path('/sys/class/thermal')


def check_disk(folder: Path) -> Outcome:
    """Room where the car writes.

    Args:
        folder: It exists.
    """
    free_mb = shutil.disk_usage(folder).free / 1e6
    problems = [] if free_mb >= LEAST_FREE_MB else [Problem(
        f'{free_mb:.0f} MB are free in {folder}; allowed: {LEAST_FREE_MB:.0f} or more.',
        'Remove old logs and releases.')]
    return Outcome.of('disk', {'free_mb': round(free_mb)}, problems)


def check_clock(now: datetime, synchronised: Path = SYNCHRONISED) -> Outcome:
    """Whether the time of day can be right.

    Args:
        now: What the clock says, with a time zone.
        synchronised: File that exists once the time came from the network.
    """
    problems = [] if now >= NOT_BEFORE else [Problem(
        f'the clock says {now:%Y-%m-%d %H:%M}; allowed: {NOT_BEFORE:%Y} or later.',
        'Set it (timedatectl set-time), or let the car find the network once.')]
    remark = '' if synchronised.exists() else (
        'not set from the network by systemd-timesyncd; needed only where two machines stamp')
    return Outcome.of('clock', {'utc': f'{now:%Y-%m-%dT%H:%M:%SZ}'}, problems, remark)


def check_temperature(zones: Path = ZONES) -> Outcome:
    """The hottest sensor that Linux shows.

    Args:
        zones: Folder of `thermal_zone*/temp`, thousandths of a degree.
    """
    hottest_c = max(_readings(zones.glob('thermal_zone*/temp')), default=None)
    if hottest_c is None:
        return Outcome.skipped('temperature', 'this computer shows none')
    problems = [] if hottest_c <= HOTTEST_C else [Problem(
        f'{hottest_c:.0f} C; allowed: {HOTTEST_C:.0f}.', 'Let it cool; give it a fan.')]
    return Outcome.of('temperature', {'celsius': hottest_c}, problems)


def _readings(files: Iterable[Path]) -> Iterable[float]:
    for file in files:
        try:
            yield int(file.read_text()) / 1000.0
        except (OSError, ValueError):
            continue
