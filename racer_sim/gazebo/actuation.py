"""From a drive command to what a Gazebo car's joints are told."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from racer_sim.gazebo.car_model import STEP_S
from racer_sim.gazebo.messages import Joints
from racer_vehicle.kinematics import curvature_from_steering
from racer_vehicle.signals import NEUTRAL, DriveCommand
from racer_vehicle.spec import CarSpec


class Actuation:
    """Wheel speeds and steering of one car.

    The servo is Gazebo's. Here it is only followed, because each wheel must be told the speed that
    fits the angle which the front wheels have reached, not the one they are going to: the motors
    would push the car into the bend, or out of it.
    """

    def __init__(self, car: CarSpec) -> None:
        """Begin at rest, wheels straight."""
        self._car, self._steering_rad = car, 0.0
        self._places_m = np.array(car.wheel_positions_m)

    def reset(self) -> Joints:
        """The car was lifted: what to tell it, neutral."""
        self._steering_rad = 0.0
        return self.joints(NEUTRAL, 0.0)

    def joints(self, command: DriveCommand, duration_s: float) -> Joints:
        """What to tell the joints for a while.

        Args:
            command: Finite.
            duration_s: How long it will hold.

        Returns:
            The wheels' speeds are for the middle of this time.
        """
        car = self._car
        target_rad = float(np.clip(command.steering_rad, -car.max_steering_rad,
                                   car.max_steering_rad))
        middle_rad = self._follow(target_rad, duration_s)
        return Joints(self._wheel_speeds(command.speed_mps, middle_rad) / car.wheel_radius_m,
                      target_rad)

    def _follow(self, target_rad: float, duration_s: float) -> float:
        """Let the servo turn for a while; returns its mean angle."""
        servo, steps = self._car.servo, round(duration_s / STEP_S)
        sum_rad = 0.0
        for _ in range(steps):
            rate = (target_rad - self._steering_rad) / max(servo.lag_s, STEP_S)
            self._steering_rad += STEP_S * float(
                np.clip(rate, -servo.rate_limit_radps, servo.rate_limit_radps))
            sum_rad += self._steering_rad
        return sum_rad / steps if steps else self._steering_rad

    def _wheel_speeds(self, speed_mps: float, steering_rad: float) -> NDArray[np.float64]:
        """Speed of each contact point along its wheel, m/s, (4,), on a path without slip.

        The car turns about a point on the line of its rear axle.
        """
        yaw_rate = speed_mps * float(curvature_from_steering(steering_rad, self._car.wheelbase_m))
        ahead_m = self._places_m[:, 0] + self._car.wheelbase_m / 2.0
        forward = speed_mps - yaw_rate * self._places_m[:, 1]
        sideways = yaw_rate * ahead_m
        return np.copysign(np.hypot(forward, sideways), speed_mps)
