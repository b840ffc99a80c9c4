# SPDX-License-Identifier: AGPL-3.0-or-later
"""A directory's time and its end: when everyone is told to sign anew, and the statement that closes a door for good."""

from dataclasses import replace

import pytest

from latchstring.protocol.closing import Closing, check_closing, decode_closing, encode_closing
from latchstring.protocol.constants import MAX_EXPIRY_DAYS
from latchstring.protocol.directory import check_successor, decode_directory, encode_directory
from latchstring.protocol.encoding import ProtocolError, decode_cbor, encode_cbor
from latchstring.protocol.renewal import COMMAND, Renewal, reminder, renewal, renewed
from tests.builders import found, rotated, successor

FOUNDING = found("ending")
DAY = 144
CLOSING = Closing(
    {"en": "We have closed.", "uk": "Ми зачинилися."}, ("latchstring:v1:" + "0" * 64, "https://example.org")
)


def test_half_of_the_time_counts_from_when_it_was_signed() -> None:
    directory = replace(FOUNDING.directory, issued=100 * DAY, expires=160 * DAY)
    assert renewal(directory, 130 * DAY - 1) == Renewal(30, False, False)
    assert reminder(directory, 130 * DAY - 1) is None
    assert renewal(directory, 130 * DAY) == Renewal(30, True, False)
    for present, said in (
        (130 * DAY, "runs out in 30 days"),
        (159 * DAY, "runs out in 1 day;"),
        (159 * DAY + 1, "runs out today"),
        (160 * DAY, "has run out"),
        (300 * DAY, "has run out"),
    ):
        text = reminder(directory, present)
        assert text is not None
        assert said in text
        assert text.endswith(COMMAND)


def test_renewed_is_the_same_with_another_end() -> None:
    before = FOUNDING.opened
    again = renewed(before, 50 * DAY, 60)
    assert again == replace(before.directory, seq=2, previous=before.hash, issued=50 * DAY, expires=110 * DAY)
    check_successor(before, replace(FOUNDING, directory=again).opened)
    for days in (0, MAX_EXPIRY_DAYS + 1):
        with pytest.raises(ValueError, match="1 to 92"):
            renewed(before, 0, days)


def test_a_directory_runs_out_after_it_was_signed() -> None:
    with pytest.raises(ProtocolError, match="before it was signed"):
        encode_directory(replace(FOUNDING.directory, issued=FOUNDING.directory.expires))


# --- closing --------------------------------------------------------------------------------------------


def test_the_statement_comes_back() -> None:
    closed = replace(FOUNDING.directory, closed=CLOSING)
    assert decode_directory(encode_directory(closed)) == closed
    assert decode_closing(encode_closing(None)) is None


@pytest.mark.parametrize(
    "closing",
    [
        Closing({}),
        Closing({"en": ""}),
        Closing({"en": " \n"}),
        Closing({"en": "x" * 4001}),
        Closing({"English": "x"}),
        Closing({"en": "x"}, ("",)),
        Closing({"en": "x"}, ("a\nb",)),
        Closing({"en": "x"}, ("\x1b[31m",)),
        Closing({"en": "x"}, ("x" * 301,)),
        Closing({"en": "x"}, tuple("abcdefghijklmnopq")),
    ],
)
def test_what_is_no_statement(closing: Closing) -> None:
    with pytest.raises(ProtocolError, match="directory: "):
        check_closing(closing)
    with pytest.raises(ProtocolError):
        encode_directory(replace(FOUNDING.directory, closed=closing))


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"texts": {"en": "x"}},
        {"texts": {"en": "x"}, "instead": "x"},
        {"texts": {"en": "x"}, "instead": [1]},
        {"texts": {"en": 1}, "instead": []},
        {"texts": {"en": "x"}, "instead": [], "more": 1},
        True,
        "closed",
    ],
)
def test_a_directory_with_something_else_in_its_place(value: object) -> None:
    body = decode_cbor(encode_directory(FOUNDING.directory))
    assert isinstance(body, dict)
    with pytest.raises(ProtocolError):
        decode_directory(encode_cbor({**body, "closed": value}))


def test_nothing_follows_it() -> None:
    """Neither a reopening, nor another wording, nor new root keys."""
    last = successor(FOUNDING, closed=CLOSING)
    check_successor(FOUNDING.opened, last.opened)
    for after in (
        successor(last, closed=None),
        successor(last),
        successor(last, closed=replace(CLOSING, instead=("http://mallory.example",))),
        rotated(last),
    ):
        with pytest.raises(ProtocolError, match="after the closing"):
            check_successor(last.opened, after.opened)
