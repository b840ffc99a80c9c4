# SPDX-License-Identifier: AGPL-3.0-or-later
"""Memos: who can write one, how much fits, and what is refused."""

import pytest

from latchstring.protocol import constants as c
from latchstring.protocol.encoding import ProtocolError, encode_cbor, lp
from latchstring.protocol.hpke import NotOurs
from latchstring.protocol.letter import LetterBody, letter_info, open_letter, open_sealed, seal_letter
from latchstring.protocol.memo import (
    Fact,
    MemoBody,
    facts_that_fit,
    frame_memo,
    is_memo,
    kind_of,
    open_memo,
    read_memo,
    seal_memo,
)
from latchstring.protocol.primitives import mac
from tests.builders import Stream, found, make_epoch
from tests.vectors.make import _source

FOUNDING = found("memo")
EPOCH, _ = make_epoch(FOUNDING, "news", 3, Stream("memo"))
OTHER, _ = make_epoch(FOUNDING, "news", 3, Stream("another epoch"))
ID = b"\x0d" * 16


def resealed(plain: bytes) -> bytes:
    return EPOCH.note.seal_key.seal(plain, letter_info(EPOCH.note))


@pytest.mark.parametrize("facts", [(), ({"kind": "note", "text": "ї"},), ({"kind": "a"}, {"kind": "b", "n": 2**63})])
def test_a_memo_comes_back(facts: tuple[Fact, ...]) -> None:
    sealed = seal_memo(EPOCH, ID, MemoBody("anna", facts))
    assert len(sealed) == c.LETTER_SIZE
    opened = open_memo(EPOCH, sealed)
    assert (opened.msg_id, opened.epoch, opened.body) == (ID, EPOCH.note.hash, MemoBody("anna", facts))


def test_the_largest_memo_fits_exactly() -> None:
    def body(size: int) -> MemoBody:
        return MemoBody("anna", ({"kind": "note", "text": "x" * size},))

    full = c.MEMO_CBOR_MAX - len(body(1000).encode()) + 1000
    assert len(body(full).encode()) == c.MEMO_CBOR_MAX
    assert len(frame_memo(EPOCH, ID, body(full).encode())) == c.LETTER_PLAIN
    with pytest.raises(ProtocolError):
        body(full + 1).encode()
    with pytest.raises(ProtocolError):
        frame_memo(EPOCH, ID, bytes(c.MEMO_CBOR_MAX + 1))


def test_as_many_facts_go_into_a_memo_as_fit() -> None:
    facts: list[Fact] = [{"kind": "note", "n": n, "text": "x" * (n % 97)} for n in range(300)]
    count = facts_that_fit("anna", facts)
    assert 20 < count < 300
    MemoBody("anna", tuple(facts[:count])).encode()
    # at most one small fact's room is left unused
    assert len(MemoBody("anna", tuple(facts[:count])).encode()) > c.MEMO_CBOR_MAX - 120
    assert facts_that_fit("anna", facts[:3]) == 3
    assert facts_that_fit("anna", [{"kind": "x", "text": "y" * c.MEMO_CBOR_MAX}]) == 0


def test_whoever_does_not_hold_the_epoch_writes_no_memo() -> None:
    """Everyone can seal to the desk; the MAC takes the desk's key, which only the epoch's secret gives."""
    cbor = MemoBody("anna", ({"kind": "assign"},)).encode()
    framed = lp("memo-body", ID, cbor)
    for key in (bytes(32), EPOCH.note.hash, OTHER.desk_key):
        plain = (framed + mac(key, framed)).ljust(c.LETTER_PLAIN, b"\0")
        with pytest.raises(ProtocolError):
            open_memo(EPOCH, resealed(plain))
    with pytest.raises(ProtocolError):
        open_memo(EPOCH, resealed(frame_memo(OTHER, ID, cbor)))


def test_another_epoch_opens_nothing() -> None:
    with pytest.raises(NotOurs):
        open_memo(OTHER, seal_memo(EPOCH, ID, MemoBody("anna")))


def test_a_letter_is_no_memo_and_a_memo_no_letter() -> None:
    source, epoch = _source()
    letter = seal_letter(source, epoch.note, ID, LetterBody("en", "client", "hello"))
    memo = seal_memo(epoch, ID, MemoBody("anna"))
    assert not is_memo(open_sealed(epoch, letter))
    assert is_memo(open_sealed(epoch, memo))
    with pytest.raises(ProtocolError):
        open_memo(epoch, letter)
    with pytest.raises(ProtocolError):
        open_letter(epoch, memo)


@pytest.mark.parametrize("at", [0, 20, 60, 100, -1])
def test_a_plaintext_that_was_changed_is_refused(at: int) -> None:
    plain = bytearray(frame_memo(EPOCH, ID, MemoBody("anna", ({"kind": "note"},)).encode()))
    plain[at] ^= 1
    with pytest.raises(ProtocolError):
        read_memo(EPOCH, bytes(plain))


@pytest.mark.parametrize(
    "value",
    [
        {"v": 1, "from": "anna"},
        {"v": 2, "from": "anna", "facts": []},
        {"v": True, "from": "anna", "facts": []},
        {"v": 1, "from": "Anna", "facts": []},
        {"v": 1, "from": "", "facts": []},
        {"v": 1, "from": "a" * 33, "facts": []},
        {"v": 1, "from": "anna\x1b[2J", "facts": []},
        {"v": 1, "from": "anna", "facts": [7]},
        {"v": 1, "from": "anna", "facts": [{}]},
        {"v": 1, "from": "anna", "facts": [{"kind": 7}]},
        {"v": 1, "from": "anna", "facts": [{"kind": ""}]},
        {"v": 1, "from": "anna", "facts": [{"kind": "k" * 33}]},
        {"v": 1, "from": "anna", "facts": [], "more": 1},
        [],
    ],
)
def test_a_body_of_another_shape_is_kept_unread(value: object) -> None:
    raw = encode_cbor(value)
    with pytest.raises(ProtocolError):
        MemoBody.parse(raw)
    opened = open_memo(EPOCH, resealed(frame_memo(EPOCH, ID, raw)))
    assert (opened.body, opened.cbor) == (None, raw)


def test_nobody_writes_what_nobody_reads() -> None:
    for body in (MemoBody("Anna"), MemoBody("anna", ({"text": "no kind"},)), MemoBody("anna", ({"kind": ""},))):
        with pytest.raises(ProtocolError):
            body.encode()
    with pytest.raises(ProtocolError):
        kind_of({"kind": None})


def test_what_a_memo_says_is_not_in_its_repr() -> None:
    body = MemoBody("anna", ({"kind": "note", "text": "the source is brave"},))
    assert "brave" not in repr(body) + repr(open_memo(EPOCH, seal_memo(EPOCH, ID, body)))
