"""Which device a node's `driver` parameter means, and how it is set up."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rclpy.node import Node

from racer_vehicle.calibration import Calibration
from racer_vehicle.drivers.deadman import GuardedOutput, output_of
from racer_vehicle.drivers.fake import FakeActuator, fake_camera, fake_lidar
from racer_vehicle.drivers.protocols import Actuator, Camera, Lidar
from racer_vehicle.drivers.pulses import STEERING_CHANNEL, THROTTLE_CHANNEL, PulseActuator
from racer_vehicle.drivers.rplidar import RplidarSettings, rplidar
from racer_vehicle.drivers.v4l2 import V4l2Settings, v4l2_camera
from racer_vehicle.nodes import ros
from racer_vehicle.nodes.diagnostics import Drops
from racer_vehicle.nodes.parameters import require_settings, setting
from racer_vehicle.nodes.simulated import SimulatedActuator, simulated_camera, simulated_lidar
from racer_vehicle.spec import CameraSpec, CarSpec, LidarSpec

CAMERAS: Final = ('v4l2', 'simulated', 'fake')
LIDARS: Final = ('rplidar', 'simulated', 'fake')
ACTUATORS: Final = ('pwm', 'pca9685', 'simulated', 'fake')


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraSettings:
    """Parameters of the camera node, beside the camera's specification."""

    driver: str = setting('v4l2', 'where images come from', choices=CAMERAS)
    lens: str = setting('', 'YAML file of camera_calibration; empty: the lens is the pinhole')
    colour: str = setting('grey', 'of the images', choices=('grey', 'rgb'))
    device: str = setting('/dev/video0', 'v4l2: the camera; names below /dev/v4l/by-id are stable')
    width_px: int = setting(640, 'v4l2: of the raw image, as calibrated', low=8, high=8192)
    height_px: int = setting(480, 'v4l2: of the raw image, as calibrated', low=8, high=8192)
    fps: int = setting(15, 'v4l2: images a second', low=1, high=240)

    def __post_init__(self) -> None:
        require_settings(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class LidarSettings:
    """Parameters of the lidar node, beside the lidar's specification."""

    driver: str = setting('rplidar', 'where scans come from', choices=LIDARS)
    device: str = setting('/dev/ttyUSB0', 'rplidar: its port; /dev/serial/by-id is stable')
    baud: int = setting(115_200, 'rplidar: 115200 (A1, A2M8) or 256000 (A2M12, A3)', low=9600,
                        high=1_000_000)
    motor_pwm: int = setting(0, 'rplidar: duty of the motor; A1: 0, A2 and later: 660', low=0,
                             high=1023)
    yaw_rad: float = setting(0.0, "rplidar: its front, counter-clockwise from the car's",
                             low=-math.tau, high=math.tau)

    def __post_init__(self) -> None:
        require_settings(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActuatorSettings:
    """Parameters of the motor node's devices."""

    calibration: str = setting('', "file of racer calibrate; empty: DeepRacer's pulses")
    pwm_chip: str = setting('/sys/class/pwm/pwmchip0', 'pwm: folder of the chip')
    i2c_bus: str = setting('/dev/i2c-1', 'pca9685: the bus')
    i2c_address: int = setting(0x40, 'pca9685: of the chip', low=0x08, high=0x77)
    throttle_channel: int = setting(THROTTLE_CHANNEL, 'of the speed controller', low=0, high=15)
    steering_channel: int = setting(STEERING_CHANNEL, 'of the servo', low=0, high=15)

    def __post_init__(self) -> None:
        require_settings(self)


def make_camera(node: Node, settings: CameraSettings, camera: CameraSpec,
                drops: Drops) -> Camera:
    """The camera that `driver` names.

    Args:
        node: Whose clock stamps, and which listens to a simulator.
        settings: Its parameters.
        camera: The pinhole that images are rectified to.
        drops: Counts messages that cannot be used.
    """
    clock, rgb = ros.ros_clock(node), settings.colour == 'rgb'
    match settings.driver:
        case 'simulated':
            return simulated_camera(node, drops)
        case 'fake':
            return fake_camera(camera, clock, rgb=rgb)
        case _:
            return v4l2_camera(V4l2Settings(
                device=settings.device, width_px=settings.width_px, height_px=settings.height_px,
                fps=settings.fps, rgb=rgb), clock)


def make_lidar(node: Node, settings: LidarSettings, lidar: LidarSpec, drops: Drops) -> Lidar:
    """The lidar that `driver` names; arguments as `make_camera`."""
    clock = ros.ros_clock(node)
    match settings.driver:
        case 'simulated':
            return simulated_lidar(node, lidar, drops)
        case 'fake':
            return fake_lidar(lidar, clock)
        case _:
            return rplidar(RplidarSettings(
                device=Path(settings.device), baud=settings.baud, motor_pwm=settings.motor_pwm,
                yaw_rad=settings.yaw_rad, lidar=lidar), clock)


def make_actuator(node: Node, driver: str, settings: ActuatorSettings, car: CarSpec) -> Actuator:
    """The steering and motor that `driver` names.

    Args:
        node: Which speaks to a simulator.
        driver: One of `ACTUATORS`.
        settings: Parameters of the devices.
        car: The car.

    Raises:
        ConfigError: The calibration cannot be used.
    """
    match driver:
        case 'simulated':
            return SimulatedActuator(node, car.wheelbase_m)
        case 'fake':
            return FakeActuator()
        case 'pca9685':
            return _pulses(settings, 'pca9685', settings.i2c_bus, hex(settings.i2c_address))
        case _:
            return _pulses(settings, 'pwm', settings.pwm_chip)


def _pulses(settings: ActuatorSettings, *device: str) -> PulseActuator:
    path = settings.calibration
    calibration = Calibration.read(Path(path)) if path else Calibration()
    output = GuardedOutput(output_of(device), device)
    return PulseActuator(output, calibration, settings.throttle_channel,
                         settings.steering_channel)
