# SPDX-License-Identifier: AGPL-3.0-or-later
"""A change of the passphrase: what proves it, and that from outside it is a letter like any other."""

import pytest

from latchstring.protocol import constants as c
from latchstring.protocol.change import ChangeBody
from latchstring.protocol.encoding import ProtocolError, encode_cbor
from latchstring.protocol.epoch import OpenEpoch
from latchstring.protocol.letter import (
    LetterBody,
    frame_change,
    frame_letter,
    letter_info,
    open_letter,
    seal_change,
    seal_letter,
)
from latchstring.protocol.pair import pair_of_desk, pair_of_source
from latchstring.protocol.source_keys import SourceKeys, source_keys
from tests.builders import Stream, found

DOOR = found("change").door
EPOCH = OpenEpoch.make(Stream("epoch")(32), DOOR, "news", 1, 1, 3)
NOTE = EPOCH.note
MSG_ID = bytes(16)


def keys(name: str, desk: str = "news") -> SourceKeys:
    return source_keys(Stream(name)(32), DOOR, desk)


OLD, NEW, OTHER = keys("old"), keys("new"), keys("other")


def sealed(plain: bytes) -> bytes:
    return NOTE.seal_key.seal(plain, letter_info(NOTE))


def plaintext(body: ChangeBody, old: SourceKeys = OLD, new: SourceKeys = NEW) -> bytes:
    return frame_change(pair_of_source(old, NOTE), pair_of_source(new, NOTE), MSG_ID, body.encode())


def test_a_change_names_old_thread_and_new_keys() -> None:
    opened = open_letter(EPOCH, seal_change(OLD, NEW, NOTE, MSG_ID))
    assert opened.thread_keys == OLD.thread_keys
    assert opened.body is None
    assert opened.change == ChangeBody(OLD.c0, NEW.thread_keys)


def test_it_has_the_size_of_every_letter_and_fits_with_room_to_spare() -> None:
    letter = seal_letter(OLD, NOTE, MSG_ID, LetterBody("en", "client", "hello"))
    assert len(seal_change(OLD, NEW, NOTE, MSG_ID)) == len(letter) == c.LETTER_SIZE
    size = len(ChangeBody.make(OLD, NEW).encode())
    assert size == len(ChangeBody.make(NEW, OTHER).encode())
    assert size <= c.LETTER_CBOR_MAX - c.MAC_SIZE


def test_a_change_to_the_same_keys_or_another_desk_is_not_made() -> None:
    for new in (OLD, keys("new", "legal")):
        with pytest.raises(ProtocolError):
            seal_change(OLD, new, NOTE, MSG_ID)
    with pytest.raises(ProtocolError):
        seal_change(keys("old", "legal"), keys("new", "legal"), NOTE, MSG_ID)
    with pytest.raises(ProtocolError, match="old passphrase"):
        open_letter(EPOCH, sealed(plaintext(ChangeBody(OLD.c0, OLD.thread_keys), new=OLD)))


def test_without_c0_no_change_holds_whatever_else_is_known() -> None:
    """The desk can make both MACs; c0 it cannot."""
    for c0 in (OLD.psk, NEW.c0, bytes(32)):
        with pytest.raises(ProtocolError, match="old passphrase"):
            open_letter(EPOCH, sealed(plaintext(ChangeBody(c0, NEW.thread_keys))))
    assert open_letter(EPOCH, sealed(plaintext(ChangeBody(OLD.c0, NEW.thread_keys)))).change is not None


def test_without_the_new_keys_no_change_holds() -> None:
    """Somebody's else keys cannot be put behind a thread: their MAC is missing."""
    body = ChangeBody(OLD.c0, OTHER.thread_keys)
    with pytest.raises(ProtocolError, match="new keys"):
        open_letter(EPOCH, sealed(plaintext(body)))


def test_without_the_old_keys_no_change_holds() -> None:
    framed = plaintext(ChangeBody.make(OLD, NEW))
    for at in (framed.index(OLD.psk), framed.rindex(NEW.psk) + 32):  # the header's psk; the first byte of the old MAC
        changed = framed[:at] + bytes([framed[at] ^ 1]) + framed[at + 1 :]
        with pytest.raises(ProtocolError):
            open_letter(EPOCH, sealed(changed))


def test_padding_and_second_mac_are_strict() -> None:
    plain = plaintext(ChangeBody.make(OLD, NEW))
    end = len(plain.rstrip(b"\0"))
    for changed in (plain[:end] + b"\1" + plain[end + 1 :], plain[:-1] + b"\1", plain[: end - 32].ljust(2960, b"\0")):
        with pytest.raises(ProtocolError):
            open_letter(EPOCH, sealed(changed))
    letter = frame_letter(pair_of_source(OLD, NOTE), MSG_ID, LetterBody("en", "client", "x").encode())
    at = len(letter.rstrip(b"\0"))
    with pytest.raises(ProtocolError):  # a letter has one MAC, not two
        open_letter(EPOCH, sealed((letter[:at] + bytes([7]) * 32).ljust(2960, b"\0")))


def test_a_change_of_a_later_version_is_kept_as_something_unreadable() -> None:
    body = {"kind": "change", "c0": OLD.c0, "and": "more"}
    plain = frame_letter(pair_of_desk(EPOCH, OLD.thread_keys), MSG_ID, encode_cbor(body))
    opened = open_letter(EPOCH, sealed(plain))
    assert (opened.body, opened.change) == (None, None)


def test_nothing_of_it_is_shown_by_repr() -> None:
    opened = open_letter(EPOCH, seal_change(OLD, NEW, NOTE, MSG_ID))
    shown = repr(OLD) + repr(opened) + repr(opened.change)
    assert not any(repr(secret)[2:-1] in shown for secret in (OLD.c0, OLD.psk, NEW.psk))
