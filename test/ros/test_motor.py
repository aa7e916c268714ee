"""The motor node: who drives, limits, emergency stop, deadlines."""

import math

import pytest

pytest.importorskip('rclpy')

from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import Twist
from std_srvs.srv import SetBool

from racer_vehicle.nodes import ros
from racer_vehicle.nodes.messages import command_of, twist_message
from racer_vehicle.nodes.motor_node import MotorNode
from racer_vehicle.signals import NEUTRAL, DriveCommand
from racer_vehicle.spec import CarSpec

pytestmark = pytest.mark.ros

CAR = CarSpec()
LEFT = DriveCommand(steering_rad=0.25, speed_mps=1.5)
RIGHT = DriveCommand(steering_rad=-0.4, speed_mps=0.5)


class Bench:
    """A motor node on a simulated car, and hands on all its controls."""

    def __init__(self, graph, **parameters):
        self.graph = graph
        self.node = graph.add(MotorNode, driver='simulated', **parameters)
        self.applied = graph.listen('cmd_vel/applied')
        self.wheels = graph.listen('sim/cmd_vel')
        self.policy = graph.publisher('cmd_vel')
        self.operator = graph.publisher('teleop/cmd_vel')
        graph.until(lambda: self.applied and self.wheels, 'the motor speaks')
        self.now = ros.ros_clock(graph.probe)

    def set(self, service, value):
        return self.graph.call(f'motor/{service}', SetBool.Request(data=value))

    def send(self, command, publisher=None, age_s=0.0):
        stamp = ros.to_stamp(self.now() - age_s)
        message = twist_message(command, CAR.wheelbase_m, stamp, 'base_link')
        (publisher or self.policy).publish(message)
        return message

    def last(self):
        return command_of(self.wheels[-1].twist, 0.0, CAR.wheelbase_m)

    def drives(self, command, publisher=None, sent=None):
        """Send a command until it is what the wheels do."""
        def done():
            self.send(sent or command, publisher)
            self.graph.spin_for(0.02)
            return close(self.last(), command)

        self.graph.until(done, f'the car does {command}')

    def keeps_neutral(self, command, publisher=None, for_s=0.3):
        """Send a command for a while; the wheels never follow."""
        self.graph.until(lambda: self.last() == NEUTRAL, 'the car is neutral')
        seen = len(self.wheels)
        for _ in range(round(for_s / 0.03)):
            self.send(command, publisher)
            self.graph.spin_for(0.03)
        assert all(message.twist == Twist() for message in self.wheels[seen:])


def close(one, other):
    return math.isclose(one.steering_rad, other.steering_rad, abs_tol=1e-9) and math.isclose(
        one.speed_mps, other.speed_mps, abs_tol=1e-9)


def test_a_car_starts_disabled_and_obeys_once_enabled(graph):
    bench = Bench(graph)
    bench.keeps_neutral(LEFT)
    assert bench.set('enable', True).success
    bench.drives(LEFT)
    assert bench.set('enable', False).success
    bench.keeps_neutral(LEFT)


def test_what_is_applied_is_published_with_the_image_stamp_passed_on(graph):
    bench = Bench(graph, start_enabled=True)
    bench.drives(LEFT)
    sent = []

    def applied():
        sent.append(bench.send(RIGHT).header.stamp)
        graph.spin_for(0.02)
        return close(bench.last(), RIGHT)

    graph.until(applied, 'the command is applied')
    assert bench.wheels[-1].header.stamp in sent
    assert bench.wheels[-1].header.frame_id == 'base_link'
    graph.until(lambda: any(message.twist == bench.wheels[-1].twist for message in bench.applied),
                'it is reported')


def test_commands_are_cut_to_the_range_of_the_car_and_the_cap(graph):
    bench = Bench(graph, start_enabled=True, max_speed_mps=1.0)
    wild = DriveCommand(steering_rad=1.2, speed_mps=9.0)
    bench.drives(DriveCommand(CAR.max_steering_rad, 1.0), sent=wild)
    bench.drives(DriveCommand(-CAR.max_steering_rad, -1.0),
                 sent=DriveCommand(steering_rad=-1.2, speed_mps=-9.0))


@pytest.mark.parametrize('service', ['enable', 'emergency_stop', 'autonomous'])
def test_a_change_of_who_may_drive_forgets_the_command_before_it(graph, service):
    bench = Bench(graph, start_enabled=True)
    bench.drives(LEFT)
    bench.set(service, False)
    graph.until(lambda: bench.last() == NEUTRAL, 'neutral')
    bench.set(service, True)
    graph.spin_for(0.1)
    assert bench.last() == NEUTRAL


def test_the_operator_drives_in_manual_mode_and_only_then(graph):
    bench = Bench(graph, start_enabled=True)
    bench.keeps_neutral(RIGHT, bench.operator)
    bench.set('autonomous', False)
    bench.drives(RIGHT, bench.operator)
    bench.set('autonomous', True)
    bench.keeps_neutral(RIGHT, bench.operator)
    bench.drives(LEFT)


def test_an_operator_whose_tool_does_not_stamp_drives_too(graph):
    bench = Bench(graph, start_enabled=True, start_autonomous=False)
    unstamped = graph.publisher('teleop/cmd_vel_unstamped')
    twist = twist_message(LEFT, CAR.wheelbase_m, ros.to_stamp(0.0), '').twist

    def done():
        unstamped.publish(twist)
        graph.spin_for(0.02)
        return close(bench.last(), LEFT)

    graph.until(done, 'the car obeys')


def test_an_operators_clock_may_be_wrong(graph):
    bench = Bench(graph, start_enabled=True, start_autonomous=False)

    def done():
        bench.send(LEFT, bench.operator, age_s=3600.0)
        graph.spin_for(0.02)
        return close(bench.last(), LEFT)

    graph.until(done, 'the car obeys')


def test_diagnostics_tell_state_age_and_drops(graph):
    bench = Bench(graph, start_enabled=True)
    reports = graph.listen('/diagnostics')

    def told():
        bench.send(LEFT)
        bench.send(LEFT, bench.operator)
        graph.spin_for(0.02)
        figures = {item.key: item.value for item in reports[-1].status[0].values}
        return 'dropped command of the operator' in figures and figures

    graph.until(lambda: reports, 'diagnostics')
    figures = graph.until(told, 'drops are counted')
    status = reports[-1].status[0]
    assert (status.level, status.name) == (DiagnosticStatus.OK, 'motor')
    assert 'driving' in status.message
    assert figures['in_charge'] == 'policy'
    assert float(figures['hz']) > 0.0
    assert 0.0 <= float(figures['age_p99_s']) < 0.2


def test_parameters_out_of_range_are_refused_by_name(graph):
    with pytest.raises(ValueError, match=r'driver is .warp.; allowed: pwm, pca9685, simulated'):
        graph.add(MotorNode, driver='warp')
    with pytest.raises(ValueError, match='max_speed_mps'):
        graph.add(MotorNode, driver='simulated', max_speed_mps=99.0)
    with pytest.raises(ValueError, match='start_enabled'):
        graph.add(MotorNode, driver='simulated', start_enabled='yes')
