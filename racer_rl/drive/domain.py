"""A corner of the machine's ROS network that nobody else is in."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from racer_vehicle.contract import TRANSPORT
from racer_vehicle.errors import ConfigError

DOMAINS: Final = range(1, 101)
"""Whose ports lie below those that Linux hands out by itself."""

GUARD_PORT: Final = 33_400
"""Plus the domain: whoever listens there (TCP) has reserved it, before anybody speaks in it."""

_FIRST_PORT: Final = 7400
_PORTS_A_DOMAIN: Final = 250
_FIRST_PARTICIPANT: Final = 10
"""Port numbers of DDSI-RTPS 2.5, section 9.6.2.3."""


@contextmanager
def private_domain(log_folder: Path) -> Iterator[int]:
    """Make this process, and those that it starts, alone in a ROS domain on this machine.

    Args:
        log_folder: For the logs of ROS.

    Yields:
        The `ROS_DOMAIN_ID` that is set meanwhile.

    Raises:
        ConfigError: All domains are taken.
    """
    variable, transport = TRANSPORT
    with _reserved() as domain, environment(**{
            'ROS_DOMAIN_ID': str(domain), 'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
            'ROS_LOG_DIR': str(log_folder), variable: os.environ.get(variable, transport)}):
        yield domain


@contextmanager
def environment(**values: str) -> Iterator[None]:
    """Environment variables of this process, and of those that it starts meanwhile."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _reserved() -> Iterator[int]:
    """A domain in which nobody speaks and that nobody has reserved."""
    for domain in random.SystemRandom().sample(DOMAINS, len(DOMAINS)):
        with (socket.socket(socket.AF_INET, socket.SOCK_STREAM) as guard,
              socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as speaker):
            first = _FIRST_PORT + _PORTS_A_DOMAIN * domain + _FIRST_PARTICIPANT
            if _binds(guard, GUARD_PORT + domain) and _binds(speaker, first):
                speaker.close()
                yield domain
                return
    raise ConfigError(f'all ROS domains from {DOMAINS[0]} to {DOMAINS[-1]} are taken; stop '
                      'programs of ROS that you no longer need.')


def _binds(endpoint: socket.socket, port: int) -> bool:
    try:
        endpoint.bind(('127.0.0.1', port))
    except OSError:
        return False
    return True
