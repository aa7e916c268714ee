"""The few of Gazebo's messages that racer reads and writes (package `gz.msgs`, version 10)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from racer_sim.driven_world import Motion
from racer_sim.gazebo import wire
from racer_sim.starting_grid import Pose
from racer_vehicle.errors import MessageError

IMAGE: Final = 'gz.msgs.Image'
SCAN: Final = 'gz.msgs.LaserScan'
ODOMETRY: Final = 'gz.msgs.Odometry'
TWIST: Final = 'gz.msgs.Twist'
ACTUATORS: Final = 'gz.msgs.Actuators'
WORLD_CONTROL: Final = 'gz.msgs.WorldControl'
POSE: Final = 'gz.msgs.Pose'
POSES: Final = 'gz.msgs.Pose_V'
BOOLEAN: Final = 'gz.msgs.Boolean'

_HEADER: Final = 1
"""Number of the header in every message that has one."""

_RGB_INT8: Final = 3
"""Of `PixelFormatType`."""


def stamp_ns_of(message: bytes) -> int:
    """Simulated time of a message, nanoseconds; 0 without a stamp."""
    for number, header in wire.fields(message):
        if number == _HEADER:
            return next((_time_ns(wire.as_bytes(stamp))
                         for field, stamp in wire.fields(wire.as_bytes(header)) if field == 1), 0)
    return 0


def _time_ns(message: memoryview) -> int:
    parts = {number: wire.as_int(content) for number, content in wire.fields(message)}
    return parts.get(1, 0) * 1_000_000_000 + parts.get(2, 0)


def image_of(message: bytes) -> NDArray[np.uint8]:
    """The picture of an Image: uint8, (height, width, 3), RGB.

    Raises:
        MessageError: It has another format, or is not complete.
    """
    parts = dict(wire.fields(message))
    sizes = [wire.as_int(parts.get(number, 0)) for number in (2, 3, 4, 6)]
    width, height, step, kind = sizes
    data = wire.as_bytes(parts.get(5, memoryview(b'')))
    if kind != _RGB_INT8 or step != 3 * width or len(data) != step * height:
        raise MessageError(f'an image of {width}x{height} has format {kind}, rows of {step} bytes '
                           f'and {len(data)} bytes; allowed: RGB_INT8 ({_RGB_INT8}) without gaps.')
    return np.frombuffer(data, dtype=np.uint8).reshape(height, width, 3)


def ranges_of(message: bytes) -> NDArray[np.float32]:
    """The ranges of a LaserScan: float32, (rays,), counter-clockwise; REP-117 values."""
    return next((wire.as_doubles(content).astype(np.float32)
                 for number, content in wire.fields(message) if number == 14),
                np.empty(0, dtype=np.float32))


def motion_of(message: bytes) -> Motion:
    """Ground truth out of an Odometry."""
    parts = dict(wire.fields(message))
    pose = _submessages(parts.get(2))
    twist = _submessages(parts.get(3))
    position, turn = _numbers(pose.get(4)), _numbers(pose.get(5))
    linear, angular = _numbers(twist.get(2)), _numbers(twist.get(3))
    return Motion(Pose(position[0], position[1], yaw_of(turn)), linear[0], linear[1], angular[2])


def yaw_of(quaternion: tuple[float, ...]) -> float:
    """Direction of a rotation (x, y, z, w) about the vertical, radians."""
    x, y, z, w = quaternion
    return math.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))


def twist_of(message: bytes) -> tuple[float, float]:
    """Speed m/s and yaw rate rad/s of a Twist."""
    parts = dict(wire.fields(message))
    return _numbers(parts.get(2))[0], _numbers(parts.get(3))[2]


def _submessages(content: wire.Content | None) -> dict[int, wire.Content]:
    return {} if content is None else dict(wire.fields(wire.as_bytes(content)))


def _numbers(content: wire.Content | None) -> tuple[float, float, float, float]:
    """x, y, z and w of a Vector3d or Quaternion; what is 0 is not sent."""
    parts = {} if content is None else dict(wire.fields(wire.as_bytes(content)))
    x, y, z, w = (wire.as_double(parts[number]) if number in parts else 0.0
                  for number in (2, 3, 4, 5))
    return x, y, z, w


def is_true(message: bytes) -> bool:
    """What a Boolean says."""
    return any(number == 2 and content == 1 for number, content in wire.fields(message))


@dataclass(frozen=True, slots=True)
class Joints:
    """What the joints of a car are to do.

    Attributes:
        wheels_radps: float64 (4,), in the order of `CarSpec.wheel_positions_m`.
        steering_rad: Of the virtual middle front wheel.
    """

    wheels_radps: NDArray[np.float64]
    steering_rad: float


def actuators(joints: Joints) -> bytes:
    """An Actuators message."""
    return (wire.of_doubles(2, np.array([joints.steering_rad]))
            + wire.of_doubles(3, joints.wheels_radps))


def pause(*, then_steps: int = 0) -> bytes:
    """A WorldControl that halts the world, or lets it do some steps and then halt."""
    return wire.of_int(2, 1) + (wire.of_int(4, then_steps) if then_steps else b'')


def run() -> bytes:
    """A WorldControl that lets the world go on."""
    return b''


def model_pose(model: str, pose: Pose) -> bytes:
    """A Pose that puts a model onto the ground."""
    half = pose.yaw_rad / 2.0
    place = wire.of_double(2, pose.x_m) + wire.of_double(3, pose.y_m)
    turn = wire.of_double(4, math.sin(half)) + wire.of_double(5, math.cos(half))
    return (wire.of_bytes(2, model.encode()) + wire.of_bytes(4, place)
            + wire.of_bytes(5, turn))


def model_poses(poses: Mapping[str, Pose]) -> bytes:
    """A Pose_V that puts models onto the ground."""
    return b''.join(wire.of_bytes(2, model_pose(*each)) for each in poses.items())
