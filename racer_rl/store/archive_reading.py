"""An archive, or the folder of a model, into the store: checked in full before it is a model.

Nothing in it is run or unpickled. Checkpoints are bytes here; whoever loads one refuses pickles.
"""

from __future__ import annotations

import contextlib
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from racer_rl.store.archive import (
    MANIFEST,
    MOST_FILES,
    MOST_MANIFEST_BYTES,
    Manifest,
    Member,
    copied,
    require_seal,
    safe_path,
)
from racer_rl.store.archive_writing import Watch
from racer_rl.store.locks import staged
from racer_rl.store.models import ModelFolder, model_folder
from racer_rl.traces.entries import entries
from racer_sim.track_library import find_track
from racer_vehicle.errors import ConfigError, RacerError

MOST_RATIO: Final = 1100
"""Of unpacked to packed bytes: deflate cannot do more than 1032."""

_ENCRYPTED: Final = 0x1
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_BROKEN: Final = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError,
                  NotImplementedError, RuntimeError, OverflowError)


@dataclass(frozen=True, slots=True)
class Source:
    """A whole model that is not in the store.

    Attributes:
        path: Of the archive or the folder.
        name: That it had.
        files: Its files: path to size, and what gives the bytes.
        members: What they have to be; None if nothing says so.
    """

    path: Path
    name: str
    files: Mapping[str, tuple[int, Callable[[], IO[bytes]]]]
    members: tuple[Member, ...] | None

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(size for size, _ in self.files.values())


@contextlib.contextmanager
def open_archive(path: Path) -> Iterator[Source]:
    """Check an archive from end to end, and what it says is inside.

    Raises:
        ConfigError: It is not an archive of a model, is damaged, or holds what no archive has.
    """
    with contextlib.ExitStack() as stack:
        with _refused_if_broken(path):
            stream = stack.enter_context(path.open('rb'))
            require_seal(stream)
            archive = stack.enter_context(zipfile.ZipFile(stream))
            source = _source(path, archive)
        yield source


def _source(path: Path, archive: zipfile.ZipFile) -> Source:
    """What is inside, by its directory and its manifest, which have to agree."""
    infos = _checked(archive.infolist(), path.stat().st_size)
    files = {info.filename: info for info in infos}
    if MANIFEST not in files or files[MANIFEST].file_size > MOST_MANIFEST_BYTES:
        raise ConfigError(f'it has no {MANIFEST}, or too large a one.')
    manifest = Manifest.from_bytes(archive.read(files.pop(MANIFEST)))
    _require_same(manifest, files)
    return Source(path, manifest.model, {
        name: (info.file_size, lambda info=info: archive.open(info))  # type: ignore[misc]
        for name, info in files.items()}, manifest.members)


def open_folder(path: Path) -> Source:
    """The folder of a model, e.g. copied from another machine, or an archive that was unpacked.

    Raises:
        ConfigError: It holds what no model has, or its manifest does not fit it.
    """
    files = {entry.path: (entry.size, entry.open) for entry in entries(path)
             if not any(part.startswith('.') for part in entry.path.split('/'))}
    _require_distinct(list(files))
    if MANIFEST not in files:
        return Source(path, path.resolve().name, files, None)
    size, read = files.pop(MANIFEST)
    with read() as stream:
        manifest = Manifest.from_bytes(stream.read(min(size, MOST_MANIFEST_BYTES)))
    missing = {member.path for member in manifest.members} ^ files.keys()
    if missing:
        raise ConfigError(f'{path} does not hold what its {MANIFEST} lists: {min(missing)}; '
                          'unpack it again.')
    return Source(path, manifest.model, files, manifest.members)


def add_model(source: Source, name: str,
              watch: Watch = lambda done, total: None) -> tuple[ModelFolder, tuple[str, ...]]:
    """Make a model of the store; it is there whole, or not at all.

    Args:
        source: Of `open_archive` or `open_folder`.
        name: In the store.
        watch: Told of the progress.

    Returns:
        The model, and a line for everything that a person should know.

    Raises:
        ConfigError: The name is taken, a file is not what it should be, or there is no room.
        ModelMismatchError: What it says of itself is damaged.
    """
    folder = model_folder(name)
    with staged(folder.path) as hidden:
        free = shutil.disk_usage(hidden).free
        if source.size > free:
            raise ConfigError(f'the model takes {source.size >> 20} MiB unpacked; the disk has '
                              f'{free >> 20}; free some space, or set RACER_HOME.')
        with _refused_if_broken(source.path):
            sums = _unpack(source, hidden, watch)
            for member in source.members or ():
                if sums[member.path] != member.sha256:
                    raise ConfigError(f'{member.path} is not what {MANIFEST} says; get it again.')
            notes = _looked_over(ModelFolder(hidden))
    return folder, notes


