# SPDX-License-Identifier: AGPL-3.0-or-later
"""Ed25519 public keys that must be refused wherever one is parsed, since anybody can sign for them or they have another
encoding; keys that look strange and are taken; a directory, with the places where it names such keys; and signatures
that only whoever holds a key can make, which one library takes and another refuses.
"""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from latchstring.log.cosignature import witness_of
from latchstring.protocol.directory import encode_directory
from latchstring.protocol.primitives import ed25519_public
from latchstring.protocol.site_key import SiteKey
from tests.builders import Stream, found
from tests.vectors.logvectors import COSIGNER

P: Final = (1 << 255) - 19
SIGN: Final = 1 << 255  # the highest bit says which of the two x it is
ORDER_8: Final = (
    2707385501144840649318225287225658788936804267575313519463743609750303402022,
    55188659117513257062467267217118295137698188065244968500265048394206261417927,
)

REFUSED: Final[dict[str, int]] = {
    "the neutral point: its signature is 32 bytes of it and 32 zeros, for any message": 1,
    "of order 2": P - 1,
    "of order 4": 0,
    "of order 4, the other x": SIGN,
    "of order 8": ORDER_8[0],
    "of order 8, the other x": ORDER_8[0] | SIGN,
    "of order 8, the other y": ORDER_8[1],
    "of order 8, the other y and x": ORDER_8[1] | SIGN,
    "the neutral point with the sign of an x that is 0": 1 | SIGN,
    "of order 2 with the sign of an x that is 0": (P - 1) | SIGN,
    "of order 4, as p": P,
    "of order 4, as p, the other x": P | SIGN,
    "the neutral point, as p + 1": P + 1,
    "a point of large order, as p + 3": P + 3,
    "a point of large order, as p + 3, the other x": (P + 3) | SIGN,
    "the highest number": (1 << 256) - 1,
    "no point: y is 2": 2,
    "no point: y is 2, the other sign": 2 | SIGN,
}
TAKEN: Final[dict[str, int]] = {
    "y is 3": 3,
    "y is 3, the other x": 3 | SIGN,
    "the highest y of a point of large order: p - 3": P - 3,
}


def _key(number: int) -> bytes:
    return number.to_bytes(32, "little")


# --- the curve, for signatures that no library makes (RFC 8032, section 5.1) ---------------------------

Point = tuple[int, int]
L: Final = (1 << 252) + 27742317777372353535851937790883648493  # the order of B
D: Final = -121665 * pow(121666, -1, P) % P
NEUTRAL: Final[Point] = (0, 1)
BASE: Final[Point] = (
    15112221349535400772501151409588531511454012693041857206046113283949847762202,
    46316835694926478169428394003475163141307993866256225615783033603165251855960,
)
SQUARE_ROOT: Final = pow(2, (P - 1) // 4, P)  # of -1: (it, 0) is of order 4


def _add(a: Point, b: Point) -> Point:
    (x1, y1), (x2, y2) = a, b
    t = D * x1 * x2 * y1 * y2
    return (x1 * y2 + y1 * x2) * pow(1 + t, -1, P) % P, (y1 * y2 + x1 * x2) * pow(1 - t, -1, P) % P


def _times(number: int, point: Point) -> Point:
    total = NEUTRAL
    for bit in f"{number:b}":
        total = _add(total, total)
        if bit == "1":
            total = _add(total, point)
    return total


def _raw(point: Point) -> bytes:
    return _key(point[1] | (point[0] & 1) << 255)


def _order_8() -> Point:
    """The first of `ORDER_8`, with an x that is even."""
    y = ORDER_8[0]
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if x * x % P == square else x * SQUARE_ROOT % P
    return (x if x % 2 == 0 else P - x), y


def _hashed(*parts: bytes) -> int:
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little") % L


def _signature(
    a: int, key: bytes, r: int, message: bytes, *, beside: Point = NEUTRAL, more: int = 0
) -> tuple[bytes, int]:
    """By whoever holds `a`: R is r times B and what stands `beside` it, S is as it must be, and `more`; and k."""
    big_r = _raw(_add(_times(r, BASE), beside))
    k = _hashed(big_r, key, message)
    return big_r + _key((r + k * a) % L + more), k


def _until(wanted: Callable[[int], bool], a: int, key: bytes, r: int) -> tuple[bytes, bytes]:
    """The first message, of a few letters, whose k is as wanted, and its signature."""
    for number in range(1000):
        message = b"message %d" % number
        signature, k = _signature(a, key, r, message)
        if wanted(k):
            return message, signature
    raise AssertionError("not found")


def signatures() -> list[dict[str, Any]]:
    """`holds`: by R = S B - k A, R compared as bytes. With both sides times 8 all would but the last three."""
    a, r, message = _hashed(b"vector a"), _hashed(b"vector r"), b"a checkpoint that not everybody believes"
    plain, torsion = _raw(_times(a, BASE)), _order_8()
    mixed = _raw(_add(_times(a, BASE), torsion))
    two, four = (0, P - 1), (SQUARE_ROOT, 0)
    to_mixed, other_k = _until(lambda k: k % 8 == 0, a, mixed, r), _until(lambda k: k % 8 == 3, a, mixed, r)
    cases: list[tuple[str, bool, bytes, bytes, bytes]] = [
        ("as it must be", True, plain, message, _signature(a, plain, r, message)[0]),
        ("R is the neutral point", True, plain, message, _signature(a, plain, 0, message)[0]),
        ("a key with a part of order 8, k a multiple of 8", True, mixed, *to_mixed),
        ("a key with a part of order 8, another k", False, mixed, *other_k),
        ("R with a part of order 2", False, plain, message, _signature(a, plain, r, message, beside=two)[0]),
        ("R with a part of order 4", False, plain, message, _signature(a, plain, r, message, beside=four)[0]),
        ("R with a part of order 8", False, plain, message, _signature(a, plain, r, message, beside=torsion)[0]),
        ("R is of order 8", False, plain, message, _signature(a, plain, 0, message, beside=torsion)[0]),
        ("S and the order of B", False, plain, message, _signature(a, plain, r, message, more=L)[0]),
        ("R is the neutral point, as p + 1", False, plain, message, _neutral_as(P + 1, a, plain, message)),
        ("another message", False, plain, message + b"!", _signature(a, plain, r, message)[0]),
    ]
    return [
        {"why": why, "holds": holds, "key": key.hex(), "message": text.hex(), "signature": made.hex()}
        for why, holds, key, text, made in cases
    ]


def _neutral_as(number: int, a: int, key: bytes, message: bytes) -> bytes:
    big_r = _key(number)
    return big_r + _key(_hashed(big_r, key, message) * a % L)


def signing_keys() -> dict[str, Any]:
    """`places`: where in the directory's body a key of 32 bytes stands that signatures are checked with."""
    directory = found("vectors").directory
    witness = witness_of(COSIGNER.keys[:1], "https://witness.example")
    site = SiteKey(ed25519_public(Stream("vector-site")(32)))
    whole = replace(directory, witnesses=(witness,), quorum=1, site=site)
    body = encode_directory(whole)
    keys = {
        "log": whole.log_key,
        "receipt": whole.receipt_key,
        "member": whole.desks[0].members[0].sign_key,
        "witness": witness.ed25519 or b"",
        "site": site.key,
    }
    return {
        "refused": [{"why": why, "key": _key(number).hex()} for why, number in REFUSED.items()],
        "taken": [{"why": why, "key": _key(number).hex()} for why, number in TAKEN.items()],
        "signatures": signatures(),
        "directory_body": body.hex(),
        "places": {name: body.index(key) for name, key in keys.items()},
    }
