"""Where files live, and writing them so that nobody ever reads half of one."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path


def racer_home() -> Path:
    """Folder of everything a person makes with racer: `$RACER_HOME`, by default `~/.racer`."""
    return Path(os.environ.get('RACER_HOME') or Path.home() / '.racer')


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file's content in one step: readers and crashes see the old bytes or the new ones.

    Args:
        path: The file; missing folders are made.
        content: All of its new bytes.

    Raises:
        OSError: The disk refused; the old file is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f'.{path.name}.', suffix='.part', dir=path.parent)
    try:
        with os.fdopen(handle, 'wb') as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
