"""Where alerts go: addresses that hold passwords, and are therefore never shown.

They come from `$RACER_ALERTS`, or else from `$RACER_HOME/alerts.conf`, one a line.
"""

from __future__ import annotations

import logging
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol, cast

from racer_vehicle.errors import ConfigError, RacerError
from racer_vehicle.storage import racer_home

VARIABLE: Final = 'RACER_ALERTS'
FILE: Final = 'alerts.conf'
ANSWER_WITHIN_S: Final = 10.0
"""An attempt ends after so long without an answer, connecting and reading each."""

_HOSTED: Final = frozenset({'mailto', 'mailtos', 'json', 'jsons', 'xml', 'xmls', 'form', 'forms'})
"""Kinds whose address names a host there; elsewhere that place holds tokens."""

_KIND: Final = re.compile(r'([a-z][a-z0-9]{1,30})://')
# Whole addresses only: where a password holds an unescaped @ or /, a part of it would seem to be
# the host.
_PLAIN: Final = re.compile(
    r'[a-z]+://(?P<user>[^\s/?#@]*@)?(?P<host>[A-Za-z0-9.-]+)(?::\d+)?(?:[/?#][^@]*)?')


class AlertError(RacerError):
    """An alert could not be sent, or there is nowhere to send it."""


class Service(Protocol):
    """What Apprise makes of an address."""

    def notify(self, *, title: str, body: str) -> Any:
        """Send; true if it was taken."""
        ...


@dataclass(frozen=True, slots=True)
class AlertTarget:
    """One address.

    Attributes:
        label: What may be shown of it, different for every one of a person's addresses.
        place: Where it is written, for messages: `line 3 of /home/you/.racer/alerts.conf`.
        address: All of it; holds secrets.
    """

    label: str
    place: str
    address: str = field(repr=False)

    def service(self) -> Service:
        """Who sends to it.

        Raises:
            AlertError: It is no address that Apprise knows.
        """
        # They warn with what the server said, and that may repeat what it was sent.
        logging.getLogger('apprise').setLevel(logging.CRITICAL + 1)
        logging.getLogger('urllib3').setLevel(logging.CRITICAL + 1)
        from apprise import Apprise, AppriseAsset

        asset = AppriseAsset(storage_mode='memory', secure_logging=True)
        service = Apprise.instantiate(self.address, asset=asset)
        if service is None:
            raise AlertError(
                f'{self.place} is not an address that alerts can go to; allowed: e.g. '
                'mailtos://user:password@host, jsons://host/path, slack://token/token/token. '
                'Characters such as @ : / ? # % in a password are written %40 %3A %2F %3F %23 '
                '%25.')
        service.socket_connect_timeout = service.socket_read_timeout = ANSWER_WITHIN_S
        return cast('Service', service)

    def send(self, title: str, body: str) -> bool:
        """Send a message now.

        Returns:
            Whether the server took it.

        Raises:
            AlertError: It is no address that Apprise knows.
        """
        service = self.service()
        try:
            return bool(service.notify(title=title, body=body))
        except Exception:  # noqa: BLE001 (a hundred services, each with its own ways to fail)
            return False


def alerts_file() -> Path:
    """Where addresses are kept."""
    return racer_home() / FILE


def read_targets() -> tuple[AlertTarget, ...]:
    """All addresses; none if nobody wants alerts.

    Raises:
        ConfigError: Others may read the file, or it cannot be read.
    """
    told = os.environ.get(VARIABLE, '')
    if told.strip():
        lines = [(f'address {number} of {VARIABLE}', word)
                 for number, word in enumerate(told.split(), start=1)]
    else:
        path = alerts_file()
        lines = [(f'line {number} of {path}', line.strip())
                 for number, line in enumerate(_read_private(path).splitlines(), start=1)
                 if line.strip() and not line.lstrip().startswith('#')]
    targets: list[AlertTarget] = []
    for place, address in lines:
        label, taken = masked(address), {target.label for target in targets}
        number = next(n for n in range(1, len(lines) + 1) if _numbered(label, n) not in taken)
        targets.append(AlertTarget(_numbered(label, number), place, address))
    return tuple(targets)


def masked(address: str) -> str:
    """What may be shown of an address: its kind, and its host where that is one for certain."""
    kind = _KIND.match(address)
    if kind is None:
        return '***'
    plain = _PLAIN.fullmatch(address)
    if kind[1] not in _HOSTED or plain is None:
        return f'{kind[1]}://***'
    return f'{kind[1]}://{"***@" if plain["user"] else ""}{plain["host"]}'


def _numbered(label: str, number: int) -> str:
    return label if number == 1 else f'{label} ({number})'


def _read_private(path: Path) -> str:
    """Content of a file that nobody else may read; nothing if it is not there."""
    try:
        with path.open(encoding='utf-8') as stream:
            mode = stat.S_IMODE(os.fstat(stream.fileno()).st_mode)
            if mode & 0o077:
                raise ConfigError(
                    f'{path} has mode {mode:04o}, and it holds passwords; allowed: 0600, so that '
                    f'only you can read it: chmod 600 {path}')
            return stream.read()
    except (FileNotFoundError, NotADirectoryError):
        return ''
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else 'it is not UTF-8'
        raise ConfigError(f'cannot read {path} ({reason}); write one address a line.') from None
