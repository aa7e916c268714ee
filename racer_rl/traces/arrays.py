"""Arrow arrays out of NumPy's, without pandas.

`pyarrow.array`, `scalar` and `table` import pandas whenever it is installed, which takes longer
than to write the whole trace of a short run. Buffers do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


def numbers(values: NDArray[Any]) -> pa.Array:
    """Of any number type, (N,)."""
    values = np.ascontiguousarray(values)
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values),
                                 [None, pa.py_buffer(values)])


def bools(values: NDArray[Any]) -> pa.Array:
    """Of bool, (N,)."""
    return pc.cast(numbers(values.astype(np.int8)), pa.bool_())


def texts(each: Sequence[str]) -> pa.StringArray:
    """Of a few ASCII strings."""
    offsets = np.cumsum([0, *map(len, each)]).astype(np.int32)
    return pa.StringArray.from_buffers(len(each), pa.py_buffer(offsets),
                                       pa.py_buffer(''.join(each).encode('ascii')))


def chosen(table: pa.StringArray, indices: NDArray[Any]) -> pa.StringArray:
    """Strings of a table with at most 127, by index, (N,)."""
    return table.take(numbers(indices.astype(np.int8)))


def categories(table: pa.StringArray, indices: NDArray[Any]) -> pa.DictionaryArray:
    """The same, kept as indices."""
    return pa.DictionaryArray.from_arrays(numbers(indices.astype(np.int8)), table)
