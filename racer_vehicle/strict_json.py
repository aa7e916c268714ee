"""Frozen dataclasses to JSON and back, where back takes exactly what was written.

For files that travel: a field too few, too many or of another type is refused by its path, and
nothing is guessed. Supported field types: bool, int, float, str, enumerations of strings, Literal,
`tuple[X, ...]`, `tuple[X, Y]`, `Mapping[str, X]`, dataclasses, and unions of dataclasses, which
carry a field `kind` with the class's name.
"""

from __future__ import annotations

import dataclasses
import json
import math
import reprlib
import types
import typing
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal, TypeVar

from racer_vehicle.errors import ConfigError

_Kind = TypeVar('_Kind')


def to_json(value: Any) -> str:
    """A dataclass as readable JSON, the same text for equal values."""
    return json.dumps(_plain(value, type(value)), indent=2, allow_nan=False) + '\n'


def parse_object(text: str | bytes, name: str) -> dict[str, Any]:
    """The JSON object in a text.

    Args:
        text: JSON; bytes are UTF-8.
        name: Of the document, for messages.

    Raises:
        ConfigError: Not JSON, or no object.
    """
    try:
        content = json.loads(text, parse_constant=_refuse_constant, parse_int=_parse_int)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f'{name} is not JSON ({error}); write it again.') from None
    return _object(content, name)


def from_object(kind: type[_Kind], content: Mapping[str, Any], name: str) -> _Kind:
    """The dataclass whose JSON object this is.

    Args:
        kind: Its class.
        content: Of `parse_object`.
        name: Of the document, for messages.

    Raises:
        ConfigError: A field is missing, unknown or wrong, by its path.
    """
    result: _Kind = _dataclass(kind, content, name)
    return result


def _refuse_constant(word: str) -> None:
    raise ValueError(f'it holds {word}')


def _parse_int(digits: str) -> int:
    if len(digits) > 20:
        raise ValueError(f'it holds a number of {len(digits)} digits')
    return int(digits)


def _plain(value: Any, declared: Any) -> Any:
    if dataclasses.is_dataclass(value):
        hints = typing.get_type_hints(type(value))
        content = {item.name: _plain(getattr(value, item.name), hints[item.name])
                   for item in dataclasses.fields(value)}
        return {'kind': type(value).__name__, **content} if _is_union(declared) else content
    if isinstance(value, Mapping):
        return {key: _plain(value[key], Any) for key in sorted(value)}
    if isinstance(value, tuple):
        return [_plain(item, Any) for item in value]
    return value


def _is_union(declared: Any) -> bool:
    return isinstance(declared, types.UnionType)


def _read(declared: Any, content: Any, path: str) -> Any:
    origin, arguments = typing.get_origin(declared), typing.get_args(declared)
    if dataclasses.is_dataclass(declared):
        return _dataclass(declared, content, path)
    if _is_union(declared):
        return _one_of(arguments, content, path)
    if origin is tuple:
        return _tuple(arguments, content, path)
    if origin is Mapping:
        return {key: _read(arguments[1], value, f'{path}.{key}')
                for key, value in _object(content, path).items()}
    if origin is Literal:
        return _choice(arguments, content, path)
    if issubclass(declared, StrEnum):
        return declared(_choice(tuple(declared), content, path))
    return _scalar(declared, content, path)


def _dataclass(kind: Any, content: Any, path: str) -> Any:
    given = _object(content, path)
    hints = typing.get_type_hints(kind)
    known = [item.name for item in dataclasses.fields(kind)]
    missing, unknown = sorted(set(known) - given.keys()), sorted(given.keys() - set(known))
    if missing or unknown:
        found = f'lacks {", ".join(missing)}' if missing else f'has unknown {", ".join(unknown)}'
        raise ConfigError(f'{path} {found}; allowed: exactly {", ".join(known)}.')
    return kind(**{name: _read(hints[name], given[name], f'{path}.{name}') for name in known})


def _one_of(kinds: tuple[Any, ...], content: Any, path: str) -> Any:
    given = dict(_object(content, path))
    by_name = {kind.__name__: kind for kind in kinds}
    name = _choice(tuple(by_name), given.pop('kind', None), f'{path}.kind')
    return _dataclass(by_name[name], given, path)


def _tuple(items: tuple[Any, ...], content: Any, path: str) -> tuple[Any, ...]:
    endless = items[-1] is Ellipsis
    if not isinstance(content, list) or not (endless or len(content) == len(items)):
        allowed = 'a list' if endless else f'a list of {len(items)}'
        raise _wrong(path, content, allowed)
    return tuple(_read(items[0] if endless else items[index], item, f'{path}[{index}]')
                 for index, item in enumerate(content))


def _object(content: Any, path: str) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise _wrong(path, content, 'an object')
    return content


def _choice(allowed: tuple[str, ...], content: Any, path: str) -> str:
    if not isinstance(content, str) or content not in allowed:
        raise _wrong(path, content, ', '.join(allowed))
    return content


def _scalar(declared: type, content: Any, path: str) -> Any:
    """A number or a word; a whole number will do as a float, a boolean as neither."""
    if declared is float and type(content) in {int, float} and math.isfinite(content):
        return float(content)
    if type(content) is not declared:
        raise _wrong(path, content, f'a {"finite " if declared is float else ""}'
                                    f'{declared.__name__}')
    return content


def _wrong(path: str, content: Any, allowed: str) -> ConfigError:
    return ConfigError(f'{path} is {reprlib.repr(content)}; allowed: {allowed}.')
