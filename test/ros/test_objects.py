"""Boxes, bots and other cars on the graph: told of, seen, judged, moved between laps."""

import math

import numpy as np
import pytest
from geometry_msgs.msg import Point, TwistStamped
from hypothesis import given
from hypothesis import strategies as st
from nav_msgs.msg import Odometry
from std_msgs.msg import String
from visualization_msgs.msg import Marker, MarkerArray

from racer_sim.bodies import BOT_OWNER, OBSTACLE_OWNER, Box, body_of
from racer_sim.camera import BODY
from racer_sim.nodes.gazebo_node import GazeboNode
from racer_sim.nodes.objects import objects_message, objects_of
from racer_sim.nodes.poses import stamped_pose
from racer_sim.nodes.race_control_node import RaceControlNode
from racer_sim.nodes.sim_node import SimNode
from racer_sim.race_watch import RaceState
from racer_sim.starting_grid import Pose, one_course
from racer_sim.traffic import ASIDE_M
from racer_vehicle.errors import ConfigError, MessageError
from racer_vehicle.nodes import ros
from racer_vehicle.spec import CarSpec

pytestmark = pytest.mark.ros

CAR = CarSpec()
TRACK = one_course('pebble', 'forward').track
NODES = {'sim': SimNode, 'gazebo': GazeboNode}


@pytest.fixture(params=['sim', pytest.param('gazebo', marks=pytest.mark.slow)])
def simulator(request):
    """The node of each simulator."""
    if request.param == 'gazebo':
        request.getfixturevalue('gazebo_here')
    return NODES[request.param]


def stamp_ns(message):
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


class Race:
    """A car that a test drives by its topics, a simulator and race control."""

    def __init__(self, graph, simulator, namespace='', race=None, **world):
        self.graph, self.namespace = graph, namespace
        if simulator is not None:
            graph.add(simulator, track='pebble', image_age_max_s=0.0, **world)
        if race is not None:
            graph.add(RaceControlNode, track='pebble', **race)
        self.heard = {name: self._listen(name) for name in (
            'sim/camera/image_raw', 'sim/scan', 'sim/odom', 'sim/objects', 'race/state')}
        self.commands = ros.publisher(graph.probe, 'sim/cmd_vel', namespace)
        self.places = ros.publisher(graph.probe, 'sim/place', namespace)
        graph.until(lambda: self.heard['sim/camera/image_raw'] and self.heard['sim/odom']
                    and self.commands.get_subscription_count()
                    and self.places.get_subscription_count(), 'the simulator is found')
        if race is not None:
            graph.until(lambda: self.heard['race/state'], 'race control speaks')

    def _listen(self, name):
        messages = []
        ros.subscription(self.graph.probe, name, messages.append, self.namespace)
        return messages

    @property
    def state(self):
        return RaceState.from_json(self.heard['race/state'][-1].data)

    @property
    def states(self):
        return [RaceState.from_json(message.data) for message in self.heard['race/state']]

    @property
    def objects(self):
        return objects_of(self.heard['sim/objects'][-1])[0]

    @property
    def now_ns(self):
        return stamp_ns(self.heard['sim/camera/image_raw'][-1])

    @property
    def nearest_m(self):
        return min(self.heard['sim/scan'][-1].ranges)

    @property
    def image(self):
        message = self.heard['sim/camera/image_raw'][-1]
        return np.frombuffer(message.data, np.uint8).reshape(message.height, message.width)

    def tell(self, speed_mps, yaw_rate_radps=0.0):
        message = TwistStamped()
        message.header.stamp = self.heard['sim/camera/image_raw'][-1].header.stamp
        message.twist.linear.x, message.twist.angular.z = speed_mps, yaw_rate_radps
        self.commands.publish(message)

    def drive(self, periods, speed_mps, yaw_rate_radps=0.0):
        for _ in range(periods):
            before = self.now_ns
            self.tell(speed_mps, yaw_rate_radps)
            self.graph.until(lambda before=before: self.sensed_after(before), 'next sensors')

    def sensed_after(self, stamp):
        objects = self.heard['sim/objects']
        return all(stamp_ns(self.heard[name][-1]) > stamp for name in (
            'sim/camera/image_raw', 'sim/scan', 'sim/odom')) and (
                not objects or stamp_ns(objects[-1].markers[0]) > stamp)

    def place(self, pose):
        """Put the car somewhere, and wait until it sees from there."""
        before = self.now_ns
        self.places.publish(stamped_pose(pose, 0.0, 'map'))
        self.graph.until(lambda: self.is_at(pose.x_m, pose.y_m) and self.sensed_after(before),
                         'the car is there')

    def is_at(self, x_m, y_m):
        at = self.heard['sim/odom'][-1].pose.pose.position
        return math.hypot(at.x - x_m, at.y - y_m) < 0.01


