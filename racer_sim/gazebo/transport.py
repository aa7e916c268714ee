"""Gazebo's own messaging, through its Python bindings: newest messages, publishers, requests."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from multiprocessing import Pipe
from typing import Any, Final

from racer_sim.gazebo import wire
from racer_sim.gazebo.messages import BOOLEAN, is_true, stamp_ns_of
from racer_vehicle.children import owned
from racer_vehicle.errors import RacerError

PARTITION: Final = 'GZ_PARTITION'
"""Programs of one partition hear each other, and nobody else."""

ADDRESS: Final = ('GZ_IP', '127.0.0.1')
"""Where Gazebo speaks, unless somebody has said otherwise."""

KEPT: Final = 64
"""Messages of a topic that can be looked up by their stamp: more than a control period."""

_PROCESS: Final = 'racer_sim.gazebo.requests'


class GazeboError(RacerError):
    """Gazebo is missing, has ended, or does not answer."""


def bindings() -> Any:
    """The module of gz-transport.

    Raises:
        GazeboError: It is not installed for this Python.
    """
    try:
        return importlib.import_module('gz.transport13')
    except ImportError as error:
        raise GazeboError(
            f"Gazebo's Python bindings cannot be imported ({error}); install them for this "
            'Python: python3-gz-transport13 of Gazebo Harmonic, and put its folder into '
            'PYTHONPATH if racer is in a virtual environment.') from None


class Inbox:
    """The newest messages of a topic; a thread of gz-transport fills it."""

    def __init__(self, notify: Callable[[], None]) -> None:
        """Begin empty.

        Args:
            notify: Called for each message, from that thread.
        """
        self._messages: deque[bytes] = deque(maxlen=KEPT)
        self._arrived = threading.Condition()
        self._notify = notify

    def put(self, message: bytes, _info: Any) -> None:
        """A message has come."""
        with self._arrived:
            self._messages.append(message)
            self._arrived.notify_all()
        self._notify()

    def newest(self) -> bytes | None:
        """The last message; None before the first."""
        with self._arrived:
            return self._messages[-1] if self._messages else None

    def at(self, stamp_ns: int) -> bytes | None:
        """The last message that is not younger than a stamp; the oldest if all are."""
        with self._arrived:
            messages = list(self._messages)
        before = (message for message in reversed(messages) if stamp_ns_of(message) <= stamp_ns)
        return next(before, messages[0] if messages else None)

    def wait(self, stamp_ns: int, patience_s: float) -> bytes | None:
        """Wait for a message of this stamp or a later one; None if none came in time."""
        until_s = time.monotonic() + patience_s
        with self._arrived:
            while not self._messages or stamp_ns_of(self._messages[-1]) < stamp_ns:
                left_s = until_s - time.monotonic()
                if left_s <= 0.0 or not self._arrived.wait(left_s):
                    return None
            return self._messages[-1]


class Node:
    """Topics of a partition."""

    def __init__(self, partition: str) -> None:
        """Join.

        Args:
            partition: Its name; empty: that of the environment.

        Raises:
            GazeboError: There are no bindings.
        """
        self._gz = bindings()
        os.environ.setdefault(*ADDRESS)
        options = self._gz.NodeOptions()
        if partition:
            options.partition = partition
        self._node = self._gz.Node(options)
        self._callbacks: list[Callable[..., None]] = []

    def listen(self, topic: str, kind: str, notify: Callable[[], None] = lambda: None) -> Inbox:
        """Subscribe.

        Args:
            topic: Absolute.
            kind: Type of its messages.
            notify: As of `Inbox`.
        """
        inbox = Inbox(notify)
        self._callbacks.append(inbox.put)  # the bindings do not keep it alive
        self._node.subscribe_raw(topic, self._callbacks[-1], kind, self._gz.SubscribeOptions())
        return inbox

    def publisher(self, topic: str, kind: str) -> Publisher:
        """Advertise; see `listen`."""
        return Publisher(self._node.advertise(topic, _Named(kind)), kind)


class Publisher:
    """Sends messages of one type to one topic."""

    def __init__(self, publisher: Any, kind: str) -> None:
        """Of the bindings' publisher."""
        self._publisher, self._kind = publisher, kind

    @property
    def has_readers(self) -> bool:
        """Whether anybody would hear it."""
        return bool(self._publisher.has_connections())

    def publish(self, message: bytes) -> None:
        """Send."""
        self._publisher.publish_raw(message, self._kind)


class _Named:
    """What the bindings want to know of a generated message class: its name."""

    def __init__(self, name: str) -> None:
        self.DESCRIPTOR, self.full_name = self, name


class Requests:
    """Calls Gazebo's services from a process of its own.

    The bindings hold Python's lock while they wait for an answer. Messages of a subscription in
    the same process could not be taken meanwhile, and gz-transport would not come to the answer.
    """

    def __init__(self, partition: str) -> None:
        """Start the process.

        Args:
            partition: As of `Node`.
        """
        environment = owned({**dict([ADDRESS]), **os.environ})
        if partition:
            environment[PARTITION] = partition
        self._link, other = Pipe()
        self._process = subprocess.Popen(
            [sys.executable, '-m', _PROCESS, str(other.fileno())], env=environment,
            stdin=subprocess.DEVNULL, pass_fds=(other.fileno(),), start_new_session=True)
        other.close()

    def call(self, service: str, kind: str, request: bytes, patience_s: float) -> bool:
        """Ask, and wait for the answer, of type Boolean.

        Args:
            service: Its name.
            kind: Type of the request.
            request: The message.
            patience_s: Longest time.

        Returns:
            What it said; False without an answer.

        Raises:
            GazeboError: The process has ended.
        """
        parts = (service, kind, BOOLEAN, str(round(patience_s * 1000.0)))
        try:
            self._link.send_bytes(b''.join(wire.of_bytes(number, part.encode())
                                           for number, part in enumerate(parts, start=1))
                                  + wire.of_bytes(5, request))
            answer = self._link.recv_bytes()
        except (EOFError, OSError):
            raise GazeboError("the process that calls Gazebo's services has ended; its last "
                              'words are above.') from None
        return is_true(answer)

    def close(self) -> None:
        """End the process: it reads the end of the pipe."""
        self._link.close()
        self._process.wait()
