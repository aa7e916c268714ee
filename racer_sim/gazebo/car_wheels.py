"""The car's wheels in Gazebo: tyres, axles, and the bearings that turn the front ones."""

from __future__ import annotations

from typing import Final

from racer_sim.gazebo.sdf import Element, box_inertia, inertial, pose, sdf
from racer_vehicle.kinematics import wheel_angles
from racer_vehicle.spec import CarSpec

WHEELS: Final = ('front_left', 'front_right', 'rear_left', 'rear_right')
"""In the order of `CarSpec.wheel_positions_m`, and of the speeds that they are told."""

WHEEL_KG: Final = 0.03
BEARING_KG: Final = 0.02
"""Of each wheel, and of the turning bearing of each front wheel: part of the car's mass."""

BEARING_M: Final = 0.04
"""Side of the cube that a bearing is; a smaller one would make its equations stiff."""

STEERING_ROOM_RAD: Final = 0.2
"""Between the inner wheel's largest angle and the end of its joint."""

STEERING_NM: Final = 5.0
"""Far more than the servo needs; without a limit Gazebo would not keep the joint's ends."""

DRAG_MPS: Final = 2.0
"""Speed at which drag is exact: Gazebo knows none that grows with the square of the speed."""


def wheel(car: CarSpec, name: str, x_m: float, y_m: float) -> list[Element]:
    """A wheel and its joint; a front wheel turns on a bearing.

    Args:
        car: Whose.
        name: Of `WHEELS`.
        x_m: Of its contact point, in `base_link`.
        y_m: The same.
    """
    place, radius_m = pose((x_m, y_m, car.wheel_radius_m)), car.wheel_radius_m
    disc_kgm2 = WHEEL_KG * radius_m**2 / 2.0
    # The first direction of friction is the axle's, so that tyres grip alike wherever they head.
    grip = sdf('ode', sdf('mu', car.tyre.friction), sdf('mu2', car.tyre.friction),
               sdf('fdir1', (0.0, 1.0, 0.0)))
    tyre = sdf('collision', sdf('geometry', sdf('sphere', sdf('radius', radius_m))),
               sdf('surface', sdf('friction', grip)), name='tyre')
    body = sdf('link', place, inertial(WHEEL_KG, (disc_kgm2,) * 3), tyre, name=name)
    axle = sdf('axis', sdf('xyz', (0.0, 1.0, 0.0)), sdf('limit'), _resistance(car))
    if not name.startswith('front'):
        return [body, _joint(f'{name}_joint', 'base_link', name, axle)]
    bearing = sdf('link', pose((x_m, y_m, radius_m)),
                  inertial(BEARING_KG, box_inertia(BEARING_KG, (BEARING_M,) * 3)),
                  name=f'{name}_bearing')
    return [bearing, _steering_joint(car, name), body,
            _joint(f'{name}_joint', f'{name}_bearing', name, axle)]


def _resistance(car: CarSpec) -> Element:
    """What each wheel has to overcome: rolling resistance, and drag, which grows by a line."""
    motor, lever_m = car.motor, car.mass_kg / 4.0 * car.wheel_radius_m
    per_mps = motor.drag_per_m * DRAG_MPS
    return sdf('dynamics', sdf('damping', per_mps * lever_m * car.wheel_radius_m),
               sdf('friction', motor.rolling_accel_mps2 * lever_m))


def _steering_joint(car: CarSpec, name: str) -> Element:
    """What turns the bearing of a front wheel, no faster than the servo."""
    inner_rad = float(wheel_angles(car.max_steering_rad, car.wheelbase_m, car.track_width_m)[0])
    end_rad = inner_rad + STEERING_ROOM_RAD
    limit = sdf('limit', sdf('lower', -end_rad), sdf('upper', end_rad),
                sdf('effort', STEERING_NM), sdf('velocity', car.servo.rate_limit_radps))
    return _joint(f'{name}_steering', 'base_link', f'{name}_bearing',
                  sdf('axis', sdf('xyz', (0.0, 0.0, 1.0)), limit))


def _joint(name: str, parent: str, child: str, axis: Element) -> Element:
    return sdf('joint', sdf('parent', parent), sdf('child', child), axis, name=name,
               type='revolute')
