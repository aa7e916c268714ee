"""How steering angle, curvature, yaw rate and the two front wheels' angles belong together.

The single-track (bicycle) model with the rear axle as reference and no tyre slip. Angles are those
of the virtual middle front wheel unless a name says otherwise, positive left (REP-103). Every
function works element by element on arrays that broadcast, by convention (N,), one entry a car.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def curvature_from_steering(steering_rad: ArrayLike, wheelbase_m: float) -> Floats:
    """Curvature of the rear axle's path, 1/m, positive left: tan(steering) / wheelbase.

    Args:
        steering_rad: (N,), inside +-pi/2.
        wheelbase_m: Between front and rear axle.
    """
    return np.tan(np.asarray(steering_rad, dtype=np.float64)) / wheelbase_m


def steering_from_curvature(curvature_per_m: ArrayLike, wheelbase_m: float) -> Floats:
    """Steering angle, rad, (N,) that drives a path of this curvature, 1/m, positive left."""
    return np.arctan(np.asarray(curvature_per_m, dtype=np.float64) * wheelbase_m)


def yaw_rate_from_steering(
    steering_rad: ArrayLike, speed_mps: ArrayLike, wheelbase_m: float
) -> Floats:
    """Yaw rate, rad/s, (N,), positive left: speed times curvature.

    Args:
        steering_rad: (N,), inside +-pi/2.
        speed_mps: (N,), of the rear axle, negative in reverse.
        wheelbase_m: Between front and rear axle.
    """
    speed = np.asarray(speed_mps, dtype=np.float64)
    return speed * curvature_from_steering(steering_rad, wheelbase_m)


def steering_from_yaw_rate(
    yaw_rate_radps: ArrayLike,
    speed_mps: ArrayLike,
    held_steering_rad: ArrayLike,
    wheelbase_m: float,
    slow_mps: float = 0.05,
) -> Floats:
    """Steering angle, rad, (N,) that turns at this yaw rate; at a standstill the one held before.

    A standing car does not turn whatever its wheels do, so a twist says nothing about them then:
    they stay where they were instead of snapping straight or to the stop.

    Args:
        yaw_rate_radps: (N,), positive left.
        speed_mps: (N,), of the rear axle, negative in reverse.
        held_steering_rad: (N,), the steering to keep where the car is slow.
        wheelbase_m: Between front and rear axle.
        slow_mps: Speeds of smaller magnitude keep the held steering.
    """
    speed = np.asarray(speed_mps, dtype=np.float64)
    rolling = np.abs(speed) >= slow_mps
    curvature = np.asarray(yaw_rate_radps, dtype=np.float64) / np.where(rolling, speed, 1.0)
    return np.where(rolling, steering_from_curvature(curvature, wheelbase_m), held_steering_rad)


def wheel_angles(
    steering_rad: ArrayLike, wheelbase_m: float, track_width_m: float
) -> tuple[Floats, Floats]:
    """Angles of the left and right front wheel, rad, each (N,), that roll without scrubbing.

    Ackermann: both wheels stand square to the line from the turning centre, which lies on the rear
    axle at wheelbase / tan(steering); each is half a track width nearer to or farther from it.
    `arctan2` stays continuous where a sharp turn puts that centre between the wheels.

    Args:
        steering_rad: (N,), of the virtual middle wheel, inside +-pi/2.
        wheelbase_m: Between front and rear axle.
        track_width_m: Between the left and right wheel.
    """
    tangent = np.tan(np.asarray(steering_rad, dtype=np.float64))
    offset = track_width_m / (2.0 * wheelbase_m) * tangent
    return np.arctan2(tangent, 1.0 - offset), np.arctan2(tangent, 1.0 + offset)


def steering_from_wheel_angles(
    left_rad: ArrayLike, right_rad: ArrayLike, wheelbase_m: float, track_width_m: float
) -> Floats:
    """Virtual middle steering angle, rad, (N,): the mean of what either front wheel says alone.

    The mean, because measured joints agree only nearly; on exact Ackermann angles it inverts
    `wheel_angles`.

    Args:
        left_rad: (N,), left front wheel.
        right_rad: (N,), right front wheel.
        wheelbase_m: Between front and rear axle.
        track_width_m: Between the left and right wheel.
    """
    half = track_width_m / (2.0 * wheelbase_m)
    left = np.tan(np.asarray(left_rad, dtype=np.float64))
    right = np.tan(np.asarray(right_rad, dtype=np.float64))
    return (np.arctan(left / (1.0 + half * left)) + np.arctan(right / (1.0 - half * right))) / 2.0
