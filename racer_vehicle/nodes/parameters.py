"""A node's parameters out of a frozen dataclass: declared, typed, ranged and described once."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node

from racer_vehicle.errors import ConfigError
from racer_vehicle.spec import CameraSpec, CarSpec, Dataclass, LidarSpec

_Settings = TypeVar('_Settings', bound=Dataclass)

_KEY: Final = 'setting'


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a parameter means and may be.

    Attributes:
        meaning: One line, with the unit.
        low: Lowest number.
        high: Highest number.
        choices: Allowed texts; empty: any.
    """

    meaning: str
    low: float = -math.inf
    high: float = math.inf
    choices: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        """For people."""
        if self.choices:
            return ', '.join(self.choices)
        return f'{self.low:g} to {self.high:g}' if self.low > -math.inf else ''

    def require(self, owner: str, name: str, value: Any) -> None:
        """Refuse a value.

        Raises:
            ConfigError: It is none of the choices or outside the range.
        """
        numeric = isinstance(value, int | float)
        if (self.choices and value not in self.choices) or (
                numeric and not self.low <= value <= self.high):
            raise ConfigError(f'{owner}.{name} is {value!r}; allowed: {self.allowed}.')


def setting(default: bool | float | str | tuple[str, ...], meaning: str, *, low: float = -math.inf,
            high: float = math.inf, choices: tuple[str, ...] = ()) -> Any:
    """A field of a dataclass that is a node's parameter."""
    described = Setting(meaning=meaning, low=low, high=high, choices=choices)
    return field(default=default, metadata={_KEY: described})


def require_settings(owner: Dataclass) -> None:
    """Refuse a dataclass of settings with a value that is not allowed; for `__post_init__`.

    Raises:
        ConfigError: Naming the field, its value and what is allowed.
    """
    for item in fields(owner):
        item.metadata[_KEY].require(type(owner).__name__, item.name, getattr(owner, item.name))


def declare(node: Node, kind: type[_Settings], prefix: str = '') -> _Settings:
    """Declare a dataclass's fields as parameters, and read them.

    Args:
        node: Whose parameters.
        kind: A dataclass of settings, or a specification whose plain fields become parameters.
        prefix: Before each name, e.g. `camera.`.

    Returns:
        Its instance; it does not change while the node runs, so the parameters are read-only.

    Raises:
        ConfigError: A value has another type or is not allowed.
    """
    default, values = kind(), {}
    for item in fields(kind):
        value, described = getattr(default, item.name), item.metadata.get(_KEY)
        # Parts of a specification, such as its tyres, are no parameters.
        if isinstance(value, bool | int | float | str | tuple):
            values[item.name] = _read(node, prefix + item.name, value, described)
    return kind(**values)


def declare_car(node: Node) -> CarSpec:
    """Declare `car.*`, `camera.*` and `lidar.*`, and read them; the same names in every node.

    Raises:
        ConfigError: A value has another type or is not allowed.
    """
    return replace(declare(node, CarSpec, 'car.'), camera=declare(node, CameraSpec, 'camera.'),
                   lidar=declare(node, LidarSpec, 'lidar.'))


def _read(node: Node, name: str, default: Any, described: Setting | None) -> Any:
    value = list(default) if isinstance(default, tuple) else default
    try:
        found = node.declare_parameter(name, value, _descriptor(name, default, described)).value
    except (InvalidParameterTypeException, InvalidParameterValueException) as error:
        allowed = described.allowed if described else ''
        raise ConfigError(f'parameter {name}: {error}; allowed: {type(default).__name__} '
                          f'{allowed}'.rstrip() + f', e.g. {default!r}.') from None
    return tuple(found) if isinstance(default, tuple) else found


def _descriptor(name: str, default: Any, described: Setting | None) -> ParameterDescriptor:
    descriptor = ParameterDescriptor(name=name, read_only=True)
    if described is None:
        return descriptor
    descriptor.description = described.meaning
    descriptor.additional_constraints = ', '.join(described.choices)
    if math.isfinite(described.low) and math.isfinite(described.high):
        if isinstance(default, int):
            descriptor.integer_range = [
                IntegerRange(from_value=int(described.low), to_value=int(described.high), step=1)]
        else:
            descriptor.floating_point_range = [
                FloatingPointRange(from_value=described.low, to_value=described.high, step=0.0)]
    return descriptor
