"""DeepRacer's `model_metadata.json`: sensors, actions and network of a model; degrees here only.

Fields that other tools add are read over; a field that is known and wrong is refused by name.
"""

from __future__ import annotations

import json
import math
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from racer_vehicle.action import (
    MAX_SPEED_MPS,
    MAX_STEERING_RAD,
    MIN_SPEED_MPS,
    ActionSpec,
    ContinuousActions,
    DiscreteActions,
)
from racer_vehicle.errors import ConfigError
from racer_vehicle.lidar_encoding import LidarConfig
from racer_vehicle.observation import Sensor, require_sensor_rule

METADATA_LIDAR_RAYS: Final = 64
"""DeepRacer's lidar, whose rays the sectors of `lidar_config` have to divide."""

NEWEST_VERSION: Final = 6

_SPEED: Final = (MIN_SPEED_MPS, MAX_SPEED_MPS)
_MAX_STEERING_DEG: Final = round(math.degrees(MAX_STEERING_RAD), 12)
_STEERING_DEG: Final = (-_MAX_STEERING_DEG, _MAX_STEERING_DEG)


class TrainingAlgorithm(StrEnum):
    """The two algorithms that DeepRacer knows."""

    CLIPPED_PPO = 'clipped_ppo'
    SAC = 'sac'


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelMetadata:
    """One model's metadata.

    Attributes:
        action_space: What the policy's outputs mean.
        sensors: Exactly one camera, at most one lidar; version 1 knows the front camera only.
        training_algorithm: SAC needs a continuous action space.
        neural_network: Name of the network, as written; whoever builds it checks the name.
        version: Of DeepRacer's simulator, 1 to 6.
        lidar: Settings of DISCRETIZED_SECTOR_LIDAR.
    """

    action_space: ActionSpec
    sensors: tuple[Sensor, ...] = (Sensor.FRONT_FACING_CAMERA,)
    training_algorithm: TrainingAlgorithm = TrainingAlgorithm.CLIPPED_PPO
    neural_network: str = 'DEEP_CONVOLUTIONAL_NETWORK_SHALLOW'
    version: int = NEWEST_VERSION
    lidar: LidarConfig = field(default_factory=LidarConfig)

    def __post_init__(self) -> None:
        require_sensor_rule(self.sensors)
        _integer(self.version, 'version', 1, NEWEST_VERSION)
        if self.version == 1 and self.sensors != (Sensor.FRONT_FACING_CAMERA,):
            raise ConfigError(f'version is 1 and sensor is {", ".join(self.sensors)}; allowed '
                              'with version 1: FRONT_FACING_CAMERA alone. Use version 2 or later.')
        if self.training_algorithm == TrainingAlgorithm.SAC and isinstance(
            self.action_space, DiscreteActions
        ):
            raise ConfigError('training_algorithm is sac and action_space_type is discrete; '
                              'allowed with sac: continuous.')
        if METADATA_LIDAR_RAYS % self.lidar.num_sectors:
            raise ConfigError(f'lidar_config.num_sectors is {self.lidar.num_sectors}; '
                              f'allowed: a divisor of {METADATA_LIDAR_RAYS}.')

    @classmethod
    def from_json(cls, text: str) -> ModelMetadata:
        """Read the content of a `model_metadata.json`.

        Args:
            text: JSON. Missing fields take DeepRacer's defaults; `action_space` has none.

        Raises:
            ConfigError: Not JSON, or a field that is missing or wrong; one line, naming it.
        """
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ConfigError(f'model metadata is not JSON: {error}; correct it.') from error
        data = _mapping(data, 'model metadata')
        version = _read_version(data)
        return cls(
            action_space=_read_action_space(data),
            sensors=_read_sensors(data, version),
            training_algorithm=TrainingAlgorithm(
                _choice(data, 'training_algorithm', tuple(TrainingAlgorithm))
            ),
            neural_network=_string(
                data.get('neural_network', 'DEEP_CONVOLUTIONAL_NETWORK_SHALLOW'), 'neural_network'
            ),
            version=version,
            lidar=_read_lidar(_mapping(data.get('lidar_config', {}), 'lidar_config')),
        )

    def to_json(self) -> str:
        """Content of a `model_metadata.json` that DeepRacer's tools and `from_json` read."""
        discrete = isinstance(self.action_space, DiscreteActions)
        content = {
            'action_space': _write_action_space(self.action_space),
            'action_space_type': 'discrete' if discrete else 'continuous',
            'training_algorithm': self.training_algorithm,
            'sensor': self.sensors,
            'neural_network': self.neural_network,
            'version': str(self.version),
            'lidar_config': {
                'num_sectors': self.lidar.num_sectors,
                'num_values_per_sector': self.lidar.num_values_per_sector,
                'clipping_dist': self.lidar.clipping_dist_m,
            },
        }
        return json.dumps(content, indent=4) + '\n'


def _read_version(data: Mapping[str, object]) -> int:
    given = data.get('version', 2 if 'sensor' in data else 1)
    try:
        number = float(given) if isinstance(given, str) else given
    except ValueError:
        number = given
    return _integer(number, 'version', 1, NEWEST_VERSION)


