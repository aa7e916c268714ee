"""Race control on the graph, with a car that is carried round the track by hand."""

import math
from dataclasses import fields

import pytest
import yaml
from geometry_msgs.msg import PoseWithCovarianceStamped
from nav_msgs.msg import Odometry
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger

from racer_sim.nodes.race_control_node import RaceControlNode
from racer_sim.nodes.race_settings import RaceSettings
from racer_sim.race_watch import RaceState
from racer_sim.starting_grid import one_course
from racer_vehicle import contract
from racer_vehicle.errors import ConfigError
from racer_vehicle.nodes import ros
from racer_vehicle.spec import CONTROL_PERIOD_S

pytestmark = pytest.mark.ros

TRACK = one_course('pebble', 'forward').track
STEP_M = 0.25


class Carried:
    """Ground truth of a car, and what race control says about it."""

    def __init__(self, graph, **parameters):
        self.graph = graph
        graph.add(RaceControlNode, track='pebble', **parameters)
        self.said = graph.listen('race/state')
        self.places = graph.listen('sim/place')
        self.truth = graph.publisher('sim/odom')
        self.s_m, self.lateral_m, self.stamp_s = 0.0, 0.0, 50.0
        graph.until(lambda: self.tell() or self.said, 'race control speaks')

    @property
    def state(self):
        return RaceState.from_json(self.said[-1].data)

    def tell(self):
        message = Odometry()
        message.header.stamp = ros.to_stamp(self.stamp_s)
        message.header.frame_id = 'map'
        x_m, y_m, yaw_rad = map(float, TRACK.pose_at(self.s_m, self.lateral_m))
        message.pose.pose.position.x, message.pose.pose.position.y = x_m, y_m
        message.pose.pose.orientation.z = math.sin(yaw_rad / 2)
        message.pose.pose.orientation.w = math.cos(yaw_rad / 2)
        self.truth.publish(message)

    def go(self, distance_m, lateral_m=0.0):
        for _ in range(max(1, round(distance_m / STEP_M))):
            self.s_m += STEP_M if distance_m else 0.0
            self.lateral_m = lateral_m
            self.stamp_s += CONTROL_PERIOD_S
            self.tell()
            self.graph.until(lambda: abs(self.state.stamp_s - self.stamp_s) < 1e-6, 'it is judged')


def test_laps_are_told(graph):
    car = Carried(graph, laps=2)
    car.go(2 * TRACK.length_m + STEP_M)
    assert car.state.status == 'lap_complete'
    assert car.state.laps == 2
    per_lap_s = TRACK.length_m / STEP_M * CONTROL_PERIOD_S
    assert car.state.lap_times_s == pytest.approx((per_lap_s, per_lap_s), rel=0.05)
    assert car.state.lap_clean == (True, True)
    assert car.places == []


def test_leaving_the_track_ends_the_run(graph):
    car = Carried(graph)
    car.go(1.0)
    for lateral_m in (0.4, 0.8, 1.2):
        car.go(STEP_M, lateral_m)
    assert car.state.status == 'off_track'
    assert car.places == []


def test_with_resets_the_car_is_put_back_on_the_track(graph):
    car = Carried(graph, resets=1, off_track_penalty_s=0.3)
    car.go(1.0)
    for lateral_m in (0.4, 0.8, 1.2):
        car.go(STEP_M, lateral_m)
    assert (car.state.status, car.state.held) == ('pause', True)
    for _ in range(6):
        car.go(0.0)
    graph.until(lambda: car.places, 'it is put back')
    position = car.places[-1].pose.position
    assert TRACK.is_on_surface((position.x, position.y))
    assert car.places[-1].header.frame_id == contract.topic('sim/place').frame
    car.s_m = float(TRACK.project((position.x, position.y)).s_m)
    for _ in range(8):
        car.go(0.0)
    assert car.state.status == 'in_progress'
    assert car.state.incidents == 1


