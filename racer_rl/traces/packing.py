"""Steps of a session's full iterations in one Parquet file, for speed of reading."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as parquet

from racer_rl.traces.files import TraceFolder

ROW_GROUP: Final = 100_000
"""Rows that wait in memory; small groups would be slow to read."""


class Pack:
    """Grows beside its place, and is moved into it when the session ends."""

    def __init__(self, folder: TraceFolder) -> None:
        """Begin with nothing; no file either."""
        self._folder = folder
        self._waiting: list[pa.Table] = []
        self._rows, self._first, self._last = 0, -1, -1
        self._file: parquet.ParquetWriter | None = None
        self._part: Path | None = None

    def add(self, iteration: int, steps: pa.Table) -> None:
        """Take an iteration, which will get no more steps."""
        self._first = iteration if self._first < 0 else self._first
        self._last = iteration
        self._waiting.append(steps)
        self._rows += steps.num_rows
        if self._rows >= ROW_GROUP:
            self._write()

    def close(self) -> None:
        """Put the file in its place, if there is anything in it."""
        if self._waiting:
            self._write()
        if self._file is not None and self._part is not None:
            self._file.close()
            self._part.replace(self._folder.packed(self._first, self._last))
        self._file = None

    def _write(self) -> None:
        steps = pa.concat_tables(self._waiting)
        if self._file is None:
            folder = self._folder.packed(0, 0).parent
            self._part = folder / f'.{self._first}.{secrets.token_hex(8)}.part'
            self._file = parquet.ParquetWriter(self._part, steps.schema)
        self._file.write_table(steps)
        self._waiting.clear()
        self._rows = 0
