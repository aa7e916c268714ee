"""Processes that do not outlive whoever started them."""

from __future__ import annotations

import ctypes
import signal
import sys
from collections.abc import Callable
from typing import Final

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
