"""Compiled kernels: where numba keeps them, and which of them are of an older version.

Numba compiles a kernel again when the file it is written in has changed. Of the kernels that it
calls it knows nothing: after an update that changed only those, it would go on driving, drawing
and judging as before.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

ENDINGS: Final = ('.nbi', '.nbc')
"""Of numba's files: an index for each kernel, and machine code."""

_CODE: Final = Path(__file__).parent


def kernel_folders() -> tuple[Path, ...]:
    """Where numba keeps the kernels of `racer_sim`: beside the code, or in a cache of the user."""
    named = os.environ.get('NUMBA_CACHE_DIR')
    cache = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache') / 'numba'
    return (_CODE / '__pycache__', *(
        folder for place in ((Path(named),) if named else (cache,))
        for folder in place.glob(f'{_CODE.name}_*')))


def forget_stale(code: Path = _CODE, folders: tuple[Path, ...] | None = None) -> int:
    """Remove all kernels that are older than any file with kernels; numba makes them again.

    Args:
        code: Folder of those files.
        folders: Where kernels are kept; by default `kernel_folders`.

    Returns:
        How many were removed. What cannot be removed stays: then nothing can be written there
        either, and numba keeps its kernels elsewhere.
    """
    newest_ns = max((path.stat().st_mtime_ns for path in code.glob('*.py')
                     if b'@njit' in path.read_bytes()), default=0)
    removed = 0
    # Without its index, machine code is never looked at, and soon overwritten.
    for index in (path for folder in (kernel_folders() if folders is None else folders)
                  for path in folder.glob(f'*{ENDINGS[0]}')):
        with contextlib.suppress(OSError):  # another process may have been faster
            if index.stat().st_mtime_ns < newest_ns:
                index.unlink()
                removed += 1
    return removed
