"""What a race of the league is about, and the conditions that may stay hidden until it closes."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

from racer_rl.league.ranking import LONGEST_S, Measure, Ranking
from racer_rl.races.plan import RacePlan
from racer_sim.randomization import NONE, Randomization
from racer_vehicle.errors import ConfigError
from racer_vehicle.spec import require_range
from racer_vehicle.strict_json import from_object, parse_object, to_json

_READ: Final = 64
"""So many are remembered: every submission asks for those of the league's races."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What differs from race to race, the same for every entry of one.

    Attributes:
        seed: Of everything random.
        randomization: Of light, car and sensors.
        salt: 64 hexadecimal digits drawn for hidden ones, so that nobody finds them by trying;
            empty: they are known to all.
    """

    seed: int = 0
    randomization: Randomization = NONE
    salt: str = ''

    def __post_init__(self) -> None:
        require_range(self, seed=(0, 2**63 - 1))

    @classmethod
    def hidden(cls, randomization: Randomization) -> Conditions:
        """Conditions that nobody can guess."""
        return cls(seed=secrets.randbits(63), randomization=randomization,
                   salt=secrets.token_hex(32))

    @property
    def commitment(self) -> str:
        """SHA-256 of `to_json`, hexadecimal: told before, it proves afterwards which they were."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def to_json(self) -> str:
        """The same text for the same conditions."""
        return to_json(self)

    @classmethod
    @lru_cache(maxsize=_READ)
    def from_json(cls, text: str) -> Conditions:
        """What `to_json` wrote.

        Raises:
            ConfigError: It is something else.
        """
        return from_object(cls, parse_object(text, 'the conditions'), 'the conditions')


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceTerms:
    """What everybody may know of a race before it begins.

    Attributes:
        plan: Track, kind of race and rules; its seed and randomisation are those of the
            conditions, which come later.
        ranking: What it is won by.
        max_submissions: Of one racer; 0: any number.
    """

    plan: RacePlan
    ranking: Ranking = field(default_factory=Ranking)
    max_submissions: int = 0

    def __post_init__(self) -> None:
        require_range(self, max_submissions=(0, 1_000_000))
        if self.plan.rules.time_limit_s >= LONGEST_S:
            raise ConfigError(f'the race may take {self.plan.rules.time_limit_s:g} s; allowed in '
                              f'a league: less than {LONGEST_S:g}.')
        laps, consecutive = self.plan.rules.laps, self.ranking.consecutive
        if self.ranking.by is Measure.AVERAGE and consecutive > laps:
            raise ConfigError(f'ranked by {consecutive} consecutive laps of a race of {laps}; '
                              'allowed: at most as many as the race has: fewer --consecutive or '
                              'more --laps.')

    def plan_under(self, conditions: Conditions) -> RacePlan:
        """The whole plan."""
        return replace(self.plan, seed=conditions.seed, randomization=conditions.randomization)

    def to_json(self) -> str:
        """Readable JSON."""
        return to_json(self)

    @classmethod
    @lru_cache(maxsize=_READ)
    def from_json(cls, text: str) -> RaceTerms:
        """What `to_json` wrote.

        Raises:
            ConfigError: It is something else, or of another version of racer.
        """
        return from_object(cls, parse_object(text, 'the terms'), 'the terms')
