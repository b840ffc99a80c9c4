# SPDX-License-Identifier: AGPL-3.0-or-later
"""How a door is written down: twelve words (the first 132 bits of its hash), or a link with the whole hash.

The words carry no check bits: a slip shows as a difference from the door that is served, and the program says which
word differs. Making another door that shares 132 bits takes about 2^132 tries.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote

from latchstring.protocol.constants import DOOR_WORDS, WORD_BITS
from latchstring.protocol.encoding import ProtocolError, sized
from latchstring.protocol.passphrase import tokens
from latchstring.protocol.wordlist import WordList

_PREFIX: Final = "latchstring:v1:"
_LINK: Final = re.compile(r"latchstring:v1:([0-9a-f]{64})(?:\?(at=[^&\s]+(?:&at=[^&\s]+)*))?\Z", re.ASCII)
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
    return f"{_PREFIX}{door.hex()}" + (f"?{query}" if query else "")


def parse_door(text: str, words: WordList) -> DoorName:
    """A link or twelve words; ProtocolError, for the person who typed it, otherwise."""
    stripped = text.strip()
    if stripped.startswith(_PREFIX):
        found = _LINK.match(stripped)
        if found is None:
            raise ProtocolError("That is not a whole door link: it has 64 digits and letters after latchstring:v1:")
        door = bytes.fromhex(found[1])
        addresses = tuple(unquote(part.removeprefix("at=")) for part in (found[2] or "").split("&") if part)
        return DoorName(door_numbers(door), door, addresses)
    typed = tokens(stripped)
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