def _checked(infos: list[zipfile.ZipInfo], size: int) -> list[zipfile.ZipInfo]:
    """The entries of a zip of so many bytes, if a model's archive may have all of them."""
    if len(infos) > MOST_FILES:
        raise ConfigError(f'it holds {len(infos):,} files; allowed: {MOST_FILES:,}.')
    if sum(info.compress_size for info in infos) > size:
        raise ConfigError('its files share bytes, as in archives that are made to fill a disk.')
    _require_distinct([info.filename for info in infos])
    for info in infos:
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in {0, stat.S_IFREG}:
            raise ConfigError(f'{info.filename!r} is a link, a folder or a device; allowed: '
                              'plain files.')
        if info.flag_bits & _ENCRYPTED or info.compress_type not in _METHODS:
            raise ConfigError(f'{info.filename!r} is encrypted or compressed in another way than '
                              'deflate.')
        if info.file_size > MOST_RATIO * (info.compress_size + 1):
            raise ConfigError(f'{info.filename!r} claims {info.file_size:,} bytes from '
                              f'{info.compress_size:,}, which no compression gives.')
    return infos


def _require_distinct(paths: list[str]) -> None:
    """Refuse paths that are unsafe, or the same file or a folder of another on some computer."""
    seen: set[str] = set()
    for path in paths:
        folded = safe_path(path, 'it').casefold()
        if folded in seen:
            raise ConfigError(f'it holds {path!r} twice; allowed: each file once.')
        seen.add(folded)
    for path in seen:
        above = path.rpartition('/')[0]
        while above:
            if above in seen:
                raise ConfigError(f'{above!r} is a file and a folder in it.')
            above = above.rpartition('/')[0]


def _require_same(manifest: Manifest, files: Mapping[str, zipfile.ZipInfo]) -> None:
    """Refuse a file too few, too many or of another size."""
    listed = {member.path: member.size for member in manifest.members}
    if len(listed) != len(manifest.members):
        raise ConfigError(f'{MANIFEST} lists a file twice.')
    for path in sorted(listed.keys() | files.keys()):
        there = files[path].file_size if path in files else None
        if listed.get(path) != there:
            raise ConfigError(f'{path} has {there} bytes; {MANIFEST} says {listed.get(path)} '
                              '(None: not there).')


def _unpack(source: Source, into: Path, watch: Watch) -> dict[str, str]:
    """Write all files; their SHA-256."""
    sums, done, total = dict[str, str](), 0, source.size
    for path, (size, read) in source.files.items():
        (into / path).parent.mkdir(parents=True, exist_ok=True)
        with read() as stream, (into / path).open('xb') as to:
            sums[path], left = copied(stream, to, size)
        if left:
            raise ConfigError(f'{path} ends {left} bytes early; get it again.')
        done += size
        watch(done, total)
    return sums


def _looked_over(folder: ModelFolder) -> tuple[str, ...]:
    """Refuse what cannot be a model; lines about what it lacks here."""
    notes = []
    try:
        setup = folder.setup
        _ = setup.observation, folder.progress
    except (TypeError, KeyError, AttributeError) as error:
        raise ConfigError(f'run.json is damaged ({error!r}).') from None
    for track in setup.tracks:
        try:
            find_track(track)
        except RacerError as error:
            notes.append(f'its track is not here ({error}); give another one to commands that '
                         'drive, with --track, or copy the file there.')
    if not any(folder.checkpoint(which).is_file() for which in ('best', 'last')):
        raise ConfigError('it holds no checkpoint; there is nothing to drive or to go on with.')
    return tuple(notes)


@contextlib.contextmanager
def _refused_if_broken(path: Path) -> Iterator[None]:
    """One line that names the file, whatever is wrong with it."""
    try:
        yield
    except RacerError as error:
        raise ConfigError(f'cannot import {path}: {error}') from None
    except OSError as error:
        raise ConfigError(f'cannot import {path}: {error.strerror or error}'
                          f'{f" ({error.filename})" if error.filename else ""}.') from None
    except _BROKEN as error:
        raise ConfigError(f'cannot import {path}: the archive is damaged ({error}); get it '
                          'again.') from None
