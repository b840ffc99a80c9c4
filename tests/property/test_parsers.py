# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every parser of the protocol, fed arbitrary bytes and valid bytes with a change: the documented error, or the same
bytes back; never another exception, never a second spelling."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchstring.client.pin import Pin
from latchstring.client.visit import ClockOff, VisitRefused, check_visit
from latchstring.desk.progress import decode_state, encode_state
from latchstring.protocol.answers import Answers
from latchstring.protocol.attachment import (
    Ask,
    admitted,
    encode_list,
    encode_names,
    parse_admitted,
    parse_list,
    parse_names,
)
from latchstring.protocol.change import ChangeBody
from latchstring.protocol.closing import Closing, check_closing, decode_closing, encode_closing
from latchstring.protocol.directory import decode_directory, encode_directory, open_directory
from latchstring.protocol.encoding import ProtocolError, decode_cbor, encode_cbor
from latchstring.protocol.epoch import EpochNote, EpochSignature, TransportNote, Wrap
from latchstring.protocol.hpke import SealKey
from latchstring.protocol.knock import KnockList
from latchstring.protocol.letter import LetterBody
from latchstring.protocol.manifest import Manifest
from latchstring.protocol.memo import MemoBody
from latchstring.protocol.receipt import open_page_receipt, open_receipt
from latchstring.protocol.reply import ReplyBody
from latchstring.protocol.root import Door
from latchstring.protocol.root_note import RootNote
from latchstring.protocol.rooted import open_rooted
from latchstring.protocol.sheet import parse_sheet
from latchstring.protocol.site_key import SiteKey, check_site_key, decode_site_key, encode_site_key
from latchstring.protocol.site_manifest import SiteManifest
from latchstring.protocol.visit import encode_visit, parse_visit
from tests.faults import Core
from tests.mutations import changed, other_value
from tests.vectors.make import load_vectors
from tests.vectors.sitevectors import example

V, K, S = load_vectors("structures"), load_vectors("keys"), load_vectors("sealed")
A = load_vectors("attachment")
R = load_vectors("roots")
Q = load_vectors("questions")
STATES = load_vectors("states")
DOOR = Door(bytes.fromhex(STATES["door"]))
KEY = bytes.fromhex(V["receipt_key"])


def _world() -> Core:
    core = Core.opened(30, letters=2, slots=1)
    for batch in (32, 36, 37):
        core.publisher.close(batch, core.random)
    return core


CORE = _world()
VISIT = CORE.public.get("visit")
NOW = CORE.at(37)
PIN = check_visit(VISIT, lambda _door: True, NOW, None).pin


def _names_again(raw: bytes) -> bytes:
    last, names = parse_names(raw)
    return encode_names(last, list(names))


def _closing_again(raw: bytes) -> bytes:
    """As a directory is read: the value, then its rules."""
    closing = decode_closing(decode_cbor(raw))
    check_closing(closing)
    if closing is None:
        raise ProtocolError("the one byte of a door that is not closed, which arbitrary bytes can be")
    return encode_cbor(encode_closing(closing))


def _site_key_again(raw: bytes) -> bytes:
    site = decode_site_key(decode_cbor(raw))
    check_site_key(site, ())
    return encode_cbor(encode_site_key(site))


CLOSED = Closing({"en": "We close for good.", "uk": "Ми зачиняємось."}, ("https://elsewhere.example", "12 words"))


