# SPDX-License-Identifier: AGPL-3.0-or-later
"""A source's passphrase: ten words, 100 random bits and 10 check bits. Generated, never chosen.

The 110 bits, most significant first, are the 100 random bits and then the first 10 bits of
H(LP("passphrase", the 100 bits as 13 bytes, big-endian)); each word is 11 of them. Any language's list spells the
same bits. A slip is seen on the source's own device and nowhere else: no server ever refuses a passphrase.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from latchstring.protocol.constants import (
    PASSPHRASE_CHECK_BITS,
    PASSPHRASE_RANDOM_BITS,
    PASSPHRASE_WORDS,
    WORD_BITS,
)
from latchstring.protocol.encoding import h, lp
from latchstring.protocol.wordlist import WordList

_BYTES: Final = (PASSPHRASE_RANDOM_BITS + 7) // 8  # 13
_SPLIT: Final = re.compile(r"[\s,;]+|(?<=\w)-(?=\w)")
_NUMBERING: Final = re.compile(r"[0-9]+[.):]?\Z")
_NEAR: Final = 12


@dataclass(frozen=True, slots=True)
class Passphrase:
    """The 100 random bits as 13 bytes, big-endian (the top 4 bits are zero)."""

    bits: bytes = field(repr=False)

    def words(self, words: WordList) -> tuple[str, ...]:
        """The ten words in one list."""
        value = int.from_bytes(self.bits, "big") << PASSPHRASE_CHECK_BITS | _check(self.bits)
        mask = (1 << WORD_BITS) - 1
        shifts = range((PASSPHRASE_WORDS - 1) * WORD_BITS, -1, -WORD_BITS)
        return tuple(words.words[value >> shift & mask] for shift in shifts)


@dataclass(frozen=True, slots=True)
class Slip:
    """A word that is likely wrong: its place (from 1), what was typed, what may have been meant, best first."""

    place: int
    typed: str = field(repr=False)
    meant: tuple[str, ...] = field(repr=False)


class MistypedPassphrase(ValueError):
    """What was typed is not a passphrase. The text names no word; `slips` is for the source's own screen only."""

    def __init__(self, count: int, slips: tuple[Slip, ...]) -> None:
        super().__init__("The words do not make a passphrase.")
        self.count = count
        self.slips = slips

    def sentences(self) -> list[str]:
        """What to tell the person who typed it."""
        if self.count != PASSPHRASE_WORDS:
            return [f"A passphrase has {PASSPHRASE_WORDS} words; you typed {self.count}."]
        if not self.slips:
            return ["One or more words are wrong or out of order; it cannot be seen which. Compare them one by one."]
        return [
            f"Word {slip.place}, “{slip.typed}”, is likely wrong."
            + (f" Did you mean {' or '.join(f'“{word}”' for word in slip.meant)}?" if slip.meant else "")
            for slip in self.slips
        ]


def _check(bits: bytes) -> int:
    return int.from_bytes(h(lp("passphrase", bits))[:2], "big") >> (16 - PASSPHRASE_CHECK_BITS)


def generate(random: Callable[[int], bytes]) -> Passphrase:
    """A new one, from 13 random bytes of which the top 4 bits are dropped."""
    raw = random(_BYTES)
    return Passphrase(bytes([raw[0] & 0x0F]) + raw[1:])


def _of_numbers(numbers: Sequence[int]) -> Passphrase | None:
    value = 0
    for number in numbers:
        value = value << WORD_BITS | number
    bits = (value >> PASSPHRASE_CHECK_BITS).to_bytes(_BYTES, "big")
    return Passphrase(bits) if _check(bits) == value & ((1 << PASSPHRASE_CHECK_BITS) - 1) else None


def tokens(text: str) -> list[str]:
    """The words in what was typed: any spacing, commas, hyphens between words, numbering, line breaks."""
    found = [token.strip(".:()[]\"'“”-–—") for token in _SPLIT.split(text)]
    return [token for token in found if token and not _NUMBERING.match(token)]


def parse_passphrase(text: str, words: WordList) -> Passphrase:
    """The passphrase that was typed; MistypedPassphrase says which word is likely wrong."""
    typed = tokens(text)
    if len(typed) != PASSPHRASE_WORDS:
        raise MistypedPassphrase(len(typed), ())
    numbers = [words.find(token) for token in typed]
    if None in numbers:
        raise MistypedPassphrase(len(typed), _unknown(typed, numbers, words))
    known = [number for number in numbers if number is not None]
    passphrase = _of_numbers(known)
    if passphrase is None:
        raise MistypedPassphrase(len(typed), _misread(typed, known, words))
    return passphrase


def _unknown(typed: list[str], numbers: list[int | None], words: WordList) -> tuple[Slip, ...]:
    places = [i for i, number in enumerate(numbers) if number is None]
    slips = []
    for i in places:
        meant = words.near(typed[i], _NEAR)
        if len(places) == 1:  # with one word missing, the check bits tell which of the near ones it was
            fitting = [w for w in meant if _of_numbers(_with(numbers, i, words.words.index(w)))]
            meant = tuple(fitting) or meant
        slips.append(Slip(i + 1, typed[i], meant[:3]))
    return tuple(slips)


def _with(numbers: Sequence[int | None], place: int, number: int) -> list[int]:
    return [number if i == place else (n or 0) for i, n in enumerate(numbers)]


def _misread(typed: list[str], numbers: list[int], words: WordList) -> tuple[Slip, ...]:
    """All words exist and the check fails: try the near words at each place, and neighbours swapped."""
    slips = []
    for i, token in enumerate(typed):
        meant = tuple(
            w for w in words.near(token, _NEAR) if _of_numbers(_with(numbers, i, words.words.index(w))) is not None
        )
        if meant:
            slips.append(Slip(i + 1, token, meant[:3]))
    for i in range(len(numbers) - 1):
        swapped = [*numbers[:i], numbers[i + 1], numbers[i], *numbers[i + 2 :]]
        if numbers[i] != numbers[i + 1] and _of_numbers(swapped) is not None:
            slips.append(Slip(i + 1, typed[i], (typed[i + 1],)))
    return tuple(slips)
