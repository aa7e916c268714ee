"""The track, the car and its lap as rviz markers, and the driven line as a path."""

from __future__ import annotations

from typing import Final

import numpy as np
from geometry_msgs.msg import Point, PoseStamped, Vector3
from nav_msgs.msg import Path
from numpy.typing import NDArray
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from racer_sim.nodes.poses import pose_message
from racer_sim.starting_grid import Pose
from racer_sim.track import Track
from racer_vehicle import contract
from racer_vehicle.nodes.messages import header
from racer_vehicle.nodes.ros import to_stamp
from racer_vehicle.spec import CarSpec

Floats = NDArray[np.float64]

FRAME: Final = contract.topic('race/markers').frame
WHITE = ColorRGBA(r=0.94, g=0.94, b=0.94, a=1.0)
ORANGE = ColorRGBA(r=0.93, g=0.6, b=0.16, a=1.0)
RED = ColorRGBA(r=0.67, g=0.16, b=0.16, a=1.0)

TEXT_M: Final = 0.3
"""Height of the lap text's letters."""


def track_markers(track: Track) -> list[Marker]:
    """Both borders and the centre line, which never change."""
    borders = [_loop(number, line, 0.05, WHITE)
               for number, line in enumerate((track.left_border_m, track.right_border_m))]
    return [*borders, _loop(2, track.centre_m, 0.025, ORANGE)]


def car_markers(pose: Pose, car: CarSpec, text: str) -> list[Marker]:
    """The car as a box, and text above it."""
    body = _marker('car', 0, Marker.CUBE, RED)
    body.pose = pose_message(pose)
    body.pose.position.z = car.height_m / 2.0
    body.scale = Vector3(x=car.length_m, y=car.width_m, z=car.height_m)
    words = _marker('race', 0, Marker.TEXT_VIEW_FACING, WHITE)
    words.pose = pose_message(pose)
    words.pose.position.z = car.height_m + TEXT_M
    words.scale.z, words.text = TEXT_M, text
    return [body, words]


def marker_array(markers: list[Marker], stamp_s: float) -> MarkerArray:
    """Markers of one moment."""
    for marker in markers:
        marker.header.stamp = to_stamp(stamp_s)
    return MarkerArray(markers=markers)


def line_path(points_m: Floats, stamp_s: float) -> Path:
    """A driven line.

    Args:
        points_m: float64, (K, 2), map frame.
        stamp_s: Of its last point.
    """
    steps = np.diff(points_m, axis=0, append=points_m[-1:])
    yaws_rad = np.arctan2(steps[:, 1], steps[:, 0])
    above = header(to_stamp(stamp_s), contract.topic('race/racing_line').frame)
    poses = [PoseStamped(header=above, pose=pose_message(Pose(x_m, y_m, yaw_rad)))
             for (x_m, y_m), yaw_rad in zip(points_m.tolist(), yaws_rad.tolist(), strict=True)]
    return Path(header=above, poses=poses)


def _loop(number: int, points_m: Floats, width_m: float, colour: ColorRGBA) -> Marker:
    """A closed line on the ground."""
    marker = _marker('track', number, Marker.LINE_STRIP, colour)
    marker.scale.x = width_m
    closed = np.concatenate((points_m, points_m[:1])).tolist()
    marker.points = [Point(x=x_m, y=y_m) for x_m, y_m in closed]
    return marker


def _marker(namespace: str, number: int, kind: int, colour: ColorRGBA) -> Marker:
    marker = Marker(ns=namespace, id=number, type=kind, action=Marker.ADD, color=colour)
    marker.header.frame_id = FRAME
    marker.pose.orientation.w = 1.0
    return marker
