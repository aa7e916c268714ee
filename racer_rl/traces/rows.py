"""Lines of steps to typed arrays: by Arrow in bulk, and line by line where something is broken."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
from numpy.typing import NDArray

from racer_rl.traces.columns import FILE_COLUMNS, STATUSES, STEP_COLUMNS, STEP_NAMES

REQUIRED: Final = FILE_COLUMNS[:15]
"""What a line had in 2019, and every line since."""

NEUTRAL: Final[dict[str, Any]] = {
    'episode_status': 0, 'pause_duration': 0.0, 'obstacle_crash_counter': 0,
    'wall_clock': math.nan,
}
"""Of the columns that came later."""

WALL_CLOCK_S: Final = 1e6
"""From here on, the last of 18 values is a clock; below, a count of crashes."""

_BOOLS: Final = ('done', 'all_wheels_on_track')
_TRUE, _FALSE = ('True', 'true', 'TRUE', '1', '1.0'), ('False', 'false', 'FALSE', '0', '0.0')
_LIMITS: Final = {
    **{name: (0, 2**31 - 1) for name in ('episode', 'steps', 'closest_waypoint')},
    **{name: (-1e9, 1e9) for name in ('X', 'Y', 'yaw', 'steer', 'throttle', 'reward', 'progress',
                                      'track_len')},
    'tstamp': (-1e12, 1e12),
}
_MAY_LACK: Final = {'pause_duration': (0.0, 1e9), 'obstacle_crash_counter': (0, 32_767),
                    'action': (-1, 32_767), 'wall_clock': (-1e12, 1e12)}
_STATUS: Final = re.compile(r'[A-Za-z_ ]{0,32}')
_NUMBER: Final = re.compile(rb'-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?')
_STATUS_CODES: Final = {label: code for code, label in enumerate(STATUSES)}
_PAIR: Final = re.compile(rb'\[[^\]\n]*\]')
"""A continuous action: [a b] or [a, b]. (That either may be in quotation marks is no part of it: a
pattern that begins with what may lack takes ten times as long.)"""

Columns = dict[str, NDArray[Any]]
"""A file's columns by our names, without those that its place tells; statuses as int8 indices of
`STATUSES`."""


def names_for(line: bytes) -> tuple[str, ...] | None:
    """Names of a log line's columns by their number; None for a number that no version had."""
    fields = _PAIR.sub(b'-1', line).split(b',')
    if len(fields) == 18:
        last = _number(fields[17])
        is_clock = not math.isfinite(last) or last >= WALL_CLOCK_S
        return (*FILE_COLUMNS[:17], 'wall_clock' if is_clock else 'obstacle_crash_counter')
    return FILE_COLUMNS[:len(fields)] if 15 <= len(fields) <= 19 else None


def parse(text: bytes, names: Sequence[str]) -> Columns | None:
    """Read many lines at once.

    Args:
        text: Lines without a header.
        names: Of their columns.

    Returns:
        Columns of a row a line; None if any line is not as it should be.
    """
    kinds = {name: (pa.bool_() if name in _BOOLS else
                    pa.dictionary(pa.int32(), pa.string()) if name == 'episode_status' else
                    pa.float64())
             for name in names if name in FILE_COLUMNS}
    try:
        table = arrow_csv.read_csv(
            io.BytesIO(_PAIR.sub(b'-1', text) if b'[' in text else text),
            arrow_csv.ReadOptions(column_names=list(names), block_size=len(text) + 1),
            arrow_csv.ParseOptions(ignore_empty_lines=True),
            arrow_csv.ConvertOptions(
                column_types=kinds, include_columns=list(kinds), true_values=_TRUE,
                false_values=_FALSE, null_values=['', 'nan', 'NaN', 'None']))
    except (pa.ArrowInvalid, pa.ArrowKeyError):
        return None
    found = {name: _array(table[name], kinds[name]) for name in kinds}
    return _typed(found, table.num_rows) if all(map(_holds, found, found.values())) else None


