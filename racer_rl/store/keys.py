"""Keys by name, in `$RACER_HOME/keys`: NAME.pem signs, NAME.pub.pem goes to the cars."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from racer_vehicle.errors import ConfigError, UnknownNameError
from racer_vehicle.signing import PRIVATE_SUFFIX, PUBLIC_SUFFIX, PrivateKey, PublicKey
from racer_vehicle.storage import racer_home

NAME_RULE: Final = re.compile(r'[A-Za-z0-9][A-Za-z0-9_-]{0,63}')


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """The two files of a key.

    Attributes:
        name: Of the key.
        private_path: What signs; only its owner may read it.
        public_path: What a car needs to trust it.
    """

    name: str
    private_path: Path
    public_path: Path

    @property
    def public(self) -> PublicKey:
        """What a car needs.

        Raises:
            ConfigError: The file is missing or damaged.
        """
        return PublicKey.read(self.public_path)


def key_names() -> list[str]:
    """Names of all keys, sorted."""
    files = _folder().glob(f'*{PUBLIC_SUFFIX}')
    return sorted(file.name.removesuffix(PUBLIC_SUFFIX) for file in files)


def new_key(name: str) -> KeyPair:
    """Make a key.

    Raises:
        ConfigError: The name is taken or cannot be a file's.
        OSError: The disk refused.
    """
    pair, private = _pair(name), PrivateKey.generate()
    private.write(pair.private_path)
    private.public.write(pair.public_path)
    return pair


def open_key(name: str) -> KeyPair:
    """An existing key.

    Raises:
        UnknownNameError: There is none of that name; the nearest are offered.
    """
    known = key_names()
    if name not in known:
        remedy = f'Make one: racer keys new {name}.'
        if not known:
            raise ConfigError(f'unknown key {name!r}; there is none yet. {remedy}')
        raise UnknownNameError('key', name, known, remedy)
    return _pair(name)


def find_private_key(name: str) -> PrivateKey:
    """What signs.

    Args:
        name: Of a key, or the path of a PEM file.

    Raises:
        ConfigError: There is no such key, or it cannot be used.
    """
    if name.endswith(PRIVATE_SUFFIX) or '/' in name:
        return PrivateKey.read(Path(name))
    return PrivateKey.read(open_key(name).private_path)


def _pair(name: str) -> KeyPair:
    if not NAME_RULE.fullmatch(name):
        raise ConfigError(f'key name is {name!r}; allowed: letters, digits, and _ - after the '
                          'first, up to 64 characters.')
    return KeyPair(name=name, private_path=_folder() / f'{name}{PRIVATE_SUFFIX}',
                   public_path=_folder() / f'{name}{PUBLIC_SUFFIX}')


def _folder() -> Path:
    return racer_home() / 'keys'
