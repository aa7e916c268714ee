"""What a process may no longer do once it runs what a person brought: a reward function, a policy.

Limits of the operating system and an audit hook of Python's. They stop mistakes and careless
code, and say which line it was; they are no wall against somebody who means harm.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

_FILES: Final = 'it may not write, move or delete files; print() goes to the log of the run'
_PROGRAMS: Final = 'it may not start or stop other programs'
_NETWORK: Final = 'it may not use the network'
_LIBRARIES: Final = 'it may not call libraries outside Python'
_LIMITS: Final = 'it may not change its own limits'

REFUSED: Final = {
    **dict.fromkeys(('os.chmod', 'os.chown', 'os.link', 'os.mkdir', 'os.remove', 'os.rename',
                     'os.rmdir', 'os.setxattr', 'os.symlink', 'os.truncate', 'os.utime',
                     'shutil.rmtree', 'sqlite3.connect'), _FILES),
    **dict.fromkeys(('os.exec', 'os.fork', 'os.forkpty', 'os.kill', 'os.killpg',
                     'os.posix_spawn', 'os.spawn', 'os.system', 'pty.spawn',
                     'signal.pthread_kill', 'subprocess.Popen'), _PROGRAMS),
    **dict.fromkeys(('socket.__new__', 'socket.bind', 'socket.connect', 'socket.getaddrinfo',
                     'socket.gethostbyname', 'socket.sendto', 'urllib.Request'), _NETWORK),
    **dict.fromkeys(('ctypes.call_function', 'ctypes.dlopen', 'ctypes.dlsym',
                     'ctypes.dlsym/handle'), _LIBRARIES),
    **dict.fromkeys(('resource.prlimit', 'resource.setrlimit'), _LIMITS),
}
"""Audit event -> why it is refused."""


class Refused(PermissionError):
    """A reward function wanted something that is not its business."""


class Confinement:
    """The limits of this process; they cannot be taken off again."""

    def __init__(self, memory_bytes: int, cpu_s: float, *, film_bytes: int = 0) -> None:
        """Set the limits that stay.

        Args:
            memory_bytes: Address space beyond what is used now.
            cpu_s: CPU time of one piece of work; see `begin_work`.
            film_bytes: How large a file may become that is written between two pieces, by an
                encoder that needs threads; 0: none, and no threads.
        """
        self._cpu_s, self._at_work = cpu_s, False
        _limit(resource.RLIMIT_CORE, 0)
        _limit(resource.RLIMIT_FSIZE, film_bytes)
        if not film_bytes:
            _limit(resource.RLIMIT_NPROC, 0)
        if (used := _address_space()) is not None:
            _limit(resource.RLIMIT_AS, used + memory_bytes)
        sys.addaudithook(self._hear)

    def begin_work(self) -> None:
        """Hand control to the person's code, for no longer than the CPU time of one piece.

        A parent that was killed cannot end an endless loop any more; this limit does.
        """
        soft = int(time.process_time() + self._cpu_s) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))
        self._at_work = True

    def end_work(self) -> None:
        """Take control back."""
        self._at_work = False

    def _hear(self, event: str, details: tuple[Any, ...]) -> None:
        if not self._at_work:
            return
        why = REFUSED.get(event)
        if event == 'open' and len(details) > 2 and (details[2] or 0) & _WRITING:
            why = _FILES
        if why is not None:
            raise Refused(why)


def _limit(which: int, value: int) -> None:
    with suppress(ValueError, OSError):  # a platform without this limit, or a lower one already
        resource.setrlimit(which, (value, value))


def _address_space() -> int | None:
    """Bytes of address space in use, where the platform tells."""
    try:
        pages = Path('/proc/self/statm').read_text(encoding='ascii').split()[0]
    except OSError:
        return None
    return int(pages) * resource.getpagesize()
