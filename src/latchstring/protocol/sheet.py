# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sheets: what the door publishes every 36 ticks for everyone to download whole.

A page is r (16 random bytes) ‖ slots of 3072 bytes, made by the member whom the directory names for it.
A sheet is LP("sheet", n, close, H(directory), CBOR [[page, slots, desk, H(epoch note)], ...], pages).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from latchstring.protocol import constants as c
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
from latchstring.protocol.reply import noise_slot

MAX_SHEET = 8 * 1024 * 1024


def page_size(slots: int) -> int:
    """Bytes of a page: 16 + 3072 a slot."""
    return c.PAGE_RANDOM + slots * c.SLOT_SIZE


@dataclass(frozen=True, slots=True)
class PageHead:
    """What a sheet's header says of one page. `note` is H(epoch note), zeros when the desk has none."""

    slots: int
    desk: str
    note: bytes


@dataclass(frozen=True, slots=True)
class Sheet:
    """A parsed sheet. `n` its number, `close` the batch it closed in, `raw` its bytes, `hash` their SHA-256."""

    n: int
    close: int
    directory: bytes
    heads: tuple[PageHead, ...]
    pages: tuple[bytes, ...] = field(repr=False)
    raw: bytes = field(repr=False)
    hash: bytes

    def slot(self, page: int, slot: int) -> bytes:
        """The 3072 bytes of one slot."""
        start = c.PAGE_RANDOM + slot * c.SLOT_SIZE
        return self.pages[page][start : start + c.SLOT_SIZE]

    def r(self, page: int) -> bytes:
        """The page's 16 random bytes."""
        return self.pages[page][: c.PAGE_RANDOM]


def noise_page(slots: int, random: Callable[[int], bytes]) -> bytes:
    """A page with no reply in it."""
    return random(c.PAGE_RANDOM) + b"".join(noise_slot(random) for _ in range(slots))


def make_sheet(n: int, close: int, directory: bytes, heads: Sequence[PageHead], pages: Sequence[bytes]) -> Sheet:
    """Put pages together; ProtocolError when a page does not have the size its head says."""
    if len(heads) != len(pages):
        raise ProtocolError("a sheet with more heads than pages, or fewer")
    for head, page in zip(heads, pages, strict=True):
        sized(page, page_size(head.slots), "a page")
    index = encode_cbor([[i, k.slots, k.desk, k.note] for i, k in enumerate(heads)])
    raw = lp("sheet", n, close, directory, index, b"".join(pages))
    return Sheet(n, close, directory, tuple(heads), tuple(pages), raw, h(raw))


def parse_sheet(raw: bytes) -> Sheet:
    """ProtocolError for other bytes. Whether it is the door's: the manifest names its hash."""
    if len(raw) > MAX_SHEET:
        raise ProtocolError("a sheet that is too long")
    n, close, directory, index, body = parse_lp("sheet", 5, raw)
    sized(directory, c.HASH_SIZE, "a hash")
    items = decode_cbor(index)
    if not isinstance(items, list):
        raise ProtocolError("a sheet whose header is not a list")
    heads, pages, offset = [], [], 0
    for number, item in enumerate(items):
        match item:
            case [int(page), int(slots), str(desk), bytes(note)] if (
                type(page) is type(slots) is int  # true is no second way to write 1
                and page == number
                and 1 <= slots <= 256
                and len(note) == c.HASH_SIZE
            ):
                size = page_size(slots)
                heads.append(PageHead(slots, desk, note))
                pages.append(sized(body[offset : offset + size], size, "a page"))
                offset += size
            case _:
                raise ProtocolError("a sheet whose header is not as it must be")
    if offset != len(body):
        raise ProtocolError("a sheet with bytes left over")
    return Sheet(parse_u64(n), parse_u64(close), directory, tuple(heads), tuple(pages), raw, h(raw))


def sheet_index_hash(index: Sequence[tuple[int, bytes]]) -> bytes:
    """H of the CBOR list of [n, H(sheet)] of the last 84 sheets, oldest first."""
    return h(encode_cbor([[n, digest] for n, digest in index]))
