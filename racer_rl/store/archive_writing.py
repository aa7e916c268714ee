"""A model to an archive, also while it is being trained."""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, cast

from racer_rl.store.archive import (
    FORMAT,
    MANIFEST,
    SEAL_BYTES,
    SEAL_WORDS,
    Manifest,
    Member,
    SealedStream,
    copied,
    safe_path,
)
from racer_rl.store.locks import aside, at_rest, present
from racer_rl.store.models import TRACK_FOLDER, ModelFolder
from racer_sim.track_library import track_file
from racer_vehicle.errors import ConfigError
from racer_vehicle.storage import replacing

TRACES: Final = ('training-simtrace/', 'logs/', 'evaluation-')
"""What `traces=False` leaves out: by far the largest part, and what training goes on without."""

ATTEMPTS: Final = 20
"""To link the files of a folder of which some disappear meanwhile."""

_PACKED: Final = ('.zip', '.png', '.jpg', '.mp4', '.parquet', '.npz', '.onnx', '.gz')
_BEFORE_ALL: Final = (1980, 1, 1, 0, 0, 0)
"""Time of every file inside: the same model, the same bytes."""

Watch = Callable[[int, int], None]
"""Told how many bytes are done, and of how many."""


@dataclass(frozen=True, slots=True)
class _Held:
    """A file as it was when the model was looked at.

    Attributes:
        size: Bytes it had then; what was appended since is left out.
        open: Gives its bytes.
    """

    size: int
    open: Callable[[], BinaryIO]


def write_archive(folder: ModelFolder, path: Path, *, traces: bool = True,
                  watch: Watch = lambda done, total: None) -> Manifest:
    """Write a model, as it is at this moment, into one file.

    Args:
        folder: The model; somebody may be training it.
        path: File to write in one step.
        traces: Whether what the cars did goes along.
        watch: Told of the progress.

    Returns:
        What was written.

    Raises:
        BusyError: The model is being deleted or renamed.
        ConfigError: It holds a file whose name another computer could not have.
        ModelMismatchError: It is damaged.
        OSError: The disk refused; an old file is untouched.
    """
    with (present(folder.path), _snapshot(folder, traces=traces) as files,
          replacing(path) as stream):
        return _write(folder.name, files, stream, watch)


@contextlib.contextmanager
def _snapshot(folder: ModelFolder, *, traces: bool) -> Iterator[dict[str, _Held]]:
    """The model's files by path, held as they are now.

    Files that are replaced keep their content under a second name of ours; files that are appended
    to are read as far as they were. Folders whose disk knows no second names are copied.
    """
    with aside(folder.path.parent) as hidden:
        with at_rest(folder.path):
            sizes = _linked(folder.path, hidden, traces=traces)
        files = {path: _Held(size, lambda path=path: (hidden / path).open('rb'))  # type: ignore[misc]
                 for path, size in sizes.items()}
        yield {**files, **_with_tracks(ModelFolder(hidden))}


def _linked(folder: Path, into: Path, *, traces: bool) -> dict[str, int]:
    """Sizes of the files, each linked; again from the beginning where one has just gone.

    A trace that is packed lies in another file by then, which the first look had not seen.
    """
    for _ in range(ATTEMPTS):
        with contextlib.suppress(FileNotFoundError):
            return {path: _link(folder / path, into / path)
                    for path in _visible(folder) if traces or not path.startswith(TRACES)}
    raise ConfigError(f'files of {folder.name!r} keep disappearing; try again when less is done '
                      'with it.')


def _visible(folder: Path) -> list[str]:
    """Paths of a folder's files, but not hidden ones, links and devices."""
    found = list[str]()
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith('.'))
        files = (Path(place, name) for name in sorted(names) if not name.startswith('.'))
        found += [safe_path(path.relative_to(folder).as_posix(), folder.name) for path in files
                  if path.is_file() and not path.is_symlink()]
    return found


def _link(file: Path, link: Path) -> int:
    """Hold a file's content under a second name; how long it is."""
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    try:
        link.hardlink_to(file)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(file, link)
    return link.stat().st_size


def _with_tracks(held: ModelFolder) -> dict[str, _Held]:
    """`run.json` as it will be right anywhere, and the track files that it then speaks of."""
    run, files = held.run, dict[str, _Held]()
    for index, name in enumerate(run['track']):
        file = None if name.startswith(f'{TRACK_FOLDER}/') else track_file(name)
        if file is None or not file.is_file():
            continue
        content, place = file.read_bytes(), f'{TRACK_FOLDER}/{file.name}'
        while place in files or (held.path / place).exists():
            place = f'{TRACK_FOLDER}/{index}/{Path(place).name}'
        files[place] = _in_memory(content)
        run['track'][index] = place
    if files:
        files['run.json'] = _in_memory((json.dumps(run, indent=2) + '\n').encode())
    return files


def _in_memory(content: bytes) -> _Held:
    return _Held(len(content), lambda: cast(BinaryIO, io.BytesIO(content)))


def _write(model: str, files: Mapping[str, _Held], stream: BinaryIO, watch: Watch) -> Manifest:
    total, done, members = sum(file.size for file in files.values()), 0, list[Member]()
    sealed = SealedStream(stream)
    with zipfile.ZipFile(cast(BinaryIO, sealed), 'w') as archive:
        for path, file in sorted(files.items()):
            members.append(_add(archive, path, file))
            done += file.size
            watch(done, total)
        manifest = Manifest(format=FORMAT, model=model, members=tuple(members),
                            racer=importlib.metadata.version('racer'))
        _add(archive, MANIFEST, _in_memory(manifest.to_bytes()))
        archive.comment = SEAL_WORDS + b'0' * SEAL_BYTES
    sealed.seal()
    return manifest


def _add(archive: zipfile.ZipFile, path: str, file: _Held) -> Member:
    """Write a file as long as it was, and no longer."""
    entry = zipfile.ZipInfo(path, _BEFORE_ALL)
    entry.external_attr = 0o100644 << 16
    entry.compress_type = (zipfile.ZIP_STORED if path.endswith(_PACKED)
                           else zipfile.ZIP_DEFLATED)
    entry.file_size = file.size
    with file.open() as source, archive.open(entry, 'w') as to:
        digest, left = copied(source, to, file.size)
    if left:
        raise ConfigError(f'{path} has become shorter while it was read; export again.')
    return Member(path=path, size=file.size, sha256=digest)
