"""A running car as `racer car check` sees and moves it, over ROS."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import Any, Final

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TwistStamped
from rcl_interfaces.msg import ParameterType, ParameterValue
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.parameter_client import AsyncParameterClient
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Image, LaserScan
from std_msgs.msg import String
from std_srvs.srv import SetBool

from racer_vehicle.check.car_link import Driver, Listened, Sample
from racer_vehicle.errors import MessageError, RacerError
from racer_vehicle.gate import Pilot
from racer_vehicle.nodes import ros
from racer_vehicle.nodes.calls import RefusedError, ask, spin_until
from racer_vehicle.nodes.messages import command_of, frame_of, scan_of, twist_message
from racer_vehicle.signals import DriveCommand, Frame, Scan
from racer_vehicle.spec import CameraSpec, CarSpec, Dataclass, LidarSpec

SERVICES: Final = ('motor/enable', 'motor/emergency_stop', 'motor/autonomous')

DISCOVERY_S: Final = 8.0
"""DDS takes up to 4 s to show a process that has run for a while."""

PATIENCE_S: Final = 10.0
"""For an answer, and for a sensor's first word."""

WAKE_S: Final = 0.01
REMEMBERED: Final = 2000


class RosCarLink:
    """A `CarLink`; `linked_car` makes it."""

    def __init__(self, node: Node, executor: SingleThreadedExecutor,
                 interrupted: Sequence[int] = ()) -> None:
        """Begin to listen.

        Args:
            node: Of this process, in the car's namespace.
            executor: That spins it.
            interrupted: Whatever comes in there ends the check, from inside `wait`.
        """
        self._node, self._executor, self._interrupted = node, executor, interrupted
        self._now, self._spec, self._active, self._pilot = ros.ros_clock(node), CarSpec(), '', ''
        self._applied: deque[Sample[DriveCommand]] = deque(maxlen=REMEMBERED)
        self._frames: list[Sample[Frame]] = []
        self._scans: list[Sample[Scan]] = []
        self._unfit = ''
        self._operator = ros.publisher(node, 'teleop/cmd_vel')
        self._services = {name: ros.client(node, name) for name in SERVICES}
        ros.subscription(node, 'cmd_vel/applied', self._on_applied)
        ros.subscription(node, 'policy/active', self._on_active)
        ros.subscription(node, '/diagnostics', self._on_diagnostics)

    def discover(self, wanted: Collection[str]) -> None:
        """Give the car's nodes time to be seen, and go by their clock."""
        until_s = time.monotonic() + DISCOVERY_S
        while time.monotonic() < until_s and not {*wanted} <= {*self.nodes}:
            self.wait(WAKE_S)
        if self._node.count_publishers('/clock'):
            self._node.set_parameters([Parameter('use_sim_time', value=True)])
        if 'motor' in wanted and 'motor' in self.nodes:
            self._until(self._hears_the_motor, 'word of the motor node')

    @property
    def nodes(self) -> Collection[str]:
        """As of `CarLink`."""
        own = self._node.get_namespace()
        return [name for name, space in self._node.get_node_names_and_namespaces() if space == own]

    @property
    def is_simulated(self) -> bool:
        """As of `CarLink`."""
        return self._node.count_publishers('sim/camera/image_raw') > 0

    @property
    def applied(self) -> Sequence[Sample[DriveCommand]]:
        """As of `CarLink`."""
        return list(self._applied)

    @property
    def autonomous(self) -> bool:
        """As of `CarLink`."""
        return self._pilot == Pilot.POLICY

    def car(self) -> CarSpec:
        """As of `CarLink`; the default car where there is no node to ask."""
        there = [name for name in ('inference', 'motor') if name in self.nodes]
        if there:
            parts = {prefix: self._part(there[0], kind, prefix) for prefix, kind in (
                ('car', CarSpec), ('camera', CameraSpec), ('lidar', LidarSpec))}
            self._spec = replace(CarSpec(**parts['car']), camera=CameraSpec(**parts['camera']),
                                 lidar=LidarSpec(**parts['lidar']))
        return self._spec

    def driver(self) -> Driver:
        """As of `CarLink`."""
        if 'inference' not in self.nodes:
            return Driver()
        bundle, trusted = self._parameters('inference', ['bundle', 'trusted_keys'])
        return Driver(bundle=bundle, trusted_keys=trusted, active_sha256=self._active)

    def listen(self, duration_s: float) -> Listened:
        """As of `CarLink`."""
        self._frames, self._scans, self._unfit = [], [], ''
        subscriptions = [ros.subscription(self._node, 'camera/image_raw', self._on_image),
                         ros.subscription(self._node, 'scan', self._on_scan)]
        try:
            self._first_words()
            self._frames, self._scans = [], []
            self.wait(duration_s)
        finally:
            for subscription in subscriptions:
                self._node.destroy_subscription(subscription)
        return Listened(self._frames, self._scans, self._unfit)

    def wait(self, duration_s: float) -> None:
        """As of `CarLink`."""
        until_s = time.monotonic() + duration_s
        while time.monotonic() < until_s:
            # Raised amid a callback, rclpy might not let it through.
            if self._interrupted:
                raise KeyboardInterrupt
            self._executor.spin_once(timeout_sec=min(WAKE_S, duration_s))

    def command(self, command: DriveCommand) -> float:
        """As of `CarLink`."""
        stamp = ros.to_stamp(self._now())
        sent_s = time.monotonic()
        self._operator.publish(twist_message(command, self._spec.wheelbase_m, stamp, 'base_link'))
        return sent_s

    def enable(self, wanted: bool) -> str:
        """As of `CarLink`."""
        try:
            self._set('motor/enable', wanted)
        except RefusedError as error:
            return error.reason
        return ''

    def emergency_stop(self, wanted: bool) -> None:
        """As of `CarLink`."""
        self._set('motor/emergency_stop', wanted)

    def put_in_charge(self, *, policy: bool) -> None:
        """As of `CarLink`."""
        self._set('motor/autonomous', policy)

    def _set(self, name: str, wanted: bool) -> None:
        ask(self._services[name], name, SetBool.Request(data=wanted), self._executor, PATIENCE_S)

    def _until(self, done: Callable[[], object], what: str) -> None:
        def done_or_interrupted() -> bool:
            if self._interrupted:
                raise KeyboardInterrupt
            return bool(done())

        spin_until(self._executor, done_or_interrupted, PATIENCE_S, what)

    def _hears_the_motor(self) -> bool:
        """Both ways: the first commands of a step must not be lost."""
        found = all(service.service_is_ready() for service in self._services.values())
        return bool(self._pilot) and found and self._operator.get_subscription_count() > 0

    def _first_words(self) -> None:
        until_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < until_s and not (self._frames and self._scans):
            self.wait(WAKE_S)

    def _part(self, node: str, kind: type[Dataclass], prefix: str) -> dict[str, Any]:
        default: Any = kind()
        names = [item.name for item in fields(kind)
                 if isinstance(getattr(default, item.name), int | float | str)]
        values = self._parameters(node, [f'{prefix}.{name}' for name in names])
        return dict(zip(names, values, strict=True))

    def _parameters(self, node: str, names: list[str]) -> list[Any]:
        client = AsyncParameterClient(self._node, node)
        self._until(client.services_are_ready, f'the parameters of {node}')
        answer = client.get_parameters(names)
        self._until(answer.done, f'the parameters of {node}')
        return [_plain(value) for value in answer.result().values]

    def _on_image(self, message: Image) -> None:
        try:
            frame = frame_of(message)
        except MessageError as error:
            self._unfit = str(error)
            return
        self._frames.append(Sample(time.monotonic(), self._now() - frame.stamp_s, frame))

    def _on_scan(self, message: LaserScan) -> None:
        try:
            scan = scan_of(message, self._spec.lidar)
        except MessageError as error:
            self._unfit = str(error)
            return
        self._scans.append(Sample(time.monotonic(), self._now() - scan.stamp_s, scan))

    def _on_applied(self, message: TwistStamped) -> None:
        held_rad = self._applied[-1].item.steering_rad if self._applied else 0.0
        command = command_of(message.twist, held_rad, self._spec.wheelbase_m)
        age_s = self._now() - ros.to_seconds(message.header.stamp)
        self._applied.append(Sample(time.monotonic(), age_s, command))

    def _on_active(self, message: String) -> None:
        self._active = json.loads(message.data)['sha256']

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        motor = f'{self._node.get_namespace()}/motor'.replace('//', '/').lstrip('/')
        for status in message.status:
            if status.name == motor:
                self._pilot = {item.key: item.value for item in status.values}.get('in_charge', '')


