"""Vehicle dynamics, batched: a dynamic single-track model with saturating tyre slip.

Front and rear axle are each one tyre whose force follows the magic formula in the slip angle and
shares a friction circle with the drive force (Rajamani, *Vehicle Dynamics and Control*, ch. 2 and
13; Pacejka, *Tire and Vehicle Dynamics*, ch. 4). The car therefore ploughs, slides and spins
when asked for more than the ground gives; nothing is clipped to a grip limit. Slip angles are
taken over no less than `SLIP_SPEED_MPS` of rolling speed, which turns the tyre into a viscous
contact near standstill instead of a division by zero, and leaves the kinematic model there.

Mass centre and `base_link` coincide: midway between the axles (50:50 weight, an estimate for a car
with its batteries in the middle).
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from racer_vehicle.spec import CONTROL_PERIOD_S, CarSpec

Floats = NDArray[np.float64]
Records = NDArray[np.void]

SUBSTEPS: Final = 22
"""Physics sub-steps in one control period: 3 ms each, a third of what the default tyre allows."""

SUBSTEP_S: Final = CONTROL_PERIOD_S / SUBSTEPS
SLIP_SPEED_MPS: Final = 0.5
GRAVITY_MPS2: Final = 9.80665

STATE: Final = np.dtype([
    ('x_m', 'f8'), ('y_m', 'f8'), ('yaw_rad', 'f8'),
    ('vx_mps', 'f8'), ('vy_mps', 'f8'), ('yaw_rate_radps', 'f8'),
    ('steering_rad', 'f8'), ('servo_rad', 'f8'), ('drive_mps2', 'f8'), ('ax_mps2', 'f8'),
])
"""One car: pose of `base_link` in the map, velocity in the body frame, wheel angle and the servo's
(which differ by the play of worn gears), drive force over mass, and the longitudinal acceleration
that shifts load between the axles."""

PARAMETERS: Final = np.dtype([
    ('wheelbase_m', 'f8'), ('inertia_ratio_m2', 'f8'), ('cog_height_m', 'f8'),
    ('max_steering_rad', 'f8'), ('friction', 'f8'), ('stiffness', 'f8'), ('curve', 'f8'),
    ('stall_accel_mps2', 'f8'), ('no_load_speed_mps', 'f8'), ('brake_accel_mps2', 'f8'),
    ('speed_gain_per_s', 'f8'), ('motor_lag_s', 'f8'), ('rolling_accel_mps2', 'f8'),
    ('drag_per_m', 'f8'), ('servo_lag_s', 'f8'), ('servo_rate_radps', 'f8'),
    ('speed_scale', 'f8'), ('steering_trim_rad', 'f8'), ('steering_play_rad', 'f8'),
    ('slope_x_mps2', 'f8'), ('slope_y_mps2', 'f8'),
])
"""What physics needs of a `CarSpec`; one row a car, so that cars may differ (randomisation).

`curve` is the tyre's shape factor: a record has a `shape` of its own. The last five are no part of
the specification: what a commanded speed is multiplied by, what is added to a commanded angle, how
far the wheels may hang behind the servo, and the pull of an uneven floor along the map's axes."""

QUEUED: Final = np.dtype([('steering_rad', 'f8'), ('speed_mps', 'f8'), ('at', 'i8')])
"""A command that takes effect in a later period than its own, and at which sub-step; -1: none."""


def vehicle_parameters(car: CarSpec, cars: int) -> Records:
    """Physics parameters of `cars` equal cars.

    Args:
        car: The specification.
        cars: How many rows.

    Returns:
        `PARAMETERS`, (cars,).
    """
    tyre, motor, servo = car.tyre, car.motor, car.servo
    return np.full(cars, np.array((
        car.wheelbase_m, car.yaw_inertia_kgm2 / car.mass_kg, car.cog_height_m,
        car.max_steering_rad, tyre.friction, tyre.stiffness, tyre.shape,
        motor.stall_accel_mps2, motor.no_load_speed_mps, motor.brake_accel_mps2,
        motor.speed_gain_per_s, motor.lag_s, motor.rolling_accel_mps2,
        motor.drag_per_m, servo.lag_s, servo.rate_limit_radps,
        1.0, 0.0, 0.0, 0.0, 0.0,
    ), dtype=PARAMETERS))


