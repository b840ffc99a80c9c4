# SPDX-License-Identifier: AGPL-3.0-or-later
"""Replies: slots of 3072 bytes in the pages of a sheet, tag (16) ‖ enc ‖ ciphertext.

Only the source can compute the tag of its own slot; to everyone else, the server included, a reply and
noise look the same. Plaintext (1920): rest = LP("reply-body", reply id, CBOR),
HMAC(K_reply, H(LP("reply-mac", n, page, r, j, rest))), zeros.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from latchstring.protocol import constants as c
from latchstring.protocol.encoding import (
    Fields,
    ProtocolError,
    decode_cbor,
    encode_cbor,
    h,
    lp,
    read_lp,
    sized,
)
from latchstring.protocol.epoch import EpochNote
from latchstring.protocol.hpke import OpenKey
from latchstring.protocol.pair import Pair
from latchstring.protocol.primitives import mac, same

MAX_ACKS = 64


@dataclass(frozen=True, slots=True)
class Place:
    """Where a slot is: sheet number, page number, the page's 16 random bytes, slot number. A tag counts only there."""

    sheet: int
    page: int
    r: bytes
    slot: int


@dataclass(frozen=True, slots=True)
class ReplyBody:
    """What a reply says. `acks`: the first 8 bytes of the ids of letters a human opened. `known`: marked as known."""

    text: str = field(repr=False)
    acks: tuple[bytes, ...] = field(default=(), repr=False)
    known: bool = False

    def encode(self) -> bytes:
        """CBOR; ProtocolError when it does not fit one slot."""
        raw = _encode(self)
        if len(raw) > c.REPLY_CBOR_MAX:
            raise ProtocolError("a reply that is too long for one slot")
        return raw

    @classmethod
    def parse(cls, raw: bytes) -> "ReplyBody":
        """ProtocolError for anything else than a reply's body of this version."""
        f = Fields(decode_cbor(raw), "reply")
        text, acks, known = f.text("text"), f.items("acks", MAX_ACKS), f.flag("known")
        f.done()
        for ack in acks:
            if not isinstance(ack, bytes) or len(ack) != c.ACK_SIZE:
                raise ProtocolError("reply: 'acks' holds something else than letters' marks")
        return cls(text, tuple(a for a in acks if isinstance(a, bytes)), known)


def _encode(body: ReplyBody) -> bytes:
    return encode_cbor({"text": body.text, "acks": list(body.acks), "known": body.known})


def room_left(body: ReplyBody) -> int:
    """How many bytes of UTF-8 text still fit; negative when it is too long already."""
    return c.REPLY_CBOR_MAX - len(_encode(body))


@dataclass(frozen=True, slots=True)
class OpenedReply:
    """A reply whose tag, seal and MAC hold. `body` is None when this version cannot read `cbor`."""

    place: Place
    reply_id: bytes = field(repr=False)
    cbor: bytes = field(repr=False)
    body: ReplyBody | None


def reply_tag(tag_key: bytes, place: Place) -> bytes:
    """HMAC(K_tag, LP("reply-tag", n, page, r, j))[:16]."""
    return mac(tag_key, lp("reply-tag", place.sheet, place.page, place.r, place.slot))[: c.TAG_SIZE]


def _info(note: EpochNote, place: Place) -> bytes:
    return lp("reply", note.door, note.desk, note.hash, place.sheet, place.page, place.r, place.slot)


def _reply_mac(pair: Pair, place: Place, rest: bytes) -> bytes:
    return mac(pair.key("reply"), h(lp("reply-mac", place.sheet, place.page, place.r, place.slot, rest)))


def seal_reply(pair: Pair, place: Place, reply_id: bytes, body: ReplyBody) -> bytes:
    """The slot's 3072 bytes for one place; ProtocolError when the body is too long."""
    rest = lp("reply-body", sized(reply_id, c.REPLY_ID, "a reply's id"), body.encode())
    plain = (rest + _reply_mac(pair, place, rest)).ljust(c.REPLY_PLAIN, b"\0")
    return reply_tag(pair.key("tag"), place) + pair.thread_keys.seal_key.seal(plain, _info(pair.note, place))


def noise_slot(random: Callable[[int], bytes]) -> bytes:
    """A true seal to a key that is thrown away, under a random tag."""
    key = OpenKey.from_secret(random(c.SYM_KEY)).seal_key()
    return random(c.TAG_SIZE) + key.seal(random(c.REPLY_PLAIN), lp("filler"))


def open_reply(pair: Pair, open_key: OpenKey, place: Place, slot: bytes) -> OpenedReply:
    """Open a slot whose tag was found to be ours.

    NotOurs when it does not open; ProtocolError when the tag, the padding or the MAC is wrong.
    """
    sized(slot, c.SLOT_SIZE, "a slot")
    if not same(slot[: c.TAG_SIZE], reply_tag(pair.key("tag"), place)):
        raise ProtocolError("a slot that is not this thread's")
    plain = open_key.open(slot[c.TAG_SIZE :], _info(pair.note, place))
    (reply_id, cbor), used = read_lp("reply-body", 2, plain)
    sized(reply_id, c.REPLY_ID, "a reply's id")
    if used + c.MAC_SIZE > len(plain) or plain[used + c.MAC_SIZE :].strip(b"\0"):
        raise ProtocolError("a reply that is not padded as it must be")
    if not same(_reply_mac(pair, place, plain[:used]), plain[used : used + c.MAC_SIZE]):
        raise ProtocolError("a reply whose writer does not hold the thread's keys")
    try:
        body = ReplyBody.parse(cbor)
    except ProtocolError:
        body = None
    return OpenedReply(place, reply_id, cbor, body)
