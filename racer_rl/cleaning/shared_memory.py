"""Shared memory that killed ROS nodes left: files of Fast DDS in `/dev/shm`, in which nobody is.

Whoever uses such a file holds a lock on another one beside it (`…_el` alone, `…_sl` with others),
and the lock ends with its process, so that a lock that is free tells that nobody is left. Files of
other users are left alone, and so are young ones: there is a moment between a file and its lock.
"""

from __future__ import annotations

import fcntl
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from racer_rl.cleaning.things import FileFact, allocated, fact_of, remove
from racer_rl.store.locks import is_locked

FOLDER: Final = Path('/dev/shm')
YOUNG_S: Final = 600.0

_MEMORY: Final = re.compile(r'fastdds_(?:[0-9a-f]{16}|port\d{1,5})')
_LOCKS: Final = ('_el', '_sl')


@dataclass(frozen=True, slots=True)
class Segment:
    """Shared memory that nobody uses any more.

    Attributes:
        name: Of its file.
        files: It, its locks and its semaphore.
    """

    name: str
    files: tuple[FileFact, ...]

    @property
    def bytes(self) -> int:
        """Memory that it takes."""
        return allocated(self.files)


def dead_segments(now_s: float, folder: Path = FOLDER) -> tuple[Segment, ...]:
    """All such segments of this user.

    Args:
        now_s: Seconds since 1970.
        folder: Where the system keeps shared memory.
    """
    found = []
    for file in sorted(folder.glob('fastdds_*')):
        name = file.name.removesuffix('_el').removesuffix('_sl')
        if _MEMORY.fullmatch(name) and (segment := _dead(folder, name, now_s)) is not None:
            found.append(segment)
    return tuple({segment.name: segment for segment in found}.values())


def remove_segment(segment: Segment, now_s: float) -> int:
    """Remove a segment, if nobody has begun to use it since.

    Returns:
        Bytes of memory that became free.
    """
    folder = segment.files[0].path.parent
    still = _dead(folder, segment.name, now_s)
    return 0 if still is None else sum(remove(file.path) for file in still.files)


def _dead(folder: Path, name: str, now_s: float) -> Segment | None:
    locks = [folder / f'{name}{ending}' for ending in _LOCKS]
    paths = (folder / name, folder / f'sem.{name}_mutex', *locks)
    files = tuple(fact for path in paths if (fact := fact_of(path)) is not None)
    young = any(now_s - file.changed_ns / 1e9 < YOUNG_S for file in files)
    if not files or young or any(_is_foreign(file.path) or _is_held(file.path) for file in files):
        return None
    return Segment(name, files)


def _is_foreign(path: Path) -> bool:
    try:
        return path.stat().st_uid != os.getuid()
    except OSError:
        return True


def _is_held(path: Path) -> bool:
    if not path.name.endswith(_LOCKS):
        return False
    try:
        return is_locked(path, fcntl.LOCK_EX)
    except OSError:
        return True
