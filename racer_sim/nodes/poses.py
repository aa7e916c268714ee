"""Poses on the ground as ROS messages, and back."""

from __future__ import annotations

import math

from geometry_msgs.msg import Pose as PoseMessage
from geometry_msgs.msg import PoseStamped, Quaternion

from racer_sim.starting_grid import Pose
from racer_vehicle.errors import ConfigError, MessageError
from racer_vehicle.nodes import ros
from racer_vehicle.nodes.messages import header


def quaternion(roll_rad: float, pitch_rad: float, yaw_rad: float) -> Quaternion:
    """Of a rotation by roll, pitch and yaw about fixed axes (REP-103)."""
    cr, sr = math.cos(roll_rad / 2), math.sin(roll_rad / 2)
    cp, sp = math.cos(pitch_rad / 2), math.sin(pitch_rad / 2)
    cy, sy = math.cos(yaw_rad / 2), math.sin(yaw_rad / 2)
    return Quaternion(x=sr * cp * cy - cr * sp * sy, y=cr * sp * cy + sr * cp * sy,
                      z=cr * cp * sy - sr * sp * cy, w=cr * cp * cy + sr * sp * sy)


def pose_message(pose: Pose) -> PoseMessage:
    """A pose on the ground."""
    message = PoseMessage(orientation=quaternion(0.0, 0.0, pose.yaw_rad))
    message.position.x, message.position.y = pose.x_m, pose.y_m
    return message


def stamped_pose(pose: Pose, stamp_s: float, frame_id: str) -> PoseStamped:
    """The same with a header."""
    return PoseStamped(header=header(ros.to_stamp(stamp_s), frame_id), pose=pose_message(pose))


def pose_of(message: PoseMessage, frame_id: str, expected: str) -> Pose:
    """The pose of a message; height, roll and pitch are dropped.

    Args:
        message: The pose.
        frame_id: What its header says.
        expected: What it must say.

    Raises:
        MessageError: Another frame, or no finite pose.
    """
    if frame_id != expected:
        raise MessageError(f'the pose is in frame {frame_id!r}; allowed: {expected!r}.')
    q = message.orientation
    yaw_rad = math.atan2(2.0 * (q.w * q.z + q.x * q.y), 1.0 - 2.0 * (q.y * q.y + q.z * q.z))
    try:
        return Pose(message.position.x, message.position.y, yaw_rad)
    except ConfigError as error:
        raise MessageError(str(error)) from None
