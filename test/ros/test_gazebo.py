"""Gazebo's side of the graph, without Gazebo: the bridge, the node's settings, what it refuses."""

import os
from dataclasses import fields

import pytest

pytest.importorskip('rclpy')

import yaml

from racer_sim.gazebo import server, wire
from racer_sim.gazebo.messages import TWIST
from racer_sim.gazebo.topics import gz_topic
from racer_sim.gazebo.transport import GazeboError, Node, bindings
from racer_sim.nodes.gazebo_node import GazeboNode
from racer_sim.nodes.gazebo_settings import GazeboSettings
from racer_sim.nodes.poses import stamped_pose
from racer_sim.nodes.sim_settings import SimSettings
from racer_sim.pace import LockStep, RealTime
from racer_sim.starting_grid import Pose
from racer_vehicle.contract import TOPICS
from racer_vehicle.errors import ConfigError

pytestmark = pytest.mark.ros

NOT_BRIDGED = {'sim/place', 'sim/objects', 'race/state'}
"""What the Gazebo node says and hears itself: Gazebo has services for it."""


@pytest.fixture
def bridge(repository):
    return yaml.safe_load((repository / 'config' / 'gz_bridge.yaml').read_text('utf-8'))


def simulators_rows():
    return {row.name: row for row in TOPICS if row.name not in NOT_BRIDGED and row.name !=
            '/diagnostics' and 'simulator' in (*row.publishers, *row.subscribers)}


def test_the_bridge_carries_exactly_the_simulators_rows_of_the_contract(bridge):
    rows = simulators_rows()
    assert {entry['ros_topic_name'] for entry in bridge} == set(rows)
    assert len(bridge) == len(rows)
    for entry in bridge:
        row = rows[entry['ros_topic_name']]
        assert entry['ros_type_name'] == row.type
        assert entry['direction'] == ('GZ_TO_ROS' if 'simulator' in row.publishers
                                      else 'ROS_TO_GZ')


def test_topics_have_the_same_names_on_both_sides(bridge):
    for entry in bridge:
        name = entry['ros_topic_name']
        assert entry['gz_topic_name'] == gz_topic('', name.lstrip('/'))
        assert set(entry) == {'ros_topic_name', 'gz_topic_name', 'ros_type_name', 'gz_type_name',
                              'direction'}


def test_types_are_those_that_ros_gz_bridge_knows(bridge):
    known = {'Image': 'Image', 'CameraInfo': 'CameraInfo', 'LaserScan': 'LaserScan',
             'Odometry': 'Odometry', 'TwistStamped': 'Twist', 'Clock': 'Clock'}
    for entry in bridge:
        ros_type = entry['ros_type_name'].rpartition('/')[2]
        assert entry['gz_type_name'] == f'gz.msgs.{known[ros_type]}'


def defaults(kind):
    return {item.name: getattr(kind(), item.name) for item in fields(kind)}


def test_the_yaml_file_names_every_setting_with_its_default(repository):
    text = (repository / 'config/gazebo.yaml').read_text('utf-8')
    said = yaml.safe_load(text)['/**']['ros__parameters']
    assert said == defaults(GazeboSettings) | {'namespaces': ['']}


def test_what_both_simulators_may_be_told_is_called_alike():
    embedded, gazebo = defaults(SimSettings), defaults(GazeboSettings)
    assert set(embedded) - set(gazebo) == {'stamps'}, 'Gazebo always has a time of its own'
    assert {name: gazebo[name] for name in embedded if name != 'stamps'} == {
        name: value for name, value in embedded.items() if name != 'stamps'}


def test_the_pace_is_the_embedded_simulators():
    assert isinstance(GazeboSettings().pace, LockStep)
    assert isinstance(GazeboSettings(mode='realtime', factor=2.0).pace, RealTime)
    assert GazeboSettings(mode='realtime', factor=2.0).gazebo.factor == 2.0
    assert GazeboSettings().gazebo.paused


def test_a_partition_of_its_own_unless_somebody_else_has_to_hear():
    assert GazeboSettings().gazebo.partition is None
    assert GazeboSettings(mode='realtime', topics='bridge').gazebo.partition == ''
    assert GazeboSettings(partition='lab').gazebo.partition == 'lab'


@pytest.mark.parametrize('changes', [{}, {'mode': 'realtime', 'namespaces': ('car1', 'car2')}])
def test_a_bridge_is_for_real_time_and_one_car(changes):
    with pytest.raises(ConfigError, match='allowed: bridge with realtime and one car, or own'):
        GazeboSettings(topics='bridge', **changes)


def test_without_gazebo_the_node_says_what_to_install(graph, monkeypatch):
    monkeypatch.setattr(server.shutil, 'which', lambda name: None)
    with pytest.raises(GazeboError, match='Install gz-harmonic'):
        graph.add(GazeboNode, track='pebble')
    assert 'GZ_PARTITION' not in os.environ


def test_a_wrong_parameter_is_refused_before_gazebo_starts(graph):
    with pytest.raises(ConfigError, match=r'GazeboSettings\.mode is .fast.; allowed: lockstep'):
        graph.add(GazeboNode, mode='fast')


def publishers_in(partition):
    """Topic to type, of all that Gazebo publishes in a partition."""
    gz = bindings()
    options = gz.NodeOptions()
    options.partition = partition
    node = gz.Node(options)
    return {topic: [publisher.msg_type_name for publisher in node.topic_info(topic)[0]]
            for topic in node.topic_list()}


@pytest.mark.slow
def test_a_bridge_finds_in_gazebo_what_it_is_to_carry(graph, bridge, gazebo_here):
    partition = f'bridged_{os.getpid()}'
    node = graph.add(GazeboNode, track='pebble', mode='realtime', topics='bridge',
                     partition=partition)
    graph.until(lambda: '/sim/scan' in publishers_in(partition), 'Gazebo publishes')
    found = publishers_in(partition)
    for entry in bridge:
        if entry['direction'] == 'GZ_TO_ROS':
            assert entry['gz_type_name'] in found[entry['gz_topic_name']]
    twists = Node(partition).publisher('/sim/cmd_vel', TWIST)
    graph.until(lambda: twists.has_readers, 'the node listens')
    car = node._world.cars[0]

    def speed_mps():
        return car.motion(car.time_ns).vx_mps

    forward = wire.of_bytes(2, wire.of_double(2, 1.2))
    graph.until(lambda: (twists.publish(forward), speed_mps() > 0.9)[1], 'the car drives')
    graph.until(lambda: speed_mps() < 0.05, 'without commands it stops')
    places = graph.publisher('sim/place')
    target = Pose(1.0, -3.0, 0.5)
    places.publish(stamped_pose(target, 0.0, 'map'))
    graph.until(lambda: car.motion(car.time_ns).pose.distance_m(target) < 0.01, 'it is put there')