def _array(column: pa.ChunkedArray, kind: pa.DataType) -> Any:
    if pa.types.is_dictionary(kind):
        return column.unify_dictionaries().combine_chunks()
    if pa.types.is_boolean(kind):
        # A missing one is neither: as -1 it fails the check.
        return column.cast(pa.int8()).fill_null(-1).to_numpy()
    return column.to_numpy()


def _holds(name: str, values: Any) -> bool:
    """Whether a whole column can be what its name says."""
    if name == 'episode_status':
        return all(_STATUS.fullmatch(text or '') for text in values.dictionary.to_pylist())
    if name in _BOOLS:
        return bool((values >= 0).all())
    if name in _MAY_LACK:
        return True
    low, high = _LIMITS[name]
    return bool(((values >= low) & (values <= high)).all())


def _typed(found: dict[str, Any], rows: int) -> Columns:
    columns: Columns = {}
    for name in FILE_COLUMNS:
        ours = STEP_NAMES.get(name, name)
        values = found[name] if name in found else np.full(rows, NEUTRAL[name])
        if name == 'episode_status':
            values = _codes(values) if name in found else values
        elif name in _MAY_LACK:
            low, high = _MAY_LACK[name]
            fits = (values >= low) & (values <= high)
            values = np.where(fits, values, NEUTRAL.get(name, -1))
        kind = STEP_COLUMNS[ours]
        columns[ours] = values.astype(np.int8 if kind == 'category' else kind)
    return columns


def _codes(statuses: pa.DictionaryArray) -> NDArray[Any]:
    """Indices of `STATUSES`; of the last one for a word that is not among them."""
    labels = [text.lower().replace(' ', '_') for text in statuses.dictionary.to_pylist()]
    known = np.array([*(_STATUS_CODES.get(label, len(STATUSES) - 1) for label in labels), 0])
    codes: NDArray[Any] = known[statuses.indices.fill_null(len(labels)).to_numpy()]
    return codes


def mend(lines: Sequence[bytes],
         names: Sequence[str] | None) -> tuple[list[bytes], list[int], str]:
    """Tell good lines from bad ones.

    Args:
        lines: Any bytes.
        names: Of their columns; None for lines of a log, which tell them by their number.

    Returns:
        The good ones, each with all of `FILE_COLUMNS`; indices of the bad ones; what is wrong
        with the first of these, '' without one.
    """
    good, bad, why = [], [], ''
    for index, line in enumerate(lines):
        if not line.strip():
            continue
        mended = _mended(_PAIR.sub(b'-1', line.rstrip(b'\r')), names)
        if isinstance(mended, bytes):
            good.append(mended)
        else:
            bad.append(index)
            why = why or mended
    return good, bad, why


def _mended(line: bytes, names: Sequence[str] | None) -> bytes | str:
    """The line with all columns, or what is wrong with it."""
    fields = line.split(b',')
    own = names or names_for(line)
    if own is None or len(own) != len(fields):
        allowed = '15 to 19' if own is None else len(own)
        return f'{len(fields)} columns; allowed: {allowed}'
    values = {name: text.strip(b' \t"') for name, text in zip(own, fields, strict=True)}
    for name, text in values.items():
        if problem := _problem(name, text):
            return f'{name} is {text.decode(errors="replace")[:40]!r}; allowed: {problem}'
    return b','.join(values.get(name, b'') for name in FILE_COLUMNS)


def _problem(name: str, text: bytes) -> str:
    """What is allowed, if it is not this."""
    if name == 'episode_status':
        return '' if _STATUS.fullmatch(text.decode(errors='replace')) else 'a word'
    if name in _BOOLS:
        return '' if text.decode(errors='replace') in _TRUE + _FALSE else 'True or False'
    if name in _MAY_LACK:
        missing = text in (b'', b'nan', b'NaN', b'None')
        return '' if missing or math.isfinite(_number(text)) else 'a number'
    if name not in _LIMITS:
        return ''
    low, high = _LIMITS[name]
    return '' if low <= _number(text) <= high else f'a number, {low:g} to {high:g}'


def _number(text: bytes) -> float:
    """As Arrow would read it, which takes less than Python: NaN if it would not."""
    return float(text) if _NUMBER.fullmatch(text) else math.nan
