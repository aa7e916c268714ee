"""What a service tells systemd, by the protocol of sd_notify(3): it is ready, and it lives.

systemd names a socket in NOTIFY_SOCKET; where nothing started this process so, nothing is told.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from typing import Final

READY: Final = b'READY=1'
ALIVE: Final = b'WATCHDOG=1'

BEAT_S: Final = 1.0
"""Between two signs of life."""


class ServiceManager:
    """Speaks to systemd without ever waiting for it: the motor goes first."""

    def __init__(self) -> None:
        """Find the socket; abstract ones begin with `@`."""
        path = os.environ.get('NOTIFY_SOCKET', '')
        self._address = '\0' + path[1:] if path.startswith('@') else path
        self._next_s = 0.0

    def ready(self) -> None:
        """Say that the service does what it is for."""
        self._say(READY)

    def beat(self) -> None:
        """Say that it lives, now and then; to be called from the loop that must not hang."""
        now_s = time.monotonic()
        if self._address and now_s >= self._next_s:
            self._next_s = now_s + BEAT_S
            self._say(ALIVE)

    def _say(self, state: bytes) -> None:
        if not self._address:
            return
        # Nobody there, or a full queue: the next word is on its way.
        with (contextlib.suppress(OSError),
              socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as speaker):
            speaker.sendto(state, self._address)
