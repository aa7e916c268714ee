"""Reads a blocking device in a thread of its own, and finds it again when it was lost."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

from racer_vehicle.drivers.newest import Newest, Stamped
from racer_vehicle.drivers.protocols import Clock, Notify
from racer_vehicle.errors import ConfigError, DeviceError

Item = TypeVar('Item', bound=Stamped)
Made = TypeVar('Made', bound=Stamped, covariant=True)


class Source(Protocol[Made]):
    """A device as its own thread sees it: calls may block, for about a second at most."""

    @property
    def name(self) -> str:
        """Of the device, for messages."""
        ...

    def open(self) -> None:
        """Prepare the device for `next`.

        Raises:
            DeviceError: It is missing or refuses.
        """
        ...

    def next(self) -> Made:
        """Wait for the next item.

        Raises:
            DeviceError: The device is lost or silent.
        """
        ...

    def close(self) -> None:
        """Let go of the device, whatever state it is in."""
        ...


class Reader(Generic[Item]):
    """A `Camera` or `Lidar` out of a blocking source."""

    def __init__(self, source: Source[Item], clock: Clock, retry_s: float = 1.0) -> None:
        """Prepare; `connect` starts.

        Args:
            source: The device; only the reader's thread touches it.
            clock: Of the items' stamps.
            retry_s: Pause before a lost device is opened again.
        """
        self._source, self._clock, self._retry_s = source, clock, retry_s
        self._newest: Newest[Item] = Newest(source.name)
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def connect(self, notify: Notify) -> None:
        """Begin to look for the device, and to read it; returns at once.

        Args:
            notify: Called from the reader's thread at every item.

        Raises:
            ConfigError: It is connected already.
        """
        if self._thread is not None:
            raise ConfigError(f'{self._source.name} is connected; allowed: connect once, '
                              'then close.')
        self._closing.clear()
        self._thread = threading.Thread(target=self._run, args=(notify,), daemon=True,
                                        name=self._source.name)
        self._thread.start()

    def read(self, max_age_s: float) -> Item | None:
        """The newest item, once; None while the last one handed out is still fresh.

        Raises:
            DeviceError: Nothing so fresh exists.
        """
        return self._newest.take(self._clock(), max_age_s)

    def close(self) -> None:
        """Stop the thread, which lets go of the device; a second time does nothing."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        """Close."""
        self.close()

    def _run(self, notify: Notify) -> None:
        while not self._closing.is_set():
            try:
                self._source.open()
                while not self._closing.is_set():
                    self._newest.put(self._source.next())
                    notify()
            except DeviceError as error:
                self._newest.fail(str(error).rstrip('.'))
                self._closing.wait(self._retry_s)
            finally:
                self._source.close()
