"""Divisions, and who moves up at the end of a season: the best tenth of each."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from racer_rl.league.names import name_key, require_name
from racer_rl.league.standings import Standing
from racer_vehicle.errors import ConfigError
from racer_vehicle.spec import require_range

TOP_SHARE: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Divisions:
    """The ladder of a league.

    Attributes:
        names: Lowest first; whoever joins begins there.
        promoted_share: Share of those ranked in a season who move up; see `promoted`.
    """

    names: tuple[str, ...] = ('Open', 'Pro')
    promoted_share: float = TOP_SHARE

    def __post_init__(self) -> None:
        require_range(self, promoted_share=(0.0, 1.0))
        for name in self.names:
            require_name('division', name)
        if not self.names or len(set(map(name_key, self.names))) < len(self.names):
            raise ConfigError(f'divisions are {", ".join(self.names) or "none"}; allowed: at '
                              'least one, each once.')

    def promoted(self, ranked: int) -> int:
        """How many of a division move up: its share of those ranked, rounded up.

        Args:
            ranked: Racers of the division with a time in the season.
        """
        # A tenth has no exact binary form: 0.1 * 30 must not become 4.
        return math.ceil(round(self.promoted_share * ranked, 9))

    def promotions(self, races: Iterable[Iterable[Standing]]) -> dict[str, int]:
        """Division to how many of it move up; the highest has nowhere to go.

        Args:
            races: Standings of a season's races.
        """
        ranked = Counter(division for _, division in
                         {(line.racer, line.division) for race in races for line in race})
        return {name: self.promoted(ranked[name]) for name in self.names[:-1]}

    def above(self, name: str) -> str:
        """The next higher division."""
        return self.names[self.names.index(name) + 1]
