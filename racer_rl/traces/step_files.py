"""Steps out of files: CSV tables, logs with `SIM_TRACE_LOG` lines, Parquet; in bounded memory."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import IO, Any, Final, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
from numpy.typing import NDArray

from racer_rl.traces.columns import FILE_COLUMNS, FILE_NAMES, STATUSES, STEP_COLUMNS
from racer_rl.traces.rows import REQUIRED, Columns, mend, names_for, parse

BLOCK_BYTES: Final = 4 << 20
"""Read at a time; a line that is longer is no line."""

TRACE: Final = re.compile(rb'SIM_TRACE_LOG:[ ]?([^\r\n\t\x1b]*)')


class Reader(Protocol):
    """Takes what is found in a file."""

    def rows(self, columns: Columns) -> None:
        """Some more steps."""
        ...

    def refused(self, lines: int, first_line: int, why: str) -> None:
        """Some lines, or with `lines` 0 the file, cannot be read."""
        ...

    def text(self, chunk: bytes) -> None:
        """A part of a log, whole lines, before its steps are given."""
        ...


def chunks(stream: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """A stream in parts that end with lines: number of the part's first line, and its bytes."""
    rest, number = b'', 1
    while block := stream.read(BLOCK_BYTES):
        text = rest + block
        cut = text.rfind(b'\n') + 1 or (len(text) if len(text) > BLOCK_BYTES else 0)
        if cut:
            yield number, text[:cut]
            number += text.count(b'\n', 0, cut)
        rest = text[cut:]
    if rest:
        yield number, rest


def read_table(stream: IO[bytes], reader: Reader) -> None:
    """Read a CSV file with a header; its columns may come in any order, and others with them."""
    names: list[str] = []
    for number, chunk in chunks(stream):
        text, first_line = chunk, number
        if not names:
            header, _, text = chunk.partition(b'\n')
            first_line += 1
            names = _header(header)
            if lacking := [name for name in REQUIRED if name not in names]:
                reader.refused(0, 0, f'it has no column {lacking[0]}; allowed: a header with '
                                     f'{", ".join(REQUIRED[:3])} and so on')
                return
        if text.strip():
            _take(text.split(b'\n') if text.endswith(b'\n') else [*text.split(b'\n'), b''],
                  text, names, reader, lambda index, first=first_line: first + index)


def _header(line: bytes) -> list[str]:
    texts = line.removeprefix(b'\xef\xbb\xbf').decode('utf-8', 'replace').split(',')
    names = [text.strip().strip('"') for text in texts]
    return [FILE_NAMES.get(name, name) for name in names]


def read_lines(stream: IO[bytes], reader: Reader) -> None:
    """Read a log; what else is in it goes to `Reader.text`."""
    for number, chunk in chunks(stream):
        reader.text(chunk)
        lines = TRACE.findall(chunk)
        if lines:
            _take(lines, b'\n'.join(lines) + b'\n', None, reader,
                  lambda index, chunk=chunk, first=number: first + _line_of(chunk, index))


def _line_of(chunk: bytes, index: int) -> int:
    """How many lines of a chunk come before its trace line of this index."""
    for at, match in enumerate(TRACE.finditer(chunk)):
        if at == index:
            return chunk.count(b'\n', 0, match.start())
    raise AssertionError(f'{index} of fewer trace lines')


def _take(lines: Sequence[bytes], text: bytes, names: Sequence[str] | None, reader: Reader,
          line_number: Any) -> None:
    """Give a reader some lines' steps; names None for lines of a log."""
    own = names or names_for(lines[0])
    columns = parse(text, own) if own else None
    if columns is None:
        good, bad, why = mend(lines, names)
        columns = parse(b'\n'.join(good) + b'\n', FILE_COLUMNS) if good else None
        if bad:
            reader.refused(len(bad), line_number(bad[0]), why)
    if columns is not None:
        reader.rows(columns)


def read_parquet(stream: IO[bytes], reader: Reader) -> None:
    """Read a Parquet file of ours; a foreign one is refused."""
    wanted = [name for name in STEP_COLUMNS if name != 'unique_episode']
    try:
        file = parquet.ParquetFile(stream)
        if lacking := [name for name in wanted if name not in file.schema_arrow.names]:
            reader.refused(0, 0, f'it has no column {lacking[0]}')
            return
        for batch in file.iter_batches(columns=wanted):
            reader.rows({name: _column(batch.column(name), STEP_COLUMNS[name]) for name in wanted})
    except (pa.ArrowException, OSError, ValueError) as error:
        reader.refused(0, 0, f'it is no Parquet file of steps ({str(error).splitlines()[0]})')


def _column(values: pa.Array, kind: str) -> NDArray[Any]:
    if kind != 'category':
        typed: NDArray[Any] = values.to_numpy(zero_copy_only=False).astype(kind)
        return typed
    texts = values.dictionary_decode() if pa.types.is_dictionary(values.type) else values
    codes = {label: code for code, label in enumerate(STATUSES)}
    unknown = len(STATUSES) - 1
    return np.array([codes.get(text, unknown) for text in texts.to_pylist()], dtype=np.int8)
