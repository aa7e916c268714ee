"""Names that people choose and others see: any script, one line, nothing that hides or runs."""

from __future__ import annotations

import unicodedata
from typing import Final

from racer_vehicle.errors import ConfigError

LONGEST: Final = 40
MOST_MARKS: Final = 3
"""Accents on top of each other; more of them leave the line."""

LONGEST_MODEL: Final = 64
"""As the store of models has it."""

MOST_WORDS: Final = 500


def require_name(kind: str, name: str, longest: int = LONGEST) -> str:
    """A name that may be shown.

    Args:
        kind: What it names, e.g. `racer`.
        name: As it was typed.
        longest: Characters that it may have.

    Returns:
        It, with accents and letters composed (NFC).

    Raises:
        ConfigError: It is too long, or has characters that it may not have.
    """
    composed = unicodedata.normalize('NFC', name)
    if trouble := _trouble(composed, longest):
        raise ConfigError(
            f'{kind} name is {name[:80]!r}: {trouble}; allowed: letters, digits, signs and single '
            f'spaces between them, of any script, up to {longest} characters, but no < or >.')
    return composed


def name_key(name: str) -> str:
    """What two names have in common that people would take for the same: case and width."""
    return unicodedata.normalize('NFKC', unicodedata.normalize('NFKC', name).casefold())


def _trouble(name: str, longest: int) -> str:
    if not name or len(name) > longest:
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


def one_line(text: str) -> str:
    """A text that may hold anything, for a person to read: short, and nothing but what is seen."""
    words = ' '.join(text.split())
    return ''.join(sign if sign.isprintable() else '?' for sign in words[:MOST_WORDS])