def behind(body, gap_m):
    """A pose behind a body, which looks at it."""
    yaw_rad = float(body['yaw_rad'])
    return Pose(float(body['x_m']) - gap_m * math.cos(yaw_rad),
                float(body['y_m']) - gap_m * math.sin(yaw_rad), yaw_rad)


def test_a_box_is_told_of_seen_scanned_and_a_crash_into_it_costs_its_penalty(graph, simulator):
    race = Race(graph, simulator, obstacles=1, obstacle_places='0.5,left',
                race={'resets': 5, 'collision_penalty_s': 1.0})
    graph.until(lambda: race.heard['sim/objects'], 'objects are told of')
    (box,) = race.objects
    assert (box['length_m'], box['width_m'], box['owner']) == (0.4, 0.3, OBSTACLE_OWNER)
    at = TRACK.project((float(box['x_m']), float(box['y_m'])))
    assert float(at.s_m) == pytest.approx(TRACK.length_m / 2, abs=0.05)
    race.place(behind(box, 30.0))
    bare, distance_m = race.image.astype(int), 0.9
    race.place(behind(box, distance_m))
    assert np.abs(race.image - bare).mean() > 2.0
    assert race.nearest_m == pytest.approx(distance_m - 0.2 - CAR.lidar.x_m, abs=0.02)
    for _ in range(40):
        race.drive(1, 1.0)
        if race.state.incidents:
            break
    assert race.state.cause == 'crashed'
    for _ in range(40):
        race.drive(1, 0.0)
        if race.state.status == 'in_progress':
            break
    held_s = [state.time_s for state in race.states if state.status == 'pause']
    assert held_s[-1] - held_s[0] == pytest.approx(1.0, abs=0.15)
    position = race.heard['sim/odom'][-1].pose.pose.position
    assert math.hypot(position.x - box['x_m'], position.y - box['y_m']) > 0.8, 'behind the box'
    assert race.heard['sim/odom'][-1].twist.twist.linear.x == pytest.approx(0.0, abs=0.05)


def test_boxes_move_with_each_lap_that_race_control_counts(graph, simulator):
    race = Race(graph, simulator, obstacles=2, seed=3)
    states, seen = graph.publisher('race/state'), []
    for run, laps in ((1, 0), (1, 1), (1, 1), (2, 0)):
        # It is waited for, so the next period has them where they belong.
        states.publish(String(data=RaceState(run=run, laps=laps, status='in_progress',
                                             stamp_s=race.now_ns / 1e9).to_json()))
        graph.spin_for(0.0 if laps else 0.1)
        race.drive(1, 0.0)
        seen.append(race.objects[['x_m', 'y_m']].tolist())
    assert seen[1] == seen[2]
    assert len({str(places) for places in seen}) == 3
    for broken_state in ('no state', RaceState(run='next', laps=1).to_json(),
                         RaceState(run=-1).to_json(), RaceState(run=2**70).to_json()):
        states.publish(String(data=broken_state))
        states.publish(String(data=RaceState(run=2, status='in_progress',
                                             stamp_s=race.now_ns / 1e9).to_json()))
        race.drive(1, 0.0)
    assert race.objects[['x_m', 'y_m']].tolist() == seen[-1]


