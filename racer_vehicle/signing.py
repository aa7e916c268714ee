"""Ed25519 keys and signatures of policy bundles: a car drives what a key it trusts vouches for.

A private key stays with whoever trains; the car holds a folder of public keys. Both are PEM files
as OpenSSL reads and writes them. A signature has no date: what a key signed once stays valid for
as long as the key is trusted.
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from racer_vehicle.errors import ConfigError, ModelMismatchError
from racer_vehicle.policy import PolicyBundle
from racer_vehicle.signature import KEY_ID_DIGITS, Signature, signed_bytes
from racer_vehicle.storage import write_atomically

PUBLIC_SUFFIX: Final = '.pub.pem'
PRIVATE_SUFFIX: Final = '.pem'

_PRIVATE_MODE: Final = 0o600
_MAX_BYTES: Final = 4096
"""An Ed25519 key takes 120; more is no key file."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """What a car needs to recognise a signature; no secret."""

    key: Ed25519PublicKey

    @classmethod
    def read(cls, path: Path) -> PublicKey:
        """Read a PEM file.

        Raises:
            ConfigError: It cannot be read, or is no public Ed25519 key.
        """
        content = _content(path)
        if b'PRIVATE KEY' in content:
            raise ConfigError(f'{path} is a private key; allowed: public keys (*{PUBLIC_SUFFIX}); '
                              'private keys stay where models are signed: take it away.')
        try:
            key = load_pem_public_key(content)
        except (ValueError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, Ed25519PublicKey):
            raise ConfigError(f'{path} is no public Ed25519 key; allowed: a PEM file as '
                              '`racer keys new` writes it; copy it again.')
        return cls(key)

    @property
    def key_id(self) -> str:
        """Half of the SHA-256 of the key's 32 bytes, hexadecimal: what people compare."""
        raw = self.key.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return hashlib.sha256(raw).hexdigest()[:KEY_ID_DIGITS]

    def write(self, path: Path) -> None:
        """Write a PEM file in one step.

        Raises:
            OSError: The disk refused; an old file is untouched.
        """
        write_atomically(path, self.key.public_bytes(Encoding.PEM,
                                                     PublicFormat.SubjectPublicKeyInfo))

    def fits(self, signature: Signature, card_json: bytes) -> bool:
        """Whether this key made a signature for a card."""
        try:
            self.key.verify(bytes.fromhex(signature.signature), signed_bytes(card_json))
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """What signs; whoever has it can make any policy drive a car that trusts it."""

    key: Ed25519PrivateKey

    @classmethod
    def generate(cls) -> PrivateKey:
        """A new key, from the system's random numbers."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def read(cls, path: Path) -> PrivateKey:
        """Read a PEM file without a passphrase.

        Raises:
            ConfigError: It cannot be read, others may read it too, or it is no such key.
        """
        content = _content(path)
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise ConfigError(f'private key {path} has mode {mode:o}; allowed: {_PRIVATE_MODE:o}, '
                              f'so that nobody else reads it: chmod 600 {path}')
        try:
            key = load_pem_private_key(content, None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            raise ConfigError(f'{path} is no private Ed25519 key without a passphrase; allowed: a '
                              'PEM file as `racer keys new` writes it.')
        return cls(key)

    @property
    def public(self) -> PublicKey:
        """Its other half."""
        return PublicKey(self.key.public_key())

    @property
    def key_id(self) -> str:
        """Of its public key."""
        return self.public.key_id

    def write(self, path: Path) -> None:
        """Write a PEM file that only its owner may read.

        Raises:
            ConfigError: There is a file already: what it signs could never be made again.
            OSError: The disk refused.
        """
        content = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE_MODE)
        except FileExistsError:
            raise ConfigError(f'there is a key {path} already; allowed: a new name; a key that is '
                              'overwritten is lost.') from None
        with os.fdopen(handle, 'wb') as stream:
            stream.write(content)


def sign(bundle: PolicyBundle, private_key: PrivateKey) -> PolicyBundle:
    """The same bundle with a signature, in place of another if there was one.

    Args:
        bundle: The policy.
        private_key: Of whoever vouches for it.
    """
    made = private_key.key.sign(signed_bytes(bundle.card_json))
    return bundle.signed(Signature(key_id=private_key.key_id, signature=made.hex()))


@dataclass(frozen=True, slots=True)
class TrustedKeys:
    """The public keys whose policies a car drives."""

    keys: tuple[PublicKey, ...]

    @classmethod
    def read(cls, folder: Path) -> TrustedKeys:
        """Every `*.pem` of a folder.

        Raises:
            ConfigError: There is no such folder, no key in it, or a file that is no public key.
        """
        files = sorted(folder.glob('*.pem'))
        if not files:
            found = 'holds no *.pem' if folder.is_dir() else 'is no folder'
            raise ConfigError(f'trusted keys {folder} {found}; allowed: a folder of public keys; '
                              f'copy a {PUBLIC_SUFFIX} of `racer keys new` there.')
        return cls(tuple(map(PublicKey.read, files)))

    def require_signed(self, bundle: PolicyBundle) -> None:
        """Refuse a bundle that none of these keys vouches for.

        Raises:
            ModelMismatchError: It is not signed, by a key that is not here, or the signature is
                wrong.
        """
        signature, name = bundle.signature, f'policy {bundle.card.model!r} ({bundle.sha256[:12]})'
        known = {key.key_id: key for key in self.keys}
        allowed = f'allowed: a signature by {" or ".join(sorted(known))}'
        if signature is None:
            raise ModelMismatchError(f'{name} is not signed; {allowed}; sign it: '
                                     'racer models export --sign KEY.')
        if signature.key_id not in known:
            raise ModelMismatchError(f'{name} is signed by unknown key {signature.key_id}; '
                                     f'{allowed}; add its public key, if you know whose it is.')
        if not known[signature.key_id].fits(signature, bundle.card_json):
            raise ModelMismatchError(
                f'{name} has a wrong signature of key {signature.key_id}; {allowed} over this '
                'very card; it was changed after signing: get it again from who signed it.'
            )


def _content(path: Path) -> bytes:
    try:
        with path.open('rb') as stream:
            content = stream.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f'cannot read key {path}: {error.strerror}; '
                          'give a PEM file that exists.') from None
    if len(content) > _MAX_BYTES:
        raise ConfigError(f'{path} has more than {_MAX_BYTES} bytes; allowed: a PEM file with one '
                          'key.')
    return content
