"""What the joints of a Gazebo car are told, and how one is lifted; without Gazebo."""

import math
from itertools import pairwise

import numpy as np
import pytest

from racer_sim import vehicle
from racer_sim.driven_world import LIFT_NS, Motion
from racer_sim.gazebo.actuation import Actuation
from racer_sim.gazebo.car_model import STEP_S
from racer_sim.gazebo.lift import ATTEMPTS, SETTLE_NS, STOP_NS, Lift, NotPlacedError
from racer_sim.starting_grid import Pose
from racer_vehicle.kinematics import wheel_angles
from racer_vehicle.signals import NEUTRAL, DriveCommand
from racer_vehicle.spec import CONTROL_PERIOD_S, CarSpec

CAR = CarSpec()
MS = 1_000_000


def settled(command):
    actuation = Actuation(CAR)
    for _ in range(20):
        joints = actuation.joints(command, CONTROL_PERIOD_S)
    return joints


def test_straight_ahead_all_wheels_turn_alike():
    joints = settled(DriveCommand(steering_rad=0.0, speed_mps=1.4))
    assert joints.wheels_radps == pytest.approx([1.4 / CAR.wheel_radius_m] * 4)
    assert joints.steering_rad == 0.0


@pytest.mark.parametrize('steering_rad', [-0.5, 0.1, 0.4])
@pytest.mark.parametrize('speed_mps', [-1.0, 2.0])
def test_in_a_bend_each_wheel_rolls_without_slip(steering_rad, speed_mps):
    joints = settled(DriveCommand(steering_rad=steering_rad, speed_mps=speed_mps))
    yaw_rate = speed_mps * math.tan(steering_rad) / CAR.wheelbase_m
    angles = [*map(float, wheel_angles(steering_rad, CAR.wheelbase_m, CAR.track_width_m)), 0.0,
              0.0]
    for turning, angle, (x_m, y_m) in zip(joints.wheels_radps, angles, CAR.wheel_positions_m,
                                          strict=True):
        ground = np.array([speed_mps - yaw_rate * y_m, yaw_rate * (x_m + CAR.wheelbase_m / 2)])
        along = ground @ [math.cos(angle), math.sin(angle)]
        assert turning * CAR.wheel_radius_m == pytest.approx(along, abs=1e-3)


def test_the_servo_is_followed_as_the_embedded_one_turns():
    """Straight wheels at first, so the outer front wheel is told more as they turn."""
    command = DriveCommand(steering_rad=0.4, speed_mps=1.0)
    state = np.zeros(1, dtype=vehicle.STATE)
    vehicle.advance(state, vehicle.vehicle_parameters(CAR, 1), np.zeros((1, 2)),
                    np.array([[0.4, 1.0]]), np.zeros(1, np.int64), vehicle.nothing_queued(1),
                    np.zeros(1, np.bool_))
    actuation = Actuation(CAR)
    for _ in range(11):
        actuation.joints(command, CONTROL_PERIOD_S / 11)
    held = actuation.joints(command, 0.0)
    yaw_rate = math.tan(float(state['steering_rad'][0])) / CAR.wheelbase_m
    rear = held.wheels_radps[2:] * CAR.wheel_radius_m
    assert rear == pytest.approx([1.0 - yaw_rate * CAR.track_width_m / 2,
                                  1.0 + yaw_rate * CAR.track_width_m / 2], abs=0.02)


def test_speeds_are_for_the_middle_of_their_time():
    actuation, command = Actuation(CAR), DriveCommand(steering_rad=0.4, speed_mps=1.0)
    outer = [actuation.joints(command, 10 * STEP_S).wheels_radps[1] for _ in range(10)]
    assert all(later >= before for before, later in pairwise(outer))
    assert outer[0] > 1.0 / CAR.wheel_radius_m


def test_commands_beyond_the_cars_limit_are_cut():
    assert settled(DriveCommand(1.5, 1.0)).steering_rad == pytest.approx(CAR.max_steering_rad)


def test_a_lifted_car_is_told_neutral_and_begins_straight():
    actuation = Actuation(CAR)
    actuation.joints(DriveCommand(0.5, 2.0), 1.0)
    joints = actuation.reset()
    assert (joints.steering_rad, *joints.wheels_radps) == (0.0,) * 5
    straight = actuation.joints(DriveCommand(0.0, 1.0), 0.0).wheels_radps
    assert straight == pytest.approx([1.0 / CAR.wheel_radius_m] * 4)
    assert NEUTRAL.speed_mps == 0.0


def motion(x_m, speed_mps=0.0):
    return Motion(Pose(x_m, 0.0, 0.0), speed_mps, 0.0, 0.0)


class Crane:
    """A car that brakes by 0.1 m/s in each of 10 ms, and goes where it is put."""

    def __init__(self, speed_mps, goes=True):
        self.speed_mps, self.x_m, self.now_ns, self.goes, self.put_to = speed_mps, 0.0, 0, goes, []

    def put(self, pose):
        self.put_to.append((pose, self.speed_mps))
        if self.goes:
            self.x_m = pose.x_m

    def run(self, lift, limit=1000):
        for _ in range(limit):
            self.now_ns += 10 * MS
            self.speed_mps = max(self.speed_mps - 0.1, 0.0)
            if lift.is_done(motion(self.x_m, self.speed_mps), self.now_ns, self.put):
                return True
        return False


@pytest.mark.parametrize('speed_mps', [0.0, 3.0])
def test_a_car_is_moved_once_it_stands_and_seen_there(speed_mps):
    crane = Crane(speed_mps)
    assert crane.run(Lift(Pose(5.0, 0.0, 0.0), 0))
    assert crane.put_to == [(Pose(5.0, 0.0, 0.0), 0.0)]
    assert crane.now_ns >= max(LIFT_NS, SETTLE_NS)


def test_a_car_that_does_not_stop_is_moved_in_the_end():
    crane = Crane(1e6)
    crane.run(Lift(Pose(5.0, 0.0, 0.0), 0), limit=300)
    assert crane.put_to
    assert crane.now_ns > STOP_NS


def test_a_car_that_does_not_go_there_is_an_error():
    crane = Crane(0.0, goes=False)
    with pytest.raises(NotPlacedError, match=f'{ATTEMPTS} times and is not seen there'):
        crane.run(Lift(Pose(5.0, 0.0, 0.0), 0))
    assert len(crane.put_to) == ATTEMPTS
