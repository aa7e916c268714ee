"""The car's frames and shape, for whoever draws it: static transforms and a URDF."""

from __future__ import annotations

import math
from typing import Final, NamedTuple
from xml.etree import ElementTree

from racer_vehicle import contract
from racer_vehicle.spec import CarSpec

BASE_FRAME: Final = contract.topic('cmd_vel').frame
CAMERA_FRAME: Final = 'camera_link'
"""Of the camera's body, x forward; its image is in the optical frame (REP-103), z forward."""

OPTICAL_FRAME: Final = contract.topic('camera/image_raw').frame
LIDAR_FRAME: Final = contract.topic('scan').frame

Vector = tuple[float, float, float]


class Mount(NamedTuple):
    """Where a part sits: pose of the child's frame in its parent's, metres and roll pitch yaw."""

    parent: str
    child: str
    xyz_m: Vector
    rpy_rad: Vector


def mounts(car: CarSpec) -> tuple[Mount, ...]:
    """How camera and lidar sit on the car."""
    camera, lidar = car.camera, car.lidar
    return (
        Mount(BASE_FRAME, CAMERA_FRAME, (camera.x_m, camera.y_m, camera.z_m),
              (0.0, camera.pitch_rad, 0.0)),
        Mount(CAMERA_FRAME, OPTICAL_FRAME, (0.0, 0.0, 0.0), (-math.pi / 2, 0.0, -math.pi / 2)),
        Mount(BASE_FRAME, LIDAR_FRAME, (lidar.x_m, 0.0, lidar.z_m), (0.0, 0.0, 0.0)),
    )


def robot_description(car: CarSpec) -> str:
    """A URDF of the car as a box on four wheels, with its sensors; for looks, not for physics."""
    robot = ElementTree.Element('robot', name='racer')
    base = ElementTree.SubElement(robot, 'link', name=BASE_FRAME)
    radius_m, width_m = car.wheel_radius_m, 0.025
    body_m = (car.length_m, car.width_m - 2 * width_m, car.height_m - radius_m)
    box = _visual(base, (0.0, 0.0, radius_m + body_m[2] / 2), (0.0, 0.0, 0.0), '0.67 0.16 0.16 1')
    ElementTree.SubElement(box, 'box', size=_text(body_m))
    for x_m, y_m in car.wheel_positions_m:
        wheel = _visual(base, (x_m, y_m, radius_m), (math.pi / 2, 0.0, 0.0), '0.1 0.1 0.1 1')
        ElementTree.SubElement(wheel, 'cylinder', radius=f'{radius_m:g}', length=f'{width_m:g}')
    for mount in mounts(car):
        ElementTree.SubElement(robot, 'link', name=mount.child)
        joint = ElementTree.SubElement(robot, 'joint', name=f'{mount.child}_joint', type='fixed')
        ElementTree.SubElement(joint, 'parent', link=mount.parent)
        ElementTree.SubElement(joint, 'child', link=mount.child)
        _origin(joint, mount.xyz_m, mount.rpy_rad)
    return ElementTree.tostring(robot, encoding='unicode')


def _visual(link: ElementTree.Element, xyz_m: Vector, rpy_rad: Vector,
            rgba: str) -> ElementTree.Element:
    """A coloured visual of a link; returns its geometry element, still empty."""
    visual = ElementTree.SubElement(link, 'visual')
    _origin(visual, xyz_m, rpy_rad)
    material = ElementTree.SubElement(visual, 'material', name=f'rgba {rgba}')
    ElementTree.SubElement(material, 'color', rgba=rgba)
    return ElementTree.SubElement(visual, 'geometry')


def _origin(element: ElementTree.Element, xyz_m: Vector, rpy_rad: Vector) -> None:
    ElementTree.SubElement(element, 'origin', xyz=_text(xyz_m), rpy=_text(rpy_rad))


def _text(values: Vector) -> str:
    return ' '.join(f'{value:.6g}' for value in values)
