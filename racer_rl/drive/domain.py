"""A corner of the machine's ROS network that nobody else is in."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from racer_vehicle.errors import ConfigError

DOMAINS: Final = range(1, 101)
"""Whose ports lie below those that Linux hands out by itself."""

GUARD_PORT: Final = 33_400
"""Plus the domain: whoever listens there (TCP) has reserved it, before anybody speaks in it."""

_RANGE: Final = 'ROS_AUTOMATIC_DISCOVERY_RANGE'
_FASTDDS: Final = 'rmw_fastrtps'
_FIRST_PORT: Final = 7400
_PORTS_A_DOMAIN: Final = 250
_FIRST_PARTICIPANT: Final = 10
"""Port numbers of DDSI-RTPS 2.5, section 9.6.2.3."""

LOOPBACK_PROFILE: Final = """\
<?xml version="1.0" encoding="UTF-8"?>
<dds xmlns="http://www.eprosima.com">
  <profiles>
    <transport_descriptors>
      <transport_descriptor>
        <transport_id>loopback</transport_id>
        <type>UDPv4</type>
        <interfaceWhiteList><address>127.0.0.1</address></interfaceWhiteList>
      </transport_descriptor>
    </transport_descriptors>
    <participant profile_name="racer" is_default_profile="true">
      <rtps>
        <userTransports><transport_id>loopback</transport_id></userTransports>
        <useBuiltinTransports>false</useBuiltinTransports>
      </rtps>
    </participant>
  </profiles>
</dds>
"""
"""Of Fast DDS: this machine only, and no shared memory.

ROS's own setting for one machine, LOCALHOST, brings shared memory along, whatever else is set. See
`contract.TRANSPORT` for why it must not.
"""


@contextmanager
def private_domain(folder: Path) -> Iterator[int]:
    """Make this process, and those that it starts, alone in a ROS domain on this machine.

    Args:
        folder: For the logs of ROS and the settings of its middleware.

    Yields:
        The `ROS_DOMAIN_ID` that is set meanwhile.

    Raises:
        ConfigError: All domains are taken.
    """
    with _reserved() as domain, environment(
            ROS_DOMAIN_ID=str(domain), ROS_LOG_DIR=str(folder / 'ros_log'),
            **_one_machine(folder)):
        yield domain


def _one_machine(folder: Path) -> dict[str, str]:
    """Environment of nodes that speak on this machine only."""
    if not os.environ.get('RMW_IMPLEMENTATION', _FASTDDS).startswith(_FASTDDS):
        return {_RANGE: 'LOCALHOST'}
    profile = folder / 'fastdds.xml'
    profile.write_text(LOOPBACK_PROFILE, encoding='utf-8')
    return {_RANGE: 'SUBNET', _profile_variable(): str(profile)}


def _profile_variable() -> str:
    """What Fast DDS calls it: ROS 2 Jazzy, rclpy 7, has the older one."""
    try:
        old = int(version('rclpy').split('.')[0]) < 8
    except (PackageNotFoundError, ValueError):
        old = False
    return 'FASTRTPS_DEFAULT_PROFILES_FILE' if old else 'FASTDDS_DEFAULT_PROFILES_FILE'


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
