"""One simulated car's `sim/*` topics and services, in its namespace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from nav_msgs.msg import Odometry
from numpy.typing import NDArray
from rclpy.node import Node

from racer_sim.driven_world import Motion
from racer_sim.nodes.objects import objects_message
from racer_sim.nodes.poses import pose_message, pose_of
from racer_sim.nodes.transforms import transforms
from racer_sim.race_watch import RaceState
from racer_sim.starting_grid import Pose
from racer_vehicle import contract
from racer_vehicle.errors import ConfigError, MessageError
from racer_vehicle.nodes import ros
from racer_vehicle.nodes.diagnostics import Drops
from racer_vehicle.nodes.messages import (
    camera_info_message,
    command_of,
    header,
    image_message,
    scan_message,
)
from racer_vehicle.signals import NEUTRAL, DriveCommand, Frame, Scan
from racer_vehicle.spec import CONTROL_PERIOD_S, CarSpec

ODOM, IMAGE, SCAN = 'sim/odom', 'sim/camera/image_raw', 'sim/scan'
INFO, COMMAND, PLACE = 'sim/camera/camera_info', 'sim/cmd_vel', 'sim/place'
OBJECTS, RACE = 'sim/objects', 'race/state'

MOST_RUNS: Final = 2**31


class SimulatedCar:
    """Sends what a car senses, and takes what it is told."""

    def __init__(self, node: Node, namespace: str, car: CarSpec, drops: Drops, *,
                 bridged: bool = False) -> None:
        """Open the topics that go out.

        Args:
            node: The simulator's.
            namespace: The car's, below the node's own.
            car: The car.
            drops: Told what could not be used.
            bridged: Another program carries sensors and commands: only objects are sent, and
                commands are not listened to.
        """
        self._node, self._namespace, self._car, self._drops = node, namespace, car, drops
        self._bridged = bridged
        names = (OBJECTS,) if bridged else (OBJECTS, ODOM, SCAN, INFO, IMAGE)
        self._out = {name: ros.publisher(node, name, namespace) for name in names}
        self._say_transform = transforms(node, namespace, car)
        self._last: dict[str, Any] = {}
        self._steering_rad = 0.0
        self._placed: tuple[int, Pose] | None = None

    def listen(self, command: Callable[[DriveCommand, int], None],
               place: Callable[[Pose], bool], reset: Callable[[], object]) -> None:
        """Open the topics that come in.

        Args:
            command: Told a finite command and the stamp of its image, nanoseconds.
            place: Told where to put the car; returns whether it stands there. The same asked for
                again, stamp and all, is then not told of: somebody has not seen it yet.
            reset: Told to put it back to its start.
        """
        def on_command(message: Any) -> None:
            command(self._command(message), ros.to_nanoseconds(message.header.stamp))

        def on_place(message: Any) -> None:
            expected = contract.topic(PLACE).frame
            try:
                pose = pose_of(message.pose, message.header.frame_id, expected)
            except MessageError as error:
                self._drops.note('place', str(error))
            else:
                wish = (ros.to_nanoseconds(message.header.stamp), pose)
                if wish != self._placed:
                    self._steering_rad = 0.0
                    self._placed = wish if place(pose) and wish[0] else None

        def on_reset(request: Any, response: Any) -> Any:
            reset()
            self._placed, self._steering_rad = None, 0.0
            response.success, response.message = True, 'the car stands at its start'
            return response

        if not self._bridged:
            ros.subscription(self._node, COMMAND, on_command, self._namespace)
        ros.subscription(self._node, PLACE, on_place, self._namespace)
        ros.service(self._node, 'sim/reset', on_reset, self._namespace)

    def follow_race(self, follow: Callable[[RaceState], None]) -> None:
        """Listen to race control.

        Args:
            follow: Told what it says of this car.
        """
        def on_state(message: Any) -> None:
            try:
                state = RaceState.from_json(message.data)
            except ConfigError as error:
                self._drops.note(RACE, str(error))
                return
            if all(isinstance(number, int) and 0 <= number < MOST_RUNS
                   for number in (state.run, state.laps)):
                follow(state)
            else:
                self._drops.note(RACE, f'run is {state.run!r} and laps {state.laps!r}; allowed: '
                                       f'whole numbers from 0 to {MOST_RUNS - 1}.')

        ros.subscription(self._node, RACE, on_state, self._namespace)

    def _command(self, message: Any) -> DriveCommand:
        """The command of a message; neutral for one that is not finite."""
        command = command_of(message.twist, self._steering_rad, self._car.wheelbase_m)
        if not np.isfinite((command.steering_rad, command.speed_mps)).all():
            self._drops.note('command', 'it is not finite; the car is driven neutral')
            command = NEUTRAL
        self._steering_rad = command.steering_rad
        return command

    def send(self, motion: Motion, objects: NDArray[np.void], ranges_m: NDArray[np.float32],
             image: NDArray[np.uint8], stamp_s: float) -> None:
        """Send what the car senses; the image last, because commands follow on it.

        Args:
            motion: Ground truth.
            objects: `BODY`, (K,), what the car can run into; none: nothing is said of them.
            ranges_m: float32, (rays,).
            image: uint8, (height, width) or (height, width, 3).
            stamp_s: When.
        """
        if self._say_transform is not None:
            self._say_transform(motion, stamp_s)
        self._last = {OBJECTS: objects_message(objects, stamp_s)} if len(objects) else {}
        if not self._bridged:
            self._last |= self._sensed(motion, ranges_m, image, stamp_s)
        self.send_again()

    def _sensed(self, motion: Motion, ranges_m: NDArray[np.float32], image: NDArray[np.uint8],
                stamp_s: float) -> dict[str, Any]:
        """The messages of what the car senses, in the order in which they go out."""
        stamp, lidar = ros.to_stamp(stamp_s), self._car.lidar
        return {
            ODOM: odometry_message(motion, stamp),
            SCAN: scan_message(Scan(ranges_m, stamp_s), lidar, CONTROL_PERIOD_S,
                               contract.topic(SCAN).frame),
            INFO: camera_info_message(self._car.camera, stamp_s, contract.topic(INFO).frame),
            IMAGE: image_message(Frame(image, stamp_s), contract.topic(IMAGE).frame),
        }

    def send_again(self) -> None:
        """Send the same once more, stamps and all."""
        for name, message in self._last.items():
            self._out[name].publish(message)


def odometry_message(motion: Motion, stamp: Any) -> Odometry:
    """Ground truth as odometry."""
    message = Odometry(header=header(stamp, contract.topic(ODOM).frame),
                       child_frame_id=contract.topic(COMMAND).frame)
    message.pose.pose = pose_message(motion.pose)
    twist = message.twist.twist
    twist.linear.x, twist.linear.y = motion.vx_mps, motion.vy_mps
    twist.angular.z = motion.yaw_rate_radps
    return message
