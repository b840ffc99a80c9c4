# SPDX-License-Identifier: AGPL-3.0-or-later
"""Memos: what the members of a desk say to each other, in letters that the server cannot tell from a source's.

4096 bytes, sealed to the desk's epoch with a letter's `info`. Plaintext (2960): memo' = LP("memo-body", msg_id, CBOR),
HMAC(desk key, H(LP("memo-mac", memo'))), zeros. CBOR is {"v": 1, "from": member, "facts": [...]}, each fact a map with
a text under "kind". The MAC says that whoever wrote it holds the epoch: a member of the desk, no matter which.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from latchstring.protocol import constants as c
from latchstring.protocol.encoding import Fields, ProtocolError, decode_cbor, encode_cbor, h, lp, read_lp, sized
from latchstring.protocol.epoch import OpenEpoch
from latchstring.protocol.letter import letter_info, open_sealed
from latchstring.protocol.names import is_name
from latchstring.protocol.primitives import mac, same

MAX_KIND = 32  # characters of a fact's kind

Fact = Mapping[str, object]
"""A map with a text under "kind"; what else it holds is the kind's affair."""


@dataclass(frozen=True, slots=True)
class MemoBody:
    """What a memo says, in its order. `member` wrote it, or any other member did in that name."""

    member: str
    facts: tuple[Fact, ...] = field(default=(), repr=False)

    def encode(self) -> bytes:
        """CBOR; ProtocolError when it does not fit one memo (see `facts_that_fit`) or is not what `parse` takes."""
        raw = _encode(self.member, self.facts)
        if len(raw) > c.MEMO_CBOR_MAX:
            raise ProtocolError("a memo that is too long for one envelope")
        if not is_name(self.member):
            raise ProtocolError("memo: 'from' is not the name of a member")
        for fact in self.facts:
            kind_of(fact)
        return raw

    @classmethod
    def parse(cls, raw: bytes) -> "MemoBody":
        """ProtocolError for anything else than a memo's body of this version."""
        f = Fields(decode_cbor(raw), "memo")
        f.count("v", 1, 1)
        member, facts = f.text("from", 32), f.items("facts")
        f.done()
        if not is_name(member):
            raise ProtocolError("memo: 'from' is not the name of a member")
        return cls(member, tuple(_fact(item) for item in facts))


def _encode(member: str, facts: Sequence[Fact]) -> bytes:
    return encode_cbor({"v": 1, "from": member, "facts": [dict(fact) for fact in facts]})


def _fact(item: object) -> Fact:
    if not isinstance(item, dict):
        raise ProtocolError("memo: a fact that is not a map")
    kind_of(item)
    return item


def kind_of(fact: Fact) -> str:
    """Which kind of fact it is; ProtocolError when it does not say."""
    kind = fact.get("kind")
    if not isinstance(kind, str) or not 0 < len(kind) <= MAX_KIND:
        raise ProtocolError("memo: a fact without a kind")
    return kind


def facts_that_fit(member: str, facts: Sequence[Fact]) -> int:
    """How many of `facts`, from the first on, go together into one memo."""
    size = len(_encode(member, ())) + 2  # a list of up to 65,535 items has two more bytes of length than an empty one
    for count, fact in enumerate(facts):
        size += len(encode_cbor(dict(fact)))
        if size > c.MEMO_CBOR_MAX:
            return count
    return len(facts)


@dataclass(frozen=True, slots=True)
class OpenedMemo:
    """A memo whose MAC holds. `body` is None when this version cannot read `cbor`."""

    epoch: bytes  # H(epoch note)
    msg_id: bytes = field(repr=False)
    cbor: bytes = field(repr=False)
    body: MemoBody | None


def _memo_mac(epoch: OpenEpoch, framed: bytes) -> bytes:
    return mac(epoch.desk_key, h(lp("memo-mac", framed)))


def frame_memo(epoch: OpenEpoch, msg_id: bytes, cbor: bytes) -> bytes:
    """The 2960 bytes of plaintext."""
    framed = lp("memo-body", sized(msg_id, c.MSG_ID, "a memo's id"), cbor)
    plain = framed + _memo_mac(epoch, framed)
    if len(plain) > c.LETTER_PLAIN:
        raise ProtocolError("a memo that is too long for one envelope")
    return plain.ljust(c.LETTER_PLAIN, b"\0")


def seal_memo(epoch: OpenEpoch, msg_id: bytes, body: MemoBody) -> bytes:
    """4096 bytes to `POST /v1/letters`; ProtocolError for a body that does not fit."""
    return epoch.note.seal_key.seal(frame_memo(epoch, msg_id, body.encode()), letter_info(epoch.note))


def is_memo(plain: bytes) -> bool:
    """Is this opened letter (2960 bytes) a memo, as its label says? Whether it holds is another question."""
    label = lp("memo-body")
    return plain.startswith(label)


def read_memo(epoch: OpenEpoch, plain: bytes) -> OpenedMemo:
    """A memo from its plaintext; ProtocolError when the inside is wrong or its writer does not hold the epoch."""
    (msg_id, cbor), used = read_lp("memo-body", 2, plain)
    sized(msg_id, c.MSG_ID, "a memo's id")
    if len(plain) != c.LETTER_PLAIN or used + c.MAC_SIZE > len(plain) or plain[used + c.MAC_SIZE :].strip(b"\0"):
        raise ProtocolError("a memo that is not padded as it must be")
    if not same(_memo_mac(epoch, plain[:used]), plain[used : used + c.MAC_SIZE]):
        raise ProtocolError("a memo whose writer does not hold the desk's key")
    try:
        body = MemoBody.parse(cbor)
    except ProtocolError:
        body = None
    return OpenedMemo(epoch.note.hash, msg_id, cbor, body)


def open_memo(epoch: OpenEpoch, sealed: bytes) -> OpenedMemo:
    """Open one memo with one epoch. NotOurs when it is not sealed to it; ProtocolError when it is none."""
    return read_memo(epoch, open_sealed(epoch, sealed))