def test_a_bot_that_is_overtaken_was_seen_and_then_is_not(graph, simulator):
    race = Race(graph, simulator, bots=1, bot_slowest_mps=0.3, bot_fastest_mps=0.3)
    graph.until(lambda: race.heard['sim/objects'], 'objects are told of')
    (bot,) = race.objects
    assert (bot['owner'], bot['length_m']) == (BOT_OWNER, pytest.approx(CAR.length_m))
    race.place(behind(bot, 1.2))
    race.drive(1, 0.0)
    assert race.nearest_m < 1.2, 'it is ahead'
    with_bot = race.image.astype(int)
    gone = behind(race.objects[0], -0.6)
    race.place(gone)
    assert np.isinf(race.heard['sim/scan'][-1].ranges[24:40]).all(), 'it is behind'
    before = race.objects[0].copy()
    race.drive(10, 1.5)
    after = race.objects[0]
    moved_m = math.hypot(after['x_m'] - before['x_m'], after['y_m'] - before['y_m'])
    assert moved_m == pytest.approx(10 * 0.066 * 0.3, rel=0.3), 'it drives on, at its own speed'
    race.place(behind(race.objects[0], 30.0))
    assert np.abs(race.image - with_bot).mean() > 1.0


def test_of_two_cars_it_is_the_one_that_drives_into_the_other(graph, simulator):
    """Each car's race control sees the other's body on `sim/objects`."""
    graph.add(simulator, track='pebble', image_age_max_s=0.0, namespaces=['car1', 'car2'])
    for name in ('car1', 'car2'):
        graph.start('racer_sim.nodes.race_control_node', '--ros-args', '-r', f'__ns:=/{name}',
                    track='pebble', resets=3, collision_penalty_s=0.5)
    first, second = (Race(graph, None, namespace=name) for name in ('car1', 'car2'))
    graph.until(lambda: all(car.heard['race/state'] for car in (first, second)),
                'both race controls speak')
    x_m, y_m, yaw_rad = (float(value) for value in TRACK.pose_at(0.3, 0.0))
    ahead = Pose(x_m + 0.8 * math.cos(yaw_rad), y_m + 0.8 * math.sin(yaw_rad), yaw_rad)
    told = {}

    def drive_until(done, *speeds_mps):
        """As policies do: a command on each new image, also of a car that was lifted."""
        def is_done():
            for car, speed_mps in zip((first, second), speeds_mps, strict=True):
                if told.get(car) != car.now_ns and car.sensed_after(car.now_ns - 1):
                    told[car] = car.now_ns
                    car.tell(speed_mps)
            assert len(first.heard['sim/odom']) < 400, f'{first.state} {second.state}'
            return done()

        graph.until(is_done, 'what the cars drive for')

    first.places.publish(stamped_pose(Pose(x_m, y_m, yaw_rad), 0.0, 'map'))
    second.places.publish(stamped_pose(ahead, 0.0, 'map'))
    drive_until(lambda: first.is_at(x_m, y_m) and second.is_at(ahead.x_m, ahead.y_m), 0.0, 0.0)
    drive_until(lambda: first.state.incidents, 1.5, 0.2)
    assert (first.state.cause, first.state.held) == ('crashed', True)
    assert second.state.status == 'in_progress'
    drive_until(lambda: second.objects['x_m'] == ASIDE_M, 1.5, 0.2)
    assert len(first.objects) == 1, 'the one that is held is told of the other all the same'
    drive_until(lambda: not first.state.held, 0.0, 0.2)
    assert first.state.status == 'in_progress'
    drive_until(lambda: second.objects['x_m'] != ASIDE_M, 0.0, 0.2)
    apart_m = math.hypot(second.objects['x_m'][0] - first.objects['x_m'][0],
                         second.objects['y_m'][0] - first.objects['y_m'][0])
    assert apart_m > CAR.length_m, 'there is room between them'


def test_a_car_that_nobody_commands_stops_and_the_bots_drive_on(graph):
    race = Race(graph, SimNode, mode='realtime', bots=1, bot_slowest_mps=0.5, bot_fastest_mps=0.5)

    def speed_mps():
        return race.heard['sim/odom'][-1].twist.twist.linear.x

    graph.until(lambda: race.heard['sim/objects'] and (race.tell(1.0), speed_mps() > 0.5)[1],
                'the car drives')
    graph.until(lambda: abs(speed_mps()) < 0.01, 'it stops')
    before = race.objects['x_m'].tolist()
    graph.until(lambda: race.objects['x_m'].tolist() != before, 'the bot does not')


