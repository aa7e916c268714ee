"""The car's camera, scanner and bumper as Gazebo's sensors, on the topics of the contract."""

from __future__ import annotations

from typing import Final

from racer_sim.camera_boxes import NEAR_M
from racer_sim.gazebo.sdf import Element, pose, sdf
from racer_sim.gazebo.topics import BUMPER, gz_topic
from racer_vehicle import contract
from racer_vehicle.spec import CONTROL_PERIOD_MS, CameraSpec, LidarSpec

IMAGE: Final = 'sim/camera/image_raw'
SCAN: Final = 'sim/scan'

_RATE_HZ: Final = 1000.0 / (CONTROL_PERIOD_MS + 0.5)
"""Gazebo cuts the period of a camera or a scanner to whole milliseconds; half of one more keeps
rounding away from that edge."""

_FAR_M: Final = 300.0


def camera_sensor(camera: CameraSpec, namespace: str, mask: Element) -> Element:
    """The camera.

    Args:
        camera: What it is.
        namespace: Of the car.
        mask: `visibility_mask`, what it sees.
    """
    image = sdf('image', sdf('width', str(camera.width_px)),
                sdf('height', str(camera.height_px)), sdf('format', 'R8G8B8'))
    lens = sdf('camera', sdf('horizontal_fov', camera.hfov_rad), image,
               sdf('clip', sdf('near', NEAR_M), sdf('far', _FAR_M)),
               sdf('optical_frame_id', contract.topic(IMAGE).frame), mask)
    place = pose((camera.x_m, camera.y_m, camera.z_m), pitch_rad=camera.pitch_rad)
    return sdf('sensor', place, sdf('topic', gz_topic(namespace, IMAGE)),
               sdf('update_rate', _RATE_HZ), lens, name='camera', type='camera')


def lidar_sensor(lidar: LidarSpec, namespace: str, mask: Element) -> Element:
    """The scanner; see `camera_sensor`."""
    rays = sdf('horizontal', sdf('samples', str(lidar.rays)), sdf('resolution', 1.0),
               sdf('min_angle', -lidar.fov_rad / 2), sdf('max_angle', lidar.fov_rad / 2))
    reach = sdf('range', sdf('min', lidar.range_min_m), sdf('max', lidar.range_max_m),
                sdf('resolution', 0.001))
    return sdf('sensor', pose((lidar.x_m, 0.0, lidar.z_m)),
               sdf('topic', gz_topic(namespace, SCAN)), sdf('update_rate', _RATE_HZ),
               sdf('lidar', sdf('scan', rays), reach, mask), name='lidar', type='gpu_lidar')


def bumper_sensor(collision: str, namespace: str) -> Element:
    """Tells what a collision shape touches; silent while it touches nothing."""
    touch = sdf('contact', sdf('collision', collision), sdf('topic', gz_topic(namespace, BUMPER)))
    return sdf('sensor', touch, name='bumper', type='contact')
