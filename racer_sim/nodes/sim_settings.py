"""What the simulator node may be told, and whoever stands in for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from racer_sim.driven_world import DrivenWorldConfig
from racer_sim.pace import LockStep, Pace, RealTime
from racer_vehicle.errors import ConfigError
from racer_vehicle.nodes.parameters import require_settings, setting
from racer_vehicle.spec import CONTROL_PERIOD_S

MODES: Final = ('lockstep', 'realtime')
STAMPS: Final = ('simulated', 'system')
IMAGES: Final = ('mono8', 'rgb8')


@dataclass(frozen=True, slots=True, kw_only=True)
class DrivenSettings:
    """Parameters of every node that puts a simulator behind the `sim` topics."""

    namespaces: tuple[str, ...] = setting(('',), "a car in each, below the node's own")
    mode: str = setting('lockstep', 'a period per command, or by the clock', choices=MODES)
    factor: float = setting(1.0, 'simulated seconds per second in real time', low=0.01, high=100.0)
    track: str = setting('oval', 'name or file')
    direction: str = setting('forward', 'of travel', choices=('forward', 'reverse'))
    start_share: float = setting(0.0, 'of the lap, where the first car starts', low=0.0, high=1.0)
    image: str = setting('mono8', 'encoding of the camera image', choices=IMAGES)
    image_age_min_s: float = setting(0.0, 'in lock-step, least age of the image behind a command',
                                     low=0.0, high=CONTROL_PERIOD_S)
    image_age_max_s: float = setting(CONTROL_PERIOD_S, 'the most; drawn when a car is placed',
                                     low=0.0, high=CONTROL_PERIOD_S)
    seed: int = setting(0, 'of what is drawn', low=0, high=2**31 - 1)

    @property
    def world(self) -> DrivenWorldConfig:
        """What the world is made of."""
        return DrivenWorldConfig(
            track=self.track, direction=self.direction, seed=self.seed, rgb=self.image == 'rgb8',
            start_share=self.start_share, image_age_min_s=self.image_age_min_s,
            image_age_max_s=self.image_age_max_s)

    @property
    def pace(self) -> Pace:
        """When a period is driven."""
        cars = len(self.namespaces)
        return LockStep(cars) if self.mode == 'lockstep' else RealTime(cars, self.factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class SimSettings(DrivenSettings):
    """Parameters of the simulator node, beside the car's."""

    stamps: str = setting('simulated', "with /clock, or the system's time without it (real time "
                          'at factor 1 only), as on a car', choices=STAMPS)

    def __post_init__(self) -> None:
        require_settings(self)
        if self.stamps == 'system' and (self.mode != 'realtime' or self.factor != 1.0):
            raise ConfigError(f'stamps is system with mode {self.mode} and factor {self.factor:g};'
                              ' allowed: system with realtime and 1, or simulated.')
