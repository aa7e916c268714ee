"""Durations as people write and read them: 90s, 10m, 1.5h."""

from __future__ import annotations

import re
from typing import Final

from racer_vehicle.errors import ConfigError

_UNITS: Final = {'s': 1.0, 'm': 60.0, 'h': 3600.0}


def parse_duration(text: str) -> float:
    """Seconds of `90s`, `10m` or `1.5h`.

    Raises:
        ConfigError: Anything else, or not longer than zero.
    """
    match = re.fullmatch(r'(\d+(?:\.\d+)?)([smh])', text.strip())
    if match is None or float(match[1]) == 0.0:
        raise ConfigError(
            f'duration is {text!r}; allowed: a number above 0 with s, m or h, e.g. 90s, 10m, 1.5h.'
        )
    return float(match[1]) * _UNITS[match[2]]


def format_duration(seconds: float) -> str:
    """`42 s`, `3:05 min` or `1:02:03 h`."""
    whole = int(seconds)
    if whole < 60:
        return f'{seconds:.1f} s' if seconds < 10.0 else f'{whole} s'
    if whole < 3600:
        return f'{whole // 60}:{whole % 60:02d} min'
    return f'{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d} h'
