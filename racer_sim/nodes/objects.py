"""Bodies on the ground as ROS messages, and back: rviz shows them, race control judges by them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from geometry_msgs.msg import Vector3
from numpy.typing import NDArray
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from racer_sim.bodies import BOT_OWNER, OBSTACLE_OWNER, WALL_OWNER
from racer_sim.camera import BODY
from racer_sim.nodes.poses import pose_message, pose_of
from racer_sim.starting_grid import Pose
from racer_sim.traffic import ASIDE_M
from racer_vehicle import contract
from racer_vehicle.errors import MessageError
from racer_vehicle.nodes import ros

Records = NDArray[np.void]

FRAME: Final = contract.topic('sim/objects').frame
KINDS: Final = {OBSTACLE_OWNER: 'obstacle', WALL_OWNER: 'wall', BOT_OWNER: 'bot'}
OWNERS: Final = {kind: owner for owner, kind in KINDS.items()}
CAR: Final = 'car'
"""Of every body with another owner."""

MOST: Final = 1000
"""Bodies that one message may hold."""

LARGEST_M: Final = 100.0


def objects_message(bodies: Records, stamp_s: float) -> MarkerArray:
    """Bodies of one moment; those that are aside are told to be gone.

    Args:
        bodies: `BODY`, (K,).
        stamp_s: When.
    """
    return MarkerArray(markers=[_marker(number, body, stamp_s)
                                for number, body in enumerate(bodies)])


def _marker(number: int, body: np.void, stamp_s: float) -> Marker:
    kind = KINDS.get(int(body['owner']), CAR)
    marker = Marker(ns=kind, id=number, type=Marker.CUBE, action=Marker.ADD)
    marker.header.frame_id, marker.header.stamp = FRAME, ros.to_stamp(stamp_s)
    if body['x_m'] == ASIDE_M:
        marker.action = Marker.DELETE
        return marker
    marker.pose = pose_message(Pose(float(body['x_m']), float(body['y_m']),
                                    float(body['yaw_rad'])))
    marker.pose.position.z = float(body['height_m']) / 2.0
    marker.scale = Vector3(x=float(body['length_m']), y=float(body['width_m']),
                           z=float(body['height_m']))
    red, green, blue = (float(level) / 255.0 for level in body['colour'])
    marker.color = ColorRGBA(r=red, g=green, b=blue, a=1.0)
    return marker


def objects_of(message: MarkerArray) -> tuple[Records, float]:
    """The bodies of a message and its time.

    Args:
        message: Of `sim/objects`.

    Returns:
        `BODY` (K,), those that are gone aside; cars are owned by numbers from 1, because 0 is who
        reads it. And seconds.

    Raises:
        MessageError: It holds no markers, too many, or some that cannot be.
    """
    markers = message.markers
    if not 1 <= len(markers) <= MOST:
        raise MessageError(f'it has {len(markers)} objects; allowed: 1 to {MOST}.')
    return (np.array([_body(marker) for marker in markers], dtype=BODY),
            ros.to_seconds(markers[0].header.stamp))


def _body(marker: Marker) -> tuple[Any, ...]:
    owner = OWNERS.get(marker.ns, 1 + abs(marker.id))
    if marker.action == Marker.DELETE:
        return (ASIDE_M, 0.0, 0.0, 0.0, 0.0, 0.0, (0, 0, 0), owner)
    size_m = marker.scale.x, marker.scale.y, marker.scale.z
    if not all(0.0 < side_m <= LARGEST_M for side_m in size_m):
        raise MessageError(f'an object measures {size_m} m; allowed: more than 0, up to '
                           f'{LARGEST_M:g}.')
    levels = (marker.color.r, marker.color.g, marker.color.b)
    if not all(0.0 <= level <= 1.0 for level in levels):
        raise MessageError(f'an object has colour {levels}; allowed: levels from 0 to 1.')
    pose = pose_of(marker.pose, marker.header.frame_id, FRAME)
    colour = tuple(round(255.0 * level) for level in levels)
    return (pose.x_m, pose.y_m, pose.yaw_rad, *size_m, colour, owner)
