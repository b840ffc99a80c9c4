# SPDX-License-Identifier: AGPL-3.0-or-later
"""The small primitives: HKDF-Expand and HMAC with SHA-256, X25519 with its two refusals, Argon2id, Ed25519.

RFC 5869, RFC 2104, RFC 7748, RFC 9106, RFC 8032.
"""

import hashlib
import hmac
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from latchstring.protocol.constants import ARGON2_LANES, ARGON2_MEMORY_KIB, ARGON2_PASSES
from latchstring.protocol.encoding import ProtocolError, sized

_P: Final = (1 << 255) - 19
# The canonical values of small order on Curve25519 and its twist: with them the shared value is all zeros.
_SMALL_ORDER: Final = frozenset(
    value.to_bytes(32, "little")
    for value in (
        0,
        1,
        _P - 1,
        325606250916557431795983626356110631294008115727848805560023387167927233504,
        39382357235489614581723060781553021112529911719440698176882885853963445705823,
    )
)
# Edwards y-coordinates of the points of small order (1, 2, 4 or 8).
_SMALL_ORDER_Y: Final = frozenset(
    (
        0,
        1,
        _P - 1,
        2707385501144840649318225287225658788936804267575313519463743609750303402022,
        55188659117513257062467267217118295137698188065244968500265048394206261417927,
    )
)
_D: Final = -121665 * pow(121666, -1, _P) % _P  # of Ed25519's curve, RFC 8032 section 5.1


def expand(secret: bytes, info: bytes, size: int = 32) -> bytes:
    """HKDF-Expand-SHA256(secret, info, size), RFC 5869 section 2.3; at most 8160 bytes."""
    out = block = b""
    for count in range(1, -(-size // 32) + 1):
        block = hmac.digest(secret, block + info + bytes([count]), hashlib.sha256)
        out += block
    return out[:size]


def mac(key: bytes, message: bytes) -> bytes:
    """HMAC-SHA256, 32 bytes."""
    return hmac.digest(key, message, hashlib.sha256)


def same(a: bytes, b: bytes) -> bool:
    """Equality that takes the same time wherever the two differ."""
    return hmac.compare_digest(a, b)


def argon2id(secret: bytes, salt: bytes, memory_kib: int = ARGON2_MEMORY_KIB, passes: int = ARGON2_PASSES) -> bytes:
    """32 bytes from a secret of few bits; 64 MiB, three passes, one lane unless told."""
    return Argon2id(salt=salt, length=32, iterations=passes, lanes=ARGON2_LANES, memory_cost=memory_kib).derive(secret)


def x25519_public(private: bytes) -> bytes:
    """The 32-byte public value of a 32-byte private one."""
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def check_x25519(public: bytes) -> bytes:
    """`public` itself; ProtocolError unless it is 32 bytes below 2^255 - 19 and of no small order (RFC 7748)."""
    sized(public, 32, "a key-agreement value")
    if int.from_bytes(public, "little") >= _P:
        raise ProtocolError("a key-agreement value that is not canonical")
    if public in _SMALL_ORDER:
        raise ProtocolError("a key-agreement value of small order")
    return public


def x25519(private: bytes, public: bytes) -> bytes:
    """The shared 32 bytes; ProtocolError for a public value that is not canonical or gives all zeros."""
    return x25519_shared(x25519_private(private), public)


def x25519_private(private: bytes) -> X25519PrivateKey:
    """A private value made ready, for those who use it often: making it ready costs as much as using it."""
    return X25519PrivateKey.from_private_bytes(private)


def x25519_shared(private: X25519PrivateKey, public: bytes) -> bytes:
    """As `x25519`, with a private value that was made ready."""
    check_x25519(public)
    try:
        return private.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:
        raise ProtocolError("a key-agreement value of small order") from None


def ed25519_key(private: bytes) -> Ed25519PrivateKey:
    """A seed made ready for signing often."""
    return Ed25519PrivateKey.from_private_bytes(private)


def ed25519_public(private: bytes) -> bytes:
    """The 32-byte public key of a 32-byte seed."""
    return Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def ed25519_sign(private: bytes, message: bytes) -> bytes:
    """A 64-byte signature, deterministic."""
    return Ed25519PrivateKey.from_private_bytes(private).sign(message)


@lru_cache(maxsize=512)  # the same few keys come with every /visit
def check_ed25519(public: bytes) -> bytes:
    """`public` itself; ProtocolError unless it is the one encoding of a point (RFC 8032 section 5.1.3) that is of no
    small order.

    For keys where they are parsed: not every library refuses them when it verifies. Under a key of small order anybody
    makes signatures that hold, one of them for many messages; where a point has two encodings, two keys that look
    different are one. Chalkias, Garillot, Nikolaenko, 'Taming the Many EdDSAs' (SSR 2020, eprint 2020/1244).
    """
    number = int.from_bytes(sized(public, 32, "a signing key"), "little")
    y = number & ((1 << 255) - 1)
    # x^2 = (y^2 - 1) / (d y^2 + 1): 1 if that is a square, as the product is then too; 0 if x is (Euler's criterion)
    square = pow((y * y - 1) * (_D * y * y + 1), (_P - 1) // 2, _P)
    if y >= _P or square > 1 or (square == 0 and y != number):
        raise ProtocolError("a signing key that is not the one encoding of a point")
    if y in _SMALL_ORDER_Y:
        raise ProtocolError("a signing key of small order")
    return public


def ed25519_verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Does the signature hold?"""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