def test_a_reset_puts_the_car_where_the_parameter_says(graph):
    car = Carried(graph)
    car.go(1.0)
    run = car.state.run
    client = graph.probe.create_client(SetParameters, 'race_control/set_parameters')
    graph.until(client.service_is_ready, 'parameters can be set')
    change = Parameter('start_share', value=0.25).to_parameter_msg()
    future = client.call_async(SetParameters.Request(parameters=[change]))
    graph.until(future.done, 'the parameter is set')
    assert graph.call('race/reset', Trigger.Request()).success
    graph.until(lambda: car.places, 'the car is put there')
    position = car.places[-1].pose.position
    at = TRACK.project((position.x, position.y))
    assert float(at.s_m) == pytest.approx(TRACK.length_m / 4, abs=1e-3)
    car.s_m = float(at.s_m)
    car.go(0.0)
    assert (car.state.run, car.state.status, car.state.laps) == (run + 1, 'prepare', 0)


def test_a_place_on_the_grid_is_beside_and_behind_the_start(graph):
    car = Carried(graph, place=1)
    graph.call('race/reset', Trigger.Request())
    graph.until(lambda: car.places, 'the car is put there')
    position = car.places[-1].pose.position
    at = TRACK.project((position.x, position.y))
    assert TRACK.length_m - 1.0 < float(at.s_m) < TRACK.length_m
    assert abs(float(at.lateral_m)) > 0.05


def test_rviz_can_put_the_car_anywhere(graph):
    car = Carried(graph)
    run, estimates = car.state.run, graph.publisher('initialpose')
    message = PoseWithCovarianceStamped()
    message.header.frame_id = 'map'
    message.pose.pose.position.x, message.pose.pose.orientation.w = 0.75, 1.0
    estimates.publish(message)
    graph.until(lambda: car.places, 'the car is put there')
    assert car.places[-1].pose.position.x == 0.75
    car.tell()
    graph.until(lambda: car.state.run == run + 1, 'a new run is prepared')


def test_late_viewers_get_track_car_text_and_line(graph):
    car = Carried(graph)
    car.go(2.0)
    markers = graph.listen('race/markers')
    line = graph.listen('race/racing_line')
    graph.until(lambda: line and markers and 'in progress' in markers[-1].markers[-1].text,
                'both are drawn')
    shown = {(marker.ns, marker.type) for marker in markers[-1].markers}
    assert shown == {('track', 4), ('car', 1), ('race', 9)}
    border = markers[-1].markers[0]
    assert len(border.points) == len(TRACK.left_border_m) + 1
    assert {marker.header.frame_id for marker in markers[-1].markers} == {'map'}
    assert len(line[-1].poses) == pytest.approx(2.0 / STEP_M, abs=2)
    assert line[-1].header.frame_id == 'map'


def test_ground_truth_in_another_frame_is_dropped_and_counted(graph):
    car = Carried(graph)
    said = graph.listen('/diagnostics')
    car.truth.publish(Odometry())
    graph.until(lambda: any(value.key == 'dropped sim/odom' for message in said
                            for status in message.status for value in status.values),
                'the drop is counted')


def test_the_yaml_file_names_every_setting_with_its_default(repository):
    text = (repository / 'config' / 'race_control.yaml').read_text('utf-8')
    defaults = {item.name: getattr(RaceSettings(), item.name) for item in fields(RaceSettings)}
    expected = defaults | {'start_share': 0.0}
    assert yaml.safe_load(text)['/**']['ros__parameters'] == expected


@pytest.mark.parametrize(('parameters', 'said'), [
    ({'track': 'peble'}, 'or pebble'),
    ({'direction': 'both'}, 'forward, reverse'),
    ({'laps': 0}, 'laps'),
])
def test_parameters_that_make_no_sense_are_refused(graph, parameters, said):
    with pytest.raises(ConfigError, match=said):
        graph.add(RaceControlNode, **parameters)
