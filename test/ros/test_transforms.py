"""Frames of a simulated car; `/tf` itself only where tf2_msgs is installed."""

import math

import numpy as np
import pytest
from std_msgs.msg import String

from racer_sim.driven_world import Motion
from racer_sim.nodes.sim_node import SimNode
from racer_sim.nodes.transforms import car_transform, mount_transforms
from racer_sim.starting_grid import Pose
from racer_vehicle import contract
from racer_vehicle.contract import Qos
from racer_vehicle.nodes import ros
from racer_vehicle.spec import CarSpec

pytestmark = pytest.mark.ros

CAR = CarSpec()


def rotated(quaternion, vector):
    """A vector turned by a quaternion."""
    axis = np.array((quaternion.x, quaternion.y, quaternion.z))
    across = 2.0 * np.cross(axis, vector)
    return np.asarray(vector) + quaternion.w * across + np.cross(axis, across)


def to_map(chain, point):
    """A point of the last frame in the first one's parent."""
    for transform in reversed(chain):
        at = transform.transform.translation
        point = rotated(transform.transform.rotation, point) + np.array((at.x, at.y, at.z))
    return point


@pytest.fixture
def chain():
    """Map to image of a car at (2, 1) that looks along +y."""
    car = car_transform(Motion(Pose(2.0, 1.0, math.pi / 2), 0.0, 0.0, 0.0), 3.5)
    camera, optical, _ = mount_transforms(CAR)
    return [car, camera, optical]


def test_frames_hang_together(chain):
    frames = [(transform.header.frame_id, transform.child_frame_id) for transform in chain]
    assert frames == [('map', 'base_link'), ('base_link', 'camera_link'),
                      ('camera_link', contract.topic('camera/image_raw').frame)]
    assert ros.to_seconds(chain[0].header.stamp) == 3.5


def test_the_image_looks_ahead_and_down(chain):
    eye = to_map(chain, np.zeros(3))
    assert eye == pytest.approx((2.0, 1.0 + CAR.camera.x_m, CAR.camera.z_m))
    ahead = to_map(chain, np.array((0.0, 0.0, 1.0))) - eye
    pitch_rad = CAR.camera.pitch_rad
    assert ahead == pytest.approx((0.0, math.cos(pitch_rad), -math.sin(pitch_rad)))
    right = to_map(chain, np.array((1.0, 0.0, 0.0))) - eye
    assert right == pytest.approx((1.0, 0.0, 0.0), abs=1e-9)


def test_rviz_is_told_where_everything_is(graph):
    kind = pytest.importorskip('tf2_msgs.msg', reason='NOT TESTED: no tf2_msgs').TFMessage
    heard = {'tf': [], 'tf_static': [], 'robot_description': []}
    latched = ros.qos_profile(Qos.LATCHED)
    graph.probe.create_subscription(kind, '/red/tf', heard['tf'].append, 10)
    graph.probe.create_subscription(kind, '/red/tf_static', heard['tf_static'].append, latched)
    graph.probe.create_subscription(String, '/red/robot_description',
                                    heard['robot_description'].append, latched)
    graph.add(SimNode, namespaces=['red'], mode='realtime')
    graph.until(lambda: all(heard.values()), 'every frame is told')
    assert heard['tf'][-1].transforms[0].child_frame_id == 'base_link'
    assert len(heard['tf_static'][-1].transforms) == 3
    assert 'camera_link' in heard['robot_description'][-1].data
