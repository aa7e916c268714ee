"""Records topics as rosbag2 writes them, in one MCAP file, with no rosbag2 installed."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from racer_vehicle.contract import Qos, Topic
from racer_vehicle.errors import ConfigError

SUFFIX: Final = '.mcap'


class Bag:
    """A file that `ros2 bag play` and Foxglove read; complete once this context was left.

    Messages come as they were on the wire, so that nothing is packed or unpacked for it.
    """

    def __init__(self, path: Path) -> None:
        """Choose the file; it appears, or is replaced, when the recording ends.

        Args:
            path: Ends in `.mcap`, in a folder that exists.

        Raises:
            ConfigError: It does not, or the library that writes it is not installed.
        """
        if path.suffix != SUFFIX or not path.parent.is_dir():
            raise ConfigError(f'bag is {path}; allowed: a file *{SUFFIX} in a folder that exists.')
        self.path = path
        self.messages = 0
        self._library = _library()
        self._types = self._library.typesys.get_typestore(
            self._library.typesys.Stores.ROS2_JAZZY)
        self._connections: dict[str, Any] = {}

    def __enter__(self) -> Self:
        """Begin to record."""
        # The library writes a folder with a metadata file; MCAP holds all of it in itself.
        self._folder = tempfile.TemporaryDirectory(prefix=f'.{self.path.stem}-',
                                                   dir=self.path.parent)
        self._bag = Path(self._folder.name) / self.path.stem
        self._writer = self._library.rosbag2.Writer(
            self._bag, version=9, storage_plugin=self._library.rosbag2.StoragePlugin.MCAP)
        self._writer.open()
        return self

    def __contains__(self, name: str) -> bool:
        """Whether a topic was announced, by its absolute name."""
        return name in self._connections

    def add(self, name: str, row: Topic) -> None:
        """Announce a topic.

        Args:
            name: Absolute.
            row: Of the contract.
        """
        self._connections[name] = self._writer.add_connection(
            name, row.type, typestore=self._types, offered_qos_profiles=[self._qos(row.qos)])

    def write(self, name: str, serialized: bytes, received_ns: int) -> None:
        """Record a message.

        Args:
            name: Of its topic, announced.
            serialized: CDR, as it came.
            received_ns: Time of day.
        """
        self._writer.write(self._connections[name], received_ns, serialized)
        self.messages += 1

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Finish the file; what was recorded until an error is worth keeping too."""
        with self._folder:
            self._writer.close()
            os.replace(self._bag / f'{self.path.stem}{SUFFIX}', self.path)

    def _qos(self, qos: Qos) -> Any:
        """What a player should offer."""
        kinds = self._library.interfaces
        endless = kinds.QosTime(sec=2_147_483_647, nsec=4_294_967_295)
        best_effort, latched = qos is Qos.SENSOR, qos is Qos.LATCHED
        return kinds.Qos(
            history=kinds.QosHistory.KEEP_LAST, depth=qos.depth,
            reliability=(kinds.QosReliability.BEST_EFFORT if best_effort
                         else kinds.QosReliability.RELIABLE),
            durability=(kinds.QosDurability.TRANSIENT_LOCAL if latched
                        else kinds.QosDurability.VOLATILE),
            deadline=endless, lifespan=endless, liveliness=kinds.QosLiveliness.AUTOMATIC,
            liveliness_lease_duration=endless, avoid_ros_namespace_conventions=False,
        )


class _Library(NamedTuple):
    """The parts of rosbags that are used; untyped, and absent from many installations."""

    interfaces: Any
    rosbag2: Any
    typesys: Any


def _library() -> _Library:
    try:
        from rosbags import interfaces, rosbag2, typesys
    except ImportError:
        raise ConfigError('recording a bag needs the library rosbags; install it: '
                          'pip install rosbags.') from None
    return _Library(interfaces, rosbag2, typesys)