def test_nothing_is_told_where_there_is_nothing(graph):
    race = Race(graph, SimNode, race={})
    race.drive(3, 0.5)
    assert race.heard['sim/objects'] == []
    assert race.state.status == 'in_progress'


@pytest.mark.parametrize(('world', 'said'), [
    ({'obstacles': 2, 'obstacle_places': '0.5,left'}, 'places name 1 obstacles and count is 2'),
    ({'obstacles': 1, 'obstacle_places': 'there'}, 'as in "0.2,left 0.6,right"'),
    ({'obstacles': 1, 'bots': 1}, 'one with either obstacles or bots'),
    ({'obstacles': 1, 'namespaces': ['car1', 'car2']}, 'one with either obstacles or bots'),
    ({'obstacles': 6, 'obstacle_gap_m': 9.0}, '6 obstacles or bots 9 m apart need'),
])
def test_races_that_cannot_be_are_refused(graph, world, said):
    with pytest.raises(ConfigError, match=said):
        graph.add(SimNode, track='pebble', **world)


metres = st.floats(-100.0, 100.0)
BODIES = st.lists(st.builds(
    lambda *values: body_of(Box(**dict(zip(('x_m', 'y_m', 'yaw_rad', 'length_m', 'width_m',
                                           'height_m', 'is_wall'), values, strict=True)))),
    metres, metres, st.floats(-3.1, 3.1), *[st.floats(0.01, 5.0)] * 3, st.booleans()),
    min_size=1, max_size=8)


@given(BODIES)
def test_bodies_survive_their_way_as_markers(boxes):
    bodies = np.array(boxes, dtype=BODY)
    read, stamp_s = objects_of(objects_message(bodies, 12.5))
    assert stamp_s == 12.5
    for name in BODY.names:
        assert read[name] == pytest.approx(bodies[name], abs=1e-9), name


def test_what_is_aside_is_gone_from_the_picture_and_from_what_can_be_met():
    bodies = np.array([body_of(Box(x_m=1.0, y_m=2.0))] * 2)
    bodies['x_m'][1] = ASIDE_M
    message = objects_message(bodies, 3.5)
    assert [marker.action for marker in message.markers] == [Marker.ADD, Marker.DELETE]
    read, stamp_s = objects_of(message)
    assert (read['x_m'].tolist(), stamp_s) == ([1.0, ASIDE_M], 3.5)
    assert read['owner'].tolist() == bodies['owner'].tolist()


def broken(**changes):
    message = objects_message(np.array([body_of(Box(x_m=1.0, y_m=2.0))]), 1.0)
    marker = message.markers[0]
    for name, value in changes.items():
        target, _, field = name.rpartition('__')
        setattr(getattr(marker, target) if target else marker, field, value)
    return message


@pytest.mark.parametrize(('message', 'said'), [
    (MarkerArray(), 'it has 0 objects; allowed: 1 to 1000'),
    (MarkerArray(markers=[Marker()] * 1001), 'it has 1001 objects'),
    (broken(scale__x=0.0), 'an object measures'),
    (broken(scale__y=math.nan), 'an object measures'),
    (broken(color__g=math.nan), 'an object has colour'),
    (broken(pose__position=Point(x=math.inf)), 'no place'),
    (broken(header__frame_id='odom'), "frame 'odom'; allowed: 'map'"),
])
def test_objects_that_cannot_be_are_refused(message, said):
    with pytest.raises(MessageError, match=said):
        objects_of(message)


def test_race_control_drops_and_counts_objects_that_cannot_be(graph):
    graph.add(RaceControlNode, track='pebble')
    said, states = graph.listen('/diagnostics'), graph.listen('race/state')
    objects, truth = graph.publisher('sim/objects'), graph.publisher('sim/odom')
    objects.publish(broken(scale__x=math.inf))
    graph.until(lambda: any(value.key == 'dropped sim/objects' for message in said
                            for status in message.status for value in status.values),
                'the drop is counted')
    odometry = Odometry()
    odometry.header.frame_id = 'map'
    odometry.pose.pose.orientation.w = 1.0
    truth.publish(odometry)
    graph.until(lambda: states, 'and the race goes on')
