"""Gazebo behind the `sim/*` topics, for one car or several, in lock-step or real time."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, Final

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rosgraph_msgs.msg import Clock as ClockMessage

from racer_sim.gazebo.gazebo_world import GazeboWorld
from racer_sim.gazebo.lift import NotPlacedError
from racer_sim.nodes.gazebo_settings import GazeboSettings
from racer_sim.nodes.simulated_car import SimulatedCar
from racer_sim.race_watch import RaceState
from racer_sim.rules import Status
from racer_sim.starting_grid import Pose
from racer_vehicle.nodes import ros
from racer_vehicle.nodes.diagnostics import Diagnostics, Drops, Level, Report
from racer_vehicle.nodes.parameters import declare, declare_car
from racer_vehicle.nodes.running import run_node
from racer_vehicle.signals import NEUTRAL, DriveCommand
from racer_vehicle.spec import CONTROL_PERIOD_S
from racer_vehicle.telemetry import Flow

TICK_S: Final = 0.02
"""In real time, how often the clock is told and the motors are; simulated seconds. Each node hears
the clock, and pays for it."""


class GazeboNode(Node):
    """Runs Gazebo, steps or follows it, and speaks for its cars."""

    def __init__(self, **options: Any) -> None:
        """Start Gazebo and send the first images.

        Args:
            **options: Of `Node`.

        Raises:
            ConfigError: A parameter cannot be used.
            GazeboError: Gazebo is missing or does not start.
        """
        super().__init__('gazebo', **options)
        settings, car = declare(self, GazeboSettings), declare_car(self)
        self._pace, self._flow, self._drops = settings.pace, Flow(), Drops(self)
        self._lockstep, self._own = settings.mode == 'lockstep', settings.topics == 'own'
        self._tick_s = TICK_S / settings.factor
        self._clock_out = ros.publisher(self, '/clock') if self._own else None
        self._folder = tempfile.TemporaryDirectory(prefix='racer-gazebo-')
        arrived: Any = self.create_guard_condition(self._follow)
        self._world = GazeboWorld(settings.gazebo, car, settings.namespaces,
                                  Path(self._folder.name), arrived.trigger)
        self._shown_ns = [0] * len(settings.namespaces)
        self._cars = [SimulatedCar(self, namespace, car, self._drops, bridged=not self._own)
                      for namespace in settings.namespaces]
        for index, simulated in enumerate(self._cars):
            simulated.listen(partial(self._on_command, index), partial(self._on_place, index),
                             partial(self._on_place, index, self._world.start_of(index)))
            simulated.follow_race(partial(self._on_race, index))
        if not self._own:
            told: Any = self.create_guard_condition(self._on_bridged_command)
            self._world.cars[0].listen(told.trigger)
        Diagnostics(self, self._report)
        self.create_timer(self._pace.tick_s if self._lockstep else self._tick_s, self._tick,
                          clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._show(range(len(self._cars)))

    def stop(self) -> None:
        """End Gazebo."""
        self._world.close()
        self._folder.cleanup()

    def _on_command(self, car: int, command: DriveCommand, stamp_ns: int) -> None:
        now_s, age_ns = time.monotonic(), self._world.cars[car].time_ns - stamp_ns
        self._flow.note(now_s, age_ns / ros.NANOSECONDS)
        if self._pace.accept(car, command, stamp_ns, now_s):
            self._drive()
        elif not self._lockstep:
            self._command_all()

    def _drive(self) -> None:
        """Lock-step: advance a control period, and more of them until a car stands to see it."""
        while True:
            for car in self._world.cars:
                self._lifting(partial(car.advance_lift, self._world.put, CONTROL_PERIOD_S))
            self._world.drive(*self._pace.commands())
            ready = [index for index, car in enumerate(self._world.cars) if car.lift is None]
            if ready:
                self._show(ready)
                return

    def _on_bridged_command(self) -> None:
        command, stamp_ns = self._world.cars[0].bridged_command()
        self._on_command(0, command, stamp_ns)

    def _tick(self) -> None:
        self._world.require_alive()
        now_s = time.monotonic()
        if self._pace.tick(now_s):
            self._say_clock()
            self._command_all()
        for car in self._pace.overdue(now_s):
            self._say_clock()  # whoever came late does not know the time, and drops commands
            self._cars[car].send_again()

    def _command_all(self) -> None:
        """Real time: tell all motors; what is too old is neutral by now."""
        commands, _ = self._pace.commands()
        for told, car in zip(commands.tolist(), self._world.cars, strict=True):
            if car.lift is None:
                car.command_now(NEUTRAL if car.held else DriveCommand(*told))
            else:
                self._lifting(partial(car.advance_lift, self._world.put, TICK_S))

    def _follow(self) -> None:
        """Real time: send what cars have seen since the last time."""
        if self._lockstep:
            return
        news = [index for index, car in enumerate(self._world.cars)
                if car.lift is None and car.sensed_ns > self._shown_ns[index]]
        if news:
            self._show(news)
        if 0 in news:
            self._world.move_bots(self._shown_ns[0])

    def _lifting(self, lift: Callable[[], None]) -> None:
        """Lift a car, and count if it does not get there."""
        try:
            lift()
        except NotPlacedError as error:
            self._drops.note('place', str(error))

    def _on_place(self, car: int, pose: Pose) -> bool:
        self._pace.forget(car)
        self._world.begin_lift(car, pose)
        if self._pace.is_complete:
            self._drive()
        return self._world.cars[car].lift is None

    def _on_race(self, car: int, state: RaceState) -> None:
        stamp_ns = round(state.stamp_s * ros.NANOSECONDS)
        if not state.lifting:  # where to, `_on_place` is told
            self._world.hold(car, stamp_ns, held=state.held)
        if car == 0:
            self._world.follow(state.run, state.laps,
                               waiting=state.status == Status.PREPARE.label)
        if self._world.cars[car].lift is not None:
            self._pace.forget(car)
        if self._pace.judge(car, stamp_ns, settled=not state.lifting):
            self._drive()

    def _show(self, cars: Iterable[int]) -> None:
        self._say_clock()
        for index in cars:
            sensed, now_s = self._world.cars[index], time.monotonic()
            stamp_ns = self._shown_ns[index] = sensed.sensed_ns
            self._pace.offer(index, stamp_ns, now_s)
            self._cars[index].send(
                sensed.motion(stamp_ns), self._world.objects(index, stamp_ns),
                sensed.scan(stamp_ns), self._world.image(index, stamp_ns),
                stamp_ns / ros.NANOSECONDS)

    def _say_clock(self) -> None:
        if self._clock_out is not None:
            stamp_s = self._world.cars[0].time_ns / ros.NANOSECONDS
            self._clock_out.publish(ClockMessage(clock=ros.to_stamp(stamp_s)))

    def _report(self) -> Report:
        """Commands a second, and how old the image behind each was by Gazebo's time."""
        figures = self._flow.figures(time.monotonic())
        return Report(level=Level.OK, message='driving' if figures['hz'] else 'waiting', values={
            **figures, 'ignored commands': self._pace.ignored, **self._drops.values()})


def main() -> int:
    """Run the node."""
    return run_node(GazeboNode)


if __name__ == '__main__':
    raise SystemExit(main())
