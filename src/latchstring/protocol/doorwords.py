# SPDX-License-Identifier: AGPL-3.0-or-later
"""How a door is written down: twelve words (the first 132 bits of its hash), or a link with the whole hash.

The words carry no check bits: a slip shows as a difference from the door that is served, and the program says which
word differs. Making another door that shares 132 bits takes about 2^132 tries.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from latchstring.protocol.constants import DOOR_WORDS, WORD_BITS
from latchstring.protocol.encoding import ProtocolError, parse_text, sized
from latchstring.protocol.passphrase import tokens
from latchstring.protocol.wordlist import WordList

_PREFIX: Final = "latchstring:v1:"
_SCHEME: Final = _PREFIX.split(":")[0] + ":"
_AT: Final = (
    r"at=(?:[A-Za-z0-9._~:/?@!$'()*+,;=\[\]-]|%[0-9A-Fa-f]{2})+"  # what a URI's query may hold, without & and #
)
_LINK: Final = re.compile(rf"{_PREFIX}([0-9a-f]{{64}})(?:\?({_AT}(?:&{_AT})*))?\Z", re.ASCII)
_TOTAL: Final = DOOR_WORDS * WORD_BITS


@dataclass(frozen=True, slots=True)
class DoorName:
    """A door as somebody wrote it down: twelve numbers, and the whole hash when it was a link; addresses with it."""

    numbers: tuple[int, ...]
    door: bytes | None
    addresses: tuple[str, ...] = ()

    def matches(self, door: bytes) -> bool:
        """Is `door` the one that was written down?"""
        return self.door == door if self.door is not None else self.numbers == door_numbers(door)

    def differing(self, door: bytes) -> tuple[int, ...]:
        """The places (from 1) of the words that differ from those of `door`."""
        other = door_numbers(door)
        return tuple(i + 1 for i, (a, b) in enumerate(zip(self.numbers, other, strict=True)) if a != b)


def door_numbers(door: bytes) -> tuple[int, ...]:
    """Twelve 11-bit numbers from a 32-byte door."""
    value = int.from_bytes(sized(door, 32, "a door"), "big") >> (256 - _TOTAL)
    mask = (1 << WORD_BITS) - 1
    return tuple(value >> shift & mask for shift in range(_TOTAL - WORD_BITS, -1, -WORD_BITS))


def door_words(door: bytes, words: WordList) -> tuple[str, ...]:
    """The twelve words."""
    return tuple(words.words[number] for number in door_numbers(door))


def format_link(door: bytes, addresses: tuple[str, ...] = ()) -> str:
    """latchstring:v1:<64 hexadecimal digits>[?at=ADDRESS[&at=ADDRESS...]], addresses percent-encoded."""
    query = "&".join(f"at={quote(address, safe='')}" for address in addresses)
    return f"{_PREFIX}{sized(door, 32, 'a door').hex()}" + (f"?{query}" if query else "")


def parse_link(text: str) -> DoorName:
    """The door and addresses of a link; ProtocolError for anything but a whole one.

    An address is given back as text without control characters; that it is one of a server is not checked here.
    """
    found = _LINK.match(text)
    if found is None:
        raise ProtocolError(f"That is not a whole door link: it has 64 digits and letters after {_PREFIX}")
    door = bytes.fromhex(found[1])
    addresses = tuple(_address(part.removeprefix("at=")) for part in (found[2] or "").split("&") if part)
    return DoorName(door_numbers(door), door, addresses)


def _address(encoded: str) -> str:
    address = parse_text(unquote_to_bytes(encoded))
    if not address.isprintable():
        raise ProtocolError("That is not a whole door link: an address in it holds a control character.")
    return address


def parse_door_words(text: str, words: WordList) -> DoorName:
    """Twelve words, whatever stands between them; ProtocolError, for the person who typed them, otherwise."""
    typed = tokens(text)
    if len(typed) != DOOR_WORDS:
        raise ProtocolError(f"A door has {DOOR_WORDS} words; you gave {len(typed)}.")
    numbers = []
    for place, token in enumerate(typed, 1):
        number = words.find(token)
        if number is None:
            near = words.near(token)
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            raise ProtocolError(f"Word {place} of the door, “{token}”, is not in the list.{hint}")
        numbers.append(number)
    return DoorName(tuple(numbers), None)


def parse_door(text: str, words: WordList) -> DoorName:
    """A link or twelve words; ProtocolError, for the person who typed it, otherwise."""
    stripped = text.strip()
    if stripped.lower().startswith(_SCHEME):
        return parse_link(stripped)
    return parse_door_words(stripped, words)
