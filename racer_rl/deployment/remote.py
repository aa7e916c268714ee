"""A package to a car over ssh, with the programs and the settings that the person has anyway."""

from __future__ import annotations

import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from racer_vehicle.errors import ConfigError, RacerError

FOLDER: Final = 'racer-packages'
"""On the car, below the person's home, unless they name another."""

_PLACE: Final = re.compile(
    r'(?P<login>[A-Za-z0-9_.-]+@(?:[A-Za-z0-9_.-]+|\[[0-9a-f:]+\]))(?::(?P<folder>[^:]*))?')
_SAFE: Final = re.compile(r'[A-Za-z0-9/._~-]+')


class TransferError(RacerError):
    """The package did not reach the car, or the car refused it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Car:
    """Where a package goes.

    Attributes:
        login: `user@host`, as ssh takes it.
        folder: On the car, for packages.
    """

    login: str
    folder: str

    @classmethod
    def parse(cls, place: str) -> Self | None:
        """The car that `user@host` or `user@host:folder` names; None for a folder of this machine.

        Raises:
            ConfigError: It begins like a car and is none.
        """
        if '@' not in place.partition('/')[0]:
            return None
        match = _PLACE.fullmatch(place)
        folder = match['folder'] or FOLDER if match else ''
        if match is None or not _SAFE.fullmatch(folder):
            raise ConfigError(f'--to is {place!r}; allowed: user@host, user@host:folder, or a '
                              'folder (./a@b if it is called so).')
        return cls(login=match['login'], folder=folder)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """The way to a car.

    Attributes:
        car: Where to.
        name: Of the package's folder there.
        prefix: Where the car installs it; empty: as the installer does by itself, as root.
        ros_setup: The setup.sh of the car's ROS 2; empty: the installer looks for it.
        ssh_config: File for ssh instead of the person's own; None: theirs.
    """

    car: Car
    name: str
    prefix: str = ''
    ros_setup: str = ''
    ssh_config: Path | None = None

    def __post_init__(self) -> None:
        for option, value in self._options:
            if not _SAFE.fullmatch(value):
                raise ConfigError(f'{option} is {value!r}; allowed: letters, digits and '
                                  '/ . _ - ~.')

    @property
    def _options(self) -> list[tuple[str, str]]:
        """Of the installer."""
        given = (('--prefix', self.prefix), ('--ros-setup', self.ros_setup))
        return [(option, value) for option, value in given if value]

    def commands(self, package: Path) -> list[list[str]]:
        """What is run here, one after another.

        Args:
            package: Its folder on this machine.
        """
        options = ['-F', str(self.ssh_config)] if self.ssh_config else []
        folder, login = f'{self.car.folder}/{self.name}', self.car.login
        words = ['sh', f'{folder}/install.sh', *(word for pair in self._options for word in pair)]
        installer = ' '.join(words if self.prefix else ['sudo', *words])
        # A new folder each time: what a package before this one held must not lie beside it.
        prepare = f'rm -rf {folder} && mkdir -p {self.car.folder}'
        return [['ssh', *options, login, prepare],
                ['scp', *options, '-q', '-r', '-C', str(package), f'{login}:{folder}'],
                # With a terminal, for the password of sudo.
                ['ssh', *options, '-t', login, installer]]

    def prepare(self) -> None:
        """Make room for the package: a car that does not answer is known before one is made.

        Raises:
            TransferError: The command failed.
        """
        _run(self.commands(Path())[0])

    def run(self, package: Path) -> None:
        """Copy a package and install it; what the car says appears as it says it.

        Raises:
            TransferError: A command failed.
        """
        for command in self.commands(package)[1:]:
            _run(command)


def _run(command: list[str]) -> None:
    try:
        status = subprocess.run(command, check=False).returncode
    except OSError as error:
        raise TransferError(f'cannot run {command[0]}: {error.strerror}; install the ssh '
                            'client, or make a folder and carry it there.') from None
    if status != 0:
        raise TransferError(f'`{shlex.join(command)}` ended with status {status}; see '
                            'what it said above. The release that was there stays.')
