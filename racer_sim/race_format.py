"""What kind of race it is: who and what shares the track with a car."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from racer_vehicle.errors import ConfigError
from racer_vehicle.spec import require_range

LEFT: Final = 1
RIGHT: Final = -1
LANE_SHARE: Final = 0.5
"""Middle of a lane: midway between the centre line and the border, as in DeepRacer."""


class RaceType(StrEnum):
    """The kinds of race, by the words that people type."""

    TIME_TRIAL = 'time-trial'
    OBJECT_AVOIDANCE = 'object-avoidance'
    HEAD_TO_BOT = 'head-to-bot'
    HEAD_TO_HEAD = 'head-to-head'


@dataclass(frozen=True, slots=True, kw_only=True)
class Obstacles:
    """Boxes that stand on the track.

    Attributes:
        count: How many; 0: none.
        places: For each, share of the lap and lane (1 left, -1 right, in the direction of travel);
            none: drawn at random, evenly over the lap.
        moved: Whether those at random are drawn again for every lap, and not only for every run.
        min_gap_m: Least distance between two of them along the centre line, middle to middle.
    """

    count: int = 0
    places: tuple[tuple[float, int], ...] = ()
    moved: bool = True
    min_gap_m: float = 2.0

    def __post_init__(self) -> None:
        require_range(self, count=(0, 6), min_gap_m=(0.5, 100.0))
        if self.places and len(self.places) != self.count:
            raise ConfigError(f'places name {len(self.places)} obstacles and count is '
                              f'{self.count}; allowed: a place for each, or none.')
        # Read from a file they are lists.
        object.__setattr__(self, 'places', tuple((share, lane) for share, lane in self.places))
        for share, lane in self.places:
            if not 0.0 <= share < 1.0 or lane not in (LEFT, RIGHT):
                raise ConfigError(f'place of an obstacle is {share}, {lane}; allowed: share of '
                                  'the lap from 0 to below 1, and lane 1 (left) or -1 (right).')


@dataclass(frozen=True, slots=True, kw_only=True)
class Bots:
    """Scripted cars that go round in their lane, slower than whoever should overtake them.

    They stop for whatever is in their way, and change lanes only where there is room.

    Attributes:
        count: How many; 0: none.
        slowest_mps: Least speed along the centre line. One is drawn for all bots of a run: where
            one overtakes another, nobody else can pass.
        fastest_mps: The most.
        changes_lanes: Whether they change lanes now and then.
        steady_share: Share of the bots, drawn anew for a run, that keep their lane all the same:
            who has only met others learns to wait until they make way.
        change_after_s: Range of the time between two changes. 3 to 5, DeepRacer.
        change_within_m: Distance that a change takes. 1.
        min_gap_m: Least distance between two of them when they start, middle to middle.
    """

    count: int = 0
    slowest_mps: float = 0.5
    fastest_mps: float = 0.5
    changes_lanes: bool = False
    steady_share: float = 0.0
    change_after_s: tuple[float, float] = (3.0, 5.0)
    change_within_m: float = 1.0
    min_gap_m: float = 2.0

    def __post_init__(self) -> None:
        require_range(self, count=(0, 4), slowest_mps=(0.0, self.fastest_mps),
                      fastest_mps=(0.0, 6.0), steady_share=(0.0, 1.0), change_within_m=(0.2, 10.0),
                      min_gap_m=(0.5, 100.0))
        low_s, high_s = self.change_after_s
        object.__setattr__(self, 'change_after_s', (low_s, high_s))
        if not 0.1 <= low_s <= high_s <= 3600.0:
            raise ConfigError(f'change_after_s is {self.change_after_s}; allowed: 0.1 <= low <= '
                              'high <= 3600.')


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceFormat:
    """Who and what is on the track.

    Attributes:
        cars: Learned cars that share it: they see and can hit each other.
        obstacles: Boxes; only with one car and no bots.
        bots: Scripted cars; only with one car and no obstacles.
    """

    cars: int = 1
    obstacles: Obstacles = field(default_factory=Obstacles)
    bots: Bots = field(default_factory=Bots)

    def __post_init__(self) -> None:
        require_range(self, cars=(1, 8))
        company = self.cars > 1, self.obstacles.count > 0, self.bots.count > 0
        if sum(company) > 1:
            raise ConfigError(f'{self.cars} cars, {self.obstacles.count} obstacles and '
                              f'{self.bots.count} bots share a track; allowed: several cars, or '
                              'one with either obstacles or bots.')

    @property
    def type(self) -> RaceType:
        """What people call it."""
        if self.cars > 1:
            return RaceType.HEAD_TO_HEAD
        if self.bots.count:
            return RaceType.HEAD_TO_BOT
        return RaceType.OBJECT_AVOIDANCE if self.obstacles.count else RaceType.TIME_TRIAL

    @property
    def has_company(self) -> bool:
        """Whether a car can meet anything."""
        return self.type is not RaceType.TIME_TRIAL

    @property
    def can_overtake(self) -> bool:
        """Whether a car can meet others that move."""
        return self.bots.count > 0 or self.cars > 1


STANDARD_FORMATS: Final = {
    RaceType.TIME_TRIAL: RaceFormat(),
    RaceType.OBJECT_AVOIDANCE: RaceFormat(obstacles=Obstacles(count=3)),
    RaceType.HEAD_TO_BOT: RaceFormat(bots=Bots(count=3, slowest_mps=0.3, fastest_mps=1.0,
                                               changes_lanes=True, steady_share=0.5)),
    RaceType.HEAD_TO_HEAD: RaceFormat(cars=4),
}
"""What is meant where only the type is named."""
