"""Models that races name, so that `racer clean` leaves them alone."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable

from racer_rl.cleaning.protection import PROTECTED, protected_models
from racer_vehicle.storage import racer_home, write_atomically


def protect_models(names: Iterable[str]) -> None:
    """Add models to those that must stay.

    Args:
        names: Names or ids.

    Raises:
        ConfigError: The file of those before is damaged.
        OSError: The disk refused.
    """
    path = racer_home() / PROTECTED
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path.with_suffix('.lock'), os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)  # two at once would each write without the other's
        before = protected_models(racer_home())
        if wanted := before.union(names) - before:
            content = json.dumps(sorted(before | wanted), indent=2, ensure_ascii=False)
            write_atomically(path, f'{content}\n'.encode())
    finally:
        os.close(handle)
