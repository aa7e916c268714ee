"""What the simulator node may be told, and whoever stands in for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from racer_sim.driven_world import DrivenWorldConfig
from racer_sim.obstacle_words import places_of
from racer_sim.pace import LockStep, Pace, RealTime
from racer_sim.race_format import Bots, Obstacles, RaceFormat
from racer_vehicle.errors import ConfigError
from racer_vehicle.nodes.parameters import require_settings, setting
from racer_vehicle.spec import CONTROL_PERIOD_S

MODES: Final = ('lockstep', 'realtime')
STAMPS: Final = ('simulated', 'system')
IMAGES: Final = ('mono8', 'rgb8')
MOST_RACING: Final = 8
"""Cars of a race; more may share a track to learn on it."""


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
    obstacles: int = setting(0, 'boxes on the track', low=0, high=6)
    obstacle_places: str = setting('', 'share of the lap and lane of each, as in "0.2,left '
                                   '0.6,right"; empty: random')
    obstacles_move: bool = setting(True, 'random ones move after each lap, and not only for each '
                                   'run, as race control says')
    obstacle_gap_m: float = setting(2.0, 'least distance between two along the lap', low=0.5,
                                    high=100.0)
    bots: int = setting(0, 'scripted cars', low=0, high=4)
    bot_slowest_mps: float = setting(0.3, 'a run draws one speed for all, from this', low=0.0,
                                     high=6.0)
    bot_fastest_mps: float = setting(0.7, 'to this', low=0.0, high=6.0)
    bots_change_lanes: bool = setting(False, 'whether they do, now and then')
    bots_steady_share: float = setting(0.0, 'of them that do not all the same', low=0.0,
                                       high=1.0)

    @property
    def world(self) -> DrivenWorldConfig:
        """What the world is made of."""
        return DrivenWorldConfig(
            track=self.track, direction=self.direction, seed=self.seed, rgb=self.image == 'rgb8',
            start_share=self.start_share, image_age_min_s=self.image_age_min_s,
            image_age_max_s=self.image_age_max_s, race=self.race)

    @property
    def race(self) -> RaceFormat:
        """Who and what is on the track."""
        return RaceFormat(
            cars=min(len(self.namespaces), MOST_RACING),
            obstacles=Obstacles(count=self.obstacles, places=places_of(self.obstacle_places),
                                moved=self.obstacles_move, min_gap_m=self.obstacle_gap_m),
            bots=Bots(count=self.bots, slowest_mps=self.bot_slowest_mps,
                      fastest_mps=self.bot_fastest_mps, changes_lanes=self.bots_change_lanes,
                      steady_share=self.bots_steady_share))

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
