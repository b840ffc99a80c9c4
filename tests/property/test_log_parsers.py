# SPDX-License-Identifier: AGPL-3.0-or-later
"""Parsers of the log fed with anything: what is accepted re-encodes to the same bytes, the rest is a LogError."""

import base64

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from latchstring.log.addcheckpoint import parse_add_checkpoint, parse_size
from latchstring.log.checkpoint import parse_text
from latchstring.log.cosignature import CosignerKey, cosigned_at
from latchstring.log.errors import LogError
from latchstring.log.note import Note, SignatureLine, VerifierKey, b64decode, parse_note
from latchstring.log.tiles import TilePath, decode_bundle, decode_tile, encode_bundle
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.witness import decode_witness, encode_witness
from tests.vectors.logvectors import COSIGNER

B64 = "ABCwxyz0189+/="
NOTE_ALPHABET = "ab+ \n\u2014\u2028\x00\r" + B64
PATH_ALPHABET = "tileentries/x0123456789.p-\n٣"


def joined(note: Note) -> bytes:
    def line(s: SignatureLine) -> str:
        return f"\u2014 {s.name} {base64.b64encode(s.id + s.signature).decode()}\n"

    return (note.text + "\n" + "".join(map(line, note.signatures))).encode()


@given(st.binary(max_size=300) | st.text(NOTE_ALPHABET, max_size=80).map(str.encode))
@example("a\n\n\u2014 b AAAAAAAA\n".encode())
@example("a\n\n\u2014 b AAAAAAAB\n\n\u2014 b AAAAAAAA\n".encode())
@example(b"\xff\n\n")
def test_notes(raw: bytes) -> None:
    try:
        note = parse_note(raw)
    except LogError:
        return
    assert joined(note) == raw


def test_the_examples_of_notes_are_accepted() -> None:
    """Else the property above would hold for a parser that refuses everything."""
    assert parse_note("a\n\n\u2014 b AAAAAAAA\n".encode()).signatures[0].name == "b"


@given(st.text(max_size=80) | st.text("door/1\n0" + B64, max_size=80) | st.text(max_size=9).map(lambda t: f"o\n{t}\n"))
@example("o\n" + "9" * 5000 + "\nAAAA\n")
def test_checkpoints(text: str) -> None:
    try:
        checkpoint = parse_text(text)
    except LogError:
        return
    assert checkpoint.text() == text


@given(st.text(max_size=80) | st.text("ab+0f" + B64, max_size=80))
@example("\ud800+00000000+AA==")
def test_keys(text: str) -> None:
    try:
        key = VerifierKey.parse(text)
    except LogError:
        return
    assert str(key) == text


@given(st.text(max_size=80) | st.text("ab+0fBA=", max_size=80))
@example("w+00000000+BA==")
def test_cosigners_keys(text: str) -> None:
    try:
        key = CosignerKey.parse(text)
    except LogError:
        return
    assert str(key) == text


@given(st.binary(max_size=120) | st.text("old 0123456789\nAB=", max_size=80).map(str.encode))
@example(b"old 0\n\n")
@example(b"old 1\n" + b"A" * 43 + b"=\n\nx")
def test_requests_to_witnesses(raw: bytes) -> None:
    try:
        asked = parse_add_checkpoint(raw)
    except LogError:
        return
    assert asked.encode() == raw


@given(st.binary(max_size=24) | st.integers(0, 10**18 - 1).map(lambda n: f"{n}\n".encode()))
def test_sizes_that_witnesses_tell(raw: bytes) -> None:
    try:
        size = parse_size(raw)
    except LogError:
        return
    assert f"{size}\n".encode() == raw


@given(
    st.fixed_dictionaries(
        {"name": st.text(max_size=5), "address": st.text(max_size=5), "ed25519": st.binary(max_size=3)},
        optional={"mldsa": st.binary(max_size=3), "more": st.none()},
    )
    | st.integers()
)
def test_witnesses_of_a_directory(value: object) -> None:
    try:
        witness = decode_witness(value)
    except ProtocolError:
        return
    assert encode_witness(witness) == value


@given(st.binary(max_size=80), st.sampled_from(COSIGNER.keys), st.text(max_size=60))
def test_cosignatures(signature: bytes, key: CosignerKey, text: str) -> None:
    """Arbitrary bytes are no cosignature, and say so in one way."""
    with pytest.raises(LogError):
        cosigned_at(SignatureLine(key.name, key.id, signature), key, text)


@given(st.text(PATH_ALPHABET, max_size=40) | st.from_regex(r"tile/[0-9]/(x[0-9]{3}/){0,8}[0-9]{3}(\.p/[0-9]{1,4})?"))
@example("tile/0/" + "x999/" * 3000 + "000")
@example("tile/5/x999/x999/x999/x999/x999/999.p/255")
def test_paths(path: str) -> None:
    try:
        tile = TilePath.parse(path)
    except LogError:
        return
    assert str(tile) == path


@given(st.sampled_from([None, 0, 1, 5]), st.integers(0, 2**40), st.integers(1, 256))
def test_paths_round_trip(level: int | None, index: int, width: int) -> None:
    tile = TilePath(level, index, width)
    assert TilePath.parse(str(tile)) == tile


@given(st.text(B64, max_size=12))
def test_base64_has_one_spelling(text: str) -> None:
    try:
        raw = b64decode(text)
    except LogError:
        return
    assert base64.b64encode(raw).decode() == text


@given(st.lists(st.binary(max_size=80), max_size=12) | st.lists(st.binary(min_size=32, max_size=32), max_size=12))
def test_bundles_round_trip(entries: list[bytes]) -> None:
    assert decode_bundle(encode_bundle(entries), len(entries)) == entries


@given(st.binary(max_size=140), st.integers(0, 4))
@example(b"\x00\x20" + bytes(32) + b"\x00\x21" + bytes(32), 2)
def test_bundles_and_tiles(raw: bytes, width: int) -> None:
    try:
        assert encode_bundle(decode_bundle(raw, width)) == raw
    except LogError:
        pass
    try:
        assert b"".join(decode_tile(raw, width)) == raw
    except LogError:
        pass
