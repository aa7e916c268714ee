"""Processes that do not outlive whoever started them, or are found if they do."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

OWNER: Final = 'RACER_OWNER'
"""Variable in the environment of what we start: process id and start time of who did, `4711:88`.

Both together name one process as long as the machine runs: a number is given away again, and then
the time is another one.
"""

_PR_SET_PDEATHSIG: Final = 1
"""Of `linux/prctl.h`."""

_LIBC: Final = ctypes.CDLL(None)


def ending_with_parent(number: signal.Signals) -> Callable[[], None]:
    """What a child does before it begins: have Linux signal it should its parent be killed.

    It hears SIGINT, too. What a shell starts in the background ignores it, and so would what that
    starts.

    Args:
        number: The signal.

    Returns:
        For `preexec_fn` of `subprocess.Popen`.
    """
    def prepare() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if sys.platform == 'linux':
            _LIBC.prctl(_PR_SET_PDEATHSIG, number)
    return prepare


def owned(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for a process that makes no sense without this one.

    Should it outlive this one, `racer clean` finds it by that and ends it.
    """
    began = start_ticks(os.getpid())
    mark = {} if began is None else {OWNER: f'{os.getpid()}:{began}'}
    return {**environment, **mark}


def independent(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for a process that has to outlive whoever started this one."""
    return {name: value for name, value in environment.items() if name != OWNER}


def boot_id() -> str:
    """Names this start of the machine; empty where the system does not tell."""
    try:
        return Path('/proc/sys/kernel/random/boot_id').read_text(encoding='ascii').strip()
    except OSError:
        return ''


def start_ticks(process_id: int) -> int | None:
    """When a process was started, in clock ticks since the machine was.

    Returns:
        None if there is no such process, if it has ended and nobody has asked how, and where there
        is no `/proc`.
    """
    try:
        told = Path(f'/proc/{process_id}/stat').read_text(errors='replace')
    except OSError:
        return None
    # Its name comes second, in brackets, and may hold anything.
    state, *numbers = told.rpartition(')')[2].split()
    return None if state in 'ZX' else int(numbers[18])
