"""What flows between sensors, policy and motor: plain data, no ROS, arrays documented."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Frame:
    """One camera image.

    Attributes:
        image: uint8, (height, width) grey or (height, width, 3) RGB.
        stamp_s: When it was exposed, seconds on the clock of whoever made it.
    """

    image: NDArray[np.uint8]
    stamp_s: float


@dataclass(frozen=True, slots=True)
class Scan:
    """One lidar revolution.

    Attributes:
        ranges_m: float32, (rays,), counter-clockwise as `LidarSpec.angles_rad`; REP-117: +inf no
            return, -inf too close, NaN invalid.
        stamp_s: When it was taken, seconds.
    """

    ranges_m: NDArray[np.float32]
    stamp_s: float


@dataclass(frozen=True, slots=True)
class DriveCommand:
    """What the car is told to do.

    Attributes:
        steering_rad: Angle of the virtual middle front wheel, positive left.
        speed_mps: Wanted speed, positive forward.
    """

    steering_rad: float
    speed_mps: float


NEUTRAL = DriveCommand(steering_rad=0.0, speed_mps=0.0)
"""Wheels straight, motor off: where every failing path ends."""
