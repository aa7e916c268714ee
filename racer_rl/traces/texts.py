"""Columns of a trace to text, by Arrow: a Python loop over rows would cost as much as driving."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv
from numpy.typing import NDArray

from racer_rl.traces.arrays import bools, categories, chosen, numbers, texts
from racer_rl.traces.columns import FILE_COLUMNS, FILE_NAMES, STATUSES, STEP_COLUMNS
from racer_rl.traces.driven import DrivenColumns

PREFIX: Final = b'SIM_TRACE_LOG:'
HEADER: Final = ','.join(FILE_COLUMNS).encode() + b'\n'

_DECIMALS: Final = {'X': 4, 'Y': 4, 'yaw': 4, 'steer': 2, 'throttle': 2, 'reward': 4,
                    'progress': 4, 'track_len': 2, 'tstamp': 3, 'pause_duration': 2,
                    'wall_clock': 4}
_ACTION_DECIMALS: Final = 4
_INTEGERS: Final = ('episode', 'steps', 'closest_waypoint', 'obstacle_crash_counter')
_BOOLS: Final = texts(('False', 'True'))
_STATUSES: Final = texts(STATUSES)
_MARKS: Final = texts(('[', ' ', ']', ''))
_OPTIONS: Final = arrow_csv.WriteOptions(include_header=False, quoting_style='none')


def csv_lines(columns: DrivenColumns, *, discrete: bool) -> bytes:
    """Lines of `FILE_COLUMNS`, without a header.

    Args:
        columns: With `episode`.
        discrete: Whether the policy's output is an index, and not a pair.
    """
    arrays = [_column(name, columns, discrete=discrete) for name in FILE_COLUMNS]
    sink = pa.BufferOutputStream()
    arrow_csv.write_csv(pa.Table.from_arrays(arrays, names=list(FILE_COLUMNS)), sink, _OPTIONS)
    return bytes(sink.getvalue())


def log_lines(lines: bytes) -> bytes:
    """The same lines as a simulator's log has them."""
    return PREFIX + lines[:-1].replace(b'\n', b'\n' + PREFIX) + b'\n' if lines else b''


def parquet_table(columns: DrivenColumns, iteration: int, *, discrete: bool) -> pa.Table:
    """The same rows by `STEP_COLUMNS`, but `unique_episode`, rounded as the lines are."""
    rows = len(columns['steps'])
    theirs = {**columns, 'iteration': np.full(rows, iteration), 'worker': np.zeros(rows),
              'action': columns['output'][:, 0] if discrete else np.full(rows, -1)}
    kinds = {name: kind for name, kind in STEP_COLUMNS.items() if name != 'unique_episode'}
    return pa.Table.from_arrays(
        [_typed(name, theirs[FILE_NAMES.get(name, name)], kind) for name, kind in kinds.items()],
        names=list(kinds))


def _rounded(values: NDArray[Any], decimals: int) -> NDArray[np.float64]:
    # Adding zero turns -0.0 into 0.0.
    return np.asarray(np.round(values.astype(np.float64), decimals) + 0.0, dtype=np.float64)


def _column(name: str, columns: DrivenColumns, *, discrete: bool) -> pa.Array:
    if name == 'action':
        return _actions(columns['output'], discrete=discrete)
    values = columns[name]
    if name in _DECIMALS:
        return numbers(_rounded(values, _DECIMALS[name]))
    if name in _INTEGERS:
        return numbers(values.astype(np.int32))
    return chosen(_STATUSES if name == 'episode_status' else _BOOLS, values)


def _actions(output: NDArray[Any], *, discrete: bool) -> pa.Array:
    """An index, or [steering speed] in -1 to 1."""
    if discrete:
        return numbers(output[:, 0].astype(np.int32))
    first, second = (pc.cast(numbers(_rounded(output[:, each], _ACTION_DECIMALS)), pa.string())
                     for each in (0, 1))
    before, between, after, nothing = (chosen(_MARKS, np.full(len(output), mark))
                                       for mark in range(len(_MARKS)))
    pair = pc.binary_join_element_wise(first, second, between)
    return pc.binary_join_element_wise(before, pair, after, nothing)


def _typed(name: str, values: NDArray[Any], kind: str) -> pa.Array:
    if kind == 'category':
        return categories(_STATUSES, values)
    if kind == 'bool':
        return bools(values)
    decimals = _DECIMALS.get(FILE_NAMES.get(name, name))
    return numbers((values if decimals is None else _rounded(values, decimals)).astype(kind))
