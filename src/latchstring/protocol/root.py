# SPDX-License-Identifier: AGPL-3.0-or-later
"""Root keys: Ed25519 (RFC 8032) beside ML-DSA-44 (FIPS 204), kept offline. Their hash at founding is the door."""

from dataclasses import dataclass, field
from typing import NewType

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from latchstring.protocol.constants import ED25519_SIGNATURE, MLDSA_PUBLIC, MLDSA_SIGNATURE
from latchstring.protocol.encoding import h, lp, sized
from latchstring.protocol.primitives import check_ed25519, ed25519_public, ed25519_sign, ed25519_verify

Door = NewType("Door", bytes)


@dataclass(frozen=True, slots=True)
class RootPublic:
    """Both public halves: 32 and 1312 bytes."""

    ed25519: bytes
    mldsa: bytes

    def __post_init__(self) -> None:
        check_ed25519(self.ed25519)
        sized(self.mldsa, MLDSA_PUBLIC, "a root key")

    def door(self) -> Door:
        """H(LP("door", Ed25519 key, ML-DSA-44 key)), 32 bytes."""
        return Door(h(lp("door", self.ed25519, self.mldsa)))

    def verify(self, message: bytes, signature: "RootSignature") -> bool:
        """Do both signatures hold? One alone is not enough."""
        if not ed25519_verify(self.ed25519, message, signature.ed25519):
            return False
        try:
            MLDSA44PublicKey.from_public_bytes(self.mldsa).verify(signature.mldsa, message)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class RootSignature:
    """Both signatures: 64 and 2420 bytes. ML-DSA signing is randomised: the signed bytes are what is kept."""

    ed25519: bytes
    mldsa: bytes

    def __post_init__(self) -> None:
        sized(self.ed25519, ED25519_SIGNATURE, "a root signature")
        sized(self.mldsa, MLDSA_SIGNATURE, "a root signature")


@dataclass(frozen=True, slots=True)
class RootKeys:
    """The two 32-byte seeds."""

    ed25519_seed: bytes = field(repr=False)
    mldsa_seed: bytes = field(repr=False)

    def public(self) -> RootPublic:
        """The public halves."""
        mldsa = MLDSA44PrivateKey.from_seed_bytes(self.mldsa_seed).public_key().public_bytes_raw()
        return RootPublic(ed25519_public(self.ed25519_seed), mldsa)

    def sign(self, message: bytes) -> RootSignature:
        """Both signatures over `message`."""
        mldsa = MLDSA44PrivateKey.from_seed_bytes(self.mldsa_seed).sign(message)
        return RootSignature(ed25519_sign(self.ed25519_seed, message), mldsa)
