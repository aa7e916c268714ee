"""Protocol Buffers on the wire, as far as a handful of Gazebo's messages need them.

Gazebo's own Python messages are made for one version of protobuf, that of its distribution, and
often not the one that is installed beside racer. The format itself never changes
(protobuf.dev, *Encoding*).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from racer_vehicle.errors import MessageError

VARINT: Final = 0
FIXED64: Final = 1
BYTES: Final = 2
FIXED32: Final = 5

_DOUBLE: Final = struct.Struct('<d')
_SIGN: Final = 1 << 63
_MODULUS: Final = 1 << 64

Content = int | memoryview
"""Of a field: a whole number, or the bytes of anything else."""


def fields(data: bytes | memoryview) -> Iterator[tuple[int, Content]]:
    """Number and content of each field of a message, in its order.

    Raises:
        MessageError: It ends within a field, or has a kind of field that Gazebo does not use.
    """
    view, at = memoryview(data), 0
    while at < len(view):
        tag, at = _varint(view, at)
        number, kind = tag >> 3, tag & 7
        if kind == VARINT:
            value, at = _varint(view, at)
            yield number, value
            continue
        if kind == BYTES:
            size, at = _varint(view, at)
        elif kind in (FIXED64, FIXED32):
            size = 8 if kind == FIXED64 else 4
        else:
            raise MessageError(f'field {number} is of kind {kind}; allowed: 0, 1, 2, 5.')
        if at + size > len(view):
            raise MessageError(f'field {number} has {size} bytes, and the message ends after '
                               f'{len(view) - at} of them; it must be complete.')
        yield number, view[at:at + size]
        at += size


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    """A number of variable length, and where it ends."""
    value = shift = 0
    while at < len(view):
        byte = view[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise MessageError('the message ends within a number; it must be complete.')


def as_double(content: Content) -> float:
    """A field of 64 bits as a number."""
    assert isinstance(content, memoryview)
    return float(_DOUBLE.unpack(content)[0])


def as_doubles(content: Content) -> NDArray[np.float64]:
    """A packed field of numbers."""
    return np.frombuffer(as_bytes(content), dtype='<f8')


def as_bytes(content: Content) -> memoryview:
    """A field that holds bytes: a text, an image, another message."""
    assert isinstance(content, memoryview)
    return content


def as_int(content: Content) -> int:
    """A signed whole number."""
    assert isinstance(content, int)
    return content - _MODULUS if content >= _SIGN else content


def of_int(number: int, value: int) -> bytes:
    """A field that holds a whole number, not negative."""
    return _of_varint(number << 3 | VARINT) + _of_varint(value)


def of_double(number: int, value: float) -> bytes:
    """A field that holds a number."""
    return _of_varint(number << 3 | FIXED64) + _DOUBLE.pack(value)


def of_doubles(number: int, values: NDArray[np.float64]) -> bytes:
    """A packed field of numbers."""
    return of_bytes(number, np.ascontiguousarray(values, dtype='<f8').tobytes())


def of_bytes(number: int, value: bytes) -> bytes:
    """A field that holds bytes, a text or another message."""
    return _of_varint(number << 3 | BYTES) + _of_varint(len(value)) + value


def _of_varint(value: int) -> bytes:
    parts = bytearray()
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)
