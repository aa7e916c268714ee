"""The embedded simulator behind the `sim/*` topics, for one car or several on one clock."""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import partial
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rosgraph_msgs.msg import Clock as ClockMessage

from racer_sim.driven_world import DrivenWorld
from racer_sim.nodes.sim_settings import SimSettings
from racer_sim.nodes.simulated_car import SimulatedCar
from racer_sim.race_watch import RaceState
from racer_sim.rules import Status
from racer_sim.starting_grid import Pose
from racer_vehicle.nodes import ros
from racer_vehicle.nodes.diagnostics import Diagnostics, Drops, Level, Report
from racer_vehicle.nodes.parameters import declare, declare_car
from racer_vehicle.nodes.running import run_node
from racer_vehicle.signals import DriveCommand
from racer_vehicle.spec import CONTROL_PERIOD_S
from racer_vehicle.telemetry import Rate


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
        tells_time = settings.stamps == 'simulated'
        self._clock_out = ros.publisher(self, '/clock') if tells_time else None
        self._now = ros.ros_clock(self)
        self._cars = [SimulatedCar(self, namespace, car, self._drops)
                      for namespace in settings.namespaces]
        for index, simulated in enumerate(self._cars):
            simulated.listen(partial(self._on_command, index), partial(self._on_place, index),
                             partial(self._on_place, index, self._world.start_of(index)))
            simulated.follow_race(partial(self._on_race, index))
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
            self._say_clock()  # whoever came late does not know the time, and drops commands
            self._cars[car].send_again()

    def _drive(self) -> None:
        self._world.drive(*self._pace.commands())
        self._rate.note(time.monotonic())
        self._show(range(len(self._cars)))

    def _on_race(self, car: int, state: RaceState) -> None:
        self._world.hold(car, held=state.held)
        if car == 0:
            self._follow(state)
        if self._pace.judge(car, round(state.stamp_s * ros.NANOSECONDS),
                            settled=not state.lifting):
            self._drive()

    def _follow(self, state: RaceState) -> None:
        """Put boxes and bots where a run or a lap wants them."""
        waiting = state.status == Status.PREPARE.label
        if self._world.follow(state.run, state.laps, waiting=waiting) and (
                waiting and self._pace.forget(0)):
            # As after a lift: what was seen until now is another drive.
            self._world.pause()
            self._show((0,))

    def _on_place(self, car: int, pose: Pose) -> bool:
        stands_still = self._pace.forget(car)
        self._world.lift(car, pose, takes_time=stands_still)
        if stands_still:
            self._show((car,))
        return True

    def _show(self, cars: Iterable[int]) -> None:
        stamp_ns, stamp_s = self._world.time_ns, self._say_clock()
        images, scans = self._world.images(), self._world.scans()
        for car in cars:
            self._pace.offer(car, stamp_ns, time.monotonic())
            self._cars[car].send(self._world.motion(car), self._world.objects(car), scans[car],
                                 images[car], stamp_s)

    def _say_clock(self) -> float:
        """Tell the time, seconds, where it is ours to tell."""
        if self._clock_out is None:
            return self._now()
        stamp_s = self._world.time_ns / ros.NANOSECONDS
        self._clock_out.publish(ClockMessage(clock=ros.to_stamp(stamp_s)))
        return stamp_s

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
