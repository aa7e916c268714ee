"""The car as a Gazebo model: its mass, wheels, motor, servo and sensors out of a `CarSpec`.

All wheels are driven by torque, as by a direct-current motor: the speed that a wheel lacks times a
gain, up to the motor's limit. So drag and cornering cost speed, wheels spin and lock, and what
comes of it is up to the ground. The steering is a servo with a lag and a greatest speed.
"""

from __future__ import annotations

from typing import Final

from racer_sim.gazebo.car_sensors import bumper_sensor, camera_sensor, lidar_sensor
from racer_sim.gazebo.car_wheels import BEARING_KG, WHEEL_KG, WHEELS, wheel
from racer_sim.gazebo.sdf import (
    Element,
    box,
    box_inertia,
    inertial,
    plugin,
    pose,
    sdf,
    shaded_box,
)
from racer_sim.gazebo.topics import ACTUATORS, TRUTH, gz_topic, model_name
from racer_sim.simulator import CAR_COLOUR
from racer_sim.starting_grid import Pose
from racer_sim.vehicle import GRAVITY_MPS2
from racer_vehicle import contract
from racer_vehicle.errors import ConfigError
from racer_vehicle.spec import CONTROL_PERIOD_MS, CarSpec

FREEBOARD_M: Final = 0.02
"""Between the ground and the shell that bumps into things."""

STEP_S: Final = 0.002
"""Of Gazebo's physics."""

MOST_CARS: Final = 20
_FIRST_FLAG: Final = 4
"""Bit of visibility of the first car; those below are Gazebo's own."""

_ALL_FLAGS: Final = 0x0FFFFFFF
"""All but the highest bits, which are the renderer's own."""

_ODOMETRY_HZ: Final = 1000.0 / (CONTROL_PERIOD_MS - STEP_S * 500.0)
"""Comes with the first step that is not earlier than this; half a step less is never too late."""


def car_model(car: CarSpec, number: int, namespace: str, start: Pose) -> Element:
    """One car of a world.

    Args:
        car: Its specification.
        number: Among the cars of the world, from 0.
        namespace: Of its topics.
        start: Where it stands.

    Raises:
        ConfigError: There is no room for it among the cars, or it weighs less than its wheels.
    """
    if not 0 <= number < MOST_CARS:
        raise ConfigError(f'car number {number}; allowed: 0 to {MOST_CARS - 1}, because each '
                          "takes a bit of Gazebo's visibility flags.")
    wheels = [part for name, place in zip(WHEELS, car.wheel_positions_m, strict=True)
              for part in wheel(car, name, *place)]
    return sdf('model', pose((start.x_m, start.y_m, 0.0), start.yaw_rad),
               _body(car, 1 << (_FIRST_FLAG + number), namespace), *wheels,
               *_motors(car, namespace), _servo(car, namespace), _slip(car),
               *(_odometry(namespace, *what)
                 for what in (('sim/odom', _ODOMETRY_HZ), (TRUTH, 2.0 / STEP_S))),
               name=model_name(namespace), canonical_link='base_link')


def _body(car: CarSpec, flag: int, namespace: str) -> Element:
    """Body with camera, scanner and bumper; they do not see it, the other cars' do."""
    shell_m = car.height_m - FREEBOARD_M
    shell = sdf('collision', pose((0.0, 0.0, FREEBOARD_M + shell_m / 2)),
                box((car.length_m, car.width_m, shell_m)), name='shell')
    visuals = shaded_box((car.length_m, car.width_m, car.height_m), CAR_COLOUR,
                         sdf('visibility_flags', str(flag)))
    mask = sdf('visibility_mask', str(_ALL_FLAGS ^ flag))
    sensors = (camera_sensor(car.camera, namespace, mask),
               lidar_sensor(car.lidar, namespace, mask), bumper_sensor('shell', namespace))
    return sdf('link', _body_inertia(car), shell, *visuals, *sensors, name='base_link')


