import math

import numpy as np
import pytest

from racer_rl.envs.batch import RaceBatch
from racer_rl.reward.loading import read_reward
from racer_rl.reward.params import ParamsBuilder, RewardParams
from racer_rl.reward.paymaster import Paymaster
from racer_sim.bodies import Box, wall_boxes
from racer_sim.courses import courses_of
from racer_sim.rules import RaceRules
from racer_sim.simulator import Simulator
from racer_sim.simulator_config import SimulatorConfig
from racer_sim.track_library import find_track
from racer_vehicle.action import ContinuousActions
from racer_vehicle.observation import ObservationSpec
from racer_vehicle.spec import CONTROL_PERIOD_S, CarSpec

OVAL = find_track('oval')


class Car:
    """One car at known places and the dictionary of its reward function."""

    def __init__(self, *, direction='forward', s_m=1.0, lateral=0.0, heading_rad=0.0, **config):
        config.setdefault('cars', 1)
        self.simulator = Simulator(courses_of([OVAL], direction), CarSpec(),
                                   SimulatorConfig(image_age_s=(0.0, 0.0), **config), seed=0)
        self.simulator.reset()
        self.builder = ParamsBuilder(self.simulator)
        self.put(s_m, lateral, heading_rad)

    @property
    def track(self):
        return self.simulator.courses[0].track

    def put(self, s_m, lateral=0.0, heading_rad=0.0, car=0):
        self.simulator.place(np.array([car]), np.array([0]), np.array([s_m]), lateral, heading_rad)

    def step(self, steering_rad=0.0, speed_mps=0.0, times=1):
        for _ in range(times):
            commands = np.tile((steering_rad, speed_mps), (self.simulator.config.cars, 1))
            self.simulator.step(commands)
        return self.params

    @property
    def params(self):
        return self.builder.build()[0]

    @property
    def pose(self):
        return tuple(self.simulator.state[0][name] for name in ('x_m', 'y_m', 'yaw_rad'))


def test_the_dictionary_has_deepracers_27_keys_of_plain_types():
    params = Car(boxes=(box_at(3.0),)).step()
    assert len(params) == 27
    assert set(params) == RewardParams.__required_keys__
    plain = (bool, int, float, list)
    assert {type(value) for value in params.values()} <= set(plain)
    for name in ('all_wheels_on_track', 'is_left_of_center', 'is_offtrack', 'is_crashed',
                 'is_reversed', 'object_in_camera'):
        assert type(params[name]) is bool
    for name in ('x', 'heading', 'progress', 'speed', 'track_width', 'sim_time'):
        assert type(params[name]) is float
    assert type(params['steps']) is int


@pytest.mark.parametrize(('lateral', 'all_on', 'none_on'), [
    (0.0, True, False), (0.98, False, False), (1.15, False, False), (1.6, False, True)])
def test_all_wheels_on_track_and_is_offtrack(lateral, all_on, none_on):
    params = Car(lateral=lateral).params
    assert (params['all_wheels_on_track'], params['is_offtrack']) == (all_on, none_on)


def test_x_and_y_are_base_link():
    car = Car(s_m=4.0)
    assert (car.params['x'], car.params['y']) == car.pose[:2]


@pytest.mark.parametrize('heading_rad', [0.0, 1.0, -1.0, 3.0])
def test_heading_is_yaw_in_degrees(heading_rad):
    car = Car(heading_rad=heading_rad)
    expected = math.remainder(float(car.track.heading_rad[0]) + heading_rad, math.tau)
    assert car.params['heading'] == pytest.approx(math.degrees(expected))
    assert -180.0 <= car.params['heading'] <= 180.0


@pytest.mark.parametrize('direction', ['forward', 'reverse'])
@pytest.mark.parametrize('lateral', [0.5, -0.5])
def test_distance_and_side_of_the_centre_line(direction, lateral):
    params = Car(direction=direction, lateral=lateral).params
    assert params['distance_from_center'] == pytest.approx(0.25 * params['track_width'], rel=0.02)
    assert params['is_left_of_center'] is (lateral > 0.0)


def box_at(s_m, lateral_m=0.0, yaw_rad=0.0, track=OVAL):
    x, y, _ = track.pose_at(s_m, lateral_m)
    return Box(x_m=float(x), y_m=float(y), yaw_rad=yaw_rad)


def test_is_crashed():
    car = Car(boxes=(box_at(5.0),))
    assert car.step()['is_crashed'] is False
    car.put(5.0)
    assert car.step()['is_crashed'] is True


@pytest.mark.parametrize('direction', ['forward', 'reverse'])
@pytest.mark.parametrize('speed_mps', [1.0, -1.0])
def test_is_reversed_tells_the_direction_driven(direction, speed_mps):
    car = Car(direction=direction, rules=RaceRules(patience_steps=1000))
    clockwise = car.track.is_clockwise is (speed_mps > 0.0)
    assert car.step(speed_mps=speed_mps, times=5)['is_reversed'] is clockwise


@pytest.mark.parametrize('start_m', [1.0, OVAL.length_m - 0.2])
def test_progress_steps_and_time_count_from_the_start_of_the_episode(start_m):
    car = Car(s_m=start_m)
    params = car.step(speed_mps=1.0)
    assert params['steps'] == 1
    assert params['sim_time'] == pytest.approx(CONTROL_PERIOD_S)
    params = car.step(speed_mps=1.0, times=9)
    driven = math.dist(car.track.pose_at(start_m)[:2], (params['x'], params['y']))
    assert params['steps'] == 10
    assert params['sim_time'] == pytest.approx(10 * CONTROL_PERIOD_S)
    assert params['progress'] == pytest.approx(100.0 * driven / OVAL.length_m, rel=0.02)
    assert params['projection_distance'] == pytest.approx((start_m + driven) % OVAL.length_m,
                                                          rel=0.02)


