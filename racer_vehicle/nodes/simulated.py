"""The devices of a simulated car: topics of a simulator behind the drivers' protocols."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from geometry_msgs.msg import TwistStamped
from rclpy.node import Node
from rclpy.publisher import Publisher

from racer_vehicle import contract
from racer_vehicle.drivers.newest import Newest, Stamped
from racer_vehicle.drivers.protocols import Notify
from racer_vehicle.errors import DeviceError, MessageError
from racer_vehicle.nodes import ros
from racer_vehicle.nodes.diagnostics import Drops
from racer_vehicle.nodes.messages import frame_of, scan_of, twist_message
from racer_vehicle.signals import NEUTRAL, DriveCommand, Frame, Scan
from racer_vehicle.spec import LidarSpec

Item = TypeVar('Item', bound=Stamped)


class SimulatedSensor(Generic[Item]):
    """A `Camera` or `Lidar` that listens to a simulator."""

    def __init__(self, node: Node, topic: str, convert: Callable[[Any], Item],
                 drops: Drops) -> None:
        """Prepare; `connect` subscribes.

        Args:
            node: That listens.
            topic: Of the contract.
            convert: Message to item; raises MessageError for one that cannot be used.
            drops: Counts messages that cannot be used.
        """
        self._node, self._topic, self._convert, self._drops = node, topic, convert, drops
        self._now = ros.ros_clock(node)
        self._newest: Newest[Item] = Newest(f'simulator on {topic}')
        self._subscription: Any = None

    def connect(self, notify: Notify) -> None:
        """Begin to listen; returns at once."""
        def take_in(message: Any) -> None:
            try:
                self._newest.put(self._convert(message))
            except MessageError as error:
                self._newest.fail(str(error).rstrip('.'))
                self._drops.note('message', str(error))
            else:
                notify()

        self._subscription = ros.subscription(self._node, self._topic, take_in)

    def read(self, max_age_s: float) -> Item | None:
        """As of the protocol."""
        return self._newest.take(self._now(), max_age_s)

    def close(self) -> None:
        """Stop listening."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Close."""
        self.close()


def simulated_camera(node: Node, drops: Drops) -> SimulatedSensor[Frame]:
    """The camera of a simulated car."""
    return SimulatedSensor(node, 'sim/camera/image_raw', frame_of, drops)


def simulated_lidar(node: Node, lidar: LidarSpec, drops: Drops) -> SimulatedSensor[Scan]:
    """The scanner of a simulated car; scans of other rays are dropped."""
    return SimulatedSensor(node, 'sim/scan', lambda message: scan_of(message, lidar), drops)


class SimulatedActuator:
    """Steering and motor of a simulated car."""

    def __init__(self, node: Node, wheelbase_m: float) -> None:
        """Prepare; `connect` opens.

        Args:
            node: That speaks.
            wheelbase_m: Between the axles.
        """
        self._node, self._wheelbase_m = node, wheelbase_m
        self._publisher: Publisher | None = None
        self._stamp_s = 0.0

    def connect(self) -> None:
        """Begin to speak, with neutral."""
        self._publisher = ros.publisher(self._node, 'sim/cmd_vel')
        self.apply(NEUTRAL, 0.0)

    def apply(self, command: DriveCommand, stamp_s: float) -> DriveCommand:
        """As of the protocol."""
        if self._publisher is None:
            raise DeviceError('the simulated motor is closed; allowed: connect it first.')
        self._stamp_s = stamp_s
        self._publisher.publish(self._message(command, stamp_s))
        return command

    def close(self) -> None:
        """Say neutral, and wait a moment for it to arrive; a second time does nothing."""
        if self._publisher is None:
            return
        # After a shut-down of the context nothing can be said; the simulator's own limit on the
        # age of commands stops the car then.
        if self._node.context.ok():
            ros.say_last(self._publisher, self._message(NEUTRAL, self._stamp_s))
        self._publisher = None

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Close."""
        self.close()

    def _message(self, command: DriveCommand, stamp_s: float) -> TwistStamped:
        row = contract.topic('sim/cmd_vel')
        return twist_message(command, self._wheelbase_m, ros.to_stamp(stamp_s), row.frame)
