"""Parameter files of the nodes, as in config/: one parameter a line, its comment kept."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from racer_vehicle.errors import ConfigError, UnknownNameError

Value = bool | int | float | str

_HEAD: Final = ('/**:', 'ros__parameters:')
_LINE: Final = re.compile(
    r'    (?P<name>[\w.]+): (?P<value>\'[^\']*\'|"[^"]*"|[^\s#\'"][^\s#]*)(?P<rest>\s*(?:#.*)?)')

_WORD: Final = re.compile(r'(?!(?:null|yes|no|on|off)$)[a-z/][A-Za-z0-9/._-]*')
"""Texts that YAML takes for texts without quotes."""


class ParameterFile:
    """One node's file.

    Attributes:
        name: For messages.
        values: Parameter to value.
    """

    def __init__(self, name: str, text: str) -> None:
        """Read a file.

        Args:
            name: For messages.
            text: Its content.

        Raises:
            ConfigError: A line is none of this layout.
        """
        self.name, self._lines = name, text.splitlines()
        self.values = {match['name']: _parsed(match['value'])
                       for number, line in enumerate(self._lines, 1)
                       if (match := self._match(number, line)) is not None}

    def set(self, name: str, value: Value) -> None:
        """Change a parameter; it keeps its type and its comment.

        Raises:
            UnknownNameError: The file has no such parameter.
            ConfigError: The value is of another type.
        """
        known = self.require(name)
        if isinstance(known, float) and type(value) is int:
            value = float(value)
        if type(value) is not type(known):
            raise ConfigError(f'{self.name}: {name} is {value!r}; allowed: '
                              f'{type(known).__name__}, e.g. {known!r}.')
        self.values[name] = value
        self._lines = [_changed(line, name, value) for line in self._lines]

    def require(self, name: str) -> Value:
        """The value of a parameter that must be there.

        Raises:
            UnknownNameError: The file has no such parameter.
        """
        if name not in self.values:
            raise UnknownNameError(f'parameter of {self.name}', name, self.values)
        return self.values[name]

    def add(self, name: str, value: Value) -> None:
        """Set a parameter, also one that the file leaves at its default so far."""
        if name in self.values:
            self.set(name, value)
        else:
            self.values[name] = value
            self._lines.append(f'    {name}: {_written(value)}')

    @property
    def text(self) -> str:
        """Its content now."""
        return '\n'.join(self._lines) + '\n'

    def _match(self, number: int, line: str) -> re.Match[str] | None:
        if not line.strip() or line.lstrip().startswith('#') or line.strip() in _HEAD:
            return None
        match = _LINE.fullmatch(line)
        if match is None:
            raise ConfigError(f'{self.name}:{number}: {line.strip()!r}; allowed: four spaces and '
                              '`name: value`, one parameter a line, as in config/.')
        return match


def assignments(given: tuple[str, ...], option: str) -> Mapping[str, Value]:
    """What a person assigned on the command line.

    Args:
        given: `NAME=VALUE` each.
        option: Its name, for messages.

    Raises:
        ConfigError: One is no assignment.
    """
    found: dict[str, Value] = {}
    for words in given:
        name, sign, value = words.partition('=')
        if not sign or not name:
            raise ConfigError(f'{option} is {words!r}; allowed: NAME=VALUE.')
        found[name] = _parsed(value)
    return found


def _parsed(text: str) -> Value:
    if text[:1] in {'"', "'"}:
        return text[1:-1]
    if text in {'true', 'false'}:
        return text == 'true'
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _changed(line: str, name: str, value: Value) -> str:
    match = _LINE.fullmatch(line)
    if match is None or match['name'] != name:
        return line
    written, comment = f'    {name}: {_written(value)}', match['rest'].lstrip()
    # Comments stay in their column where that is possible.
    width = max(len(written) + 2, line.index(comment)) if comment else 0
    return f'{written:<{width}}{comment}'


def _written(value: Value) -> str:
    """As YAML: words as people write them, everything else as JSON, which is YAML too."""
    if isinstance(value, str) and _WORD.fullmatch(value) and _parsed(value) == value:
        return value
    return f"'{value}'" if value == '' else json.dumps(value)
