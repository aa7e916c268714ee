"""Tracks by name: those shipped with the package and those a person imported or generated."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

from racer_sim.practice import practice_number, practice_track
from racer_sim.track import Track
from racer_sim.track_files import load_track, save_npy
from racer_vehicle.errors import TrackError, UnknownNameError
from racer_vehicle.storage import racer_home

Origin = Literal['shipped', 'own']

SHIPPED: Final = (
    'oval',
    'pebble',
    'kidney',
    'dogbone',
    'boomerang',
    'clover',
    'needle',
    'meander',
    'fishhook',
    'switchback',
    'thunder_gully',
    'gauntlet',
)
"""Our own designs, from gentle to hard; each is `tracks/<name>.csv` in this package."""

_NAME = re.compile(r'[A-Za-z0-9_-]{1,64}')
_FILE_ENDINGS = ('.npy', '.csv')


def track_names() -> list[tuple[str, Origin]]:
    """Every track that has a name: shipped ones from gentle to hard, then own ones by name."""
    own = sorted((path.stem for path in _own_folder().glob('*.npy')), key=str.lower)
    shipped: list[tuple[str, Origin]] = [(name, 'shipped') for name in SHIPPED]
    return shipped + [(name, 'own') for name in own]


def find_track(name_or_path: str | Path) -> Track:
    """A track by its name, in any case, or by the path of a .npy or .csv file.

    `practice-7` and every other number are generated tracks: see `racer_sim/practice.py`.

    Args:
        name_or_path: A path is what ends in .npy or .csv.

    Raises:
        UnknownNameError: No track has this name.
        TrackError: The file cannot be raced on.
    """
    if str(name_or_path).lower().endswith(_FILE_ENDINGS):
        return _load_once(Path(name_or_path))
    given = str(name_or_path)
    number = practice_number(given)
    if number is not None:
        return practice_track(number)
    for name, origin in track_names():
        if name.lower() == given.lower():
            return _load_once(_file_of(name, origin), name)
    known = [name for name, _ in track_names()]
    raise UnknownNameError('track', given, known, 'List all with: racer tracks list')


def track_file(name_or_path: str | Path) -> Path | None:
    """The file of a track that not everybody has: a person's own, or one given by its path.

    Args:
        name_or_path: As `find_track` takes it.

    Returns:
        The file, which may be missing where it was given by its path; None for tracks that come
        with racer, and for names that nothing is known of.
    """
    given = str(name_or_path)
    if given.lower().endswith(_FILE_ENDINGS):
        return Path(given)
    for name, origin in track_names():
        if name.lower() == given.lower():
            return _file_of(name, origin) if origin == 'own' else None
    return None


def _load_once(path: Path, name: str | None = None) -> Track:
    """A file's track, and the same object as before while the file is the same.

    A run asks for its tracks at every evaluation, and what is derived from one is kept with it.
    """
    try:
        file = path.stat()
    except OSError:
        return load_track(path, name)  # which says what is wrong
    return _load_version(path, name, (file.st_dev, file.st_ino, file.st_size, file.st_mtime_ns))


@lru_cache(maxsize=64)
def _load_version(path: Path, name: str | None, version: tuple[int, ...]) -> Track:
    return load_track(path, name)


def import_track(
    path: Path, name: str, *, width_m: float | None = None, overwrite: bool = False
) -> Track:
    """Check a track file and keep it under a name in `racer_home()`.

    Args:
        path: A DeepRacer .npy or a centre-line .csv.
        name: 1 to 64 letters, digits, - and _; case is kept, but does not tell names apart.
        width_m: Full width, for a .csv that holds none.
        overwrite: Whether an own track of this name may be replaced.

    Raises:
        TrackError: The file is no usable track, or the name is not free.
    """
    return keep_track(load_track(path, name, width_m=width_m), overwrite=overwrite)


def keep_track(track: Track, *, overwrite: bool = False) -> Track:
    """Keep a track under its own name in `racer_home()`; see `import_track`."""
    _require_free(track.name, overwrite)
    save_npy(track, _file_of(track.name, 'own'))
    return track


def _require_free(name: str, overwrite: bool) -> None:
    """Refuse a name that is malformed, shipped, or taken and not to be overwritten."""
    if not _NAME.fullmatch(name):
        raise TrackError(
            f'track name {name!r} is not usable; allowed: 1 to 64 letters, digits, - and _.'
        )
    for taken, origin in track_names():
        if taken.lower() != name.lower():
            continue
        if origin == 'shipped':
            raise TrackError(f'track {taken!r} is shipped with racer; choose another name.')
        if not overwrite:
            raise TrackError(f'own track {taken!r} exists; choose another name or --overwrite.')
        if taken != name:
            raise TrackError(
                f'own track {taken!r} differs only in case; overwrite it as {taken!r}.'
            )


def _own_folder() -> Path:
    return racer_home() / 'tracks'


def _file_of(name: str, origin: Origin) -> Path:
    """Where a track of this name lies."""
    if origin == 'shipped':
        return Path(__file__).parent / 'tracks' / f'{name}.csv'
    return _own_folder() / f'{name}.npy'
