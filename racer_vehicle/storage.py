"""Where files live, and writing them so that nobody ever reads half of one."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


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
    with replacing(path) as stream:
        stream.write(content)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Write a file piece by piece; it takes the old one's place in one step, at the end.

    Args:
        path: The file; missing folders are made.

    Yields:
        An empty file to write and read.

    Raises:
        OSError: The disk refused; the old file is untouched, as it is if the block fails.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f'.{path.name}.{secrets.token_hex(8)}.part'
    # Not tempfile: its files are private, and a model is as readable as its owner's umask says.
    handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with os.fdopen(handle, 'w+b') as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
