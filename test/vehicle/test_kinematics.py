"""Axioms of the bicycle model and of Ackermann steering."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from racer_vehicle import kinematics
from racer_vehicle.spec import CarSpec

CAR = CarSpec()
WHEELBASE_M, TRACK_WIDTH_M = CAR.wheelbase_m, CAR.track_width_m

steering = st.floats(-1.2, 1.2)
turning = st.floats(0.01, 1.2)
speeds = st.floats(0.06, 6.0) | st.floats(-6.0, -0.06)


@given(steering)
def test_curvature_and_steering_invert_each_other(angle_rad):
    curvature = kinematics.curvature_from_steering(angle_rad, WHEELBASE_M)
    assert kinematics.steering_from_curvature(curvature, WHEELBASE_M) == pytest.approx(angle_rad)


def test_a_45_degree_wheel_turns_round_a_point_one_wheelbase_away():
    assert kinematics.curvature_from_steering(math.pi / 4, 0.164) == pytest.approx(1 / 0.164)


@given(steering, speeds)
def test_yaw_rate_and_steering_invert_each_other_also_in_reverse(angle_rad, speed_mps):
    yaw_rate = kinematics.yaw_rate_from_steering(angle_rad, speed_mps, WHEELBASE_M)
    back = kinematics.steering_from_yaw_rate(yaw_rate, speed_mps, 9.9, WHEELBASE_M)
    assert back == pytest.approx(angle_rad, abs=1e-12)


def test_steering_left_turns_left_forwards_and_right_in_reverse():
    yaw_rate = kinematics.yaw_rate_from_steering([0.2, 0.2, -0.2], [1.0, -1.0, 1.0], WHEELBASE_M)
    assert np.sign(yaw_rate).tolist() == [1, -1, -1]


def test_a_standing_car_keeps_its_held_steering_row_by_row():
    angle_rad = kinematics.steering_from_yaw_rate(
        yaw_rate_radps=[5.0, 0.0, 1.0], speed_mps=[0.0, -0.049, 1.0],
        held_steering_rad=[0.3, -0.2, 0.1], wheelbase_m=WHEELBASE_M,
    )
    assert angle_rad[:2].tolist() == [0.3, -0.2]
    assert angle_rad[2] == pytest.approx(math.atan(WHEELBASE_M))


@given(steering)
def test_wheel_angles_invert(angle_rad):
    left, right = kinematics.wheel_angles(angle_rad, WHEELBASE_M, TRACK_WIDTH_M)
    back = kinematics.steering_from_wheel_angles(left, right, WHEELBASE_M, TRACK_WIDTH_M)
    assert back == pytest.approx(angle_rad, abs=1e-12)


@given(turning)
def test_the_inner_wheel_steers_more_and_mirrors(angle_rad):
    left, right = kinematics.wheel_angles(angle_rad, WHEELBASE_M, TRACK_WIDTH_M)
    assert left > angle_rad > right > 0
    mirrored = kinematics.wheel_angles(-angle_rad, WHEELBASE_M, TRACK_WIDTH_M)
    assert mirrored == (pytest.approx(-right), pytest.approx(-left))


def test_straight_ahead_all_wheels_are_straight():
    assert kinematics.wheel_angles(0.0, WHEELBASE_M, TRACK_WIDTH_M) == (0.0, 0.0)
    assert kinematics.steering_from_wheel_angles(0.0, 0.0, WHEELBASE_M, TRACK_WIDTH_M) == 0.0


@given(st.floats(0.01, 0.8))
def test_both_front_wheels_stand_square_to_the_turning_centre(angle_rad):
    centre_y = WHEELBASE_M / math.tan(angle_rad)
    left, right = kinematics.wheel_angles(angle_rad, WHEELBASE_M, TRACK_WIDTH_M)
    for wheel_rad, wheel_y in ((left, TRACK_WIDTH_M / 2), (right, -TRACK_WIDTH_M / 2)):
        to_centre = np.array([-WHEELBASE_M, centre_y - wheel_y])
        rolling = np.array([math.cos(wheel_rad), math.sin(wheel_rad)])
        assert to_centre @ rolling == pytest.approx(0.0, abs=1e-9 * centre_y + 1e-12)


def test_mismatched_wheels_give_the_mean_of_what_each_says():
    left, _ = kinematics.wheel_angles(0.30, WHEELBASE_M, TRACK_WIDTH_M)
    _, right = kinematics.wheel_angles(0.20, WHEELBASE_M, TRACK_WIDTH_M)
    middle = kinematics.steering_from_wheel_angles(left, right, WHEELBASE_M, TRACK_WIDTH_M)
    assert middle == pytest.approx(0.25)
