"""One car as a trainer meets it: sensors, ground truth, command and place, topics of the graph."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry
from numpy.typing import NDArray
from rclpy.node import Node
from sensor_msgs.msg import Image, LaserScan

from racer_sim.nodes.poses import pose_of, stamped_pose
from racer_sim.starting_grid import Pose
from racer_sim.vehicle import STATE
from racer_vehicle import contract
from racer_vehicle.errors import MessageError
from racer_vehicle.nodes import ros
from racer_vehicle.nodes.diagnostics import Drops
from racer_vehicle.nodes.messages import frame_of, scan_of, twist_message
from racer_vehicle.observation import ObservationSpec, rgb_to_luma
from racer_vehicle.signals import NEUTRAL, DriveCommand
from racer_vehicle.spec import CONTROL_PERIOD_S, CarSpec

SAME_MOMENT_S: Final = CONTROL_PERIOD_S / 2.0
"""Image and ground truth further apart belong to different periods."""

STANDS_WITHIN_M: Final = 0.05
"""How near to where it was put a car must be seen."""

AT_REST_MPS: Final = 0.1


class CarLink:
    """The newest of one car's sensors and ground truth.

    Attributes:
        name: Of the car, for messages.
        planes: uint8 (channels, height, width), the newest image.
        ranges_m: float32 (rays,), the newest scan.
        truth: vehicle `STATE` record of the newest ground truth; the steering is the commanded.
        image_s: Stamp of the image.
    """

    def __init__(self, node: Node, namespace: str, car: CarSpec,
                 observation: ObservationSpec) -> None:
        """Open the ends.

        Args:
            node: That speaks.
            namespace: Of the car, below the node's own; empty: that.
            car: Its specification.
            observation: What the policy sees.
        """
        self.name = f'{node.get_namespace()}/{namespace}'.replace('//', '/')
        self._node, self._car, self._spec = node, car, observation
        self._drops = Drops(node)
        self.planes: NDArray[np.uint8] = np.zeros(observation.native_shape, dtype=np.uint8)
        self.ranges_m: NDArray[np.float32] = np.full(car.lidar.rays, np.inf, dtype=np.float32)
        self.truth = np.zeros((), dtype=STATE)
        self.image_s = self._truth_s = self._used_s = self._lifted_s = -math.inf
        self._wish = PoseStamped()
        self._scan_s = math.inf if observation.lidar_sensor is None else -math.inf
        self._command: DriveCommand | None = None
        self._commands = ros.publisher(node, 'cmd_vel', namespace)
        self._places = ros.publisher(node, 'sim/place', namespace)
        ros.subscription(node, 'sim/odom', self._on_truth, namespace)
        ros.subscription(node, 'camera/image_raw', self._on_image, namespace)
        if observation.lidar_sensor is not None:
            ros.subscription(node, 'scan', self._on_scan, namespace)

    @property
    def has_news(self) -> bool:
        """Whether sensors and ground truth of one moment, not yet acted on, are there."""
        return (self.image_s > self._used_s + SAME_MOMENT_S
                and self._truth_s >= self.image_s - SAME_MOMENT_S
                and self._scan_s >= self.image_s - contract.LIDAR_STALE_S)

    def command(self, command: DriveCommand) -> None:
        """Act on the newest image."""
        self._command, self._used_s = command, self.image_s
        self.truth['steering_rad'] = command.steering_rad
        self._send()

    def rest(self) -> None:
        """Neutral, if the car was ever seen."""
        if math.isfinite(self.image_s):
            self.command(NEUTRAL)

    def _send(self) -> None:
        assert self._command is not None
        self._commands.publish(twist_message(
            self._command, self._car.wheelbase_m, ros.to_stamp(self._used_s),
            contract.topic('cmd_vel').frame))

    def place(self, pose: Pose) -> None:
        """Lift the car to a pose, neutral; nothing that was seen until now is of there."""
        if self._command is not None:
            # Or, in real time, it would drive on as it was told last. On the image it was told
            # that on, because on a newer one a simulator in lock-step would drive a period.
            self._command = NEUTRAL
            self._send()
        self._command = None
        self.truth['x_m'], self._lifted_s = math.nan, self._truth_s
        # Tells this wish from others; before anything was seen the clock has to do.
        stamp_s = self._truth_s if math.isfinite(self._truth_s) else ros.ros_clock(self._node)()
        self._wish = stamped_pose(pose, stamp_s, contract.topic('sim/place').frame)
        self.place_again()

    def place_again(self) -> None:
        """Ask once more for the last place; a simulator that has done it does nothing."""
        self._places.publish(self._wish)

    def stands_at(self, pose: Pose) -> bool:
        """Whether the newest ground truth, since `place`, shows the car at rest at a place."""
        x_m, y_m, vx_mps, vy_mps = (
            float(self.truth[key]) for key in ('x_m', 'y_m', 'vx_mps', 'vy_mps'))
        return (math.hypot(x_m - pose.x_m, y_m - pose.y_m) <= STANDS_WITHIN_M
                and math.hypot(vx_mps, vy_mps) <= AT_REST_MPS)

    @property
    def shows_truth(self) -> bool:
        """Whether the newest image is not older than the newest ground truth."""
        return self.image_s >= self._truth_s

    def _on_image(self, message: Image) -> None:
        try:
            frame = frame_of(message)
            planes = _planes(frame.image, rgb=self._spec.camera.colour == 'rgb')
            if planes.shape != self.planes.shape:
                raise MessageError(f'the image has planes {planes.shape}; allowed: '
                                   f'{self.planes.shape}; train for this camera.')
        except MessageError as error:
            self._drops.note('image', str(error))
            return
        self.planes, self.image_s = planes, frame.stamp_s
        if self._command is not None and frame.stamp_s <= self._used_s + SAME_MOMENT_S:
            # Shown again, because the command was lost or somebody else lifted the car.
            self._used_s = frame.stamp_s
            self._send()

    def _on_scan(self, message: LaserScan) -> None:
        try:
            scan = scan_of(message, self._car.lidar)
        except MessageError as error:
            self._drops.note('scan', str(error))
            return
        self.ranges_m, self._scan_s = scan.ranges_m, scan.stamp_s

    def _on_truth(self, message: Odometry) -> None:
        try:
            pose = pose_of(message.pose.pose, message.header.frame_id,
                           contract.topic('sim/odom').frame)
        except MessageError as error:
            self._drops.note('ground truth', str(error))
            return
        stamp_s = ros.to_seconds(message.header.stamp)
        if stamp_s <= self._lifted_s:
            return  # from before the car was lifted, shown again
        twist, truth = message.twist.twist, self.truth
        truth['x_m'], truth['y_m'], truth['yaw_rad'] = pose.x_m, pose.y_m, pose.yaw_rad
        truth['vx_mps'], truth['vy_mps'] = twist.linear.x, twist.linear.y
        truth['yaw_rate_radps'] = twist.angular.z
        self._truth_s = stamp_s


def _planes(image: NDArray[np.uint8], *, rgb: bool) -> NDArray[np.uint8]:
    """Colour planes of an image as the policy wants them.

    Raises:
        MessageError: Colour is wanted and the image is grey.
    """
    if rgb and image.ndim == 2:
        raise MessageError('the image is grey; allowed: rgb8, which this policy sees.')
    if rgb:
        return np.moveaxis(image, -1, 0)
    return (rgb_to_luma(image) if image.ndim == 3 else image)[np.newaxis]
