"""Putting a car elsewhere in Gazebo, at rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from racer_sim.driven_world import LIFT_NS, Motion
from racer_sim.gazebo.transport import GazeboError
from racer_sim.starting_grid import Pose

STANDING_MPS: Final = 0.02
STOP_NS: Final = 2_000_000_000
"""Longest time in which a car stops on its wheels; one that lies on its back does not wait for
them."""

SETTLED_M: Final = 0.01
"""How near to where it was put a car must be seen."""

SETTLE_NS: Final = 100_000_000
"""From when it was put there: five times the window of Gazebo's velocities."""

ATTEMPTS: Final = 3


class NotPlacedError(GazeboError):
    """A car does not stay where it was put."""


class Lift:
    """Puts a car elsewhere: brakes it, moves it, sees it stand there.

    Gazebo moves a model together with its velocity, hence the braking.

    Attributes:
        put_ns: When it was moved last; 0: not yet.
    """

    def __init__(self, pose: Pose, now_ns: int) -> None:
        """Begin.

        Args:
            pose: Where to.
            now_ns: Simulated time.
        """
        self._pose, self._begun_ns, self.put_ns, self._attempts = pose, now_ns, 0, 0

    def is_done(self, motion: Motion, now_ns: int, put: Callable[[Pose], None]) -> bool:
        """Whether the car stands where it should, a while after it has begun to.

        Args:
            motion: Ground truth.
            now_ns: Its time.
            put: Moves the car.

        Raises:
            NotPlacedError: It is seen elsewhere, however often it is put there.
        """
        if not self.put_ns:
            speed_mps = float(np.hypot(motion.vx_mps, motion.vy_mps))
            if speed_mps < STANDING_MPS or now_ns - self._begun_ns > STOP_NS:
                self._move(now_ns, put)
            return False
        if now_ns - self.put_ns < SETTLE_NS or now_ns - self._begun_ns < LIFT_NS:
            return False
        if motion.pose.distance_m(self._pose) > SETTLED_M:
            self._move(now_ns, put)
            return False
        return True

    def _move(self, now_ns: int, put: Callable[[Pose], None]) -> None:
        if self._attempts == ATTEMPTS:
            raise NotPlacedError(f'the car was put to {self._pose} {ATTEMPTS} times and is not '
                                 'seen there; allowed: a place on the ground that is free.')
        self._attempts += 1
        self.put_ns = now_ns
        put(self._pose)
