"""Refuses what is no ONNX file, and ONNX files that are more than a network.

A look at the file's own bytes before the runtime gets them: `external_data` lets a network pull
in any file that it names, and operators outside the standard may be anybody's. The fields are
those of `onnx/onnx.proto3`; the encoding is that of Protocol Buffers.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Final, TypeAlias

from racer_vehicle.errors import ModelMismatchError

Value: TypeAlias = int | memoryview

_PICKLE: Final = b'\x80'
_PICKLE_PROTOCOLS: Final = range(2, 6)
_ZIP: Final = b'PK\x03\x04'

STANDARD_DOMAINS: Final = (b'', b'ai.onnx')
DEEPEST: Final = 16
MOST_FIELDS: Final = 200_000
"""A hundred times those of the largest network of the catalogue; looked at in half a second. A
small file can have millions, each of a byte or two."""

# Message -> field number -> what it holds: another message, or `!` and what must not be there.
_FIELDS: Final = {
    'model': {7: 'graph', 20: '!training_info', 25: '!functions'},
    'graph': {1: 'node', 5: 'tensor', 15: 'sparse'},
    'node': {5: 'attribute', 7: '!domain'},
    'attribute': {5: 'tensor', 6: 'graph', 10: 'tensor', 11: 'graph', 22: 'sparse', 23: 'sparse'},
    'sparse': {1: 'tensor', 2: 'tensor'},
    'tensor': {13: '!external_data', 14: '!data_location'},
}


def refuse_unsafe(onnx: bytes) -> None:
    """Refuse external data, foreign operators, functions and training information.

    Args:
        onnx: The file's bytes.

    Raises:
        ModelMismatchError: One of those was found, or so many fields that nobody wants to look at
            them all, or the bytes are no ONNX model.
    """
    refuse_pickle('policy.onnx', onnx)
    if onnx.startswith(_ZIP):
        raise ModelMismatchError('policy.onnx is a zip archive, as PyTorch saves its checkpoints; '
                                 'allowed: an ONNX model; export the model with racer.')
    try:
        _check('model', memoryview(onnx), 0, itertools.count(1))
    except (IndexError, ValueError) as error:
        raise ModelMismatchError(f'policy.onnx is not an ONNX model ({error}); '
                                 'export the model again.') from None


def refuse_pickle(name: str, content: bytes) -> None:
    """Refuse a Python pickle, whose loading could run anything; nothing of it is loaded.

    Args:
        name: What the bytes are said to be.
        content: The bytes.

    Raises:
        ModelMismatchError: They begin as pickles do.
    """
    if content[:1] == _PICKLE and content[1:2] and content[1] in _PICKLE_PROTOCOLS:
        raise ModelMismatchError(f'{name} is a Python pickle, whose loading could run anything; '
                                 'allowed: an ONNX model in a .racer file; export the model with '
                                 'racer.')


def _check(kind: str, message: memoryview, depth: int, seen: Iterator[int]) -> None:
    """Look through one message and those inside.

    Args:
        kind: A key of `_FIELDS`.
        message: Its bytes.
        depth: How many others it is inside.
        seen: Numbers the fields of the whole file, from 1.
    """
    if depth > DEEPEST:
        raise ValueError(f'it is nested more than {DEEPEST} deep')
    for number, value in _fields(message):
        if next(seen) > MOST_FIELDS:
            raise ModelMismatchError(f'policy.onnx has more than {MOST_FIELDS:,} fields; allowed: '
                                     'at most that; export a network of fewer operators.')
        meaning = _FIELDS[kind].get(number, '')
        if meaning.startswith('!'):
            _refuse(meaning[1:], value)
        elif meaning:
            if isinstance(value, int):
                raise ValueError(f'{meaning} is a number')
            _check(meaning, value, depth + 1, seen)


def _refuse(field: str, value: Value) -> None:
    harmless = (value == 0 if isinstance(value, int)
                else field == 'domain' and bytes(value) in STANDARD_DOMAINS)
    if not harmless:
        shown = value if isinstance(value, int) else bytes(value[:40])
        raise ModelMismatchError(
            f'policy.onnx has {field} {shown!r}; allowed: one self-contained graph of standard '
            'operators; export the model with racer.'
        )


def _fields(message: memoryview) -> Iterator[tuple[int, Value]]:
    """Field numbers and values of one message; of a fixed width, whatever the value is, 0."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        wire, value = key & 7, 0
        if wire == 0:
            value, place = _varint(message, place)
            yield key >> 3, value
        elif wire == 2:
            size, place = _varint(message, place)
            if size > len(message) - place:
                raise ValueError('it is truncated')
            yield key >> 3, message[place:place + size]
            place += size
        elif wire in {1, 5}:
            yield key >> 3, 0
            place += 8 if wire == 1 else 4
        else:
            raise ValueError(f'wire type {wire}')


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    result = 0
    for shift in range(0, 70, 7):
        byte = message[place]
        place += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, place
    raise ValueError('a number is longer than 10 bytes')
