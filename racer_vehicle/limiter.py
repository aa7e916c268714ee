"""The last look at a command before the motor: finite, and inside what the car can do."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from racer_vehicle.errors import ConfigError
from racer_vehicle.signals import NEUTRAL, DriveCommand
from racer_vehicle.spec import CarSpec


class Limiting(StrEnum):
    """What became of a command."""

    NONE = 'as commanded'
    RANGE = 'cut to the range'
    NOT_FINITE = 'not finite: neutral'


@dataclass(frozen=True, slots=True, kw_only=True)
class DriveLimiter:
    """Cuts commands to a range, the same forwards and backwards.

    Attributes:
        max_steering_rad: To either side.
        max_speed_mps: The car's, or less by an operator's wish; 0 lets the car only steer.
    """

    max_steering_rad: float
    max_speed_mps: float

    def __post_init__(self) -> None:
        for name in ('max_steering_rad', 'max_speed_mps'):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0.0):
                raise ConfigError(f'DriveLimiter.{name} is {value!r}; allowed: 0 or more, finite.')

    @classmethod
    def for_car(cls, car: CarSpec, max_speed_mps: float | None = None) -> DriveLimiter:
        """Limits of a car.

        Args:
            car: The car.
            max_speed_mps: An operator's cap; a higher one than the car's does nothing.
        """
        cap_mps = car.max_speed_mps if max_speed_mps is None else max_speed_mps
        return cls(max_steering_rad=car.max_steering_rad,
                   max_speed_mps=min(cap_mps, car.max_speed_mps))

    def limit(self, command: DriveCommand) -> tuple[DriveCommand, Limiting]:
        """The command that may be applied, and what was done to get there."""
        if not (math.isfinite(command.steering_rad) and math.isfinite(command.speed_mps)):
            # Not the finite half of it: whatever computed the other half computed this one too.
            return NEUTRAL, Limiting.NOT_FINITE
        cut = DriveCommand(steering_rad=_clip(command.steering_rad, self.max_steering_rad),
                           speed_mps=_clip(command.speed_mps, self.max_speed_mps))
        return cut, Limiting.NONE if cut == command else Limiting.RANGE


def _clip(value: float, limit: float) -> float:
    return max(-limit, min(limit, value))