@contextmanager
def linked_car(wanted: Collection[str], namespace: str = '',
               interrupted: Sequence[int] = ()) -> Iterator[RosCarLink]:
    """Join the car's graph, in a ROS context of its own.

    Args:
        wanted: Nodes of the car to wait for, some seconds; others are found or not.
        namespace: Of the car; empty for a car alone.
        interrupted: As of `RosCarLink`.

    Raises:
        SilenceError: The motor node is there and says nothing.
    """
    context = rclpy.Context()
    rclpy.init(args=[], context=context, signal_handler_options=SignalHandlerOptions.NO)
    executor = SingleThreadedExecutor(context=context)
    try:
        node = Node('car_check', namespace=namespace or None, context=context)
        executor.add_node(node)
        link = RosCarLink(node, executor, interrupted)
        link.discover(wanted)
        yield link
    finally:
        executor.shutdown()
        rclpy.try_shutdown(context=context)


def _plain(value: ParameterValue) -> Any:
    kinds = {ParameterType.PARAMETER_BOOL: 'bool_value',
             ParameterType.PARAMETER_INTEGER: 'integer_value',
             ParameterType.PARAMETER_DOUBLE: 'double_value',
             ParameterType.PARAMETER_STRING: 'string_value'}
    if value.type not in kinds:
        raise RacerError('the nodes of the car do not have the parameters of this version; '
                         'allowed: nodes of the same racer; start them again.')
    return getattr(value, kinds[value.type])