PARSERS: dict[str, tuple[Callable[[bytes], bytes], bytes]] = {
    "directory": (lambda raw: open_directory(raw, None).raw, bytes.fromhex(S["directory"])),
    "directory that asks": (
        lambda raw: encode_directory(decode_directory(raw)),
        bytes.fromhex(Q["directory_body"]),
    ),
    "letter body with answers": (lambda raw: LetterBody.parse(raw).encode(), bytes.fromhex(Q["letter_cbor"])),
    "letter body with answers beside it": (
        lambda raw: LetterBody.parse(raw).encode(),
        bytes.fromhex(Q["letter_with_answers_beside_cbor"]),
    ),
    "answers": (lambda raw: Answers.parse(raw).encode(), bytes.fromhex(Q["answers"])),
    "root note": (lambda raw: RootNote.parse(raw).raw, bytes.fromhex(R["note"])),
    "directory with roots": (lambda raw: open_rooted(raw, None).raw, bytes.fromhex(R["posted"])),
    "transport": (lambda raw: TransportNote.parse(raw).raw, bytes.fromhex(S["transport"]["note"])),
    "epoch": (lambda raw: EpochNote.parse(raw).raw, bytes.fromhex(K["epoch"]["note"])),
    "signature": (lambda raw: EpochSignature.parse(raw).raw, bytes.fromhex(K["signature"])),
    "wrap": (lambda raw: Wrap.parse(raw).raw, bytes.fromhex(S["wrap"])),
    "manifest": (lambda raw: Manifest.parse(raw).encode(), bytes.fromhex(V["manifest"])),
    "knock list": (lambda raw: KnockList.parse(raw).raw, bytes.fromhex(load_vectors("knocks")["lists"][1]["raw"])),
    "letter body": (lambda raw: LetterBody.parse(raw).encode(), bytes.fromhex(S["letter"]["cbor"])),
    "change body": (lambda raw: ChangeBody.parse(raw).encode(), bytes.fromhex(load_vectors("change")["cbor"])),
    "memo body": (lambda raw: MemoBody.parse(raw).encode(), bytes.fromhex(load_vectors("memos")["cbor"])),
    "letter body with an attachment": (lambda raw: LetterBody.parse(raw).encode(), bytes.fromhex(A["letter_cbor"])),
    "letter body with a list": (lambda raw: LetterBody.parse(raw).encode(), bytes.fromhex(A["letter_with_list_cbor"])),
    "list of attachments": (lambda raw: encode_list(parse_list(raw)), bytes.fromhex(A["list"])),
    "ask for an attachment": (lambda raw: Ask.parse(raw).encode(), bytes.fromhex(A["ask"])),
    "attachment admitted": (lambda raw: admitted(parse_admitted(raw)), bytes.fromhex(A["admitted"])),
    "names of chunks": (lambda raw: _names_again(raw), bytes.fromhex(A["names_answer"])),
    "reply body": (lambda raw: ReplyBody.parse(raw).encode(), bytes.fromhex(S["reply"]["cbor"])),
    "sheet": (lambda raw: parse_sheet(raw).raw, CORE.public.get("sheets/1")),
    "visit": (lambda raw: encode_visit(parse_visit(raw)), VISIT),
    "list of pages": (lambda raw: SiteManifest.parse(raw).encode(), example().encode()),
    "pin": (lambda raw: Pin.parse(raw).encode(), PIN.encode()),
    "key state": (lambda raw: encode_state(decode_state(raw, DOOR)), bytes.fromhex(STATES["key_state"]["bytes"])),
    "closing": (_closing_again, encode_cbor(encode_closing(CLOSED))),
    "site key": (_site_key_again, encode_cbor(encode_site_key(SiteKey(bytes.fromhex(V["receipt_key"]), 3)))),
    "sealing key": (lambda raw: SealKey.parse(raw).raw, bytes.fromhex(K["source"]["pk_S"])),
}
OLDER_TOO = {"key state"}  # what a vault keeps for itself: read as earlier versions wrote it, too
SIGNED = {"directory", "directory with roots", "receipt", "page receipt"}
EVERY = sorted(PARSERS)


@pytest.mark.parametrize("name", EVERY)
def test_valid_bytes_come_back(name: str) -> None:
    parse, valid = PARSERS[name]
    assert parse(valid) == valid


@pytest.mark.parametrize("name", EVERY)
@given(raw=st.binary(max_size=300))
def test_arbitrary_bytes(name: str, raw: bytes) -> None:
    with pytest.raises(ProtocolError):
        PARSERS[name][0](raw)


@pytest.mark.parametrize("name", EVERY)
@given(data=st.data())
def test_valid_bytes_with_a_change(name: str, data: st.DataObject) -> None:
    parse, valid = PARSERS[name]
    raw = data.draw(changed(valid))
    try:
        again = parse(raw)
    except ProtocolError:
        return
    assert again == raw
    assert name not in SIGNED or raw == valid


def _is_cbor(raw: bytes) -> bool:
    try:
        decode_cbor(raw)
    except ProtocolError:
        return False
    return True


@pytest.mark.parametrize("name", [name for name in EVERY if _is_cbor(PARSERS[name][1])])
@given(data=st.data())
def test_a_value_of_another_kind(name: str, data: st.DataObject) -> None:
    """What is CBOR, with a part of it changed for whatever CBOR can be."""
    parse, valid = PARSERS[name]
    raw = encode_cbor(data.draw(other_value(decode_cbor(valid))))
    try:
        again = parse(raw)
    except ProtocolError:
        return
    assert again == raw or name in OLDER_TOO


@pytest.mark.parametrize(("name", "parse"), [("receipt", open_receipt), ("page_receipt", open_page_receipt)])
def test_any_bit_of_a_receipt(name: str, parse: Callable[[bytes, bytes], object]) -> None:
    raw = bytes.fromhex(V[name])
    parse(raw, KEY)
    for bit in range(len(raw) * 8):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ProtocolError):
            parse(bytes(changed), KEY)


@given(st.data())
def test_any_change_of_visit_is_refused_in_the_same_words(data: st.DataObject) -> None:
    """Whatever is changed, cut or doubled in the whole file: refused, or it says the very same."""
    at = data.draw(st.integers(0, len(VISIT) - 1))
    flipped = VISIT[:at] + bytes([VISIT[at] ^ data.draw(st.integers(1, 255))]) + VISIT[at + 1 :]
    changed = data.draw(
        st.sampled_from([flipped, VISIT[:at], VISIT[:at] + VISIT[at : at + 100] * 2 + VISIT[at + 100 :]])
    )
    try:
        seen = check_visit(changed, lambda door: door == CORE.founding.door, NOW, PIN)
    except (VisitRefused, ClockOff) as refused:
        assert "door" in str(refused)  # noqa: PT017  # either of two errors, each in its one sentence
        return
    assert seen.manifest_raw == check_visit(VISIT, lambda _door: True, NOW, None).manifest_raw
