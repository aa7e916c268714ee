"""Less than a core: a Linux control group with a quota, for programs as a small board has them.

A quota lets a program run at full speed for a while and then not at all; it does not slow the
clock. So the while is as short as the kernel allows, 1 ms, and the pause follows from the share:
3 ms at a quarter of a core. Over many decisions the mean time of one is then that of a core with
this share of the speed; a single one may be quicker, or longer by a pause.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from racer_vehicle.errors import ConfigError

QUOTA_US: Final = 1000
"""The least that Linux takes."""

ROOT: Final = Path('/sys/fs/cgroup')


def require_share(share: float) -> None:
    """Refuse a share of which there can be no group.

    Raises:
        ConfigError: It is outside 0.01 to 0.99.
    """
    if not 0.01 <= share <= 0.99:
        raise ConfigError(f'CPU share is {share:g}; allowed: 0.01 to 0.99 of one core.')


def period_us(share: float) -> int:
    """Length of a turn of running and pausing.

    Args:
        share: Of one core, 0.01 to 0.99.
    """
    return round(QUOTA_US / share)


@contextmanager
def cpu_share(share: float, root: Path = ROOT) -> Iterator[Path]:
    """A group whose processes together get a share of one core.

    Args:
        share: Of one core, 0.01 to 0.99.
        root: Where control groups are mounted.

    Yields:
        The file that takes in a process whose number is written to it.

    Raises:
        ConfigError: Another share, or this system gives us no group.
    """
    require_share(share)
    second = (root / 'cgroup.controllers').is_file()
    group = (root if second else root / 'cpu') / f'racer-bench-{os.getpid()}'
    try:
        if second:
            (root / 'cgroup.subtree_control').write_text('+cpu', encoding='ascii')
        group.mkdir()
    except OSError as error:
        raise ConfigError(
            f'cannot make control group {group} ({error.strerror}); allowed: Linux with CPU '
            'groups, as root (in a container: with /sys/fs/cgroup writable); or leave out '
            '--cpu-share and measure on the board itself.'
        ) from None
    try:
        _limit(group, period_us(share), second)
        yield group / 'cgroup.procs'
    finally:
        group.rmdir()


def _limit(group: Path, period: int, second: bool) -> None:
    """Set quota and period, as version 1 or the second version of control groups has them."""
    if second:
        (group / 'cpu.max').write_text(f'{QUOTA_US} {period}', encoding='ascii')
    else:
        (group / 'cpu.cfs_period_us').write_text(str(period), encoding='ascii')
        (group / 'cpu.cfs_quota_us').write_text(str(QUOTA_US), encoding='ascii')
