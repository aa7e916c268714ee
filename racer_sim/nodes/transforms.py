"""`/tf`, `/tf_static` and `/robot_description`, for rviz, where tf2_msgs is installed.

tf2 gave these names, and nothing of ours reads them, so they are not in the contract. They are
relative here, so that each car's namespace has its own tree (rviz remaps `/tf` to it).
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Final

from geometry_msgs.msg import TransformStamped, Vector3
from rclpy.node import Node
from rclpy.qos import QoSProfile
from std_msgs.msg import String

from racer_sim.driven_world import Motion
from racer_sim.nodes.poses import quaternion
from racer_vehicle import contract
from racer_vehicle.contract import Qos
from racer_vehicle.description import mounts, robot_description
from racer_vehicle.nodes import ros
from racer_vehicle.nodes.messages import header
from racer_vehicle.spec import CarSpec

MAP_FRAME: Final = contract.topic('sim/odom').frame
BASE_FRAME: Final = contract.topic('cmd_vel').frame

Say = Callable[[Motion, float], None]
"""Tells where the car is, at a stamp in seconds."""


def transforms(node: Node, namespace: str, car: CarSpec) -> Say | None:
    """Publish how the car is built; returns what tells where it is, None without tf2_msgs.

    Args:
        node: Which publishes.
        namespace: Of the car.
        car: The car.
    """
    if find_spec('tf2_msgs') is None:
        node.get_logger().info('no tf2_msgs here, so no /tf and no /robot_description')
        return None
    from tf2_msgs.msg import TFMessage

    prefix, latched = f'{namespace}/' if namespace else '', ros.qos_profile(Qos.LATCHED)
    description = node.create_publisher(String, f'{prefix}robot_description', latched)
    description.publish(String(data=robot_description(car)))
    static = node.create_publisher(TFMessage, f'{prefix}tf_static', latched)
    static.publish(TFMessage(transforms=mount_transforms(car)))
    moving = node.create_publisher(TFMessage, f'{prefix}tf', QoSProfile(depth=100))
    return lambda motion, stamp_s: moving.publish(
        TFMessage(transforms=[car_transform(motion, stamp_s)]))


def mount_transforms(car: CarSpec) -> list[TransformStamped]:
    """How camera and lidar sit on the car."""
    return [_transform(mount.parent, mount.child, 0.0, mount.xyz_m, mount.rpy_rad)
            for mount in mounts(car)]


def car_transform(motion: Motion, stamp_s: float) -> TransformStamped:
    """Where the car is in the map."""
    pose = motion.pose
    return _transform(MAP_FRAME, BASE_FRAME, stamp_s, (pose.x_m, pose.y_m, 0.0),
                      (0.0, 0.0, pose.yaw_rad))


def _transform(parent: str, child: str, stamp_s: float, xyz_m: tuple[float, float, float],
               rpy_rad: tuple[float, float, float]) -> TransformStamped:
    message = TransformStamped(header=header(ros.to_stamp(stamp_s), parent), child_frame_id=child)
    x_m, y_m, z_m = xyz_m
    message.transform.translation = Vector3(x=x_m, y=y_m, z=z_m)
    message.transform.rotation = quaternion(*rpy_rad)
    return message
