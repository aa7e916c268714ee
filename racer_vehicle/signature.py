"""What a policy bundle says about who vouches for it, before anybody believes it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from racer_vehicle.errors import ConfigError, ModelMismatchError
from racer_vehicle.spec import require_range
from racer_vehicle.strict_json import from_object, parse_object, to_json

SIGNATURE_FORMAT: Final = 1
KEY_ID_DIGITS: Final = 32

_MEANING: Final = b'racer policy bundle, signature format 1\0'


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """An Ed25519 signature over a bundle's card, which holds the network's SHA-256.

    Attributes:
        format: Of the signature.
        key_id: Of the key that is said to have made it; see `PublicKey.key_id`.
        signature: 64 bytes, hexadecimal.
    """

    format: int = SIGNATURE_FORMAT
    key_id: str
    signature: str

    def __post_init__(self) -> None:
        require_range(self, format=(SIGNATURE_FORMAT, SIGNATURE_FORMAT))
        for name, digits in (('key_id', KEY_ID_DIGITS), ('signature', 128)):
            if not re.fullmatch(f'[0-9a-f]{{{digits}}}', getattr(self, name)):
                raise ConfigError(f'Signature.{name} is {getattr(self, name)!r}; allowed: '
                                  f'{digits} hexadecimal digits.')

    @classmethod
    def from_json(cls, text: str | bytes) -> Signature:
        """The signature that `to_json` wrote.

        Raises:
            ModelMismatchError: It is no such signature, or one of another format.
        """
        try:
            return from_object(cls, parse_object(text, 'the signature'), 'the signature')
        except ConfigError as error:
            raise ModelMismatchError(f'the bundle is refused: {error}') from None

    def to_json(self) -> str:
        """Readable JSON, the same text for equal signatures."""
        return to_json(self)


def signed_bytes(card_json: bytes) -> bytes:
    """What is signed for a card.

    The words before the card keep a signature that a key made for anything else from being one
    for a bundle.

    Args:
        card_json: The card's file, byte for byte.
    """
    return _MEANING + card_json
