"""Messages to signals and back; what cannot be what its topic promises is a `MessageError`."""

from __future__ import annotations

import math
from array import array
from typing import Final

import cv2
import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Twist, TwistStamped
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, LaserScan
from std_msgs.msg import Header

from racer_vehicle.errors import MessageError
from racer_vehicle.kinematics import steering_from_yaw_rate, yaw_rate_from_steering
from racer_vehicle.nodes.ros import to_seconds, to_stamp
from racer_vehicle.signals import DriveCommand, Frame, Scan
from racer_vehicle.spec import CameraSpec, LidarSpec

CHANNELS: Final = {'mono8': 1, 'rgb8': 3}
"""Channels of the encodings that the graph speaks."""

SAME_ANGLE_RAD: Final = 1e-3
"""Rays of a message may lie this far from the specification's: float32 rounds them."""


def header(stamp: Time, frame_id: str) -> Header:
    """A header."""
    return Header(stamp=stamp, frame_id=frame_id)


def image_message(frame: Frame, frame_id: str) -> Image:
    """An image, mono8 or rgb8."""
    height, width = frame.image.shape[:2]
    channels = 3 if frame.image.ndim == 3 else 1
    return Image(header=header(to_stamp(frame.stamp_s), frame_id), height=height, width=width,
                 encoding='rgb8' if channels == 3 else 'mono8', step=width * channels,
                 data=array('B', frame.image.tobytes()))


def frame_of(message: Image) -> Frame:
    """The image of a message; its pixels are the message's.

    Raises:
        MessageError: Another encoding than mono8 and rgb8, or data that is not its size.
    """
    channels = CHANNELS.get(message.encoding)
    if channels is None:
        raise MessageError(f'the image has encoding {message.encoding!r}; allowed: '
                           f'{", ".join(CHANNELS)}.')
    height, width, step = message.height, message.width, message.step
    if not width or not height or step < width * channels or len(message.data) != step * height:
        raise MessageError(
            f'the image says {width}x{height} {message.encoding} with rows of {step} bytes and '
            f'has {len(message.data)} bytes; allowed: rows of at least {width * channels} bytes, '
            'height times as many in all.'
        )
    rows = np.frombuffer(message.data, dtype=np.uint8).reshape(height, step)
    pixels = rows[:, :width * channels]
    image = pixels if channels == 1 else pixels.reshape(height, width, 3)
    return Frame(image=image, stamp_s=to_seconds(message.header.stamp))


def camera_info_message(camera: CameraSpec, stamp_s: float, frame_id: str) -> CameraInfo:
    """The pinhole of a rectified image; ROS counts pixels from the centre of the first one."""
    focal, x, y = camera.focal_px, (camera.width_px - 1) / 2.0, (camera.height_px - 1) / 2.0
    return CameraInfo(
        header=header(to_stamp(stamp_s), frame_id), width=camera.width_px,
        height=camera.height_px, distortion_model='plumb_bob', d=[0.0] * 5,
        k=[focal, 0.0, x, 0.0, focal, y, 0.0, 0.0, 1.0],
        r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        p=[focal, 0.0, x, 0.0, 0.0, focal, y, 0.0, 0.0, 0.0, 1.0, 0.0],
    )


def compressed_message(frame: Frame, frame_id: str) -> CompressedImage:
    """An image as JPEG."""
    # OpenCV takes colours for blue, green, red.
    image = frame.image[..., ::-1] if frame.image.ndim == 3 else frame.image
    jpeg = cv2.imencode('.jpg', image)[1]
    return CompressedImage(header=header(to_stamp(frame.stamp_s), frame_id), format='jpeg',
                           data=array('B', jpeg.tobytes()))


def scan_message(scan: Scan, lidar: LidarSpec, period_s: float, frame_id: str) -> LaserScan:
    """A scan.

    Args:
        scan: Ranges by the rays of `lidar`.
        lidar: Whose rays they are.
        period_s: Between two scans.
        frame_id: Of the scanner.
    """
    return LaserScan(
        header=header(to_stamp(scan.stamp_s), frame_id),
        angle_min=-lidar.fov_rad / 2.0, angle_max=lidar.fov_rad / 2.0,
        angle_increment=lidar.fov_rad / (lidar.rays - 1), scan_time=period_s,
        range_min=lidar.range_min_m, range_max=lidar.range_max_m,
        ranges=array('f', np.ascontiguousarray(scan.ranges_m, dtype=np.float32).tobytes()),
    )


def scan_of(message: LaserScan, lidar: LidarSpec) -> Scan:
    """The scan of a message.

    Raises:
        MessageError: Its rays are not those of `lidar`.
    """
    first, last = message.angle_min, message.angle_min + message.angle_increment * (
        len(message.ranges) - 1)
    if (len(message.ranges) != lidar.rays or abs(first + lidar.fov_rad / 2.0) > SAME_ANGLE_RAD
            or abs(last - lidar.fov_rad / 2.0) > SAME_ANGLE_RAD):
        raise MessageError(
            f'the scan has {len(message.ranges)} rays from {first:.3f} to {last:.3f} rad; '
            f'allowed: {lidar.rays} from {-lidar.fov_rad / 2.0:.3f} to {lidar.fov_rad / 2.0:.3f}; '
            "set the car's lidar parameters to the scanner's."
        )
    ranges_m = np.frombuffer(message.ranges, dtype=np.float32)
    return Scan(ranges_m=ranges_m, stamp_s=to_seconds(message.header.stamp))


def twist_message(command: DriveCommand, wheelbase_m: float, stamp: Time,
                  frame_id: str) -> TwistStamped:
    """A command as speed and yaw rate; at a standstill the steering cannot be told."""
    yaw_rate_radps = yaw_rate_from_steering(command.steering_rad, command.speed_mps, wheelbase_m)
    message = TwistStamped(header=header(stamp, frame_id))
    message.twist.linear.x = command.speed_mps
    message.twist.angular.z = float(yaw_rate_radps)
    return message


def command_of(twist: Twist, held_steering_rad: float, wheelbase_m: float) -> DriveCommand:
    """The command of a twist; what is not finite stays so, for the limiter to see.

    Args:
        twist: Speed and yaw rate.
        held_steering_rad: Steering that a standing car keeps.
        wheelbase_m: Between the axles.
    """
    speed_mps, yaw_rate_radps = twist.linear.x, twist.angular.z
    if not (math.isfinite(speed_mps) and math.isfinite(yaw_rate_radps)):
        return DriveCommand(steering_rad=math.nan, speed_mps=math.nan)
    steering_rad = steering_from_yaw_rate(yaw_rate_radps, speed_mps, held_steering_rad,
                                          wheelbase_m)
    return DriveCommand(steering_rad=float(steering_rad), speed_mps=speed_mps)
