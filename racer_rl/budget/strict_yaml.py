"""YAML without surprises: no key twice, no word that turns into a truth, a day or a number.

YAML reads `on` as true, `1:30` as 90 and the last of two equal keys as the only one. Here a value
is a number if it looks like a decimal one and has no quotes; everything else is text.
"""

from __future__ import annotations

import re
from typing import Any, Final

import yaml

from racer_vehicle.errors import ConfigError

_NUMBER: Final = re.compile(r'[+-]?\d{1,18}(?P<fraction>\.\d{1,18})?(?P<power>[eE][+-]?\d{1,2})?')


def parse_yaml(text: str) -> dict[str, Any]:
    """The mapping in a text: of texts to numbers, texts, lists and such mappings.

    Raises:
        ConfigError: Not YAML, no mapping, or a key that is given twice.
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        content = _plain(node)
    except yaml.YAMLError as error:
        raise ConfigError(f'not YAML ({error}); write it again.') from None
    except RecursionError:
        raise ConfigError('not a table: it is nested too deeply; write it again.') from None
    if not isinstance(content, dict):
        raise ConfigError('not a table; allowed: lines of `name: value`.')
    return content


def _plain(node: Any) -> Any:
    if isinstance(node, yaml.MappingNode):
        return _mapping(node)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item) for item in node.value]
    return None if node is None else _scalar(node)


def _mapping(node: Any) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise ConfigError(f'line {key.start_mark.line + 1}: a key that is no word; allowed: '
                              'lines of `name: value`.')
        if key.value in content:
            raise ConfigError(f'line {key.start_mark.line + 1}: {key.value!r} is there twice; '
                              'keep one of them.')
        content[key.value] = _plain(value)
    return content


def _scalar(node: Any) -> int | float | str:
    match = None if node.style else _NUMBER.fullmatch(node.value)
    if match is None:
        return str(node.value)
    return float(node.value) if match['fraction'] or match['power'] else int(node.value)
