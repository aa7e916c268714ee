"""The archive of a whole model: what is in the file, and how a reader knows that it is complete.

It is a zip: its directory tells what is inside before anything is unpacked, what is compressed
already (checkpoints, pictures) is kept as it is, and every computer opens it. Inside are the files
of the model's folder and `manifest.json`, which lists them with their sizes and SHA-256. The file
ends with a seal: the SHA-256 of all bytes before it, in the place of the zip's comment. So a
download that broke off, or a byte that changed anywhere, is found before anything of it is read.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, BinaryIO, Final

from racer_vehicle.errors import ConfigError
from racer_vehicle.strict_json import from_object, parse_object, to_json

SUFFIX: Final = '.racer-model.zip'
FORMAT: Final = 1
MANIFEST: Final = 'manifest.json'
CHUNK_BYTES: Final = 1 << 20
"""Read, hashed and written at a time: what an archive takes of memory does not grow with it."""

MOST_FILES: Final = 100_000
MOST_MANIFEST_BYTES: Final = 64 << 20

SEAL_WORDS: Final = b'racer-model-1 sha256:'
SEAL_BYTES: Final = 64
"""Hexadecimal digits at the very end."""

_PART: Final = re.compile(r'[^\x00-\x1f\x7f\\/:*?"<>|]{1,200}')
_MOST_PATH: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A file of the model.

    Attributes:
        path: Inside the model's folder, with slashes.
        size: Bytes.
        sha256: Hexadecimal.
    """

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What an archive says of itself.

    Attributes:
        format: Of the archive, `FORMAT`.
        model: Name that the model had.
        racer: Version of racer that wrote it.
        members: All files but the manifest.
    """

    format: int
    model: str
    racer: str
    members: tuple[Member, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(member.size for member in self.members)

    def to_bytes(self) -> bytes:
        """Content of `manifest.json`."""
        return to_json(self).encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> Manifest:
        """What `to_bytes` gave.

        Raises:
            ConfigError: It is something else, or of another format.
        """
        plain = parse_object(content, MANIFEST)
        if plain.get('format') != FORMAT:
            raise ConfigError(f'{MANIFEST} has format {plain.get("format")!r}; allowed: {FORMAT}; '
                              'use the version of racer that wrote it, or a newer one.')
        return from_object(cls, plain, MANIFEST)


def safe_path(path: str, holder: str) -> str:
    """The path of a file inside a model's folder, if it can be nothing else on any computer.

    Args:
        path: With slashes.
        holder: What holds the file, for messages.

    Raises:
        ConfigError: It is absolute, leads elsewhere, is hidden, or cannot be a file's everywhere.
    """
    parts = path.split('/')
    usable = len(path) <= _MOST_PATH and all(
        _PART.fullmatch(part) and not part.startswith('.') and part == part.rstrip(' .')
        for part in parts)
    if not usable or PurePosixPath(path).as_posix() != path:
        raise ConfigError(f'{holder} holds a file named {path[:80]!r}; allowed: relative paths of '
                          'visible files, without .. and \\ : * ? " < > |.')
    return path


class SealedStream:
    """Passes bytes on, counts them into the seal, and closes with it; cannot go back.

    What is written last has to be `SEAL_BYTES` bytes that stand for the seal.
    """

    def __init__(self, stream: BinaryIO) -> None:
        """Take the file, empty and open for writing."""
        self._stream, self._digest, self._tail = stream, hashlib.sha256(), b''

    def write(self, content: bytes) -> int:
        """As a file's."""
        held = self._tail + content
        self._digest.update(held[:-SEAL_BYTES])
        self._tail = held[-SEAL_BYTES:]
        return self._stream.write(content)

    def flush(self) -> None:
        """As a file's."""
        self._stream.flush()

    def seal(self) -> None:
        """Put the seal into its place."""
        self._stream.seek(-SEAL_BYTES, 2)
        self._stream.write(self._digest.hexdigest().encode())


def require_seal(stream: BinaryIO) -> None:
    """Read a file to its end; nothing of it is believed before.

    Raises:
        ConfigError: It was not sealed by `SealedStream`, or has changed since.
    """
    size = stream.seek(0, 2)
    end = SEAL_BYTES + len(SEAL_WORDS)
    stream.seek(max(size - end, 0))
    if stream.read(len(SEAL_WORDS)) != SEAL_WORDS:
        raise ConfigError('it does not end as an archive of racer does: it is something else, or '
                          'was cut; get it again.')
    seal = stream.read()
    stream.seek(0)
    digest, _ = copied(stream, None, size - SEAL_BYTES)
    if digest.encode() != seal:
        raise ConfigError('its bytes have changed since it was written; get it again.')


def copied(source: IO[bytes], to: IO[bytes] | None, size: int) -> tuple[str, int]:
    """Copy the next bytes of a stream, piece by piece.

    Args:
        source: From where it stands.
        to: Where they go; None: they are only read.
        size: How many.

    Returns:
        Their SHA-256, hexadecimal, and how many were missing.
    """
    digest, left = hashlib.sha256(), size
    while left > 0 and (chunk := source.read(min(CHUNK_BYTES, left))):
        if to is not None:
            to.write(chunk)
        digest.update(chunk)
        left -= len(chunk)
    return digest.hexdigest(), left
