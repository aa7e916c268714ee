"""Whether a folder of settings makes a car, without starting one: `python -m ... CONFIG_FOLDER`.

The installer of `racer deploy` runs it before it switches to a new release. It reads the parameter
files as the nodes do, and loads what they name: policy, keys, lens, calibration.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import rclpy
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from racer_vehicle.calibration import Calibration
from racer_vehicle.errors import RacerError
from racer_vehicle.lens import Lens, Rectifier
from racer_vehicle.nodes.devices import ActuatorSettings, CameraSettings, LidarSettings
from racer_vehicle.nodes.inference_node import InferenceSettings
from racer_vehicle.nodes.motor_node import MotorSettings
from racer_vehicle.nodes.parameters import declare, declare_car
from racer_vehicle.policy_loader import load_policy
from racer_vehicle.signing import TrustedKeys

ALONE: Final = {'ROS_AUTOMATIC_DISCOVERY_RANGE': 'OFF', 'ROS_DOMAIN_ID': '101'}
"""A car that drives meanwhile must not see these nodes."""


def check_camera(node: Node) -> str:
    """Settings and lens; what was found."""
    settings, camera = declare(node, CameraSettings), declare_car(node).camera
    if settings.lens:
        Rectifier(Lens.from_yaml(Path(settings.lens)), camera)
    return f'camera: {settings.driver}, lens {"calibrated" if settings.lens else "as pinhole"}'


def check_lidar(node: Node) -> str:
    """Settings; what was found."""
    declare_car(node)
    return f'lidar: {declare(node, LidarSettings).driver}'


def check_motor(node: Node) -> str:
    """Settings and calibration; what was found."""
    settings, device = declare(node, MotorSettings), declare(node, ActuatorSettings)
    declare_car(node)
    if device.calibration:
        Calibration.read(Path(device.calibration))
    pulses = 'calibrated' if device.calibration else "DeepRacer's pulses"
    return f'motor: {settings.driver}, {pulses}, at most {settings.max_speed_mps:g} m/s'


def check_inference(node: Node) -> str:
    """Policy and keys; what was found."""
    settings, car = declare(node, InferenceSettings), declare_car(node)
    trusted = TrustedKeys.read(Path(settings.trusted_keys)) if settings.trusted_keys else None
    bundle = load_policy(Path(settings.bundle), car, trusted).bundle
    signed = f'signed by {bundle.signature.key_id}' if bundle.signature else 'not signed'
    return f'policy: {bundle.card.model} ({bundle.sha256[:12]}), {signed}'


CHECKS: Final = {'camera': check_camera, 'lidar': check_lidar, 'motor': check_motor,
                 'inference': check_inference}


def check_settings(config: Path) -> list[str]:
    """Read all of a car's settings.

    Args:
        config: Folder with a parameter file a node.

    Returns:
        A line a node.

    Raises:
        RacerError: The first that cannot be used, and why.
    """
    lines = []
    for name, check in CHECKS.items():
        with _node(name, config / f'{name}.yaml') as node:
            lines.append(check(node))
    return lines


@contextmanager
def _node(name: str, file: Path) -> Iterator[Node]:
    context = rclpy.Context()
    rclpy.init(args=['--ros-args', '--params-file', str(file)], context=context,
               signal_handler_options=SignalHandlerOptions.NO)
    try:
        node = Node(name, context=context, enable_rosout=False)
        yield node
        node.destroy_node()
    finally:
        rclpy.try_shutdown(context=context)


def main() -> int:
    """Print what was found, or in one line why it cannot be used."""
    os.environ.update(ALONE)
    try:
        lines = check_settings(Path(sys.argv[1]))
    except RacerError as error:
        sys.stderr.write(f'error: {error}\n')
        return 2
    sys.stdout.write('\n'.join(lines) + '\n')
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