def _body_inertia(car: CarSpec) -> Element:
    """What the wheels leave of the car's mass, centre of mass and yaw inertia."""
    wheels_kg = 4 * WHEEL_KG + 2 * BEARING_KG
    x_m, y_m = car.wheel_positions_m[0]
    wheels_kgm2 = wheels_kg * (x_m**2 + y_m**2)
    mass_kg, yaw_kgm2 = car.mass_kg - wheels_kg, car.yaw_inertia_kgm2 - wheels_kgm2
    if mass_kg <= 0.0 or yaw_kgm2 <= 0.0:
        raise ConfigError(f'CarSpec.mass_kg is {car.mass_kg:g} and yaw_inertia_kgm2 '
                          f'{car.yaw_inertia_kgm2:g}; allowed for Gazebo: more than its wheels '
                          f'have, {wheels_kg:g} and {wheels_kgm2:.2g}.')
    z_m = (car.mass_kg * car.cog_height_m - wheels_kg * car.wheel_radius_m) / mass_kg
    roll, pitch, yaw = box_inertia(mass_kg, (car.length_m, car.width_m, car.height_m))
    scale = yaw_kgm2 / yaw
    return inertial(mass_kg, (roll * scale, pitch * scale, yaw_kgm2), z_m)


def _motors(car: CarSpec, namespace: str) -> list[Element]:
    """A motor for each wheel, with the gain and the brake's limit of the embedded car.

    The wheels turn as they drive: half their mass more has to be set in motion.
    """
    share_kg = (car.mass_kg + 2.0 * WHEEL_KG) / 4.0
    gain = share_kg * car.motor.speed_gain_per_s * car.wheel_radius_m**2
    limit = share_kg * car.motor.brake_accel_mps2 * car.wheel_radius_m
    return [plugin('JointController', sdf('joint_name', f'{name}_joint'),
                   sdf('use_force_commands', True), sdf('p_gain', gain), sdf('cmd_max', limit),
                   sdf('cmd_min', -limit), *_told(namespace, number), file='joint-controller')
            for number, name in enumerate(WHEELS)]


def _servo(car: CarSpec, namespace: str) -> Element:
    """Turns both bearings by Ackermann's geometry, with the servo's lag."""
    front = [sdf(f'{side}_steering_joint', f'front_{side}_steering') for side in ('left', 'right')]
    return plugin('AckermannSteering', *front, sdf('wheel_base', car.wheelbase_m),
                  sdf('wheel_separation', car.track_width_m),
                  sdf('steering_limit', car.max_steering_rad),
                  sdf('steer_p_gain', 1.0 / max(car.servo.lag_s, 2.0 * STEP_S)),
                  *_told(namespace, 0), file='ackermann-steering')


def _slip(car: CarSpec) -> Element:
    """Tyres that roll aside by an angle in proportion to the force, as the embedded car's do."""
    tyre = car.tyre
    aside = sdf('slip_compliance_lateral', 1.0 / (tyre.friction * tyre.stiffness * tyre.shape))
    ahead = sdf('slip_compliance_longitudinal', 0.0)
    load = sdf('wheel_normal_force', car.mass_kg * GRAVITY_MPS2 / 4.0)
    radius = sdf('wheel_radius', car.wheel_radius_m)
    return plugin('WheelSlip', *(sdf('wheel', aside, ahead, load, radius, link_name=name)
                                 for name in WHEELS), file='wheel-slip')


def _told(namespace: str, number: int) -> tuple[Element, ...]:
    """What a motor or servo listens to: a place in one message, so that all begin together."""
    return (sdf('use_actuator_msg', True), sdf('actuator_number', str(number)),
            sdf('topic', gz_topic(namespace, ACTUATORS)))


def _odometry(namespace: str, name: str, rate_hz: float) -> Element:
    """Ground truth of `base_link`; its transforms go where nobody mixes them up with others."""
    row, topic = contract.topic('sim/odom'), gz_topic(namespace, name)
    return plugin('OdometryPublisher', sdf('odom_topic', topic), sdf('tf_topic', f'{topic}/tf'),
                  sdf('odom_covariance_topic', f'{topic}/covariance'),
                  sdf('odom_frame', row.frame),
                  sdf('robot_base_frame', contract.topic('sim/cmd_vel').frame),
                  sdf('odom_publish_frequency', rate_hz), sdf('dimensions', '2'),
                  file='odometry-publisher')
