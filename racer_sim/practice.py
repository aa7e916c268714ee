"""Practice tracks: as many generated tracks as one wants, each different, by number.

A policy that has driven one track knows that track. One that has driven many of different lengths,
widths and bends can drive others. Their ranges hold what club and home tracks are like.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

import numpy as np

from racer_sim.track import Track
from racer_sim.track_generator import generate_track
from racer_vehicle.errors import ConfigError

LENGTH_M: Final = (12.0, 32.0)
WIDTH_M: Final = (0.55, 1.3)
MIN_RADIUS_M: Final = (0.45, 0.9)
"""Ranges that a track's demands are drawn from, evenly."""

MOST: Final = 256
"""In one pool: each holds a few megabytes of painted ground."""

_ONE: Final = re.compile(r'practice-(\d{1,9})')
_POOL: Final = re.compile(r'practice:(\d{1,9})')


@cache
def practice_track(number: int) -> Track:
    """The practice track of a number, always the same."""
    random = np.random.default_rng((number, 0x7AC3))
    width_m = random.uniform(*WIDTH_M)
    length_m = max(random.uniform(*LENGTH_M), 16.0 * width_m)
    return generate_track(number, length_m=length_m, width_m=width_m,
                          min_radius_m=random.uniform(*MIN_RADIUS_M), name=f'practice-{number}')


def practice_number(name: str) -> int | None:
    """The number in a name like `practice-7`; None for another name."""
    found = _ONE.fullmatch(name.lower())
    return int(found[1]) if found else None


def expand_pool(name: str) -> tuple[str, ...]:
    """The names that `practice:32` stands for; any other name stands for itself.

    Raises:
        ConfigError: It asks for none or too many.
    """
    found = _POOL.fullmatch(name.lower())
    if not found:
        return (name,)
    count = int(found[1])
    if not 1 <= count <= MOST:
        raise ConfigError(f'{name} asks for {count} practice tracks; allowed: 1 to {MOST}.')
    return tuple(f'practice-{number}' for number in range(count))
