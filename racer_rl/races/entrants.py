"""Who races: a policy bundle, or one of the included yardsticks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from racer_vehicle.errors import ConfigError, ModelMismatchError, UnknownNameError
from racer_vehicle.policy import PolicyBundle
from racer_vehicle.spec import CarSpec

BOTS: Final = ('slow', 'medium', 'optimal')
"""Yardsticks by name: see `racer_rl.races.bots`."""

MOST_NAME: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrant:
    """One who wants to race.

    Attributes:
        name: On the standings; no line breaks or other characters that cannot be seen.
        bundle: The policy that drives; None for a bot.
        bot: Name of the bot that drives, of `BOTS`; empty for a policy.
    """

    name: str
    bundle: PolicyBundle | None = None
    bot: str = ''

    def __post_init__(self) -> None:
        if not 1 <= len(self.name) <= MOST_NAME or not self.name.isprintable():
            raise ConfigError(f'name of an entrant is {self.name!r}; allowed: 1 to {MOST_NAME} '
                              'characters that can be seen.')
        if (self.bundle is None) == (self.bot == ''):
            raise ConfigError(f'entrant {self.name!r} has a policy and a bot, or neither; '
                              'allowed: one of the two.')
        if self.bot and self.bot not in BOTS:
            raise UnknownNameError('bot', self.bot, BOTS)

    @property
    def identity(self) -> str:
        """`sha256:` and the digest of the policy bundle, or `bot:` and the bot's name."""
        return f'bot:{self.bot}' if self.bundle is None else f'sha256:{self.bundle.sha256}'


def car_of(entrants: Sequence[Entrant]) -> CarSpec:
    """The one kind of car that all entrants drive.

    It is the car that the first policy was trained for, with the lidar of the first that reads
    one; without any policy it is the car as specified.

    Raises:
        ModelMismatchError: Policies were trained for different cars, or for two cameras.
    """
    bundles = [entrant.bundle for entrant in entrants if entrant.bundle is not None]
    if not bundles:
        return CarSpec()
    car = bundles[0].card.fitting_car
    scanned = (bundle.card.observation.native_lidar for bundle in bundles
               if bundle.card.observation.lidar_sensor is not None)
    car = replace(car, lidar=next(scanned, car.lidar))
    for entrant in entrants:
        if entrant.bundle is not None:
            try:
                entrant.bundle.card.require_fits(car)
            except ModelMismatchError as error:
                raise ModelMismatchError(
                    f'{entrant.name!r} cannot race here: {error} All cars of a race are of one '
                    'kind, that of its first policy.') from None
    return car
