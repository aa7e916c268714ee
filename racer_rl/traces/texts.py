"""Columns of a trace to text, by Arrow: a Python loop over rows would cost as much as driving."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv
from numpy.typing import NDArray

from racer_rl.traces.columns import FILE_COLUMNS, FILE_NAMES, STATUSES, STEP_COLUMNS
from racer_rl.traces.driven import DrivenColumns

PREFIX: Final = b'SIM_TRACE_LOG:'
HEADER: Final = ','.join(FILE_COLUMNS).encode() + b'\n'

_DECIMALS: Final = {'X': 4, 'Y': 4, 'yaw': 4, 'steer': 2, 'throttle': 2, 'reward': 4,
                    'progress': 4, 'track_len': 2, 'tstamp': 3, 'pause_duration': 2,
                    'wall_clock': 4}
_INTEGERS: Final = ('episode', 'steps', 'closest_waypoint', 'obstacle_crash_counter')
_BOOLS: Final = pa.array(['False', 'True'])
_STATUSES: Final = pa.array(STATUSES)
_OPTIONS: Final = arrow_csv.WriteOptions(include_header=False, quoting_style='none')


def csv_lines(columns: DrivenColumns, *, discrete: bool) -> bytes:
    """Lines of `FILE_COLUMNS`, without a header.

    Args:
        columns: With `episode`.
        discrete: Whether the policy's output is an index, and not a pair.
    """
    texts = {name: _column(name, columns, discrete=discrete) for name in FILE_COLUMNS}
    sink = pa.BufferOutputStream()
    arrow_csv.write_csv(pa.table(texts), sink, _OPTIONS)
    return bytes(sink.getvalue())


def log_lines(lines: bytes) -> bytes:
    """The same lines as a simulator's log has them."""
    return PREFIX + lines[:-1].replace(b'\n', b'\n' + PREFIX) + b'\n' if lines else b''


def _column(name: str, columns: DrivenColumns, *, discrete: bool) -> pa.Array:
    if name == 'action':
        return _actions(columns['output'], discrete=discrete)
    values = columns[name]
    if name in _DECIMALS:
        # Adding zero turns -0.0 into 0.0.
        return _arrow(np.round(values.astype(np.float64), _DECIMALS[name]) + 0.0)
    if name in _INTEGERS:
        return _arrow(values.astype(np.int32))
    table = _STATUSES if name == 'episode_status' else _BOOLS
    return table.take(_arrow(values.astype(np.int8)))


def _actions(output: NDArray[Any], *, discrete: bool) -> pa.Array:
    if discrete:
        return _arrow(output[:, 0].astype(np.int32))
    first, second = (pc.cast(_arrow(np.round(output[:, each].astype(np.float64), 4) + 0.0),
                             pa.string()) for each in (0, 1))
    pair = pc.binary_join_element_wise(first, second, ' ')
    return pc.binary_join_element_wise('[', pair, ']', '')


def parquet_table(columns: DrivenColumns, iteration: int, *, discrete: bool) -> pa.Table:
    """The same rows by `STEP_COLUMNS`, but `unique_episode`, rounded as the lines are."""
    rows = len(columns['steps'])
    theirs = {**columns, 'iteration': np.full(rows, iteration), 'worker': np.zeros(rows),
              'action': columns['output'][:, 0] if discrete else np.full(rows, -1)}
    return pa.table({name: _typed(name, theirs[FILE_NAMES.get(name, name)], kind)
                     for name, kind in STEP_COLUMNS.items() if name != 'unique_episode'})


def _typed(name: str, values: NDArray[Any], kind: str) -> pa.Array:
    if kind == 'category':
        return pa.DictionaryArray.from_arrays(_arrow(values.astype(np.int8)), _STATUSES)
    if kind == 'bool':
        return pc.cast(_arrow(values.astype(np.int8)), pa.bool_())
    decimals = _DECIMALS.get(FILE_NAMES.get(name, name))
    if decimals is not None:
        values = np.round(values.astype(np.float64), decimals) + 0.0
    return _arrow(values.astype(kind))


def _arrow(values: NDArray[Any]) -> pa.Array:
    """As `pa.array`, which would import pandas, and that takes longer than writing a trace."""
    values = np.ascontiguousarray(values)
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values),
                                 [None, pa.py_buffer(values)])
