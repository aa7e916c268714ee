"""Length-prefixed messages over a pair of pipes, with a deadline; no pickle, so nothing runs."""

from __future__ import annotations

import os
import select
import struct
import time
from typing import Final

_LENGTH: Final = struct.Struct('<Q')

_AT_ONCE: Final = 1 << 14
"""Bytes asked for at a time: a short message comes whole, with its length."""

NEVER: Final = float('inf')


class ChannelClosedError(EOFError):
    """The other side has gone."""


class Channel:
    """One end of the conversation."""

    def __init__(self, reading: int, writing: int) -> None:
        """Use two open file descriptors; whoever opened them closes them."""
        self._reading, self._writing = reading, writing
        self._unread = bytearray()
        self._poll = select.poll()
        self._poll.register(reading, select.POLLIN)

    def send(self, *parts: bytes) -> None:
        """Send one message.

        Raises:
            ChannelClosedError: The other side has gone.
        """
        length = sum(map(len, parts))
        message = memoryview(b''.join((_LENGTH.pack(length), *parts)))
        try:
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
        while len(self._unread) < _LENGTH.size:
            self._read_on(until_s)
        (length,) = _LENGTH.unpack_from(self._unread)
        end = _LENGTH.size + length
        while len(self._unread) < end:
            self._read_on(until_s)
        message = bytes(self._unread[_LENGTH.size:end])
        del self._unread[:end]
        return message

    def _read_on(self, until_s: float) -> None:
        if until_s != NEVER:
            left_ms = max(0.0, until_s - time.monotonic()) * 1000.0
            if not self._poll.poll(left_ms):
                raise TimeoutError
        part = os.read(self._reading, _AT_ONCE)
        if not part:
            raise ChannelClosedError
        self._unread += part