def nothing_queued(cars: int) -> Records:
    """`QUEUED`, (cars,), without a command."""
    return np.full(cars, np.array((0.0, 0.0, -1), dtype=QUEUED))


@njit(cache=True)
def _tyre_force(slip_mps: float, rolling_mps: float, drive: float, load: float,
                p: np.record) -> float:
    """Lateral force over mass of one axle, m/s^2; `load` and `drive` are forces over mass too."""
    slip_rad = math.atan2(slip_mps, max(abs(rolling_mps), SLIP_SPEED_MPS))
    grip = p.friction * load
    lateral_grip = math.sqrt(max(grip * grip - drive * drive, 0.0))
    return -lateral_grip * math.sin(p.curve * math.atan(p.stiffness * slip_rad))


@njit(cache=True)
def _motor_demand(speed_error: float, vx: float, p: np.record) -> float:
    """Drive force over mass that the speed controller asks for, within motor and brake limits."""
    demand = p.speed_gain_per_s * speed_error
    if demand * vx < 0.0:
        return min(max(demand, -p.brake_accel_mps2), p.brake_accel_mps2)
    available = p.stall_accel_mps2 * max(1.0 - abs(vx) / p.no_load_speed_mps, 0.0)
    return min(max(demand, -available), available)


@njit(cache=True)
def _turned_axes(vx: float, vy: float, turn_rad: float) -> tuple[float, float]:
    """The same velocity in axes turned by a small angle, at exactly the same speed.

    Adding the centripetal terms to first order instead would speed a spinning car up.
    """
    half = 0.5 * turn_rad
    tangent = half * (1.0 + half * half / 3.0)  # of the half angle; any value gives a rotation
    scale = 1.0 + tangent * tangent
    cosine, sine = (1.0 - tangent * tangent) / scale, 2.0 * tangent / scale
    return cosine * vx + sine * vy, cosine * vy - sine * vx


@njit(cache=True)
def _actuate(c: Any, p: np.record, steering_rad: float, speed_mps: float, dt: float) -> None:
    """Let servo and motor follow a command for `dt` seconds, in place."""
    target = min(max(steering_rad + p.steering_trim_rad, -p.max_steering_rad), p.max_steering_rad)
    rate = (target - c.servo_rad) / max(p.servo_lag_s, dt)
    c.servo_rad += dt * min(max(rate, -p.servo_rate_radps), p.servo_rate_radps)
    play = p.steering_play_rad
    c.steering_rad = min(max(c.steering_rad, c.servo_rad - play), c.servo_rad + play)
    demand = _motor_demand(speed_mps * p.speed_scale - c.vx_mps, c.vx_mps, p)
    c.drive_mps2 += (demand - c.drive_mps2) * dt / max(p.motor_lag_s, dt)


