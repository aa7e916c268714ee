"""The embedded simulator behind the `sim/*` topics, for one car or several on one clock."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rosgraph_msgs.msg import Clock as ClockMessage

from racer_sim.driven_world import DrivenWorld, DrivenWorldConfig
from racer_sim.nodes.simulated_car import SimulatedCar
from racer_sim.pace import LockStep, Pace, RealTime
from racer_sim.starting_grid import Pose
from racer_vehicle.errors import ConfigError
from racer_vehicle.nodes import ros
from racer_vehicle.nodes.diagnostics import Diagnostics, Drops, Level, Report
from racer_vehicle.nodes.parameters import declare, declare_car, require_settings, setting
from racer_vehicle.nodes.running import run_node
from racer_vehicle.signals import DriveCommand
from racer_vehicle.spec import CONTROL_PERIOD_S
from racer_vehicle.telemetry import Rate

MODES: Final = ('lockstep', 'realtime')
STAMPS: Final = ('simulated', 'system')
IMAGES: Final = ('mono8', 'rgb8')


@dataclass(frozen=True, slots=True, kw_only=True)
class SimSettings:
    """Parameters of the simulator node, beside the car's."""

    namespaces: tuple[str, ...] = setting(('',), "a car in each, below the node's own")
    mode: str = setting('lockstep', 'a period per command, or by the clock', choices=MODES)
    factor: float = setting(1.0, 'simulated seconds per second in real time', low=0.01, high=100.0)
    stamps: str = setting('simulated', "with /clock, or the system's time without it (real time "
                          'at factor 1 only), as on a car', choices=STAMPS)
    track: str = setting('oval', 'name or file')
    direction: str = setting('forward', 'of travel', choices=('forward', 'reverse'))
    start_share: float = setting(0.0, 'of the lap, where the first car starts', low=0.0, high=1.0)
    image: str = setting('mono8', 'encoding of the camera image', choices=IMAGES)
    image_age_min_s: float = setting(0.0, 'in lock-step, least age of the image behind a command',
                                     low=0.0, high=CONTROL_PERIOD_S)
    image_age_max_s: float = setting(CONTROL_PERIOD_S, 'the most; drawn when a car is placed',
                                     low=0.0, high=CONTROL_PERIOD_S)
    seed: int = setting(0, 'of what is drawn', low=0, high=2**31 - 1)

    def __post_init__(self) -> None:
        require_settings(self)
        if self.stamps == 'system' and (self.mode != 'realtime' or self.factor != 1.0):
            raise ConfigError(f'stamps is system with mode {self.mode} and factor {self.factor:g};'
                              ' allowed: system with realtime and 1, or simulated.')

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


class SimNode(Node):
    """Drives the world when its pace says so, and sends what the cars sense."""

    def __init__(self, **options: Any) -> None:
        """Make the world and send the first images.

        Args:
            **options: Of `Node`.

        Raises:
            ConfigError: A parameter cannot be used.
        """
        super().__init__('sim', **options)
        settings, car = declare(self, SimSettings), declare_car(self)
        self._world = DrivenWorld(settings.world, car, len(settings.namespaces))
        self._pace, self._rate, self._drops = settings.pace, Rate(), Drops(self)
        self._simulated_stamps = settings.stamps == 'simulated'
        self._clock_out = ros.publisher(self, '/clock') if self._simulated_stamps else None
        self._now = ros.ros_clock(self)
        self._cars = [SimulatedCar(self, namespace, car, self._drops)
                      for namespace in settings.namespaces]
        for index, simulated in enumerate(self._cars):
            simulated.listen(partial(self._on_command, index), partial(self._on_place, index),
                             partial(self._on_place, index, self._world.start_of(index)))
        Diagnostics(self, self._report)
        self.create_timer(self._pace.tick_s, self._tick,
                          clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._show(range(len(self._cars)))

    def stop(self) -> None:
        """End; the cars' sensors fall silent, and their nodes stop by themselves."""

    def _on_command(self, car: int, command: DriveCommand, stamp_ns: int) -> None:
        if self._pace.accept(car, command, stamp_ns, time.monotonic()):
            self._drive()

    def _tick(self) -> None:
        now_s = time.monotonic()
        if self._pace.tick(now_s):
            self._drive()
        for car in self._pace.overdue(now_s):
            self._cars[car].send_again()

    def _drive(self) -> None:
        self._world.drive(*self._pace.commands())
        self._rate.note(time.monotonic())
        self._show(range(len(self._cars)))

    def _on_place(self, car: int, pose: Pose) -> None:
        self._world.lift(car, pose)
        self._pace.forget(car)
        self._show((car,))

    def _show(self, cars: Iterable[int]) -> None:
        stamp_ns = self._world.time_ns
        stamp_s = stamp_ns / ros.NANOSECONDS if self._simulated_stamps else self._now()
        if self._clock_out is not None:
            self._clock_out.publish(ClockMessage(clock=ros.to_stamp(stamp_s)))
        images, scans = self._world.images(), self._world.scans()
        for car in cars:
            self._pace.offer(car, stamp_ns, time.monotonic())
            self._cars[car].send(self._world.motion(car), scans[car], images[car], stamp_s)

    def _report(self) -> Report:
        hz = self._rate.hz(time.monotonic())
        return Report(level=Level.OK, message='driving' if hz else 'waiting', values={
            'periods_hz': hz, 'real_time_factor': hz * CONTROL_PERIOD_S,
            'ignored commands': self._pace.ignored, **self._drops.values(),
        })


def main() -> int:
    """Run the node."""
    return run_node(SimNode)


if __name__ == '__main__':
    raise SystemExit(main())