def _read_sensors(data: Mapping[str, object], version: int) -> tuple[Sensor, ...]:
    if version == 1:
        # DeepRacer's simulator looks at `sensor` from version 2 on.
        return (Sensor.FRONT_FACING_CAMERA,)
    names = data.get('sensor')
    if not isinstance(names, list):
        raise ConfigError(f'sensor is {_short(names)}; allowed: a list of sensors, '
                          'for example ["FRONT_FACING_CAMERA"].')
    return tuple(Sensor.from_name(_string(name, f'sensor[{index}]'))
                 for index, name in enumerate(names))


def _read_lidar(config: Mapping[str, object]) -> LidarConfig:
    usual = LidarConfig()
    return LidarConfig(
        num_sectors=_integer(config.get('num_sectors', usual.num_sectors),
                             'lidar_config.num_sectors', 1, METADATA_LIDAR_RAYS),
        num_values_per_sector=_integer(
            config.get('num_values_per_sector', usual.num_values_per_sector),
            'lidar_config.num_values_per_sector', 1, 1000,
        ),
        clipping_dist_m=_number(config.get('clipping_dist', usual.clipping_dist_m),
                                'lidar_config.clipping_dist', 0.15, 12.0),
    )


def _read_action_space(data: Mapping[str, object]) -> ActionSpec:
    kind = _choice(data, 'action_space_type', ('discrete', 'continuous'))
    space = data.get('action_space')
    if kind == 'continuous':
        return _read_continuous(_mapping(space, 'action_space (action_space_type is continuous)'))
    if not isinstance(space, list) or len(space) < 2:
        raise ConfigError(f'action_space is {_short(space)} and action_space_type is discrete; '
                          'allowed: a list of at least 2 objects with steering_angle and speed.')
    return _read_discrete(space)


def _read_discrete(space: list[object]) -> DiscreteActions:
    steering_rad, speed_mps = [], []
    for place, item in enumerate(space):
        name = f'action_space[{place}]'
        action = _mapping(item, name)
        if action.get('index', place) != place:
            raise ConfigError(f'{name}.index is {action["index"]!r}; allowed: {place}, its place '
                              'in the list, which is what the policy counts. Renumber it.')
        degrees = _number(action.get('steering_angle'), f'{name}.steering_angle', *_STEERING_DEG)
        steering_rad.append(math.radians(degrees))
        speed_mps.append(_number(action.get('speed'), f'{name}.speed', *_SPEED))
    return DiscreteActions(steering_rad=tuple(steering_rad), speed_mps=tuple(speed_mps))


def _read_continuous(space: Mapping[str, object]) -> ContinuousActions:
    low_deg, high_deg = _read_ends(space, 'steering_angle', _STEERING_DEG)
    low_mps, high_mps = _read_ends(space, 'speed', _SPEED)
    return ContinuousActions(
        steering_low_rad=math.radians(low_deg), steering_high_rad=math.radians(high_deg),
        speed_low_mps=low_mps, speed_high_mps=high_mps,
    )


def _read_ends(
    space: Mapping[str, object], name: str, limits: tuple[float, float]
) -> tuple[float, float]:
    ends = _mapping(space.get(name), f'action_space.{name}')
    low = _number(ends.get('low'), f'action_space.{name}.low', *limits)
    high = _number(ends.get('high'), f'action_space.{name}.high', *limits)
    if low >= high:
        raise ConfigError(f'action_space.{name}.low is {low:g}; '
                          f'allowed: less than action_space.{name}.high, {high:g}.')
    return low, high


def _write_action_space(space: ActionSpec) -> object:
    if isinstance(space, DiscreteActions):
        return [{'steering_angle': _degrees(steering_rad), 'speed': speed_mps, 'index': index}
                for index, (steering_rad, speed_mps)
                in enumerate(zip(space.steering_rad, space.speed_mps, strict=True))]
    return {
        'steering_angle': {'low': _degrees(space.steering_low_rad),
                           'high': _degrees(space.steering_high_rad)},
        'speed': {'low': space.speed_low_mps, 'high': space.speed_high_mps},
    }


def _degrees(angle_rad: float) -> float:
    # Rounding gives back the decimal that a person wrote: 15, not 14.999999999999998.
    return round(math.degrees(angle_rad), 12)


def _mapping(value: object, name: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise ConfigError(f'{name} is {_short(value)}; allowed: a JSON object, {{"...": ...}}.')
    return value


def _string(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise ConfigError(f'{name} is {_short(value)}; allowed: a string.')
    return value


def _choice(data: Mapping[str, object], name: str, allowed: tuple[str, ...]) -> str:
    """The field's value as DeepRacer reads it, without regard to case; by default the first."""
    given = data.get(name, allowed[0])
    value = given.strip().lower() if isinstance(given, str) else given
    for choice in allowed:
        if value == choice:
            return choice
    raise ConfigError(f'{name} is {_short(given)}; allowed: {", ".join(allowed)}.')


def _number(value: object, name: str, low: float, high: float) -> float:
    """A number inside closed limits; NaN, infinities and booleans are none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ConfigError(
            f'{name} is {_short(value)}; allowed: a number from {low:g} to {high:g}.'
        )
    return float(value)


def _integer(value: object, name: str, low: int, high: int) -> int:
    """A whole number inside closed limits, also when written 4.0."""
    if (isinstance(value, bool) or not isinstance(value, int | float)
            or not low <= value <= high or value != int(value)):
        raise ConfigError(
            f'{name} is {_short(value)}; allowed: a whole number from {low} to {high}.'
        )
    return int(value)


def _short(value: object) -> str:
    """Any JSON value in a few words, for a message of one line."""
    return 'missing' if value is None else reprlib.repr(value)
