"""The contract's rows as publishers, subscriptions and services, and ROS time as seconds."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from typing import Any, Final

from builtin_interfaces.msg import Time
from rclpy.client import Client
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    LivelinessPolicy,
    QoSProfile,
    ReliabilityPolicy,
)
from rclpy.service import Service
from rclpy.subscription import Subscription

from racer_vehicle import contract
from racer_vehicle.contract import Qos
from racer_vehicle.drivers.protocols import Clock

NANOSECONDS: Final = 1_000_000_000
"""In a second."""

FAREWELL_S: Final = 0.2
"""How long a last word may take to arrive; a reader that was killed never takes it."""


def qos_profile(qos: Qos) -> QoSProfile:
    """What a row's quality of service is called in ROS."""
    best_effort, latched = qos is Qos.SENSOR, qos is Qos.LATCHED
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=qos.depth,
        reliability=ReliabilityPolicy.BEST_EFFORT if best_effort else ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
        liveliness=LivelinessPolicy.AUTOMATIC,
    )


def interface(type_name: str) -> Any:
    """The class of a message or service type.

    Args:
        type_name: `package/msg/Name` or `package/srv/Name`.
    """
    package, kind, name = type_name.split('/')
    return getattr(importlib.import_module(f'{package}.{kind}'), name)


def publisher(node: Node, name: str, namespace: str = '') -> Publisher:
    """A publisher of a topic of the contract.

    Args:
        node: Which publishes.
        name: Of the row.
        namespace: Of another car than the node's own, e.g. for a simulator of several.
    """
    row = contract.topic(name)
    return node.create_publisher(interface(row.type), _within(namespace, name),
                                 qos_profile(row.qos))


def subscription(node: Node, name: str, callback: Callable[[Any], None],
                 namespace: str = '') -> Subscription:
    """A subscription to a topic of the contract; see `publisher`."""
    row = contract.topic(name)
    return node.create_subscription(interface(row.type), _within(namespace, name), callback,
                                    qos_profile(row.qos))


def service(node: Node, name: str, callback: Callable[[Any, Any], Any],
            namespace: str = '') -> Service:
    """A server of a service of the contract.

    Args:
        node: Which serves.
        name: Of the row.
        callback: (request, response) -> response.
        namespace: As for `publisher`.
    """
    row = contract.service(name)
    return node.create_service(interface(row.type), _within(namespace, name), callback)


def client(node: Node, name: str, namespace: str = '') -> Client:
    """A client of a service of the contract; see `publisher`."""
    row = contract.service(name)
    return node.create_client(interface(row.type), _within(namespace, name))


def _within(namespace: str, name: str) -> str:
    """A name of the contract in a namespace below the node's own; absolute names stay."""
    return f'{namespace}/{name}' if namespace and not name.startswith('/') else name


def say_last(publisher: Publisher, message: Any) -> None:
    """Publish, and wait a moment until it has arrived: the publisher is about to go."""
    publisher.publish(message)
    publisher.wait_for_all_acked(Duration(seconds=FAREWELL_S))


def to_seconds(stamp: Time) -> float:
    """Seconds of a message's stamp; exact to the nanosecond for the first 48 days of a clock."""
    return to_nanoseconds(stamp) / NANOSECONDS


def to_nanoseconds(stamp: Time) -> int:
    """The same, whole and exact."""
    return int(stamp.sec * NANOSECONDS + stamp.nanosec)


def to_stamp(seconds: float) -> Time:
    """A message's stamp; the inverse of `to_seconds`."""
    sec, nanosec = divmod(round(seconds * NANOSECONDS), NANOSECONDS)
    return Time(sec=sec, nanosec=nanosec)


def ros_clock(node: Node) -> Clock:
    """The clock of a node's stamps, seconds: simulated where `use_sim_time` says so."""
    clock = node.get_clock()
    return lambda: clock.now().nanoseconds / NANOSECONDS


def deadline_clock(node: Node) -> Clock:
    """The clock that deadlines are kept by, seconds.

    On a car the steady one, because the system's clock may be set while the car drives. In
    simulated time ROS time: a simulator that pauses pauses the deadlines too.
    """
    if node.get_parameter('use_sim_time').value:
        return ros_clock(node)
    return time.monotonic
