"""Images and scans at 15 Hz for an inference node that drives no car, and its answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import rclpy
from geometry_msgs.msg import TwistStamped
from numpy.typing import NDArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from racer_rl.drive.timing import Percentiles
from racer_vehicle.nodes import ros
from racer_vehicle.nodes.calls import spin_until
from racer_vehicle.nodes.messages import image_message, scan_message
from racer_vehicle.policy_card import PolicyCard
from racer_vehicle.signals import Frame, Scan
from racer_vehicle.spec import CONTROL_PERIOD_S

PATIENCE_S: Final = 120.0
"""For a node with little of a core to start."""


class InferenceLoad(Node):
    """Shows views in turn, and takes the time from each to the command that carries its stamp.

    Attributes:
        images: Shown since `forget`.
        answered_s: Of those that were answered, how long it took.
    """

    def __init__(self, card: PolicyCard, images: NDArray[np.uint8], scans: NDArray[np.float32],
                 **options: Any) -> None:
        """Begin to show.

        Args:
            card: Of the policy that looks.
            images: uint8, (K, height, width) or (K, height, width, 3).
            scans: float32, (K, rays).
            **options: Of `Node`.
        """
        super().__init__('inference_load', **options)
        self._lidar, self._views = card.observation.native_lidar, (images, scans)
        self._shown_s: dict[tuple[int, int], float] = {}
        self.images, self.answered_s, self._next = 0, list[float](), 0
        self._now = ros.ros_clock(self)
        self._camera = ros.publisher(self, 'camera/image_raw')
        self._scans = ros.publisher(self, 'scan')
        ros.subscription(self, 'cmd_vel', self._on_command)
        self.create_timer(CONTROL_PERIOD_S, self._show)

    def forget(self) -> None:
        """Count from now on."""
        self._shown_s.clear()
        self.images, self.answered_s = 0, []

    def _show(self) -> None:
        index, stamp_s = self._next % len(self._views[0]), self._now()
        self._next += 1
        image, scan = (part[index] for part in self._views)
        self._scans.publish(scan_message(Scan(ranges_m=scan, stamp_s=stamp_s), self._lidar,
                                         CONTROL_PERIOD_S, 'laser'))
        message = image_message(Frame(image=image, stamp_s=stamp_s), 'camera')
        stamp = message.header.stamp
        self.images += 1
        self._shown_s[stamp.sec, stamp.nanosec] = time.perf_counter()
        self._camera.publish(message)

    def _on_command(self, message: TwistStamped) -> None:
        stamp = message.header.stamp
        shown_s = self._shown_s.pop((stamp.sec, stamp.nanosec), None)
        if shown_s is not None:
            self.answered_s.append(time.perf_counter() - shown_s)


class LoadedNode:
    """An inference node under load; `under_load` makes it."""

    def __init__(self, load: InferenceLoad, executor: SingleThreadedExecutor) -> None:
        """Take over what has been started."""
        self._load, self._executor = load, executor

    def await_answer(self, alive: Callable[[], None]) -> None:
        """Until the node decides.

        Args:
            alive: Raises when there is no point in waiting any more.

        Raises:
            RacerError: It does not.
        """
        def answered() -> bool:
            alive()
            return bool(self._load.answered_s)

        spin_until(self._executor, answered, PATIENCE_S, 'a command of the inference node')

    def drive(self, seconds: float) -> tuple[int, int, Percentiles | None]:
        """Show images for a while: how many, how many were not answered, and the times."""
        self._load.forget()
        until_s = time.monotonic() + seconds
        spin_until(self._executor, lambda: time.monotonic() >= until_s, seconds + PATIENCE_S,
                   'the end of the measurement')
        answered = self._load.answered_s
        # The last one may be under way.
        return (self._load.images, max(self._load.images - 1 - len(answered), 0),
                Percentiles.of(answered))


@contextmanager
def under_load(card: PolicyCard, images: NDArray[np.uint8],
               scans: NDArray[np.float32]) -> Iterator[LoadedNode]:
    """A node of this process that shows images, in a ROS context of its own."""
    context = rclpy.Context()
    rclpy.init(args=[], context=context, signal_handler_options=SignalHandlerOptions.NO)
    executor = SingleThreadedExecutor(context=context)
    try:
        load = InferenceLoad(card, images, scans, context=context)
        executor.add_node(load)
        yield LoadedNode(load, executor)
        executor.remove_node(load)
        load.destroy_node()
    finally:
        executor.shutdown()
        rclpy.try_shutdown(context=context)
