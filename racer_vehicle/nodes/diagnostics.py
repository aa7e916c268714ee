"""A node's row on `/diagnostics`: state, rates, latency, drops, once a second and on changes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from racer_vehicle.nodes import ros

PERIOD_S: Final = 1.0
QUIET_S: Final = 5.0
"""Between two log lines about the same kind of trouble, which may come with every image."""


class Level(IntEnum):
    """How a node is, as `diagnostic_msgs` counts."""

    OK = 0
    WARN = 1
    ERROR = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a node says of itself.

    Attributes:
        level: How it is.
        message: One line for people.
        values: Name to figure; names carry the unit.
    """

    level: Level
    message: str
    values: Mapping[str, object] = field(default_factory=dict)


class Diagnostics:
    """Publishes what a node reports, by the steady clock: simulated time may stand still."""

    def __init__(self, node: Node, report: Callable[[], Report]) -> None:
        """Begin to publish.

        Args:
            node: Whose diagnostics.
            report: Gives its state now.
        """
        self._node, self._report = node, report
        self._publisher = ros.publisher(node, '/diagnostics')
        node.create_timer(PERIOD_S, self.publish, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def publish(self) -> None:
        """Publish now; nodes call this where something has changed."""
        report = self._report()
        name = self._node.get_fully_qualified_name().lstrip('/')
        status = DiagnosticStatus(
            level=bytes((report.level,)), name=name, message=report.message, hardware_id=name,
            values=[KeyValue(key=key, value=_text(value)) for key, value in report.values.items()],
        )
        array = DiagnosticArray(status=[status])
        array.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(array)


class Drops:
    """Counts what a node dropped, and logs why, now and then."""

    def __init__(self, node: Node) -> None:
        """Nothing has been dropped yet.

        Args:
            node: That logs.
        """
        self._logger = node.get_logger()
        self._counts, self._last = Counter[str](), ''
        self._quiet_until_s: dict[str, float] = {}

    def note(self, what: str, why: str) -> None:
        """Something was dropped.

        Args:
            what: Kind, for counting.
            why: For people; of each kind one in `QUIET_S` is logged.
        """
        self._counts[what] += 1
        self._last, now_s = why, time.monotonic()
        if now_s >= self._quiet_until_s.get(what, 0.0):
            self._quiet_until_s[what] = now_s + QUIET_S
            self._logger.warning(f'dropped, {what}: {why}')

    def values(self) -> dict[str, object]:
        """Figures for a `Report`."""
        counts = {f'dropped {what}': count for what, count in self._counts.items()}
        return {**counts, 'last_trouble': self._last}


def _text(value: object) -> str:
    return f'{value:.4g}' if isinstance(value, float) else str(value)
