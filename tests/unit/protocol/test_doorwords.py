# SPDX-License-Identifier: AGPL-3.0-or-later
"""Doors as twelve words and as links."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchstring.protocol.doorwords import (
    DoorName,
    door_numbers,
    door_words,
    format_link,
    parse_door,
    parse_door_words,
    parse_link,
)
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.wordlist import load
from tests.builders import Stream

WORDS = load()
DOORS = st.binary(min_size=32, max_size=32)
ADDRESSES = st.text(min_size=1, max_size=30).filter(str.isprintable).filter(lambda t: t.isascii() or _utf8(t))
DOOR = Stream("door")(32)


def _utf8(text: str) -> bool:
    return not any(0xD800 <= ord(ch) < 0xE000 for ch in text)


@given(DOORS)
def test_words_round_trip(door: bytes) -> None:
    words = door_words(door, WORDS)
    assert len(words) == 12
    assert "".join(f"{WORDS.words.index(w):011b}" for w in words) == f"{int.from_bytes(door, 'big'):0256b}"[:132]
    name = parse_door(" ".join(words).upper(), WORDS)
    assert (name.matches(door), name.door, name.differing(door)) == (True, None, ())


@given(DOORS, st.lists(ADDRESSES, max_size=3))
def test_links_round_trip(door: bytes, addresses: list[str]) -> None:
    link = parse_door(format_link(door, tuple(addresses)), WORDS)
    assert link == DoorName(door_numbers(door), door, tuple(addresses))
    assert link.matches(door)


def test_a_link_may_leave_plain_characters_as_they_are() -> None:
    link = f"  latchstring:v1:{DOOR.hex()}?at=http://a.onion:80/x?y=1+2&at=https%3a%2F%2Fb.example\n"
    assert parse_door(link, WORDS).addresses == ("http://a.onion:80/x?y=1+2", "https://b.example")


@given(DOORS, st.integers(0, 255))
def test_one_other_bit_is_another_door(door: bytes, bit: int) -> None:
    """A link tells all 256 bits apart, words the first 132."""
    other = (int.from_bytes(door, "big") ^ (1 << (255 - bit))).to_bytes(32, "big")
    assert not parse_link(format_link(door)).matches(other)
    name = parse_door_words(" ".join(door_words(door, WORDS)), WORDS)
    assert name.matches(other) == (bit >= 132)
    assert name.differing(other) == ((bit // 11 + 1,) if bit < 132 else ())


def test_every_wrong_word_is_named_by_place() -> None:
    words = list(door_words(DOOR, WORDS))
    for place in (0, 6, 11):
        words[place] = next(w for w in WORDS.words if w != words[place])
    name = parse_door(" ".join(words), WORDS)
    assert not name.matches(DOOR)
    assert name.differing(DOOR) == (1, 7, 12)


def test_a_word_that_is_not_in_the_list_is_told_with_its_place() -> None:
    words = list(door_words(DOOR, WORDS))
    with pytest.raises(ProtocolError, match=r"Word 3 .*Did you mean") as caught:
        parse_door(" ".join([*words[:2], words[2] + "z", *words[3:]]), WORDS)
    assert words[2] in str(caught.value)


@pytest.mark.parametrize("count", [0, 1, 11, 13])
def test_another_count_is_told(count: int) -> None:
    with pytest.raises(ProtocolError, match=f"12 words; you gave {count}"):
        parse_door(" ".join((*door_words(DOOR, WORDS), "zebra")[:count]), WORDS)


@given(st.text(max_size=150))
def test_any_text_is_no_door(text: str) -> None:
    with pytest.raises(ProtocolError):
        parse_door(text, WORDS)


@given(st.text(max_size=40))
def test_a_link_with_any_end_is_read_or_refused(end: str) -> None:
    try:
        name = parse_link(f"latchstring:v1:{DOOR.hex()}{end}")
    except ProtocolError:
        return
    assert name.door == DOOR
    assert end == "" or end.startswith("?at=")
    assert all(address and address.isprintable() for address in name.addresses)


@pytest.mark.parametrize("rest", ["00", "0" * 64 + "?to=x", "G" * 64, "0" * 64 + "\n"])
def test_broken_links(rest: str) -> None:
    with pytest.raises(ProtocolError, match="whole door link"):
        parse_link("latchstring:v1:" + rest)


def test_a_link_in_capitals_is_called_a_link() -> None:
    with pytest.raises(ProtocolError, match="whole door link"):
        parse_door(format_link(DOOR).upper(), WORDS)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_door_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(ProtocolError):
        format_link(bytes(size))
    with pytest.raises(ProtocolError):
        door_words(bytes(size), WORDS)
