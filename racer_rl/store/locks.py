"""Several processes in one store: who may do what with a model's folder, and when.

Every hold is an advisory lock of the kernel (`flock`) on the folder itself or on something in it,
so that nothing has to be tidied up: it ends with its process, however that ends.

    hold                on               shared by            keeps out
    `present`           the folder       any number           `alone_with`
    `training_in`       the folder, and  one a model; others  a second one; `alone_with`
                        `.writer`        may be `present`
    `alone_with`        the folder       nobody               all others
    `committing`        `checkpoints/`   nobody, for moments  `at_rest`
    `at_rest`           `checkpoints/`   any number           `committing`

A model appears and disappears in one step: it is built in a hidden folder beside the others and
renamed (`staged`), or renamed into a hidden one and then deleted (`discard`). What a kill leaves
of that, `sweep` removes.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from racer_vehicle.errors import ConfigError, RacerError

WRITER: Final = '.writer'
"""File of a model that its trainer holds; also what makes every visible folder non-empty."""

CHECKPOINT_FOLDER: Final = 'checkpoints'
PATIENCE_S: Final = 0.5
"""Some holds last for moments, so that nobody is refused at once."""

HIDDEN_PREFIXES: Final = ('.new-', '.trash-')
"""Of folders that are not models yet, or no longer."""


class BusyError(RacerError):
    """Somebody else is doing something with the model that does not go together with this."""


class TakenError(ConfigError):
    """A model of that name exists already."""


@contextlib.contextmanager
def present(path: Path) -> Iterator[None]:
    """Hold a model's folder where it is: nobody deletes or renames it meanwhile.

    Args:
        path: The folder, which exists.

    Raises:
        BusyError: It is being deleted or renamed, or has just been.
    """
    with _held_folder(path, fcntl.LOCK_SH, 'is being deleted or renamed'):
        yield


@contextlib.contextmanager
def alone_with(path: Path) -> Iterator[None]:
    """Hold a model's folder while nobody else uses it: to rename or to delete it.

    Args:
        path: The folder, which exists.

    Raises:
        BusyError: Somebody uses it.
    """
    with _held_folder(path, fcntl.LOCK_EX, 'is in use'):
        yield


@contextlib.contextmanager
def training_in(path: Path) -> Iterator[None]:
    """Be the only one that trains a model; makes its folder, and removes it if it stays empty.

    Args:
        path: The model's folder.

    Raises:
        BusyError: Somebody else trains it, or is about to delete or rename it.
    """
    if not path.is_dir():
        with contextlib.suppress(TakenError), staged(path):
            pass
    try:
        with present(path):
            handle = os.open(path / WRITER, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                _lock(handle, fcntl.LOCK_EX, path, 'is being trained')
                yield
            finally:
                os.close(handle)
    finally:
        with contextlib.suppress(BusyError, FileNotFoundError):
            if os.listdir(path) == [WRITER]:
                discard(path)
                with contextlib.suppress(OSError):  # there are other models
                    path.parent.rmdir()


@contextlib.contextmanager
def committing(path: Path) -> Iterator[None]:
    """Replace files of a model that belong together; waits until nobody copies them."""
    with _checkpoint_lock(path, fcntl.LOCK_EX):
        yield


@contextlib.contextmanager
def at_rest(path: Path) -> Iterator[None]:
    """Read files of a model that belong together; waits until none are being replaced.

    Hold it for moments only, e.g. to link or to open the files: the trainer waits for its end.
    """
    with _checkpoint_lock(path, fcntl.LOCK_SH):
        yield


@contextlib.contextmanager
def staged(path: Path) -> Iterator[Path]:
    """Build a model aside; it appears under its name in one step, and only if all went well.

    Args:
        path: The model's folder.

    Yields:
        The empty hidden folder to build it in.

    Raises:
        TakenError: There is a model of that name.
    """
    if (path / 'run.json').exists():
        raise _taken(path)
    sweep(path.parent)
    with aside(path.parent) as hidden:
        yield hidden
        (hidden / WRITER).touch()
        _appear(hidden, path)


@contextlib.contextmanager
def aside(models: Path) -> Iterator[Path]:
    """A hidden folder beside the models, held until it is removed at the end.

    Args:
        models: Folder of all models; made if missing.

    Yields:
        The empty folder; renamed to something else, it stays.
    """
    with contextlib.ExitStack() as hold:
        while True:
            hidden = _hidden(models, '.new-')
            hidden.mkdir(parents=True)
            # Before it is held, somebody who tidies up may take it for left behind.
            with contextlib.suppress(BusyError):
                hold.enter_context(alone_with(hidden))
                break
        try:
            yield hidden
        finally:
            shutil.rmtree(hidden, ignore_errors=True)


def move(path: Path, to: Path) -> None:
    """Give a model another name.

    Raises:
        BusyError: Somebody uses it.
        TakenError: The other name is taken.
    """
    with alone_with(path):
        (path / WRITER).touch()  # an empty folder of that name would be replaced
        _appear(path, to)


def discard(path: Path) -> None:
    """Delete a model, all of it or nothing.

    Raises:
        BusyError: Somebody uses it.
    """
    hidden = _hidden(path.parent, '.trash-')
    with alone_with(path):
        os.rename(path, hidden)
        shutil.rmtree(hidden)


def sweep(models: Path) -> list[Path]:
    """Remove hidden folders that a killed process left; those in use stay.

    Args:
        models: Folder of all models.

    Returns:
        What was removed.
    """
    left = [path for prefix in HIDDEN_PREFIXES for path in models.glob(f'{prefix}*')]
    removed = []
    for path in left:
        with contextlib.suppress(BusyError), alone_with(path):
            shutil.rmtree(path)
            removed.append(path)
    return removed


def users(path: Path) -> list[str]:
    """Who holds a model's folder, for people: `process 4711 (racer train --name a)`.

    Known for processes of this machine only, from `/proc/locks`.
    """
    try:
        inodes = {path.stat().st_ino, (path / WRITER).stat().st_ino}
    except OSError:
        inodes = set()
    try:
        rows = [line.split() for line in Path('/proc/locks').read_text().splitlines()]
    except OSError:
        return []
    # Waiting ones have an arrow as the second word; the sixth is device:device:inode.
    holders = {int(row[4]) for row in rows
               if row[1] == 'FLOCK' and int(row[5].rsplit(':', 1)[1]) in inodes}
    return [_process(pid) for pid in sorted(holders - {os.getpid()})]


def is_trained(path: Path) -> bool:
    """Whether somebody trains a model at this moment."""
    try:
        return is_locked(path / WRITER, fcntl.LOCK_SH)
    except OSError:
        return False


def is_locked(path: Path, kind: int) -> bool:
    """Whether somebody holds a file so that this kind of lock could not be had now.

    Args:
        path: The file.
        kind: `LOCK_SH` or `LOCK_EX` of `fcntl`.

    Raises:
        OSError: It cannot be opened.
    """
    handle = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


@contextlib.contextmanager
def _held_folder(path: Path, kind: int, why: str) -> Iterator[None]:
    gone = BusyError(f'model {path.name!r} was just deleted or renamed; see what is there: racer '
                     'models list.')
    try:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        raise gone from None
    try:
        _lock(handle, kind, path, why)
        # Between opening and locking, another process may have taken it away or put another there.
        try:
            same = os.path.samestat(os.fstat(handle), os.stat(path))
        except FileNotFoundError:
            same = False
        if not same:
            raise gone
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def _checkpoint_lock(path: Path, kind: int) -> Iterator[None]:
    folder = path / CHECKPOINT_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, kind)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, kind: int, path: Path, why: str) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() < until_s:
                time.sleep(PATIENCE_S / 10)
                continue
            by = ' and '.join(users(path)) or 'another process'
            raise BusyError(f'model {path.name!r} {why} by {by}; wait for that to end, or stop '
                            'it.') from None


def _appear(folder: Path, path: Path) -> None:
    """Rename to a name that must be free; what never became a model frees its name."""
    for _ in range(2):
        try:
            os.rename(folder, path)
            return
        except OSError:
            if not path.exists():
                raise
            if (path / 'run.json').exists():
                break
            with contextlib.suppress(FileNotFoundError):
                discard(path)
    raise _taken(path)


def _taken(path: Path) -> TakenError:
    return TakenError(f'model {path.name!r} exists already; choose another name, or see what it '
                      f'is: racer models show {path.name}.')


def _hidden(models: Path, prefix: str) -> Path:
    return models / f'{prefix}{secrets.token_hex(8)}'


def _process(pid: int) -> str:
    try:
        words = Path(f'/proc/{pid}/cmdline').read_bytes().decode(errors='replace').split('\0')
    except OSError:
        words = []
    command = ' '.join(Path(word).name if index < 2 else word
                       for index, word in enumerate(words) if word)
    return f'process {pid}' + (f' ({command[:80]})' if command else '')
