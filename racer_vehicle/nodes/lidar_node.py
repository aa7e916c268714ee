"""Scanner in, scans out."""

from __future__ import annotations

from typing import Any

from rclpy.node import Node

from racer_vehicle import contract
from racer_vehicle.nodes import ros
from racer_vehicle.nodes.devices import LidarSettings, make_lidar
from racer_vehicle.nodes.diagnostics import Drops
from racer_vehicle.nodes.messages import scan_message
from racer_vehicle.nodes.parameters import declare, declare_car
from racer_vehicle.nodes.running import run_node
from racer_vehicle.nodes.sensing import Sensing
from racer_vehicle.signals import Scan


class LidarNode(Node):
    """Publishes one scan a revolution, by the rays of the car's specification."""

    def __init__(self, **options: Any) -> None:
        """Make the node and begin to look for the scanner.

        Args:
            **options: Of `Node`.

        Raises:
            ConfigError: A parameter cannot be used.
        """
        super().__init__('lidar', **options)
        settings, self._lidar = declare(self, LidarSettings), declare_car(self).lidar
        self._row, drops = contract.topic('scan'), Drops(self)
        self._scans = ros.publisher(self, 'scan')
        self._sensing = Sensing(self, 'scan', make_lidar(self, settings, self._lidar, drops),
                                self._publish, drops)

    def stop(self) -> None:
        """Let go of the scanner, which stops turning."""
        self._sensing.close()

    def _publish(self, scan: Scan) -> None:
        period_s = 1.0 / (self._row.rate_hz or 1.0)
        self._scans.publish(scan_message(scan, self._lidar, period_s, self._row.frame))


def main() -> int:
    """Run the node."""
    return run_node(LidarNode)


if __name__ == '__main__':
    raise SystemExit(main())
