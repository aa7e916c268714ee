"""The lidar node: scans by the rays of the car, and what it says when none come."""

import math

import numpy as np
import pytest

pytest.importorskip('rclpy')

from diagnostic_msgs.msg import DiagnosticStatus

from racer_vehicle.nodes.lidar_node import LidarNode
from racer_vehicle.nodes.messages import scan_message, scan_of
from racer_vehicle.signals import Scan
from racer_vehicle.spec import LidarSpec

pytestmark = pytest.mark.ros

LIDAR = LidarSpec()


def test_the_fake_scanner_is_published_by_rep_103_and_105(graph):
    graph.add(LidarNode, driver='fake')
    heard = graph.listen('scan')
    scan = graph.until(lambda: heard, 'a scan')[-1]
    assert scan.header.frame_id == 'lidar_link'
    assert len(scan.ranges) == LIDAR.rays
    assert scan.angle_min == pytest.approx(-LIDAR.fov_rad / 2.0)
    assert scan.angle_max == pytest.approx(LIDAR.fov_rad / 2.0)
    assert scan.angle_increment > 0.0
    assert (scan.range_min, scan.range_max) == pytest.approx((0.15, 12.0))


def test_a_simulators_scan_passes_with_all_three_non_finite_readings(graph):
    graph.add(LidarNode, driver='simulated')
    heard, publisher = graph.listen('scan'), graph.publisher('sim/scan')
    ranges_m = np.linspace(0.2, 9.0, LIDAR.rays, dtype=np.float32)
    ranges_m[:3] = math.inf, -math.inf, math.nan

    def done():
        stamp_s = graph.probe.get_clock().now().nanoseconds * 1e-9
        publisher.publish(scan_message(Scan(ranges_m, stamp_s), LIDAR, 0.066, ''))
        graph.spin_for(0.02)
        return heard

    got = scan_of(graph.until(done, 'a scan')[-1], LIDAR)
    np.testing.assert_array_equal(got.ranges_m, ranges_m)


def test_scans_of_other_rays_are_dropped_and_counted(graph):
    graph.add(LidarNode, driver='simulated')
    heard, reports = graph.listen('scan'), graph.listen('/diagnostics')
    publisher = graph.publisher('sim/scan')
    other = LidarSpec(rays=32)

    def counted():
        stamp_s = graph.probe.get_clock().now().nanoseconds * 1e-9
        publisher.publish(scan_message(Scan(np.ones(32, np.float32), stamp_s), other, 0.066, ''))
        graph.spin_for(0.05)
        return any(item.key == 'dropped message' for report in reports
                   for item in report.status[0].values)

    graph.until(counted, 'the drop is counted')
    assert not heard


def test_a_scanner_that_is_not_there_is_named_in_the_diagnostics(graph):
    graph.add(LidarNode, driver='rplidar', device='/dev/no_such_port')
    reports = graph.listen('/diagnostics')
    graph.until(lambda: any('no_such_port' in report.status[0].message for report in reports),
                'the port is named')
    assert reports[-1].status[0].level == DiagnosticStatus.ERROR
