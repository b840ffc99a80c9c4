# SPDX-License-Identifier: AGPL-3.0-or-later
"""HPKE base mode with X-Wing, HKDF-SHA256 and ChaCha20-Poly1305 (RFC 9180, draft-ietf-hpke-pq, KEM 0x647a).

There is no AAD: what a seal belongs to goes into `info`. The library seals with its own randomness.
A sealed message is enc (1120 bytes) and then the ciphertext.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from latchstring.protocol.constants import MLKEM_PUBLIC, SYM_KEY, XWING_PUBLIC
from latchstring.protocol.encoding import ProtocolError, sized
from latchstring.protocol.primitives import check_x25519

_SUITE: Final = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)


class NotOurs(Exception):
    """The message does not open with this key and info: sealed to another, or changed on the way."""


@dataclass(frozen=True, slots=True)
class SealKey:
    """An X-Wing public key, 1216 bytes, parsed and checked."""

    raw: bytes
    _key: hpke.MLKEM768X25519PublicKey = field(repr=False, compare=False)

    @classmethod
    def parse(cls, raw: bytes) -> "SealKey":
        """ProtocolError when the length is wrong, the ML-KEM part is not reduced, or the X25519 part is refused.

        A key of small order could not be sealed to: the refusal comes here, not when an answer is due.
        """
        sized(raw, XWING_PUBLIC, "a sealing key")
        check_x25519(raw[MLKEM_PUBLIC:])
        try:
            key = hpke.MLKEM768X25519PublicKey(
                MLKEM768PublicKey.from_public_bytes(raw[:MLKEM_PUBLIC]),
                X25519PublicKey.from_public_bytes(raw[MLKEM_PUBLIC:]),
            )
        except ValueError:
            raise ProtocolError("a sealing key that is not valid") from None
        return cls(raw, key)

    def seal(self, plaintext: bytes, info: bytes) -> bytes:
        """enc ‖ ciphertext: 1136 bytes longer than the plaintext."""
        return _SUITE.encrypt(plaintext, self._key, info)


@dataclass(frozen=True, slots=True)
class OpenKey:
    """An X-Wing private key, made from a 32-byte secret as in the X-Wing draft."""

    public: bytes
    _key: hpke.MLKEM768X25519PrivateKey = field(repr=False, compare=False)

    @classmethod
    def from_secret(cls, secret: bytes) -> "OpenKey":
        """Expand 32 bytes by SHAKE-256 to 96: 64 for ML-KEM-768, 32 for X25519."""
        sized(secret, SYM_KEY, "a key's secret")
        e = hashlib.shake_256(secret).digest(96)
        m = MLKEM768PrivateKey.from_seed_bytes(e[:64])
        x = X25519PrivateKey.from_private_bytes(e[64:])
        public = m.public_key().public_bytes_raw() + x.public_key().public_bytes_raw()
        return cls(public, hpke.MLKEM768X25519PrivateKey(m, x))

    def open(self, sealed: bytes, info: bytes) -> bytes:
        """The plaintext; NotOurs when it does not open."""
        try:
            return _SUITE.decrypt(sealed, self._key, info)
        except (InvalidTag, ValueError):
            raise NotOurs from None

    def seal_key(self) -> SealKey:
        """The public half, ready to seal to."""
        return SealKey.parse(self.public)
