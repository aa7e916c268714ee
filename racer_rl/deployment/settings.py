"""The settings of one car: parameter files out of templates and what a person chose."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from racer_rl.deployment.parameter_files import ParameterFile, Value, assignments
from racer_vehicle.calibration import Calibration
from racer_vehicle.errors import ConfigError, UnknownNameError
from racer_vehicle.lens import Lens, Rectifier
from racer_vehicle.policy_card import PolicyCard
from racer_vehicle.spec import CarSpec

NODES: Final = ('camera', 'lidar', 'motor', 'inference')

RELEASE: Final = '@RELEASE@'
"""Stands for the folder that the installer puts the package into, in every settings file."""

_OWN: Final = {
    ('motor', 'calibration'): '--calibration', ('camera', 'lens'): '--lens',
    ('camera', 'driver'): '--camera', ('lidar', 'driver'): '--lidar',
    ('motor', 'driver'): '--motor',
    ('motor', 'max_speed_mps'): '--max-speed', ('inference', 'bundle'): 'MODEL',
    ('inference', 'trusted_keys'): '--sign',
    ('motor', 'start_enabled'): 'nothing: a person enables a car',
}
"""Parameters that have an option of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CarChoices:
    """What a person says of their car.

    Attributes:
        camera: Driver of the camera node.
        lidar: Driver of the lidar node.
        motor: Driver of the motor node.
        max_speed_mps: Cap on the speed.
        calibration: File of `racer calibrate`; None: DeepRacer's pulses.
        lens: File of camera_calibration; None: the lens is the pinhole.
        parameters: `node.parameter=value` each.
        spec: `car.…=`, `camera.…=` or `lidar.…=` each: the car as built, told to every node.
    """

    camera: str = 'v4l2'
    lidar: str = 'rplidar'
    motor: str = 'pwm'
    max_speed_mps: float = 1.0
    calibration: Path | None = None
    lens: Path | None = None
    parameters: tuple[str, ...] = ()
    spec: tuple[str, ...] = ()

    @property
    def pulses(self) -> Calibration:
        """Of servo and speed controller.

        Raises:
            ConfigError: The file cannot be used.
        """
        return Calibration() if self.calibration is None else Calibration.read(self.calibration)


def car_settings(templates: Mapping[str, str], choices: CarChoices, card: PolicyCard, *,
                 signed: bool) -> dict[str, ParameterFile]:
    """A parameter file a node, for one car and one policy.

    Args:
        templates: Node to the text of its file.
        choices: What a person says of the car.
        card: Of the policy.
        signed: Whether the car is to drive signed policies only.

    Raises:
        ConfigError: Something that was given cannot be used.
        ModelMismatchError: The policy is not for this car.
    """
    files = {node: ParameterFile(f'{node}.yaml', templates[node]) for node in NODES}
    for name, value in assignments(choices.parameters, '--set').items():
        node, _, parameter = name.partition('.')
        _require_settable(node, parameter, files)
        files[node].set(parameter, value)
    for (node, parameter), value in _chosen(choices, card, signed=signed).items():
        files[node].add(parameter, value)
    spec = assignments(choices.spec, '--spec')
    for file in files.values():
        for name, value in spec.items():
            file.add(name, value)
    car = _car(files['inference'])
    card.require_fits(car)
    choices.pulses  # noqa: B018 - refuses a file that cannot be used
    if choices.lens is not None:
        Rectifier(Lens.from_yaml(choices.lens), car.camera)
    return files


def _require_settable(node: str, parameter: str, files: Mapping[str, ParameterFile]) -> None:
    if node not in files:
        raise UnknownNameError('node', node, files, 'Say --set NODE.PARAMETER=VALUE.')
    if (node, parameter) in _OWN:
        raise ConfigError(f'--set {node}.{parameter}; allowed: {_OWN[node, parameter]}.')


def _chosen(choices: CarChoices, card: PolicyCard, *,
            signed: bool) -> dict[tuple[str, str], Value]:
    return {
        ('camera', 'driver'): choices.camera,
        ('camera', 'colour'): card.observation.camera.colour,
        ('camera', 'lens'): f'{RELEASE}/config/lens.yaml' if choices.lens else '',
        ('lidar', 'driver'): choices.lidar,
        ('motor', 'driver'): choices.motor,
        ('motor', 'start_enabled'): False,
        ('motor', 'max_speed_mps'): choices.max_speed_mps,
        ('motor', 'calibration'): f'{RELEASE}/config/calibration.json' if choices.calibration
        else '',
        ('inference', 'bundle'): f'{RELEASE}/policy.racer',
        ('inference', 'trusted_keys'): f'{RELEASE}/keys' if signed else '',
    }


def _car(file: ParameterFile) -> CarSpec:
    """The car as a node will have it.

    Raises:
        ConfigError: A value is not allowed, or there is no such part of a car.
    """
    default = CarSpec()
    parts: dict[str, Any] = {'car': default, 'camera': default.camera, 'lidar': default.lidar}
    changed: dict[str, dict[str, Value]] = {prefix: {} for prefix in parts}
    for name, value in file.values.items():
        prefix, dot, field = name.partition('.')
        if dot:
            _require_field(parts, prefix, field, name)
            changed[prefix][field] = value
    camera, lidar = (dataclasses.replace(parts[prefix], **changed[prefix])
                     for prefix in ('camera', 'lidar'))
    return dataclasses.replace(default, camera=camera, lidar=lidar, **changed['car'])  # type: ignore[arg-type]


def _require_field(parts: Mapping[str, Any], prefix: str, field: str, name: str) -> None:
    known = {f'{part}.{item.name}' for part, owner in parts.items()
             for item in dataclasses.fields(owner)
             if isinstance(getattr(owner, item.name), int | float)}
    if name not in known:
        raise UnknownNameError('part of a car', f'{prefix}.{field}', known)
