"""The zip archive of a policy bundle: exactly its members, stored, and no byte beside them."""

from __future__ import annotations

import io
import reprlib
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from racer_vehicle.errors import ModelMismatchError
from racer_vehicle.onnx_check import refuse_pickle

MAX_BYTES: Final = 256 * 2**20
"""Ten times the largest network of the catalogue; packed and unpacked."""

MAX_TEXT_BYTES: Final = 2**20
"""Of the card, and of the signature: hundreds of times what racer writes."""

MOST_ENTRIES: Final = 100
"""That a first look lets pass: to list millions of members takes longer than to read them."""

ONNX_MEMBER: Final = 'policy.onnx'
CARD_MEMBER: Final = 'card.json'
SIGNATURE_MEMBER: Final = 'signature.json'
REMEDY: Final = 'copy it again, or export the model again'

_ENCRYPTED: Final = 0x1
_ENTRY: Final = b'PK\x01\x02'
_DATE: Final = (1980, 1, 1, 0, 0, 0)
_UNIX: Final = 3
_FORMS: Final = ([CARD_MEMBER, ONNX_MEMBER], [CARD_MEMBER, ONNX_MEMBER, SIGNATURE_MEMBER])


def pack(members: Mapping[str, bytes]) -> bytes:
    """The one archive of these members: the same bytes on any machine."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w') as archive:
        for name, content in members.items():
            member = zipfile.ZipInfo(name, _DATE)
            member.create_system, member.external_attr = _UNIX, 0o600 << 16
            archive.writestr(member, content)
    return buffer.getvalue()


def unpack(content: bytes) -> dict[str, bytes]:
    """The members of an archive, in its order.

    Raises:
        ModelMismatchError: It is too large, damaged, or holds anything else.
    """
    if len(content) > MAX_BYTES:
        raise ModelMismatchError(f'the bundle has more than {MAX_BYTES} bytes; allowed: at most '
                                 'that; export a smaller network.')
    refuse_pickle('the bundle', content)
    if not content.startswith(b'PK\x03\x04'):
        raise ModelMismatchError(f'the bundle begins with {content[:4]!r}; allowed: a zip archive '
                                 f'as racer writes it (.racer); {REMEDY}.')
    if content.count(_ENTRY) > MOST_ENTRIES:
        raise ModelMismatchError(f'the bundle holds more than {MOST_ENTRIES} files; allowed: '
                                 f'{CARD_MEMBER}, {ONNX_MEMBER} and {SIGNATURE_MEMBER}; {REMEDY}.')
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _require_members(archive.infolist())
            return {name: archive.read(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, OSError,
            RuntimeError) as error:
        cause = str(error) or type(error).__name__
        raise ModelMismatchError(f'the bundle is truncated or damaged ({cause}); '
                                 f'{REMEDY}.') from None


def require_packed(content: bytes, members: Mapping[str, bytes]) -> None:
    """Refuse an archive with a changed byte outside its members: one policy has one identity.

    Raises:
        ModelMismatchError: It is not what `pack` makes of these members.
    """
    if content != pack(members):
        raise ModelMismatchError('the bundle has bytes beside its members that racer does not '
                                 f'write; allowed: none; it was changed: {REMEDY}.')


def file_content(path: Path) -> bytes:
    """Bytes of a bundle's file, or the first `MAX_BYTES` and one of a larger one.

    Raises:
        ModelMismatchError: It cannot be read.
    """
    try:
        with path.open('rb') as stream:
            # One more than allowed, so that reading decides and not a size looked up before.
            return stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ModelMismatchError(f'cannot read policy bundle {path}: {error.strerror}; '
                                 'give a .racer file that exists.') from None


def _require_members(members: list[zipfile.ZipInfo]) -> None:
    names = sorted(member.filename for member in members)
    if names not in _FORMS:
        raise ModelMismatchError(f'the bundle holds {reprlib.repr(names)}; allowed: exactly '
                                 f'{CARD_MEMBER} and {ONNX_MEMBER}, and {SIGNATURE_MEMBER} if it '
                                 f'is signed; {REMEDY}.')
    for member in members:
        if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & _ENCRYPTED:
            raise ModelMismatchError(f'{member.filename} is compressed or encrypted; allowed: '
                                     f'stored as it is; {REMEDY}.')
        if member.filename != ONNX_MEMBER and member.file_size > MAX_TEXT_BYTES:
            raise ModelMismatchError(f'{member.filename} has {member.file_size} bytes; allowed: '
                                     f'at most {MAX_TEXT_BYTES}; {REMEDY}.')
