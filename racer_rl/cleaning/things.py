"""What may go from a store: things, the files they consist of, and what those take on the disk.

Bytes are what the disk has allocated (`st_blocks`), not what the files say they hold: that is what
becomes free. A file with several names is freed with the last of them. Folders are not counted.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

BLOCK: Final = 512
"""Bytes of a block as `stat` counts them, whatever the disk's own are."""


class Kind(StrEnum):
    """What a thing is; what costs least to lose comes first."""

    LEFTOVER = 'leftover'
    JOB = 'job log'
    CACHE = 'cache'
    EVALUATION = 'evaluation trace'
    TENSORBOARD = 'tensorboard'
    TRACE = 'training trace'
    EARLIER = 'earlier checkpoint'
    LAST = 'last checkpoint'
    MODEL = 'model'


ORDER: Final = tuple(Kind)


class FileFact(NamedTuple):
    """A file.

    Attributes:
        path: One of its names.
        inode: Device and number: the same for all of its names.
        names: How many it has, elsewhere included.
        allocated: Bytes on the disk.
        changed_ns: When its content was changed last, since 1970.
    """

    path: Path
    inode: tuple[int, int]
    names: int
    allocated: int
    changed_ns: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Thing:
    """What goes as a whole or stays as a whole.

    Attributes:
        kind: What it is.
        name: For people.
        paths: Files and folders that it consists of.
        files: All files in them.
        used_s: When it was of use last, seconds since 1970.
        model: Folder of the model that it belongs to; None outside of one.
        needed: Why it stays, whatever is asked for; empty if it may go.
        named_by: Folders of models that come from it.
        rank: Of an earlier checkpoint: how many newer ones there are.
    """

    kind: Kind
    name: str
    paths: tuple[Path, ...]
    files: tuple[FileFact, ...]
    used_s: float
    model: Path | None = None
    needed: str = ''
    named_by: tuple[Path, ...] = ()
    rank: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """A store as it was found.

    Attributes:
        home: Its folder.
        things: Whatever might go, needed or not.
        files: All that the store holds.
        models: Folder of a model to the files in it.
    """

    home: Path
    things: tuple[Thing, ...]
    files: tuple[FileFact, ...]
    models: dict[Path, tuple[FileFact, ...]]


class Tally:
    """What becomes free as names of files go, one after another."""

    def __init__(self) -> None:
        """Nothing has gone yet."""
        self.freed = 0
        self._gone: set[Path] = set()
        self._left: dict[tuple[int, int], int] = {}

    def take(self, files: Iterable[FileFact]) -> int:
        """Let files go; those that are gone already count for nothing.

        Returns:
            Bytes that become free by that.
        """
        before = self.freed
        for file in files:
            if file.path in self._gone:
                continue
            self._gone.add(file.path)
            left = self._left.get(file.inode, file.names) - 1
            self._left[file.inode] = left
            self.freed += file.allocated if left == 0 else 0
        return self.freed - before

    def would_free(self, files: Iterable[FileFact]) -> int:
        """What `take` would return, without taking anything."""
        left: dict[tuple[int, int], int] = {}
        freed = 0
        for file in files:
            if file.path not in self._gone:
                known = self._left.get(file.inode, file.names)
                left[file.inode] = left.get(file.inode, known) - 1
                freed += file.allocated if left[file.inode] == 0 else 0
        return freed


def fact_of(path: Path) -> FileFact | None:
    """A file; None if it is none, or is no longer there."""
    try:
        found = path.lstat()
    except OSError:
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return FileFact(path, (found.st_dev, found.st_ino), found.st_nlink,
                    found.st_blocks * BLOCK, found.st_mtime_ns)


def facts_of(paths: Iterable[Path]) -> tuple[FileFact, ...]:
    """Files among some paths, and in the folders among them, in order of their names."""
    found = []
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            found += [fact_of(Path(folder, name))
                      for folder, _, names in os.walk(path) for name in names]
        else:
            found.append(fact_of(path))
    return tuple(sorted((fact for fact in found if fact is not None),
                        key=lambda fact: str(fact.path)))


def allocated(files: Iterable[FileFact]) -> int:
    """Bytes that files take on the disk; one with several names counts once."""
    return sum({file.inode: file.allocated for file in files}.values())


def remove(path: Path) -> int:
    """Delete a file, or a folder with all that is in it; nothing where nothing is.

    Returns:
        Bytes that became free.

    Raises:
        OSError: The disk refused.
    """
    if path.is_dir() and not path.is_symlink():
        freed = sum(remove(Path(entry)) for entry in sorted(path.iterdir()))
        path.rmdir()
        return freed
    fact = fact_of(path)
    path.unlink(missing_ok=True)
    return fact.allocated if fact is not None and fact.names == 1 else 0
