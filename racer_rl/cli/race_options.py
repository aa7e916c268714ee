"""The options that say what kind of race it is: the same for every command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final

import typer

from racer_sim.race_format import LEFT, RIGHT, STANDARD_FORMATS, RaceFormat, RaceType
from racer_vehicle.errors import ConfigError, UnknownNameError

LANES: Final = {'left': LEFT, 'right': RIGHT}
RACE_OPTIONS: Final = ('race', 'obstacles', 'place', 'bots', 'bot_speed', 'cars')

RaceOption = Annotated[str | None, typer.Option(
    help=f'Kind of race: {", ".join(RaceType)}.', show_default='as the next options have it')]
ObstaclesOption = Annotated[int | None, typer.Option(
    help='Boxes on the track, 1 to 6 (object avoidance).', show_default='3')]
PlaceOption = Annotated[list[str] | None, typer.Option(
    help='Where a box stands, as share of the lap and lane, e.g. 0.25,left; once for each box. '
         'Otherwise at random, anew for each lap.')]
BotsOption = Annotated[int | None, typer.Option(
    help='Bots on the track, 1 to 4 (head to bot).', show_default='3')]
BotSpeedOption = Annotated[str | None, typer.Option(
    help='Of the bots, m/s: 0.5, or a range that each run draws from: 0.3:0.7.')]
CarsOption = Annotated[int | None, typer.Option(
    help='Cars that share the track, 2 to 8 (head to head).', show_default='4')]


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceWords:
    """What was typed; None: nothing.

    Attributes:
        race: Type of the race.
        obstacles: How many boxes.
        place: Where they stand.
        bots: How many.
        bot_speed: Theirs.
        cars: How many share the track.
    """

    race: str | None = None
    obstacles: int | None = None
    place: Sequence[str] | None = None
    bots: int | None = None
    bot_speed: str | None = None
    cars: int | None = None

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> RaceWords:
        """Of a command's parameters, among others; an option that it has not was not typed."""
        typed = {name: options.get(name) for name in RACE_OPTIONS}
        return cls(**{**typed, 'place': typed['place'] or None})

    @property
    def _types(self) -> dict[str, RaceType]:
        """The options that were typed, and to which type of race each belongs."""
        belongs = {'obstacles': RaceType.OBJECT_AVOIDANCE, 'place': RaceType.OBJECT_AVOIDANCE,
                   'bots': RaceType.HEAD_TO_BOT, 'bot_speed': RaceType.HEAD_TO_BOT,
                   'cars': RaceType.HEAD_TO_HEAD}
        return {name: kind for name, kind in belongs.items() if getattr(self, name) is not None}

    def format(self) -> RaceFormat | None:
        """The format asked for, as is usual for its type where nothing else is; None: none was.

        Raises:
            UnknownNameError: Of the type.
            ConfigError: An option does not belong to it, or its value cannot be used.
        """
        types = self._types
        if self.race is not None and self.race not in tuple(RaceType):
            raise UnknownNameError('race', self.race, tuple(RaceType))
        if self.race is None and not types:
            return None
        kind = RaceType(self.race) if self.race else next(iter(types.values()))
        for name, belongs_to in types.items():
            option, value = name.replace('_', '-'), getattr(self, name)
            if belongs_to is not kind:
                raise ConfigError(f'--{option} is given for a race of type {kind}; allowed with '
                                  f'{belongs_to} only: leave it out, or race that.')
            if value == 0 or (name == 'cars' and value == 1):
                raise ConfigError(f'--{option} is {value}; without company it is another race: '
                                  f'--race {RaceType.TIME_TRIAL}.')
        return self._changed(STANDARD_FORMATS[kind])

    def _changed(self, usual: RaceFormat) -> RaceFormat:
        boxes = tuple(map(_place, self.place or ()))
        bots = usual.bots if self.bots is None else replace(usual.bots, count=self.bots)
        if self.bot_speed is not None:
            low_mps, high_mps = _speeds(self.bot_speed)
            bots = replace(bots, slowest_mps=low_mps, fastest_mps=high_mps)
        count = self.obstacles or len(boxes) or usual.obstacles.count
        return RaceFormat(cars=self.cars or usual.cars, bots=bots,
                          obstacles=replace(usual.obstacles, places=boxes, count=count))


def _place(text: str) -> tuple[float, int]:
    share, _, lane = text.partition(',')
    try:
        return float(share), LANES[lane.strip()]
    except (ValueError, KeyError):
        raise ConfigError(f'--place is {text!r}; allowed: share of the lap and lane, e.g. '
                          '0.25,left or 0.6,right.') from None


def _speeds(text: str) -> tuple[float, float]:
    low, _, high = text.partition(':')
    try:
        return float(low), float(high or low)
    except ValueError:
        raise ConfigError(f'--bot-speed is {text!r}; allowed: m/s, e.g. 0.5, or a range, e.g. '
                          '0.3:0.7.') from None
