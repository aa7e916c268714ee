"""Simulators on the graph: lock-step, real time, placing, several cars.

What a simulator owes the contract is tried on the embedded one and, where it is installed, Gazebo.
"""

import math
from dataclasses import fields

import pytest
import yaml
from geometry_msgs.msg import PoseStamped, TwistStamped
from std_srvs.srv import Trigger

from racer_sim.nodes.gazebo_node import GazeboNode
from racer_sim.nodes.sim_node import SimNode
from racer_sim.nodes.sim_settings import SimSettings
from racer_vehicle import contract
from racer_vehicle.errors import ConfigError
from racer_vehicle.nodes import ros
from racer_vehicle.spec import CONTROL_PERIOD_S

pytestmark = pytest.mark.ros

PERIOD_NS = round(CONTROL_PERIOD_S * 1e9)


PLACED_M = 0.005
"""A car in Gazebo stands on its wheels, which give way a little."""


NODES = {'sim': SimNode, 'gazebo': GazeboNode}
GAZEBO = pytest.param('gazebo', marks=pytest.mark.slow)


@pytest.fixture(params=['sim', GAZEBO])
def simulator(request):
    """The node of each simulator."""
    if request.param == 'gazebo':
        request.getfixturevalue('gazebo_here')
    return NODES[request.param]


def stamp_ns(message):
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


class Driver:
    """Somebody who drives a simulated car through its topics."""

    def __init__(self, graph, namespace=''):
        self.graph, self.sent = graph, 0
        self.heard = {name: [] for name in ('sim/camera/image_raw', 'sim/odom', 'sim/scan',
                                            'sim/camera/camera_info')}
        for name, messages in self.heard.items():
            ros.subscription(graph.probe, name, messages.append, namespace)
        self.commands = ros.publisher(graph.probe, 'sim/cmd_vel', namespace)
        self.places = ros.publisher(graph.probe, 'sim/place', namespace)

    @property
    def images(self):
        return self.heard['sim/camera/image_raw']

    @property
    def odom(self):
        return self.heard['sim/odom'][-1]

    def connect(self):
        self.graph.until(lambda: self.senses_later_than(0)
                         and self.commands.get_subscription_count()
                         and self.places.get_subscription_count(), 'the simulator is found')
        return self

    def tell(self, speed_mps, stamp=None):
        message = TwistStamped()
        message.header.stamp = stamp or self.images[-1].header.stamp
        message.twist.linear.x = speed_mps
        self.commands.publish(message)

    def drive(self, periods, speed_mps=1.5):
        for _ in range(periods):
            stamp = stamp_ns(self.images[-1])
            self.tell(speed_mps)
            self.graph.until(lambda stamp=stamp: self.senses_later_than(stamp), 'next sensors')

    def senses_later_than(self, stamp):
        """Whether every sensor has spoken since; they arrive in any order."""
        return all(messages and stamp_ns(messages[-1]) > stamp for messages in self.heard.values())

    def place(self, x_m, y_m, yaw_rad=0.0, frame='map', stamp_s=0.0):
        message = PoseStamped()
        message.header.stamp = ros.to_stamp(stamp_s)
        message.header.frame_id = frame
        message.pose.position.x, message.pose.position.y = x_m, y_m
        message.pose.orientation.z = math.sin(yaw_rad / 2)
        message.pose.orientation.w = math.cos(yaw_rad / 2)
        self.places.publish(message)


def position(odometry):
    return odometry.pose.pose.position.x, odometry.pose.pose.position.y


def stands_at(odometry, place):
    return math.dist(position(odometry), place) < PLACED_M


def test_lock_step_drives_one_period_per_command(graph, simulator):
    graph.add(simulator)
    clock = graph.listen('/clock')
    driver = Driver(graph).connect()
    first = stamp_ns(driver.images[-1])
    driver.drive(5)
    assert stamp_ns(driver.images[-1]) == first + 5 * PERIOD_NS
    assert clock[-1].clock == driver.images[-1].header.stamp
    assert driver.odom.twist.twist.linear.x > 0.5
    graph.spin_for(0.3)
    assert stamp_ns(driver.images[-1]) == first + 5 * PERIOD_NS, 'it waits for a command'


