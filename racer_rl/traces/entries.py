"""The files of a source: of a folder, of an archive, or one alone; read, never extracted."""

from __future__ import annotations

import os
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from lzma import LZMAError
from pathlib import Path
from typing import IO, Final

from racer_vehicle.errors import ConfigError

ARCHIVES: Final = ('.tar.gz', '.tgz', '.tar')
MOST_FILES: Final = 200_000
"""Of a folder or an archive; a log has some thousands."""

_BROKEN: Final = (tarfile.TarError, EOFError, zlib.error, LZMAError, OSError)


@dataclass(frozen=True, slots=True)
class Entry:
    """One file.

    Attributes:
        path: Inside the source, with slashes.
        size: Bytes.
        open: Gives its bytes; of an archive's entry only until the next one is asked for.
    """

    path: str
    size: int
    open: Callable[[], IO[bytes]]


def is_archive(source: Path) -> bool:
    """Whether a file's name is an archive's."""
    return source.name.lower().endswith(ARCHIVES)


def entries(source: Path) -> Iterator[Entry]:
    """All files of a folder, sorted, or of an archive, in its order; or the one file.

    Links are not followed: a log that came from elsewhere may point anywhere.

    Raises:
        ConfigError: There is none, it cannot be read, the archive is broken, or there are more
            than `MOST_FILES`.
    """
    found = (_of_folder(source) if source.is_dir() else
             _of_archive(source) if is_archive(source) else iter((_of_file(source),)))
    for count, entry in enumerate(found):
        if count >= MOST_FILES:
            raise ConfigError(f'{source} holds more than {MOST_FILES:,} files; give the folder or '
                              'the archive of one run.')
        yield entry


def _of_file(source: Path) -> Entry:
    try:
        size = source.stat().st_size
    except OSError as error:
        raise ConfigError(f'cannot read {source} ({error.strerror}); give a folder, a .tar.gz or '
                          'a file of logs.') from None
    return Entry(source.name, size, lambda: source.open('rb'))


def _of_folder(source: Path) -> Iterator[Entry]:
    for folder, folders, names in os.walk(source):
        folders.sort()
        # Parquet first: who has read it can leave out the CSV files of the same steps.
        for name in sorted(names, key=lambda name: (not name.endswith('.parquet'), name)):
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink():
                yield Entry(path.relative_to(source).as_posix(), path.stat().st_size,
                            lambda path=path: path.open('rb'))  # type: ignore[misc]


def _of_archive(source: Path) -> Iterator[Entry]:
    with refused_if_broken(source), tarfile.open(source, 'r|*') as archive:
        for member in archive:
            archive.members = []  # type: ignore[attr-defined]  # or they all stay in memory
            if not member.isreg():
                continue

            def content(member: tarfile.TarInfo = member) -> IO[bytes]:
                stream = archive.extractfile(member)
                assert stream is not None
                return stream

            yield Entry(member.name.removeprefix('./'), member.size, content)


@contextmanager
def refused_if_broken(source: Path) -> Iterator[None]:
    """Turn what a damaged archive or disk raises into one line.

    Raises:
        ConfigError: Instead.
    """
    try:
        yield
    except _BROKEN as error:
        what = 'the archive is damaged or ends early' if is_archive(source) else 'it is unreadable'
        raise ConfigError(f'cannot read {source}: {what} ({error}); get it again, or give the '
                          'unpacked folder.') from None
