"""What the Gazebo node may be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from racer_sim.bodies import wall_boxes
from racer_sim.driven_world import DrivenWorldConfig
from racer_sim.gazebo.gazebo_world import GazeboConfig
from racer_sim.nodes.sim_settings import IMAGES, MODES
from racer_sim.pace import LockStep, Pace, RealTime
from racer_sim.starting_grid import one_course
from racer_vehicle.errors import ConfigError
from racer_vehicle.nodes.parameters import require_settings, setting
from racer_vehicle.spec import CONTROL_PERIOD_S

CARRIERS: Final = ('own', 'bridge')


@dataclass(frozen=True, slots=True, kw_only=True)
class GazeboSettings:
    """Parameters of the Gazebo node, beside the car's; most are the embedded simulator's."""

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
    walls: bool = setting(False, 'walls along the track')
    gui: bool = setting(False, 'show Gazebo on the screen')
    topics: str = setting('own', 'who carries sensors, clock and commands: this node, or '
                          'ros_gz_bridge (real time, one car)', choices=CARRIERS)
    partition: str = setting('', "GZ_PARTITION of Gazebo; empty: one of its own, or with a bridge "
                             "the environment's")

    def __post_init__(self) -> None:
        require_settings(self)
        if self.topics == 'bridge' and (self.mode != 'realtime' or len(self.namespaces) > 1):
            raise ConfigError(f'topics is bridge with mode {self.mode} and '
                              f'{len(self.namespaces)} cars; allowed: bridge with realtime and '
                              'one car, or own.')

    @property
    def gazebo(self) -> GazeboConfig:
        """How Gazebo is run."""
        track = one_course(self.track, self.direction).track
        return GazeboConfig(
            world=DrivenWorldConfig(
                track=self.track, direction=self.direction, seed=self.seed,
                rgb=self.image == 'rgb8', start_share=self.start_share,
                image_age_min_s=self.image_age_min_s, image_age_max_s=self.image_age_max_s),
            paused=self.mode == 'lockstep', factor=self.factor, gui=self.gui,
            boxes=wall_boxes(track) if self.walls else (),
            partition=self.partition or (None if self.topics == 'own' else ''))

    @property
    def pace(self) -> Pace:
        """When a period is driven."""
        cars = len(self.namespaces)
        return LockStep(cars) if self.mode == 'lockstep' else RealTime(cars, self.factor)
