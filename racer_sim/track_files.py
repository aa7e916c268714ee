"""Tracks as files: DeepRacer route arrays (.npy) and F1TENTH style centre lines (.csv)."""

from __future__ import annotations

import io
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from racer_sim import track_checks as checks
from racer_sim.track import Track, vertex_normals
from racer_vehicle.errors import TrackError
from racer_vehicle.storage import write_atomically

Floats = NDArray[np.float64]

ROUTE_COLUMNS = 6
CSV_HEADER = '# x_m, y_m, w_tr_right_m, w_tr_left_m'


def load_track(
    path: Path | str, name: str | None = None, *, width_m: float | None = None
) -> Track:
    """Read a track file.

    Args:
        path: `.npy` with columns centre, infield border, outer border (x and y each), or `.csv`
            with columns x, y and, unless `width_m` is given, distances to right and left border.
        name: Name of the track; by default the file's name without its ending.
        width_m: Full width, for a file of two columns only.

    Raises:
        TrackError: The file is missing, malformed, or not a track one can race on.
    """
    path = Path(path)
    name = name or path.stem
    if not path.is_file():
        raise TrackError(f'there is no track file {str(path)!r}; give an existing .npy or .csv.')
    if path.suffix == '.npy':
        if width_m is not None:
            raise TrackError(f'{path.name} holds its own borders; leave the width out.')
        return _from_route(name, _read_npy(path))
    if path.suffix == '.csv':
        return _from_centre_rows(name, path.name, _read_csv(path), width_m)
    raise TrackError(f'{path.name} is no track file; allowed: .npy or .csv.')


def save_npy(track: Track, path: Path) -> None:
    """Write a DeepRacer route: float64, (N + 1, 6), first row repeated, infield border first.

    Args:
        track: The track.
        path: The file; missing folders are made.
    """
    infield, outer = track.left_border_m, track.right_border_m
    if track.is_clockwise:
        infield, outer = outer, infield
    rows = np.hstack((track.centre_m, infield, outer))
    stream = io.BytesIO()
    np.save(stream, np.concatenate((rows, rows[:1])), allow_pickle=False)
    write_atomically(path, stream.getvalue())


def save_csv(track: Track, path: Path, comments: tuple[str, ...] = ()) -> None:
    """Write a centre line with its distances to the borders, to the micrometre.

    Borders are kept as distances along the normal, so a border that files of loosely paired rows
    (see `Track.left_m`) describe point by point comes back smoothed; `.npy` keeps it.

    Args:
        track: The track.
        path: The file; missing folders are made.
        comments: Lines for the top of the file, without the leading '#'.
    """
    rows = np.column_stack((track.centre_m, track.right_m, track.left_m))
    gap, allowed = checks.closing_gap_m(track.centre_m)
    if gap > allowed:
        # Usual readers close the loop themselves; this one would take such a gap for an open line.
        rows = np.concatenate((rows, rows[:1]))
    lines = [f'# {comment}' for comment in comments] + [CSV_HEADER]
    lines += [', '.join(f'{value:.6f}' for value in row) for row in rows]
    write_atomically(path, ('\n'.join(lines) + '\n').encode())


def _read_npy(path: Path) -> Floats:
    """The array of a route file, without ever unpickling."""
    try:
        rows = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, BadZipFile) as error:
        raise TrackError(
            f'{path.name} is not a plain numpy array ({error}); save it again with numpy.save.'
        ) from error
    if not isinstance(rows, np.ndarray) or rows.dtype.kind not in 'fiu':
        raise TrackError(f'{path.name} holds no array of numbers; allowed: float64.')
    if rows.ndim != 2 or rows.shape[1] != ROUTE_COLUMNS:
        raise TrackError(
            f'{path.name} has shape {rows.shape}; allowed: (N, 6), centre, inner and outer border.'
        )
    return rows.astype(np.float64)


def _from_route(name: str, rows: Floats) -> Track:
    """A track from route rows; which border is left is read off the geometry.

    The infield border is left of travel only on counter-clockwise tracks.
    """
    centre, inner, outer = (rows[:, 2 * part : 2 * part + 2] for part in range(3))
    checks.as_points(name, 'centre line', centre)
    checks.require_same_rows(name, centre, inner, outer)
    leftward = np.einsum('ij,ij->i', inner - centre, vertex_normals(centre))
    left, right = (inner, outer) if np.median(leftward) > 0.0 else (outer, inner)
    return Track.from_borders(name, centre, left, right)


def _read_csv(path: Path) -> Floats:
    """Rows of a text table; commas or semicolons, lines that start with '#' skipped."""
    try:
        text = path.read_text(encoding='utf-8-sig')
    except UnicodeDecodeError as error:
        raise TrackError(f'{path.name} is not a text file; save it as UTF-8 text.') from error
    rows: list[list[float]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        content = line.partition('#')[0].strip()
        if not content:
            continue
        try:
            row = [float(cell) for cell in content.replace(';', ',').split(',')]
        except ValueError as error:
            raise TrackError(
                f'{path.name}, line {number}: {content[:40]!r} is no row of numbers; '
                f'start comments and headings with #.'
            ) from error
        if rows and len(row) != len(rows[0]):
            raise TrackError(
                f'{path.name}, line {number}: {len(row)} columns; allowed: {len(rows[0])}, '
                f'as in the first row.'
            )
        rows.append(row)
    return np.array(rows, dtype=np.float64)


def _from_centre_rows(name: str, file: str, rows: Floats, width_m: float | None) -> Track:
    """A track from rows of 2 columns and a width, or of 4 columns."""
    columns = rows.shape[1] if rows.ndim == 2 else 0
    if columns == 2:
        if width_m is None:
            raise TrackError(f'{file} has no widths; give one, for example --width 0.8.')
        return Track.from_centre_line(name, rows, width_m / 2.0, width_m / 2.0)
    if columns == 4:
        if width_m is not None:
            raise TrackError(f'{file} holds its own widths; leave the width out.')
        return Track.from_centre_line(name, rows[:, :2], rows[:, 3], rows[:, 2])
    raise TrackError(
        f'{file} has {columns} columns; allowed: 2 (x, y) or 4 (x, y, right, left), in metres.'
    )
