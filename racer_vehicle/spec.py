"""The car as numbers: geometry, mass, tyres, motor, servo, camera and lidar.

Everything is SI with REP-103 axes. `base_link` is the point on the ground midway between the axles
(x forward, y left, z up), the same origin as the URDF of the DeepRacer simulator, so that poses
compare. Each constant names its source; *estimate* marks a judgement that a measurement on a real
car should replace, and that domain randomisation has to cover until then.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, ClassVar, Final, Protocol, TypeVar

from racer_vehicle.errors import ConfigError


class Dataclass(Protocol):
    """Any dataclass instance."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


_Spec = TypeVar('_Spec', bound=Dataclass)

CONTROL_PERIOD_MS: Final = 66
"""One control period of every simulator and of the car, nominally 15 Hz.

A whole number of milliseconds because Gazebo truncates a camera's period to milliseconds.
"""

CONTROL_PERIOD_S: Final = CONTROL_PERIOD_MS / 1000.0


def require_range(owner: object, **bounds: tuple[float, float]) -> None:
    """Refuse a dataclass whose named fields are not finite numbers inside closed ranges.

    Args:
        owner: The dataclass instance under construction.
        **bounds: Field name to (lowest, highest) allowed value.

    Raises:
        ConfigError: Naming the field, its value and the allowed range.
    """
    for name, (low, high) in bounds.items():
        value = getattr(owner, name)
        if not (math.isfinite(value) and low <= value <= high):
            raise ConfigError(
                f'{type(owner).__name__}.{name} is {value!r}; allowed: {low:g} to {high:g}.'
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraSpec:
    """A pinhole camera rigidly mounted on the car; pixels are square and centred.

    Attributes:
        width_px: Image width. 160, the input of DeepRacer's networks.
        height_px: Image height. 120.
        hfov_rad: Horizontal field of view. 120 degrees, the lens of the DeepRacer car.
        x_m: Forward of `base_link`. 0.145, the camera joints of the DeepRacer URDF summed.
        y_m: Left of `base_link`.
        z_m: Above the ground. 0.13, from the same URDF.
        pitch_rad: Positive looks down (REP-103 rotation about +y). 15 degrees, same URDF.
    """

    width_px: int = 160
    height_px: int = 120
    hfov_rad: float = math.radians(120.0)
    x_m: float = 0.145
    y_m: float = 0.0
    z_m: float = 0.13
    pitch_rad: float = math.radians(15.0)

    def __post_init__(self) -> None:
        require_range(
            self,
            width_px=(8, 1920),
            height_px=(8, 1080),
            hfov_rad=(0.2, 2.8),
            x_m=(-1, 1),
            y_m=(-1, 1),
            z_m=(0.01, 2.0),
            pitch_rad=(-1.0, 1.5),
        )

    @property
    def focal_px(self) -> float:
        """Focal length in pixels: w / 2 / tan(hfov / 2)."""
        return self.width_px / 2.0 / math.tan(self.hfov_rad / 2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class LidarSpec:
    """A planar scanner looking forward; rays run counter-clockwise from `-fov_rad / 2`.

    Attributes:
        rays: Number of rays. 64, as DeepRacer's simulated lidar.
        fov_rad: Angle between first and last ray. 300 degrees.
        range_min_m: Closer returns read -inf (REP-117). 0.15, RPLIDAR A1 data sheet.
        range_max_m: No return up to here reads +inf (REP-117). 12, RPLIDAR A1 data sheet.
        x_m: Forward of `base_link`. 0.029, DeepRacer URDF.
        z_m: Above the ground. 0.161, DeepRacer URDF.
    """

    rays: int = 64
    fov_rad: float = math.radians(300.0)
    range_min_m: float = 0.15
    range_max_m: float = 12.0
    x_m: float = 0.029
    z_m: float = 0.161

    def __post_init__(self) -> None:
        require_range(
            self,
            rays=(2, 4096),
            fov_rad=(0.1, 2 * math.pi),
            range_min_m=(0.0, 1.0),
            range_max_m=(1.0, 100.0),
            x_m=(-1, 1),
            z_m=(0.0, 2.0),
        )

    @property
    def angles_rad(self) -> tuple[float, ...]:
        """Direction of each ray in the car's frame, counter-clockwise, right rear to left rear."""
        step = self.fov_rad / (self.rays - 1)
        return tuple(-self.fov_rad / 2.0 + index * step for index in range(self.rays))


@dataclass(frozen=True, slots=True, kw_only=True)
class TyreSpec:
    """Magic-formula tyre, the same on all wheels: F = mu Fz sin(C atan(B slip)).

    Attributes:
        friction: Peak friction coefficient mu. 0.8, rubber on vinyl or carpet (estimate; the old
            simulator used 0.5).
        stiffness: B, per radian of slip angle. 8 (estimate; identified 1/10 cars lie at 4 to 10).
        shape: C. 1.5, peak at 12 degrees of slip, falling beyond (Pacejka, *Tire and Vehicle
            Dynamics*, gives 1.3 for pure side slip; small hard tyres fall off faster, estimate).
    """

    friction: float = 0.8
    stiffness: float = 8.0
    shape: float = 1.5

    def __post_init__(self) -> None:
        require_range(self, friction=(0.05, 3.0), stiffness=(1.0, 40.0), shape=(1.0, 2.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class MotorSpec:
    """Brushed motor and speed controller driving all four wheels.

    Attributes:
        stall_accel_mps2: Drive force at standstill over mass. 8 (estimate; above mu g the tyres
            limit).
        no_load_speed_mps: Speed at which drive force has fallen to zero, linearly, as a DC motor's
            torque does. 6 (estimate; the DeepRacer action limit is 4).
        brake_accel_mps2: Largest braking force over mass. 6 (estimate).
        speed_gain_per_s: Commanded acceleration per m/s of speed error; without an integrator, so
            drag and cornering cost speed as they do on the open-loop car. 8 (estimate).
        lag_s: First-order lag of the force behind the command. 0.05 (estimate; controller and
            50 Hz pulse input).
        rolling_accel_mps2: Rolling resistance over mass. 0.15, coefficient 0.015 (estimate).
        drag_per_m: Speed-squared resistance over mass. 0.02 (estimate).
    """

    stall_accel_mps2: float = 8.0
    no_load_speed_mps: float = 6.0
    brake_accel_mps2: float = 6.0
    speed_gain_per_s: float = 8.0
    lag_s: float = 0.05
    rolling_accel_mps2: float = 0.15
    drag_per_m: float = 0.02

    def __post_init__(self) -> None:
        require_range(
            self,
            stall_accel_mps2=(0.1, 100),
            no_load_speed_mps=(0.5, 50),
            brake_accel_mps2=(0.1, 100),
            speed_gain_per_s=(0.1, 100),
            lag_s=(0.0, 1.0),
            rolling_accel_mps2=(0.0, 5.0),
            drag_per_m=(0.0, 5.0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ServoSpec:
    """Steering servo: first-order lag with a rate limit, at the road wheels.

    Attributes:
        lag_s: Time constant. 0.06 (estimate; a hobby servo's own loop plus 50 Hz pulse input).
        rate_limit_radps: 5.2: 60 degrees in 0.10 s at the horn (usual 17 g servo data sheet),
            halved by the linkage.
    """

    lag_s: float = 0.06
    rate_limit_radps: float = 5.2

    def __post_init__(self) -> None:
        require_range(self, lag_s=(0.0, 1.0), rate_limit_radps=(0.1, 100.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class CarSpec:
    """One 1/18-scale car.

    Attributes:
        wheelbase_m: 0.164, DeepRacer URDF (0.16397).
        track_width_m: Between left and right contact points. 0.16, same URDF (0.1592 / 0.1621).
        wheel_radius_m: 0.035, same URDF.
        length_m: Collision footprint. 0.324, same URDF.
        width_m: Collision footprint. 0.196, same URDF.
        height_m: Body height as other cars see it. 0.194, body mesh of the same URDF.
        mass_kg: 1.5 (estimate: 0.9 kg 1/18 chassis, compute, camera and two batteries; the old
            simulator's 7.5 kg belongs to no car of this size).
        yaw_inertia_kgm2: 0.018: a uniform box of this footprint has m (l^2 + w^2) / 12.
        cog_height_m: 0.06 (estimate: batteries low, compute above).
        max_steering_rad: 30 degrees at the virtual middle wheel, DeepRacer action limit.
        max_speed_mps: 4.0, DeepRacer action limit.
    """

    wheelbase_m: float = 0.164
    track_width_m: float = 0.16
    wheel_radius_m: float = 0.035
    length_m: float = 0.324
    width_m: float = 0.196
    height_m: float = 0.194
    mass_kg: float = 1.5
    yaw_inertia_kgm2: float = 0.018
    cog_height_m: float = 0.06
    max_steering_rad: float = math.radians(30.0)
    max_speed_mps: float = 4.0
    tyre: TyreSpec = field(default_factory=TyreSpec)
    motor: MotorSpec = field(default_factory=MotorSpec)
    servo: ServoSpec = field(default_factory=ServoSpec)
    camera: CameraSpec = field(default_factory=CameraSpec)
    lidar: LidarSpec = field(default_factory=LidarSpec)

    def __post_init__(self) -> None:
        require_range(
            self,
            wheelbase_m=(0.05, 1.0),
            track_width_m=(0.03, 1.0),
            wheel_radius_m=(0.01, 0.2),
            length_m=(0.05, 2.0),
            width_m=(0.03, 1.0),
            height_m=(0.02, 1.0),
            mass_kg=(0.1, 20.0),
            yaw_inertia_kgm2=(1e-4, 10.0),
            cog_height_m=(0.0, 0.5),
            max_steering_rad=(0.05, 1.2),
            max_speed_mps=(0.1, 20.0),
        )

    @property
    def wheel_positions_m(self) -> tuple[tuple[float, float], ...]:
        """Contact points in `base_link`: front left, front right, rear left, rear right (x, y)."""
        x, y = self.wheelbase_m / 2.0, self.track_width_m / 2.0
        return ((x, y), (x, -y), (-x, y), (-x, -y))


def spec_as_dict(spec: Dataclass) -> dict[str, Any]:
    """Nested plain dictionary of a specification, for a model card or a run record."""
    result: dict[str, Any] = {}
    for item in fields(spec):
        value = getattr(spec, item.name)
        result[item.name] = (
            spec_as_dict(value) if hasattr(value, '__dataclass_fields__') else value
        )
    return result


def spec_from_dict(kind: type[_Spec], content: Mapping[str, Any]) -> _Spec:
    """The specification that `spec_as_dict` wrote.

    Args:
        kind: Its dataclass.
        content: Nested dictionary; fields that are missing take their default.

    Raises:
        ConfigError: A field is unknown or its value not usable.
    """
    known = {item.name: item for item in fields(kind)}
    unknown = sorted(content.keys() - known.keys())
    if unknown:
        raise ConfigError(
            f'{kind.__name__} has no {", ".join(unknown)}; known: {", ".join(known)}.'
        )
    values = {
        name: spec_from_dict(known[name].default_factory, value)  # type: ignore[arg-type]
        if isinstance(value, Mapping)
        else value
        for name, value in content.items()
    }
    return kind(**values)
