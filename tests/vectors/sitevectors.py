# SPDX-License-Identifier: AGPL-3.0-or-later
"""The signed list of a door's pages: the same bytes each time, and lists that must be refused."""

from typing import Any

from latchstring.protocol.encoding import encode_cbor, h, lp
from latchstring.protocol.primitives import ed25519_public, ed25519_sign
from latchstring.protocol.root import Door
from latchstring.protocol.site_manifest import Content, SiteItem, SiteManifest

SEED = bytes(range(32, 64))
DOOR = Door(bytes(range(32)))


def example() -> SiteManifest:
    """One page that is made anew at each visit, one that differs by Tor, one file."""
    html = (("cache-control", "no-cache"), ("content-type", "text/html; charset=utf-8"))
    return SiteManifest(
        DOOR,
        7,
        (
            SiteItem("/en/before", 200, html, (Content.of(b"in the open"), Content.of(b"by an onion address"))),
            SiteItem("/en/write", 200, html, ()),
            SiteItem("/static/site.css", 200, (("content-type", "text/css; charset=utf-8"),), (Content.of(b"a{}"),)),
        ),
    )


def _signed(n: int, items: object, door: bytes = DOOR) -> bytes:
    inner = lp("site", door, n, encode_cbor(items))
    return lp("site-signed", inner, ed25519_sign(SEED, inner))


def site() -> dict[str, Any]:
    """The list, its signature, and what is refused although the key has signed it."""
    manifest = example()
    digest = h(b"a{}")
    good = ["/a", 200, [["content-type", "text/css"]], [[3, digest]]]

    def item(place: int, value: object) -> list[object]:
        return [[*good[:place], value, *good[place + 1 :]]]

    refused: dict[str, bytes] = {
        "number 0": _signed(0, [good]),
        "a door of 31 bytes": _signed(1, [good], DOOR[:-1]),
        "no list": _signed(1, {"/a": 200}),
        "out of order": _signed(1, [["/b", *good[1:]], good]),
        "an address twice": _signed(1, [good, good]),
        "an address elsewhere": _signed(1, item(0, "http://a")),
        "an address with a space": _signed(1, item(0, "/a b")),
        "a status that is none": _signed(1, item(1, 99)),
        "a status that is true": _signed(1, item(1, True)),
        "a header in capitals": _signed(1, item(2, [["Content-Type", "text/css"]])),
        "a header with a line break": _signed(1, item(2, [["a", "b\r\nc: d"]])),
        "a header twice": _signed(1, item(2, [["a", "b"], ["a", "c"]])),
        "headers out of order": _signed(1, item(2, [["b", ""], ["a", ""]])),
        "three bodies": _signed(1, item(3, [[3, digest], [4, digest], [5, digest]])),
        "a hash of 31 bytes": _signed(1, item(3, [[3, digest[:-1]]])),
        "a size below nothing": _signed(1, item(3, [[-1, digest]])),
        "a fifth part": _signed(1, [[*good, 1]]),
        "cut short": manifest.sign(SEED)[:-1],
        "another signature": manifest.sign(bytes(32)),
    }
    return {
        "seed": SEED.hex(),
        "key": ed25519_public(SEED).hex(),
        "door": manifest.door.hex(),
        "number": manifest.n,
        "items": [
            {"path": i.path, "status": i.status, "headers": [list(pair) for pair in i.headers],
             "bodies": [{"size": b.size, "hash": b.digest.hex()} for b in i.bodies]}
            for i in manifest.items
        ],
        "signed": manifest.sign(SEED).hex(),
        "refused": [{"why": why, "signed": raw.hex()} for why, raw in refused.items()],
    }  # fmt: skip
