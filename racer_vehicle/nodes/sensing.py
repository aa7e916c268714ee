"""What camera and lidar nodes share: take what comes, tell when nothing does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from rclpy.node import Node

from racer_vehicle import contract
from racer_vehicle.drivers.newest import Stamped
from racer_vehicle.drivers.protocols import Device, Notify
from racer_vehicle.errors import ConfigError, DeviceError
from racer_vehicle.nodes import ros
from racer_vehicle.nodes.diagnostics import Diagnostics, Drops, Level, Report
from racer_vehicle.staleness import Freshness
from racer_vehicle.telemetry import Flow

Item = TypeVar('Item', bound=Stamped)
Given = TypeVar('Given', bound=Stamped, covariant=True)


class Sensor(Device, Protocol[Given]):
    """A camera or a lidar."""

    def connect(self, notify: Notify) -> None:
        """As of `Camera` and `Lidar`."""
        ...

    def read(self, max_age_s: float) -> Given | None:
        """As of `Camera` and `Lidar`."""
        ...


class Sensing(Generic[Item]):
    """Publishes each item of a sensor as soon as it is there, and diagnostics."""

    def __init__(self, node: Node, topic: str, sensor: Sensor[Item],
                 publish: Callable[[Item], None], drops: Drops) -> None:
        """Connect the sensor.

        Args:
            node: That publishes.
            topic: Of the contract; its items are of no use once they are stale.
            sensor: To read; closed by `close`.
            publish: What to do with an item; a ConfigError drops it.
            drops: Counts.
        """
        self._sensor, self._publish, self._drops = sensor, publish, drops
        self._now, self._limit_s = ros.ros_clock(node), Freshness(contract.topic(topic)).limit_s
        self._flow, self._trouble = Flow(), 'starting'
        # Devices have threads of their own; the executor's thread does the rest.
        arrived: Any = node.create_guard_condition(self._take)
        Diagnostics(node, self._report)
        sensor.connect(arrived.trigger)

    def close(self) -> None:
        """Let go of the sensor."""
        self._sensor.close()

    def _take(self) -> None:
        try:
            item = self._sensor.read(self._limit_s)
            if item is not None:
                self._publish(item)
                self._flow.note(time.monotonic(), self._now() - item.stamp_s)
            self._trouble = ''
        except DeviceError as error:
            self._trouble = str(error)
        except ConfigError as error:
            self._drops.note('unfit', str(error))

    def _report(self) -> Report:
        self._take()
        return Report(
            level=Level.ERROR if self._trouble else Level.OK, message=self._trouble or 'running',
            values={**self._flow.figures(time.monotonic()), **self._drops.values()},
        )
