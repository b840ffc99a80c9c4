# SPDX-License-Identifier: AGPL-3.0-or-later
"""Ed25519 public keys that must be refused wherever one is parsed, since anybody can sign for them or they have another
encoding; keys that look strange and are taken; and a directory, with the places where it names such keys.
"""

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
        "directory_body": body.hex(),
        "places": {name: body.index(key) for name, key in keys.items()},
    }
