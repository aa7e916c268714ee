"""The last word before the motor: limits, watchdog, emergency stop, and who drives."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

from geometry_msgs.msg import Twist, TwistStamped
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from racer_vehicle import contract
from racer_vehicle.errors import DeviceError
from racer_vehicle.gate import Driving, MotorGate, Pilot
from racer_vehicle.limiter import DriveLimiter
from racer_vehicle.nodes import ros
from racer_vehicle.nodes.devices import ACTUATORS, ActuatorSettings, make_actuator
from racer_vehicle.nodes.diagnostics import Diagnostics, Drops, Level, Report
from racer_vehicle.nodes.messages import command_of, twist_message
from racer_vehicle.nodes.parameters import declare, declare_car, require_settings, setting
from racer_vehicle.nodes.running import run_node
from racer_vehicle.service_manager import ServiceManager
from racer_vehicle.signals import NEUTRAL, DriveCommand
from racer_vehicle.spec import CONTROL_PERIOD_S
from racer_vehicle.telemetry import Flow

WATCHDOG_S: Final = 0.02
"""Between two looks at the deadline, by the steady clock."""

MOVING: Final = (Driving.COMMANDED, Driving.CUT)
LEVELS: Final = {Driving.COMMANDED: Level.OK, Driving.CUT: Level.OK, Driving.DISABLED: Level.OK,
                 Driving.STALE: Level.WARN}


@dataclass(frozen=True, slots=True, kw_only=True)
class MotorSettings:
    """Parameters of the motor node, beside the car's and the device's."""

    driver: str = setting('pwm', 'what moves the car', choices=ACTUATORS)
    start_enabled: bool = setting(False, 'let commands through from the start; a car: false')
    start_autonomous: bool = setting(True, 'the policy drives at first; false: the operator')
    max_speed_mps: float = setting(4.0, 'cap on the speed, m/s', low=0.0, high=20.0)

    def __post_init__(self) -> None:
        require_settings(self)


class MotorNode(Node):
    """Applies fresh, finite, limited commands of whoever is in charge; otherwise neutral."""

    def __init__(self, **options: Any) -> None:
        """Make the node and open the device.

        Args:
            **options: Of `Node`.

        Raises:
            ConfigError: A parameter cannot be used.
            DeviceError: The device is missing or refuses.
        """
        super().__init__('motor', **options)
        settings, self._car = declare(self, MotorSettings), declare_car(self)
        self._now, self._deadline_now = ros.ros_clock(self), ros.deadline_clock(self)
        self._gate = MotorGate(DriveLimiter.for_car(self._car, settings.max_speed_mps),
                               enabled=settings.start_enabled,
                               pilot=Pilot.of(autonomous=settings.start_autonomous))
        self._applied, self._driving, self._acted_s = NEUTRAL, Driving.DISABLED, 0.0
        self._drops, self._flow = Drops(self), Flow()
        self._publisher = ros.publisher(self, 'cmd_vel/applied')
        self._diagnostics = Diagnostics(self, self._report)
        self._actuator = make_actuator(self, settings.driver, declare(self, ActuatorSettings),
                                       self._car)
        self._actuator.connect()
        ros.subscription(self, 'cmd_vel', self._on_policy)
        ros.subscription(self, 'teleop/cmd_vel', lambda message: self._on_operator(message.twist))
        ros.subscription(self, 'teleop/cmd_vel_unstamped', self._on_operator)
        ros.subscription(self, 'operator/alive',
                         lambda _: self._gate.attend(self._deadline_now()))
        ros.service(self, 'motor/enable', self._on_enable)
        ros.service(self, 'motor/emergency_stop', self._on_emergency_stop)
        ros.service(self, 'motor/autonomous', self._on_autonomous)
        self._service_manager = ServiceManager()
        self._service_manager.ready()
        self.create_timer(WATCHDOG_S, self._watch, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def stop(self) -> None:
        """Leave the car neutral, and say so."""
        self._actuator.close()
        if self.context.ok():
            ros.say_last(self._publisher, self._message(NEUTRAL))

    def _on_policy(self, message: TwistStamped) -> None:
        stamp_s = ros.to_seconds(message.header.stamp)
        self._offer(Pilot.POLICY, message.twist, stamp_s, self._now() - stamp_s)

    def _on_operator(self, twist: Twist) -> None:
        # By arrival: the operator's computer has a clock of its own, and no image to wait for.
        self._offer(Pilot.OPERATOR, twist, self._now(), 0.0)

    def _offer(self, pilot: Pilot, twist: Twist, stamp_s: float, age_s: float) -> None:
        command = command_of(twist, self._applied.steering_rad, self._car.wheelbase_m)
        if self._gate.offer(pilot, command, stamp_s, age_s, self._deadline_now()):
            self._flow.note(time.monotonic(), age_s)
            self._act()
        else:
            self._drops.note(f'command of the {pilot}',
                             f'{age_s:.3f} s old, and the {self._gate.pilot} is in charge')

    def _watch(self) -> None:
        """Act where nobody else does: on a deadline, and to keep saying neutral."""
        self._service_manager.beat()
        driving = self._gate.decide(self._deadline_now()).driving
        silent = time.monotonic() - self._acted_s > CONTROL_PERIOD_S
        if driving is not self._driving or (silent and driving not in MOVING):
            self._act()

    def _act(self) -> None:
        decision = self._gate.decide(self._deadline_now())
        applied, driving = decision.command, decision.driving
        try:
            applied = self._actuator.apply(decision.command, decision.stamp_s)
        except DeviceError as error:
            self._gate.fail(str(error))
            applied, driving = NEUTRAL, Driving.FAULT
        self._acted_s, self._applied = time.monotonic(), applied
        self._publisher.publish(self._message(applied))
        if driving is not self._driving:
            self._driving = driving
            self.get_logger().info(f'{driving} {self._gate.fault}'.rstrip())
            self._diagnostics.publish()

    def _message(self, applied: DriveCommand) -> TwistStamped:
        row, stamp = contract.topic('cmd_vel/applied'), ros.to_stamp(self._now())
        return twist_message(applied, self._car.wheelbase_m, stamp, row.frame)

    def _on_enable(self, request: Any, response: Any) -> Any:
        return self._answer(response, self._gate.enable(request.data))

    def _on_emergency_stop(self, request: Any, response: Any) -> Any:
        self._gate.emergency_stop(request.data)
        return self._answer(response)

    def _on_autonomous(self, request: Any, response: Any) -> Any:
        self._gate.give_to(Pilot.of(autonomous=request.data))
        return self._answer(response)

    def _answer(self, response: Any, refusal: str = '') -> Any:
        self._act()
        response.success, response.message = not refusal, refusal or self._driving.value
        return response

    def _report(self) -> Report:
        level = LEVELS.get(self._driving, Level.ERROR)
        return Report(level=level, message=f'{self._driving} {self._gate.fault}'.rstrip(), values={
            'in_charge': self._gate.pilot, **self._flow.figures(time.monotonic()),
            **self._drops.values(),
        })


def main() -> int:
    """Run the node."""
    return run_node(MotorNode)


if __name__ == '__main__':
    raise SystemExit(main())
