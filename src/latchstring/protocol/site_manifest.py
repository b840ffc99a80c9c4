# SPDX-License-Identifier: AGPL-3.0-or-later
"""The signed list of a door's pages: what an address of theirs has to answer, for whoever asks.

LP("site-signed", LP("site", door, n, CBOR [[path, status, [[name, value], ...], [[size, H(bytes)], ...]], ...]),
Ed25519 signature over the inner LP). Paths rise, and so do the names of headers. Of bodies there is none when each
visit is answered anew, one when it is the same for all, two when it differs: in the open, and by an onion address.
Bytes are those after a packing on the way (`content-encoding`) was undone. `n` rises with each list that is signed.
"""

import re
from dataclasses import dataclass
from typing import Final

from latchstring.protocol.constants import ED25519_SIGNATURE, HASH_SIZE, MAX_SITE_ITEMS
from latchstring.protocol.encoding import (
    ProtocolError,
    decode_cbor,
    encode_cbor,
    h,
    lp,
    parse_lp,
    parse_u64,
    sized,
)
from latchstring.protocol.primitives import ed25519_sign, ed25519_verify
from latchstring.protocol.root import Door

SITE_PATH: Final = "/.well-known/latchstring-site"
MOST_HEADERS: Final = 64
_PATH: Final = re.compile(r"/[!-~]{0,255}\Z", re.ASCII)
_NAME: Final = re.compile(r"[a-z0-9-]{1,64}\Z", re.ASCII)
_VALUE: Final = re.compile(r"[ -~]{0,4096}\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Content:
    """How long a body is, and its SHA-256."""

    size: int
    digest: bytes

    @classmethod
    def of(cls, body: bytes) -> "Content":
        """The one that `body` has."""
        return cls(len(body), h(body))


@dataclass(frozen=True, slots=True)
class SiteItem:
    """What one address answers to GET. `bodies`: see above."""

    path: str
    status: int
    headers: tuple[tuple[str, str], ...]
    bodies: tuple[Content, ...]

    def body(self, onion: bool) -> Content | None:
        """What is served by an onion address, or in the open; None when each visit is answered anew."""
        return self.bodies[-1 if onion else 0] if self.bodies else None


@dataclass(frozen=True, slots=True)
class SiteManifest:
    """The whole list of one door."""

    door: Door
    n: int
    items: tuple[SiteItem, ...]

    def __post_init__(self) -> None:
        sized(self.door, HASH_SIZE, "a door")
        if not 1 <= self.n < 1 << 63:
            raise ProtocolError("a list of pages without a number")
        if len(self.items) > MAX_SITE_ITEMS:
            raise ProtocolError("a list of too many pages")
        paths = [item.path for item in self.items]
        if paths != sorted(set(paths)) or not all(map(_fits, self.items)):
            raise ProtocolError("a list of pages that is not as it must be")

    def encode(self) -> bytes:
        """What is signed."""
        items = [[i.path, i.status, list(i.headers), [[b.size, b.digest] for b in i.bodies]] for i in self.items]
        return lp("site", self.door, self.n, encode_cbor(items))

    @classmethod
    def parse(cls, raw: bytes) -> "SiteManifest":
        """ProtocolError for other bytes than what `encode` gives."""
        door, n, packed = parse_lp("site", 3, raw)
        items = decode_cbor(packed)
        if not isinstance(items, list):
            raise ProtocolError("a list of pages that is none")
        return cls(Door(door), parse_u64(n), tuple(_item(item) for item in items))

    def sign(self, seed: bytes) -> bytes:
        """The signed bytes, always the same for the same list. `seed`: the key's 32 bytes."""
        raw = self.encode()
        return lp("site-signed", raw, ed25519_sign(seed, raw))


def open_site(raw: bytes, key: bytes) -> SiteManifest:
    """The list, if `key` (Ed25519, 32 bytes) has signed it; ProtocolError otherwise."""
    inner, signature = parse_lp("site-signed", 2, raw)
    if not ed25519_verify(key, inner, sized(signature, ED25519_SIGNATURE, "a signature")):
        raise ProtocolError("a list of pages that another key has signed")
    return SiteManifest.parse(inner)


def read_site_unsigned(raw: bytes) -> SiteManifest:
    """The list, whoever has signed it: for the one who signs the next, and knows the file for their own."""
    return SiteManifest.parse(parse_lp("site-signed", 2, raw)[0])


def _item(value: object) -> SiteItem:
    match value:
        case [str(path), int(status), list(headers), list(bodies)]:
            return SiteItem(path, status, tuple(map(_header, headers)), tuple(map(_content, bodies)))
        case _:
            raise ProtocolError("a list of pages that is not as it must be")


def _header(value: object) -> tuple[str, str]:
    match value:
        case [str(name), str(text)]:
            return name, text
        case _:
            raise ProtocolError("a header of a page that is none")


def _content(value: object) -> Content:
    match value:
        case [int(size), bytes(digest)]:
            return Content(size, digest)
        case _:
            raise ProtocolError("a page's hash that is none")


def _fits(item: SiteItem) -> bool:
    names = [name for name, _ in item.headers]
    return (
        bool(_PATH.match(item.path))
        and not isinstance(item.status, bool)
        and 200 <= item.status < 600
        and len(names) <= MOST_HEADERS
        and names == sorted(set(names))
        and all(_NAME.match(name) and _VALUE.match(value) for name, value in item.headers)
        and len(item.bodies) <= 2
        and all(
            not isinstance(b.size, bool) and 0 <= b.size < 1 << 63 and len(b.digest) == HASH_SIZE for b in item.bodies
        )
    )
