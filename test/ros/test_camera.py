"""The camera node: what it publishes, what it drops, what it says when nothing comes."""

import math

import cv2
import numpy as np
import pytest

pytest.importorskip('rclpy')

from diagnostic_msgs.msg import DiagnosticStatus

from racer_vehicle.nodes.camera_node import CameraNode
from racer_vehicle.nodes.messages import frame_of, image_message
from racer_vehicle.signals import Frame

pytestmark = pytest.mark.ros

LENS = """
image_width: 320
image_height: 240
camera_name: toy
camera_matrix: {rows: 3, cols: 3, data: [92.376, 0, 159.5, 0, 92.376, 119.5, 0, 0, 1]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [0, 0, 0, 0, 0]}
"""
"""Twice the pixels of the default camera, 120 degrees: rectifying halves the image."""


def shown(graph, publisher, frame, heard, frame_id=''):
    """Offer an image, taken now, until one comes out."""
    stamps = []

    def done():
        message = image_message(Frame(frame.image, now_s(graph)), frame_id)
        stamps.append(message.header.stamp)
        publisher.publish(message)
        graph.spin_for(0.02)
        return heard

    got = graph.until(done, 'an image comes out')[-1]
    assert got.header.stamp in stamps
    return got


def gradient(height=120, width=160, channels=1):
    row = np.linspace(0, 255, width).astype(np.uint8)
    image = np.broadcast_to(row, (height, width)).copy()
    if channels == 3:
        image = np.stack((image, 255 - image, np.full_like(image, 7)), axis=2)
    return Frame(image, 0.0)


def now_s(graph):
    return graph.probe.get_clock().now().nanoseconds * 1e-9


@pytest.mark.parametrize('channels', [1, 3])
def test_a_simulators_image_passes_unchanged_with_its_stamp(graph, channels):
    graph.add(CameraNode, driver='simulated')
    heard = graph.listen('camera/image_raw')
    frame = gradient(channels=channels)
    got = shown(graph, graph.publisher('sim/camera/image_raw'), frame, heard, 'anything')
    assert got.header.frame_id == 'camera_link_optical'
    assert got.encoding == ('mono8', '', 'rgb8')[channels - 1]
    np.testing.assert_array_equal(frame_of(got).image, frame.image)


def test_a_calibrated_lens_is_rectified_to_the_camera_model(graph, tmp_path):
    lens = tmp_path / 'lens.yaml'
    lens.write_text(LENS)
    graph.add(CameraNode, driver='simulated', lens=str(lens))
    heard = graph.listen('camera/image_raw')
    publisher = graph.publisher('sim/camera/image_raw')
    raw = gradient(240, 320)
    got = frame_of(shown(graph, publisher, raw, heard)).image
    assert got.shape == (120, 160)
    expected = cv2.resize(raw.image, (160, 120), interpolation=cv2.INTER_AREA)
    assert np.abs(got.astype(int) - expected).max() <= 2


def test_images_of_another_size_or_encoding_are_dropped_and_counted(graph):
    graph.add(CameraNode, driver='simulated')
    heard, reports = graph.listen('camera/image_raw'), graph.listen('/diagnostics')
    publisher = graph.publisher('sim/camera/image_raw')
    small = image_message(gradient(60, 80), '')
    strange = image_message(gradient(), '')
    strange.encoding = 'bayer_rggb8'

    def counted():
        for message in (small, strange):
            message.header.stamp = graph.probe.get_clock().now().to_msg()
            publisher.publish(message)
            graph.spin_for(0.05)
        figures = {item.key: item.value for report in reports for item in report.status[0].values}
        return figures.get('dropped unfit') and figures.get('dropped message')

    graph.until(counted, 'both are counted')
    assert not heard


def test_camera_info_is_the_pinhole_and_jpegs_are_made_while_read(graph):
    graph.add(CameraNode, driver='fake', colour='rgb')
    infos, jpegs = graph.listen('camera/camera_info'), graph.listen('camera/image_raw/compressed')
    heard = graph.listen('camera/image_raw')
    graph.until(lambda: infos and jpegs and heard, 'all three come')
    info = infos[-1]
    assert (info.width, info.height, info.header.frame_id) == (160, 120, 'camera_link_optical')
    assert math.degrees(2.0 * math.atan(info.width / 2.0 / info.k[0])) == pytest.approx(120.0)
    image = cv2.imdecode(np.frombuffer(jpegs[-1].data, np.uint8), cv2.IMREAD_COLOR_RGB)
    same = next(frame_of(message).image for message in heard
                if message.header.stamp == jpegs[-1].header.stamp)
    assert np.abs(image.astype(int) - same).mean() < 12.0


def test_the_fake_camera_comes_at_the_control_rate_with_real_stamps(graph):
    graph.add(CameraNode, driver='fake')
    heard = graph.listen('camera/image_raw')
    graph.until(lambda: len(heard) >= 10, 'ten images')
    stamps = [frame_of(message).stamp_s for message in heard]
    assert stamps == sorted(set(stamps))
    assert 0.0 <= now_s(graph) - stamps[-1] < 60.0, 'of this clock'


def test_a_camera_that_is_not_there_is_named_in_the_diagnostics(graph):
    graph.add(CameraNode, driver='v4l2', device='/dev/no_such_camera')
    reports = graph.listen('/diagnostics')

    def named():
        return [report.status[0] for report in reports
                if 'no_such_camera' in report.status[0].message]

    status = graph.until(named, 'the camera is named')[-1]
    assert status.level == DiagnosticStatus.ERROR
    assert 'plug the camera in' in status.message


def test_a_camera_that_stalls_is_reported_and_resumes(graph):
    graph.add(CameraNode, driver='simulated')
    heard, reports = graph.listen('camera/image_raw'), graph.listen('/diagnostics')
    publisher = graph.publisher('sim/camera/image_raw')
    shown(graph, publisher, gradient(), heard)
    graph.until(lambda: reports and 'old' in reports[-1].status[0].message, 'the stall is told')
    assert reports[-1].status[0].level == DiagnosticStatus.ERROR
    del heard[:]
    shown(graph, publisher, gradient(), heard)


def test_a_broken_lens_file_stops_the_node_from_starting(graph, tmp_path):
    broken = tmp_path / 'lens.yaml'
    broken.write_text('image_width: 10')
    with pytest.raises(ValueError, match='camera_matrix'):
        graph.add(CameraNode, driver='fake', lens=str(broken))
