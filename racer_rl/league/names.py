"""Names that people choose and others see: any script, one line, nothing that hides or runs."""

from __future__ import annotations

import unicodedata
from typing import Final

from racer_vehicle.errors import ConfigError

LONGEST: Final = 40
MOST_MARKS: Final = 3
"""Accents on top of each other; more of them leave the line."""


def require_name(kind: str, name: str) -> str:
    """A name that may be shown.

    Args:
        kind: What it names, e.g. `racer`.
        name: As it was typed.

    Returns:
        It, with accents and letters composed (NFC).

    Raises:
        ConfigError: It is too long, or has characters that it may not have.
    """
    composed = unicodedata.normalize('NFC', name)
    if _trouble(composed):
        raise ConfigError(
            f'{kind} name is {name[:80]!r}: {_trouble(composed)}; allowed: letters, digits, signs '
            f'and single spaces between them, of any script, up to {LONGEST} characters, but no '
            '< or >.')
    return composed


def name_key(name: str) -> str:
    """What two names have in common that people would take for the same: case and width."""
    return unicodedata.normalize('NFKC', unicodedata.normalize('NFKC', name).casefold())


def _trouble(name: str) -> str:
    if not name or len(name) > LONGEST:
        return f'it has {len(name)} characters'
    if name != ' '.join(name.split()):
        return 'it has spaces at an end or side by side, or a line break'
    kinds = [unicodedata.category(character) for character in name]
    # C: control, direction, private and unassigned characters; Z: other spaces and line ends.
    hidden = [character for character, kind in zip(name, kinds, strict=True)
              if kind[0] == 'C' or (kind[0] == 'Z' and character != ' ') or character in '<>']
    if hidden:
        return f'it has {hidden[0]!r}'
    marks = ''.join('m' if kind[0] == 'M' else '.' for kind in kinds)
    return 'it has too many accents' if 'm' * (MOST_MARKS + 1) in marks else ''