@njit(cache=True)
def _accelerations(c: np.record, p: np.record) -> tuple[float, float, float]:
    """Forces over mass, forward and left, m/s^2, and yaw acceleration, rad/s^2."""
    half = 0.5 * p.wheelbase_m
    shift = c.ax_mps2 * p.cog_height_m / p.wheelbase_m
    load_front = max(0.5 * GRAVITY_MPS2 - shift, 0.0)
    load_rear = max(0.5 * GRAVITY_MPS2 + shift, 0.0)
    grip_front, grip_rear = p.friction * load_front, p.friction * load_rear
    drive_front = min(max(0.5 * c.drive_mps2, -grip_front), grip_front)
    drive_rear = min(max(0.5 * c.drive_mps2, -grip_rear), grip_rear)

    sine, cosine = math.sin(c.steering_rad), math.cos(c.steering_rad)
    across_front = c.vy_mps + half * c.yaw_rate_radps
    across_rear = c.vy_mps - half * c.yaw_rate_radps
    side_front = _tyre_force(cosine * across_front - sine * c.vx_mps,
                             cosine * c.vx_mps + sine * across_front, drive_front, load_front, p)
    side_rear = _tyre_force(across_rear, c.vx_mps, drive_rear, load_rear, p)

    resistance = (p.rolling_accel_mps2 * math.tanh(c.vx_mps / 0.02)
                  + p.drag_per_m * c.vx_mps * abs(c.vx_mps))
    front_x = cosine * drive_front - sine * side_front
    front_y = cosine * side_front + sine * drive_front
    yaw_accel = half * (front_y - side_rear) / p.inertia_ratio_m2
    sin_yaw, cos_yaw = math.sin(c.yaw_rad), math.cos(c.yaw_rad)
    pull_x = cos_yaw * p.slope_x_mps2 + sin_yaw * p.slope_y_mps2
    pull_y = cos_yaw * p.slope_y_mps2 - sin_yaw * p.slope_x_mps2
    return (front_x + drive_rear - resistance + pull_x, front_y + side_rear + pull_y, yaw_accel)


@njit(cache=True)
def _substep(c: Any, p: np.record, steering_rad: float, speed_mps: float, dt: float) -> None:
    """Advance one car (`STATE` record `c`, `PARAMETERS` record `p`) by `dt` seconds in place."""
    _actuate(c, p, steering_rad, speed_mps, dt)
    ax, ay, yaw_accel = _accelerations(c, p)
    c.ax_mps2 = ax
    c.yaw_rate_radps += dt * yaw_accel
    turn = dt * c.yaw_rate_radps
    c.yaw_rad += turn
    c.vx_mps, c.vy_mps = _turned_axes(c.vx_mps + dt * ax, c.vy_mps + dt * ay, turn)
    sine, cosine = math.sin(c.yaw_rad), math.cos(c.yaw_rad)
    c.x_m += dt * (cosine * c.vx_mps - sine * c.vy_mps)
    c.y_m += dt * (sine * c.vx_mps + cosine * c.vy_mps)


@njit(cache=True)
def advance(state: Records, parameters: Records, held: Floats, commands: Floats,
            delay_substeps: NDArray[np.int64], queued: Records,
            frozen: NDArray[np.bool_]) -> None:
    """Advance every car by one control period, in place.

    A command decided from an image takes effect when the image is `delay_substeps` old; until
    then the car goes on with the command it held. One that is later than the period's end waits
    in `queued` for the next, unless a newer one overtakes it.

    Args:
        state: `STATE`, (N,).
        parameters: `PARAMETERS`, (N,).
        held: float64 (N, 2), the commands in force: steering rad, speed m/s.
        commands: float64 (N, 2), the new commands.
        delay_substeps: int64 (N,), 0 to less than twice `SUBSTEPS`.
        queued: `QUEUED`, (N,), commands of the period before that are still to come.
        frozen: bool (N,), cars that serve a penalty and do not move.
    """
    for i in range(state.shape[0]):
        if frozen[i]:
            held[i, 0], held[i, 1] = commands[i, 0], commands[i, 1]
            queued[i].at = -1
            continue
        for k in range(SUBSTEPS):
            if k == queued[i].at:
                held[i, 0], held[i, 1] = queued[i].steering_rad, queued[i].speed_mps
            if k == delay_substeps[i]:
                held[i, 0], held[i, 1] = commands[i, 0], commands[i, 1]
                queued[i].at = -1
            _substep(state[i], parameters[i], held[i, 0], held[i, 1], SUBSTEP_S)
        yaw_rad = state[i].yaw_rad
        state[i].yaw_rad = math.atan2(math.sin(yaw_rad), math.cos(yaw_rad))
        queued[i].at = -1
        if delay_substeps[i] >= SUBSTEPS:
            queued[i].steering_rad, queued[i].speed_mps = commands[i, 0], commands[i, 1]
            queued[i].at = delay_substeps[i] - SUBSTEPS