def test_speed_and_steering_are_measured_and_not_commanded():
    car = Car()
    params = car.step(steering_rad=0.4, speed_mps=3.0)
    state = car.simulator.state[0]
    assert params['speed'] == math.hypot(state['vx_mps'], state['vy_mps'])
    assert 0.0 < params['speed'] < 1.0
    assert params['steering_angle'] == pytest.approx(math.degrees(state['steering_rad']))
    assert 5.0 < params['steering_angle'] < math.degrees(0.4)


def test_speed_is_never_negative_and_steering_right_is():
    params = Car(rules=RaceRules(patience_steps=1000)).step(-0.3, -1.0, times=6)
    assert params['speed'] > 0.3
    assert params['steering_angle'] == pytest.approx(math.degrees(-0.3), rel=0.05)


def test_track_width_and_length():
    params = Car(s_m=2.0).params
    assert params['track_width'] == pytest.approx(float(OVAL.width_m[0]), rel=0.05)
    assert params['track_length'] == OVAL.length_m


@pytest.mark.parametrize('direction', ['forward', 'reverse'])
def test_waypoints_run_in_the_direction_of_travel_and_close(direction):
    car = Car(direction=direction)
    waypoints = car.params['waypoints']
    assert waypoints[0] == waypoints[-1]
    assert np.array_equal(waypoints[:-1], car.track.centre_m)


@pytest.mark.parametrize('s_m', [0.01, 3.0, OVAL.length_m - 0.01])
def test_closest_waypoints_lie_behind_and_ahead(s_m):
    car = Car(s_m=s_m)
    behind, ahead = car.params['closest_waypoints']
    arcs = np.append(car.track.s_m, np.inf)
    assert arcs[behind] <= s_m <= arcs[ahead]
    assert ahead == behind + 1
    assert ahead < len(car.params['waypoints'])


def test_without_objects_their_lists_are_empty():
    params = Car().params
    for name in ('objects_distance', 'objects_heading', 'objects_left_of_center',
                 'objects_location', 'objects_speed', 'objects_distance_from_center'):
        assert params[name] == []
    assert params['closest_objects'] == [0, 0]
    assert params['object_in_camera'] is False


def test_walls_are_no_objects():
    params = Car(boxes=wall_boxes(OVAL)).params
    assert params['objects_location'] == []
    assert params['closest_objects'] == [0, 0]


def test_objects_are_described_one_by_one():
    boxes = (box_at(2.0, 0.2, 0.5), box_at(6.0, -0.1, 3.5))
    params = Car(boxes=boxes).params
    assert params['objects_location'] == [(box.x_m, box.y_m) for box in boxes]
    assert params['objects_distance'] == pytest.approx([2.0, 6.0], abs=0.05)
    assert params['objects_distance_from_center'] == pytest.approx([0.2, 0.1], abs=0.01)
    assert params['objects_left_of_center'] == [True, False]
    assert params['objects_heading'] == pytest.approx(np.degrees([0.5, 3.5 - math.tau]))
    assert params['objects_speed'] == [0.0, 0.0]


@pytest.mark.parametrize(('s_m', 'behind', 'ahead'), [(1.0, 2, 0), (3.0, 0, 1), (11.0, 2, 0)])
def test_closest_objects_are_behind_and_ahead_across_the_line(s_m, behind, ahead):
    car = Car(boxes=(box_at(2.0), box_at(4.0), box_at(9.0)), s_m=s_m)
    assert OVAL.length_m > 11.0
    assert car.params['closest_objects'] == [behind, ahead]


@pytest.mark.parametrize(('heading_rad', 'seen'), [(0.0, True), (0.9, True), (1.2, False),
                                                   (-1.2, False), (3.1, False)])
def test_object_in_camera_within_half_the_field_of_view(heading_rad, seen):
    car = Car(boxes=(box_at(3.0),), s_m=1.0, heading_rad=heading_rad)
    assert car.params['object_in_camera'] is seen


def test_another_car_is_an_object_with_its_speed():
    car = Car(cars=2, cars_per_world=2)
    car.put(4.0, car=1)
    params = car.step(speed_mps=1.5, times=8)
    other = car.simulator.state[1]
    assert params['objects_location'] == [(other['x_m'], other['y_m'])]
    assert params['objects_speed'] == pytest.approx([math.hypot(other['vx_mps'], other['vy_mps'])])
    assert params['objects_heading'] == pytest.approx([math.degrees(other['yaw_rad'])])
    assert params['objects_speed'][0] > 0.5


def test_every_car_has_a_reward_function_of_its_own(tmp_path):
    file = tmp_path / 'counting.py'
    file.write_text('calls = 0\n\n\ndef reward_function(params):\n'
                    '    global calls\n    calls += 1\n    return float(calls)\n')
    simulator = Simulator(courses_of([OVAL]), CarSpec(), SimulatorConfig(cars=3), seed=0)
    batch = RaceBatch(simulator, ObservationSpec(), ContinuousActions(),
                      Paymaster(read_reward(file), simulator))
    batch.reset()
    for expected in (1.0, 2.0, 3.0):
        assert batch.step(np.zeros((3, 2))).rewards.tolist() == [expected] * 3