def test_what_it_sends_is_what_the_contract_says(graph, simulator):
    graph.add(simulator, image='rgb8', camera__width_px=80, camera__height_px=60, lidar__rays=32)
    driver = Driver(graph).connect()
    driver.drive(1)
    image = driver.images[-1]
    assert (image.width, image.height, image.encoding, image.step) == (80, 60, 'rgb8', 240)
    assert len(driver.heard['sim/scan'][-1].ranges) == 32
    assert driver.heard['sim/camera/camera_info'][-1].width == 80
    for name, messages in driver.heard.items():
        assert messages[-1].header.frame_id == contract.topic(name).frame
        assert messages[-1].header.stamp == image.header.stamp
    assert driver.odom.child_frame_id == 'base_link'


def test_commands_on_an_older_image_are_ignored(graph, simulator):
    graph.add(simulator)
    driver = Driver(graph).connect()
    first = driver.images[-1].header.stamp
    driver.drive(2)
    here = stamp_ns(driver.images[-1])
    driver.tell(1.0, first)
    graph.spin_for(0.3)
    assert stamp_ns(driver.images[-1]) == here
    driver.drive(1)


def test_lost_messages_are_sent_again(graph, simulator):
    graph.add(simulator)
    driver = Driver(graph).connect()
    driver.drive(1)
    count, stamp = len(driver.images), stamp_ns(driver.images[-1])
    graph.until(lambda: len(driver.images) > count, 'the image comes again')
    assert stamp_ns(driver.images[-1]) == stamp
    assert driver.images[-1].data == driver.images[-2].data


def test_a_command_that_is_not_finite_drives_neutral(graph, simulator):
    graph.add(simulator)
    driver = Driver(graph).connect()
    driver.drive(1, math.nan)
    driver.drive(3, math.inf)
    assert driver.odom.twist.twist.linear.x == pytest.approx(0.0, abs=0.005)


def test_the_same_commands_give_the_same_drive(graph):
    def drive(namespace, seed):
        graph.add(SimNode, namespaces=[namespace], seed=seed)
        driver = Driver(graph, namespace).connect()
        driver.drive(12)
        return driver.odom.pose.pose, driver.images[-1].data

    first, second, other = drive('a', 3), drive('b', 3), drive('c', 4)
    assert first == second
    assert other[0] != first[0], 'another seed draws another image age'


def test_a_car_can_be_lifted_anywhere_and_reset(graph, simulator):
    graph.add(simulator)
    driver = Driver(graph).connect()
    start = position(driver.odom)
    driver.drive(8)
    before = stamp_ns(driver.images[-1])
    driver.place(1.25, -0.5, 2.0)
    graph.until(lambda: stands_at(driver.odom, (1.25, -0.5)), 'the car is there')
    graph.until(lambda: stamp_ns(driver.images[-1]) > before, 'it sees from there')
    assert 2 * math.atan2(driver.odom.pose.pose.orientation.z,
                          driver.odom.pose.pose.orientation.w) == pytest.approx(2.0, abs=0.005)
    assert driver.odom.twist.twist.linear.x == pytest.approx(0.0, abs=0.02)
    driver.drive(3)
    assert graph.call('sim/reset', Trigger.Request()).success
    graph.until(lambda: stands_at(driver.odom, start), 'the car is at its start')
    driver.drive(1)


def test_a_wish_that_is_repeated_does_not_lift_a_car_twice(graph):
    graph.add(SimNode)
    driver = Driver(graph).connect()
    driver.place(1.25, -0.5, stamp_s=2.0)
    graph.until(lambda: stands_at(driver.odom, (1.25, -0.5)), 'the car is there')
    driver.drive(3)
    driver.place(1.25, -0.5, stamp_s=2.0)
    driver.place(float('nan'), 0.0, stamp_s=2.0)
    driver.drive(5)
    assert math.dist(position(driver.odom), (1.25, -0.5)) > 0.05, 'it drives on'
    for stamp_s in (3.0, 0.0, 0.0):
        driver.place(1.25, -0.5, stamp_s=stamp_s)
        graph.until(lambda: stands_at(driver.odom, (1.25, -0.5)), 'another wish lifts it')
        driver.drive(3)
        assert not stands_at(driver.odom, (1.25, -0.5))


def test_in_real_time_lifting_does_not_hurry_the_clock(graph):
    graph.add(SimNode, mode='realtime')
    driver = Driver(graph).connect()
    first = stamp_ns(driver.images[-1])
    for number in range(5):
        driver.place(0.5 * number, -3.0)
        graph.until(lambda x_m=0.5 * number: position(driver.odom)[0] == x_m, 'it is there')
    assert (stamp_ns(driver.images[-1]) - first) % PERIOD_NS == 0


