"""The four nodes of a car as programs, for where there is no ROS launch: as vehicle.launch.py."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from racer_vehicle.errors import ConfigError
from racer_vehicle.supervise import Program

NODES: Final = ('camera', 'lidar', 'motor', 'inference')

FAKE: Final[Mapping[str, Mapping[str, str]]] = {
    name: {'driver': 'fake'} for name in ('camera', 'lidar', 'motor')}
"""Parameters with which nothing real is touched."""


def car_programs(config: Path | None, parameters: Mapping[str, Mapping[str, str]],
                 namespace: str = '') -> tuple[Program, ...]:
    """What has to run for a car to drive; it starts disabled, whatever the files say.

    Args:
        config: Folder with a parameter file a node, `camera.yaml` and so on; None: defaults.
        parameters: Node to parameters that go before the file's.
        namespace: Of the car; empty for a car alone.

    Raises:
        ConfigError: A file is missing.
    """
    return tuple(Program(name=name, module=f'racer_vehicle.nodes.{name}_node', arguments=(
        '--ros-args', *_file(config, name), *_overrides(name, parameters.get(name, {})),
        *(('-r', f'__ns:=/{namespace.strip("/")}') if namespace else ()))) for name in NODES)


def _file(config: Path | None, name: str) -> tuple[str, ...]:
    if config is None:
        return ()
    path = config / f'{name}.yaml'
    if not path.is_file():
        files = ', '.join(f'{node}.yaml' for node in NODES)
        raise ConfigError(f'{path} is missing; allowed: a folder with {files}; '
                          'racer deploy makes one.')
    return '--params-file', str(path)


def _overrides(name: str, parameters: Mapping[str, str]) -> tuple[str, ...]:
    forced = {'start_enabled': 'false'} if name == 'motor' else {}
    return tuple(word for key, value in (*parameters.items(), *forced.items())
                 for word in ('-p', f'{key}:={value}'))
