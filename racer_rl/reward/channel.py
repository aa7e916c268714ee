"""Length-prefixed messages over a pair of pipes, with a deadline; no pickle, so nothing runs.

A bell (Linux eventfd) may announce each message to a reader that sleeps. A pipe wakes its reader
like somebody who is about to sleep himself, and so on the writer's own core, which then stands
still until the answer is there; a bell wakes it on a free core.
"""

from __future__ import annotations

import os
import select
import struct
import time
from typing import Final

_LENGTH: Final = struct.Struct('<Q')

_AT_ONCE: Final = 1 << 14
"""Bytes asked for at a time: a short message comes whole, with its length."""

_PIPE_HOLDS: Final = 1 << 15
"""Bytes that a pipe takes in one write, with nobody reading, on any Linux."""

NEVER: Final = float('inf')


class ChannelClosedError(EOFError):
    """The other side has gone."""


class Channel:
    """One end of the conversation."""

    def __init__(self, reading: int, writing: int, *, ring: int | None = None,
                 bell: int | None = None) -> None:
        """Use open file descriptors; whoever opened them closes them.

        Args:
            reading: Pipe to read from.
            writing: Pipe to write to.
            ring: Semaphore eventfd to ring for each message sent; None: the reader has none.
            bell: The one to wait for before reading a message; None: the writer rings none.
        """
        self._reading, self._writing, self._ring, self._bell = reading, writing, ring, bell
        self._unread = bytearray()
        self._poll = select.poll()
        self._poll.register(reading, select.POLLIN)
        self._doorstep = select.poll()
        if bell is not None:
            self._doorstep.register(bell, select.POLLIN)
            self._doorstep.register(reading, 0)  # only whether the writer has gone

    @property
    def reading(self) -> int:
        """File descriptor that it reads from, e.g. to wait for it among others."""
        return self._reading

    def leave(self) -> None:
        """Close both ends here, in a fork that has no part in the conversation."""
        os.close(self._reading)
        os.close(self._writing)

    def send(self, *parts: bytes) -> None:
        """Send one message.

        Raises:
            ChannelClosedError: The other side has gone.
        """
        length = sum(map(len, parts))
        message = memoryview(b''.join((_LENGTH.pack(length), *parts)))
        try:
            if length < _PIPE_HOLDS:  # else nobody empties the pipe while we fill it
                message = message[os.write(self._writing, message):]
            if self._ring is not None:
                os.eventfd_write(self._ring, 1)
            while message:
                message = message[os.write(self._writing, message):]
        except BrokenPipeError as error:
            raise ChannelClosedError from error

    def receive(self, within_s: float = NEVER) -> bytes:
        """Wait for one message.

        Args:
            within_s: How long, to its last byte.

        Raises:
            ChannelClosedError: The other side has gone.
            TimeoutError: It did not say so much in time.
        """
        until_s = time.monotonic() + within_s
        if self._bell is not None:
            self._wait_for_bell(self._bell)
        while len(self._unread) < _LENGTH.size:
            self._read_on(until_s)
        (length,) = _LENGTH.unpack_from(self._unread)
        end = _LENGTH.size + length
        while len(self._unread) < end:
            self._read_on(until_s)
        message = bytes(self._unread[_LENGTH.size:end])
        del self._unread[:end]
        return message

    def _wait_for_bell(self, bell: int) -> None:
        if any(descriptor == bell for descriptor, _ in self._doorstep.poll()):
            os.eventfd_read(bell)

    def _read_on(self, until_s: float) -> None:
        if until_s != NEVER:
            left_ms = max(0.0, until_s - time.monotonic()) * 1000.0
            if not self._poll.poll(left_ms):
                raise TimeoutError
        part = os.read(self._reading, _AT_ONCE)
        if not part:
            raise ChannelClosedError
        self._unread += part