@pytest.mark.parametrize(('x_m', 'frame'), [(math.nan, 'map'), (1.0, 'base_link')])
def test_a_place_that_makes_no_sense_is_dropped(graph, x_m, frame):
    graph.add(SimNode)
    said = graph.listen('/diagnostics')
    driver = Driver(graph).connect()
    start = position(driver.odom)
    driver.place(x_m, 0.0, frame=frame)
    graph.until(lambda: any(value.key == 'dropped place' and value.value == '1'
                            for message in said for status in message.status
                            for value in status.values), 'the drop is counted')
    assert position(driver.odom) == start


def test_real_time_goes_on_by_itself_and_stops_a_car_without_commands(graph, simulator):
    graph.add(simulator, mode='realtime', factor=2.0)
    driver = Driver(graph).connect()
    begun, heard = stamp_ns(driver.images[-1]), len(driver.images)
    graph.until(lambda: (driver.tell(1.5), driver.odom.twist.twist.linear.x > 1.0)[1],
                'the car drives')
    graph.until(lambda: driver.odom.twist.twist.linear.x < 0.05, 'it stops by itself')
    assert stamp_ns(driver.images[-1]) - begun >= (len(driver.images) - heard) * PERIOD_NS


def test_system_stamps_are_the_time_of_the_machine(graph):
    graph.add(SimNode, mode='realtime', stamps='system')
    clock = graph.listen('/clock')
    driver = Driver(graph).connect()
    graph.until(lambda: len(driver.images) > 3, 'images come')
    age_s = (graph.probe.get_clock().now().nanoseconds - stamp_ns(driver.images[-1])) / 1e9
    assert 0.0 <= age_s < 5.0
    assert clock == []


def test_two_cars_in_one_world_wait_for_each_other(graph):
    graph.add(SimNode, namespaces=['red', 'blue'])
    red, blue = Driver(graph, 'red'), Driver(graph, 'blue')
    red.connect(), blue.connect()
    assert math.dist(position(red.odom), position(blue.odom)) > 0.3
    first = stamp_ns(red.images[-1])
    red.tell(1.0)
    graph.spin_for(0.3)
    assert stamp_ns(red.images[-1]) == first
    blue.tell(2.0)
    graph.until(lambda: red.senses_later_than(first) and blue.senses_later_than(first),
                'both have driven')
    blue.place(0.0, 0.0)
    graph.until(lambda: position(blue.odom) == (0.0, 0.0), 'blue is lifted')
    assert stamp_ns(red.odom) == first + PERIOD_NS, 'red is left alone'
    red.tell(1.0), blue.drive(1)


def test_the_yaml_file_names_every_setting_with_its_default(repository):
    text = (repository / 'config' / 'sim.yaml').read_text('utf-8')
    expected = {item.name: getattr(SimSettings(), item.name) for item in fields(SimSettings)}
    written = yaml.safe_load(text)['/**']['ros__parameters']
    assert {name: tuple(value) if isinstance(value, list) else value
            for name, value in written.items()} == expected


@pytest.mark.slow
def test_two_cars_in_one_gazebo_wait_for_each_other(graph, gazebo_here):
    graph.add(GazeboNode, namespaces=['red', 'blue'])
    red, blue = Driver(graph, 'red'), Driver(graph, 'blue')
    red.connect(), blue.connect()
    first = stamp_ns(red.images[-1])
    red.tell(1.0)
    graph.spin_for(0.3)
    assert stamp_ns(red.images[-1]) == first
    blue.tell(2.0)
    graph.until(lambda: red.senses_later_than(first) and blue.senses_later_than(first),
                'both have driven')
    blue.place(0.0, 0.0)
    graph.until(lambda: stands_at(blue.odom, (0.0, 0.0)), 'blue is lifted')


@pytest.mark.parametrize(('parameters', 'said'), [
    ({'track': 'ovall'}, 'did you mean oval'),
    ({'mode': 'fast'}, 'lockstep, realtime'),
    ({'stamps': 'system'}, 'allowed: system with realtime'),
    ({'factor': 0.0}, '0.01 to 100'),
])
def test_parameters_that_make_no_sense_are_refused(graph, parameters, said):
    with pytest.raises(ConfigError, match=said):
        graph.add(SimNode, **parameters)


def test_as_a_process_it_ends_in_order(graph, simulator):
    process = graph.start(simulator.__module__, track='pebble')
    Driver(graph).connect().drive(2)
    process.send(2)
    assert process.wait() == 0, process.output
