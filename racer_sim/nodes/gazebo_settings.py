"""What the Gazebo node may be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from racer_sim.bodies import wall_boxes
from racer_sim.gazebo.gazebo_world import GazeboConfig
from racer_sim.nodes.sim_settings import DrivenSettings
from racer_sim.starting_grid import one_course
from racer_vehicle.errors import ConfigError
from racer_vehicle.nodes.parameters import require_settings, setting

CARRIERS: Final = ('own', 'bridge')


@dataclass(frozen=True, slots=True, kw_only=True)
class GazeboSettings(DrivenSettings):
    """Parameters of the Gazebo node, beside the car's."""

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
            world=self.world,
            paused=self.mode == 'lockstep', factor=self.factor, gui=self.gui,
            boxes=wall_boxes(track) if self.walls else (),
            partition=self.partition or (None if self.topics == 'own' else ''))
