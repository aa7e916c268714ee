"""Messages and signals: what goes in comes out, and what cannot be right is refused."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip('rclpy')

from builtin_interfaces.msg import Time
from geometry_msgs.msg import Twist

from racer_vehicle.errors import MessageError
from racer_vehicle.nodes.messages import (
    command_of,
    frame_of,
    image_message,
    scan_message,
    scan_of,
    twist_message,
)
from racer_vehicle.nodes.ros import to_seconds, to_stamp
from racer_vehicle.signals import DriveCommand, Frame, Scan
from racer_vehicle.spec import LidarSpec

pytestmark = pytest.mark.ros

WHEELBASE_M = 0.164
DAYS_48_S = 2**22


@given(sec=st.integers(0, DAYS_48_S - 1), nanosec=st.integers(0, 10**9 - 1))
def test_stamps_survive_to_the_nanosecond(sec, nanosec):
    stamp = Time(sec=sec, nanosec=nanosec)
    assert to_stamp(to_seconds(stamp)) == stamp


def test_a_stamp_of_today_survives_being_converted_twice():
    once = to_stamp(to_seconds(Time(sec=1_795_351_452, nanosec=80_637_891)))
    assert to_stamp(to_seconds(once)) == once
    assert abs(once.nanosec - 80_637_891) < 250


@given(steering_rad=st.floats(-0.5, 0.5), speed_mps=st.floats(0.1, 4.0))
def test_a_command_comes_back(steering_rad, speed_mps):
    command = DriveCommand(steering_rad, speed_mps)
    message = twist_message(command, WHEELBASE_M, Time(), 'base_link')
    back = command_of(message.twist, 0.0, WHEELBASE_M)
    assert back.speed_mps == speed_mps
    assert back.steering_rad == pytest.approx(steering_rad, abs=1e-12)


def test_a_standing_car_keeps_its_steering():
    assert command_of(Twist(), 0.3, WHEELBASE_M) == DriveCommand(0.3, 0.0)


@pytest.mark.parametrize(('speed_mps', 'yaw_rate_radps'), [
    (math.nan, 0.0), (1.0, math.nan), (math.inf, 1.0), (0.0, math.nan), (0.0, -math.inf)])
def test_what_is_not_finite_stays_visible(speed_mps, yaw_rate_radps):
    twist = Twist()
    twist.linear.x, twist.angular.z = speed_mps, yaw_rate_radps
    command = command_of(twist, 0.1, WHEELBASE_M)
    assert not math.isfinite(command.speed_mps) and not math.isfinite(command.steering_rad)


@pytest.mark.parametrize('shape', [(5, 7), (5, 7, 3)])
def test_an_image_comes_back(shape):
    image = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
    message = image_message(Frame(image, 12.5), 'camera_link_optical')
    back = frame_of(message)
    np.testing.assert_array_equal(back.image, image)
    assert back.stamp_s == 12.5


def test_padded_rows_are_read():
    image = np.arange(12, dtype=np.uint8).reshape(3, 4)
    message = image_message(Frame(image, 0.0), '')
    padded = np.pad(image, ((0, 0), (0, 5)))
    message.step, message.data = 9, padded.tobytes()
    np.testing.assert_array_equal(frame_of(message).image, image)


@pytest.mark.parametrize(('field', 'value', 'pattern'), [
    ('encoding', 'bgr8', "encoding 'bgr8'; allowed: mono8, rgb8"),
    ('encoding', 'rgb8', 'rows of at least 12 bytes'),
    ('step', 3, 'rows of 3 bytes'),
    ('height', 4, 'has 12 bytes'),
    ('width', 0, '0x3'),
    ('data', b'', 'has 0 bytes'),
])
def test_an_image_that_cannot_be_right_is_refused(field, value, pattern):
    message = image_message(Frame(np.zeros((3, 4), np.uint8), 0.0), '')
    setattr(message, field, value)
    with pytest.raises(MessageError, match=pattern):
        frame_of(message)


def test_a_scan_comes_back_with_its_non_finite_readings():
    lidar = LidarSpec(rays=4)
    ranges_m = np.array((1.0, math.inf, -math.inf, math.nan), np.float32)
    back = scan_of(scan_message(Scan(ranges_m, 3.25), lidar, 0.1, 'lidar_link'), lidar)
    np.testing.assert_array_equal(back.ranges_m, ranges_m)
    assert back.stamp_s == 3.25


@pytest.mark.parametrize('other', [LidarSpec(rays=8), LidarSpec(rays=4, fov_rad=3.0)])
def test_a_scan_of_other_rays_is_refused(other):
    message = scan_message(Scan(np.ones(other.rays, np.float32), 0.0), other, 0.1, '')
    with pytest.raises(MessageError, match='allowed: 4 from -2'):
        scan_of(message, LidarSpec(rays=4))
