"""One car in a running Gazebo: what it senses, where it is, what its joints are told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from racer_sim.driven_world import Motion
from racer_sim.gazebo import messages
from racer_sim.gazebo.actuation import Actuation
from racer_sim.gazebo.car_sensors import IMAGE, SCAN
from racer_sim.gazebo.lift import Lift
from racer_sim.gazebo.topics import ACTUATORS, TRUTH, gz_topic, model_name
from racer_sim.gazebo.transport import GazeboError, Node
from racer_sim.starting_grid import Pose
from racer_vehicle.kinematics import steering_from_yaw_rate
from racer_vehicle.signals import NEUTRAL, DriveCommand
from racer_vehicle.spec import CONTROL_PERIOD_S, CarSpec

COMMAND: Final = 'sim/cmd_vel'

Put = Callable[[str, Pose], None]
"""Puts a model somewhere, with the velocity that it has."""


class CarLink:
    """A car's topics in Gazebo.

    Attributes:
        namespace: Of the topics.
        lift: What is under way to put it elsewhere; None: it drives.
        held: Whether it is off the track: nobody sees it or meets it, and it is not commanded.
    """

    def __init__(self, node: Node, namespace: str, car: CarSpec,
                 notify: Callable[[], None]) -> None:
        """Subscribe and advertise.

        Args:
            node: Of the server's partition.
            namespace: Of the car.
            car: Its specification.
            notify: Called for each image and scan, from a thread of gz-transport.
        """
        self.namespace = namespace
        self._images = node.listen(gz_topic(namespace, IMAGE), messages.IMAGE, notify)
        self._scans = node.listen(gz_topic(namespace, SCAN), messages.SCAN, notify)
        self._truth = node.listen(gz_topic(namespace, TRUTH), messages.ODOMETRY)
        self._joints = node.publisher(gz_topic(namespace, ACTUATORS), messages.ACTUATORS)
        self._actuation, self._told_ns, self._placed_ns = Actuation(car), 0, 0
        self._node, self._car, self._steering_rad = node, car, 0.0
        self.lift: Lift | None = None
        self.held = False
        self._stood_at: Motion | None = None

    @property
    def is_heard(self) -> bool:
        """Whether the car's motors and servo listen."""
        return self._joints.has_readers

    @property
    def sensed_ns(self) -> int:
        """Stamp of the newest image that has a scan of the same moment.

        0 before the first, also after the car was put elsewhere.
        """
        stamp_ns = min(messages.stamp_ns_of(inbox.newest() or b'')
                       for inbox in (self._images, self._scans))
        return stamp_ns if stamp_ns > self._placed_ns else 0

    @property
    def time_ns(self) -> int:
        """Simulated time of the newest ground truth; 0 before the first."""
        return messages.stamp_ns_of(self._truth.newest() or b'')

    def command(self, command: DriveCommand, duration_s: float) -> None:
        """Tell motors and servo; they hold it until they are told otherwise.

        Args:
            command: Finite.
            duration_s: How long until they are.
        """
        self._joints.publish(messages.actuators(self._actuation.joints(command, duration_s)))

    def command_now(self, command: DriveCommand) -> None:
        """Tell motors and servo of a world that runs by itself."""
        now_ns = self.time_ns
        elapsed_s = min((now_ns - self._told_ns) * 1e-9, CONTROL_PERIOD_S)
        self._told_ns = now_ns
        self.command(command, elapsed_s)

    def motion(self, stamp_ns: int) -> Motion:
        """Ground truth of a moment, or the last before it; of a car that is held, where it was.

        Raises:
            GazeboError: There was none yet.
        """
        return self._stood_at or self._motion(stamp_ns)

    def _motion(self, stamp_ns: int) -> Motion:
        message = self._truth.at(stamp_ns)
        if message is None:
            raise GazeboError(f'no ground truth of the car {self.namespace!r} yet; wait for it.')
        return messages.motion_of(message)

    def image(self, stamp_ns: int) -> NDArray[np.uint8]:
        """The image of a moment, or the last before it: uint8 (height, width, 3), RGB."""
        return messages.image_of(self._images.at(stamp_ns) or b'')

    def scan(self, stamp_ns: int) -> NDArray[np.float32]:
        """The scan of a moment, or the last before it: float32 (rays,), REP-117 values."""
        return messages.ranges_of(self._scans.at(stamp_ns) or b'')

    def moved_to(self, stamp_ns: int, patience_s: float) -> bool:
        """Wait until ground truth is as young as a stamp; whether it came in time."""
        return self._truth.wait(stamp_ns, patience_s) is not None

    def sensed(self, stamp_ns: int, patience_s: float) -> bool:
        """Wait until image and scan are as young as a stamp; whether they came in time."""
        return (self._images.wait(stamp_ns, patience_s) is not None
                and self._scans.wait(stamp_ns, patience_s) is not None)

    def listen(self, take: Callable[[], None]) -> None:
        """Have commands come in through Gazebo, from a bridge; see `bridged_command`.

        Args:
            take: Called for each, from a thread of gz-transport.
        """
        self._commands = self._node.listen(gz_topic(self.namespace, COMMAND), messages.TWIST, take)

    def bridged_command(self) -> tuple[DriveCommand, int]:
        """The newest command through Gazebo, neutral if it is not finite, and its stamp."""
        message = self._commands.newest() or b''
        stamp_ns = messages.stamp_ns_of(message)
        speed_mps, yaw_rate_radps = messages.twist_of(message)
        if not np.isfinite((speed_mps, yaw_rate_radps)).all():
            return NEUTRAL, stamp_ns
        self._steering_rad = float(steering_from_yaw_rate(
            yaw_rate_radps, speed_mps, self._steering_rad, self._car.wheelbase_m))
        return DriveCommand(self._steering_rad, speed_mps), stamp_ns

    def take_off(self, aside: Pose, stamp_ns: int, put: Put) -> None:
        """Take the car off the track; once more, it does nothing.

        Args:
            aside: Where nobody sees it.
            stamp_ns: Of the ground truth because of which; the car may have been lifted since,
                and then stays.
            put: Puts the model somewhere.
        """
        if self.held or self.lift is not None or stamp_ns <= self._placed_ns:
            return
        self.held, self._stood_at = True, Motion(self.motion(stamp_ns).pose, 0.0, 0.0, 0.0)
        put(model_name(self.namespace), aside)

    def let_go(self) -> None:
        """Let the car go on, from where it is put, or else from where it was taken off."""
        self.held, stood_at = False, self._stood_at
        if stood_at is not None and self.lift is None:
            self.begin_lift(stood_at.pose)

    def begin_lift(self, pose: Pose) -> None:
        """Put the car elsewhere, at rest; `advance_lift` does it."""
        self.lift = Lift(pose, self.time_ns)

    def advance_lift(self, put: Put, duration_s: float) -> None:
        """Go on with what is under way to put the car elsewhere; `lift` is None once it stands.

        Args:
            put: Puts the model somewhere.
            duration_s: Until the next call, about.

        Raises:
            NotPlacedError: It does not get there, and stays where it is.
        """
        lift, self.lift = self.lift, None
        if lift is None:
            return
        self._joints.publish(messages.actuators(self._actuation.joints(NEUTRAL, duration_s)))
        now_ns = self.time_ns
        if lift.is_done(self._motion(now_ns), now_ns,
                        lambda pose: put(model_name(self.namespace), pose)):
            self._joints.publish(messages.actuators(self._actuation.reset()))
            self._placed_ns, self._stood_at = lift.put_ns, None
        else:
            self.lift = lift
