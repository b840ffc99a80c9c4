# SPDX-License-Identifier: AGPL-3.0-or-later
"""Signed notes and checkpoints: one spelling for everything, and every trap of the formats."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchstring.log.checkpoint import Checkpoint, open_checkpoint, parse_text
from latchstring.log.errors import LogError
from latchstring.log.note import MAX_NOTE, MAX_SIGNATURES, VerifierKey, parse_note, sign_note, verified_text
from latchstring.protocol.primitives import ed25519_public

SEED = bytes(range(32))
KEY = VerifierKey("door.example/log", ed25519_public(SEED))
POINT = Checkpoint("door.example/log", 42, bytes(32))
SIGNED = POINT.sign(SEED)


def test_round_trip() -> None:
    assert open_checkpoint(SIGNED, KEY) == POINT
    assert VerifierKey.parse(str(KEY)) == KEY


def test_the_verifier_key_of_the_signed_note_specification() -> None:
    """The example key that golang.org/x/mod/sumdb/note prints in its documentation."""
    text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    assert VerifierKey.parse(text).id.hex() == "c74f20a3"


@given(st.integers(0, len(SIGNED) - 1), st.integers(1, 255))
def test_any_byte_changed_is_refused(at: int, by: int) -> None:
    bad = SIGNED[:at] + bytes([SIGNED[at] ^ by]) + SIGNED[at + 1 :]
    with pytest.raises(LogError):
        open_checkpoint(bad, KEY)


@given(st.integers(0, len(SIGNED) - 1))
def test_any_cut_is_refused(at: int) -> None:
    with pytest.raises(LogError):
        open_checkpoint(SIGNED[:at], KEY)


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_calmly(raw: bytes) -> None:
    with pytest.raises(LogError):
        open_checkpoint(raw, KEY)


def test_unknown_signatures_are_kept_and_prove_nothing() -> None:
    other = sign_note(POINT.text(), "someone.else", bytes(32))
    both = SIGNED + other[len(POINT.text()) + 1 :]
    assert len(parse_note(both).signatures) == 2
    assert open_checkpoint(both, KEY) == POINT
    with pytest.raises(LogError):
        open_checkpoint(other, KEY)


def test_a_bad_signature_in_our_name_is_refused_even_beside_a_good_one() -> None:
    line = SIGNED[len(POINT.text()) + 1 :].decode()
    head, payload = line.rstrip("\n").rsplit(" ", 1)
    raw = bytearray(base64.b64decode(payload))
    raw[-1] ^= 1
    bad = f"{head} {base64.b64encode(bytes(raw)).decode()}\n".encode()
    for order in (SIGNED + bad, POINT.text().encode() + b"\n" + bad + line.encode(), SIGNED + line.encode()):
        with pytest.raises(LogError):
            open_checkpoint(order, KEY)


@pytest.mark.parametrize("size", ["٤٢", "4_2", "+42", "042", "-1", "", " 42", "42 ", "4" * 19])
def test_sizes_in_other_spellings(size: str) -> None:
    with pytest.raises(LogError):
        parse_text(f"door.example/log\n{size}\n{base64.b64encode(bytes(32)).decode()}\n")


def test_extension_lines_are_refused() -> None:
    with pytest.raises(LogError):
        parse_text(POINT.text() + "more\n")


@pytest.mark.parametrize("text", ["a+b", "name+00000000+AAAA", str(KEY) + "=", str(KEY).replace("+", " "), ""])
def test_keys_refused(text: str) -> None:
    with pytest.raises(LogError):
        VerifierKey.parse(text)


def test_base64_with_a_loose_tail_is_refused() -> None:
    """'AAB=' and 'AAA=' decode to the same bytes; only one is the spelling."""
    line = POINT.text().split("\n")[2]
    assert line.endswith("A=")
    with pytest.raises(LogError):
        parse_text(POINT.text().replace(line, line[:-2] + "B="))


def test_a_note_of_another_line_break() -> None:
    with pytest.raises(LogError):
        verified_text(SIGNED.replace(b"\n", b"\r\n"), KEY)
    with pytest.raises(LogError):
        verified_text(SIGNED.replace(b"\n42\n", "\u208542\n".encode()), KEY)


def test_a_key_with_the_id_of_another() -> None:
    with pytest.raises(LogError):
        VerifierKey.parse(str(KEY).replace(KEY.id.hex(), "00000000"))
    with pytest.raises(LogError):
        VerifierKey.parse(str(KEY).replace(KEY.id.hex(), KEY.id.hex().upper()))


def test_limits_of_a_note() -> None:
    line = "\u2014 b AAAAAAAA\n"
    assert len(parse_note(("a\n\n" + line * MAX_SIGNATURES).encode()).signatures) == MAX_SIGNATURES
    assert len(parse_note(("a" * (MAX_NOTE - 20) + "\n\n" + line).encode()).text) == MAX_NOTE - 19
    for bad in ("a\n\n" + line * (MAX_SIGNATURES + 1), "a" * MAX_NOTE + "\n\n" + line):
        with pytest.raises(LogError, match="too"):
            parse_note(bad.encode())


@pytest.mark.parametrize(
    "note",
    ["a\x00\n\n— b AAAAAAAA\n", "a\t\n\n— b AAAAAAAA\n", "a\x7f\n\n— b AAAAAAAA\n", "a\n\n— b+c AAAAAAAA\n",
     "a\n\n— b AAAA\n", "a\n\n—  AAAAAAAA\n", "a\n\n- b AAAAAAAA\n", "a\n\n— b AAAAAAAA", "a\n\n— b AAAAAAAA c\n",
     "a\n— b AAAAAAAA\n", "a\n\n", "a\n\n— b\u00a0c AAAAAAAA\n", "a\n\n— b AAAAAAAA\n\n"],
)  # fmt: skip
def test_notes_refused(note: str) -> None:
    with pytest.raises(LogError):
        parse_note(note.encode())


@pytest.mark.parametrize(("text", "name"), [("a", "b"), ("a\n", "b c"), ("a\n", "b+c"), ("a\n", ""), ("a\n", "b\n")])
def test_notes_that_are_not_signed(text: str, name: str) -> None:
    with pytest.raises(LogError):
        sign_note(text, name, SEED)


def test_a_checkpoint_of_another_log_signed_by_this_logs_key() -> None:
    other = Checkpoint("elsewhere.example/log", 42, bytes(32))
    with pytest.raises(LogError, match="another log"):
        open_checkpoint(sign_note(other.text(), KEY.name, SEED), KEY)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_root_of_another_length(length: int) -> None:
    with pytest.raises(LogError):
        parse_text(Checkpoint(KEY.name, 1, bytes(length)).text())
