# SPDX-License-Identifier: AGPL-3.0-or-later
"""A source's passphrase: ten words, 100 random bits and 10 check bits. Generated, never chosen.

The 110 bits, most significant first, are the 100 random bits and then the first 10 bits of
H(LP("passphrase", the 100 bits as 13 bytes, big-endian)); each word is 11 of them. Any language's list spells the
same bits. A slip is seen on the source's own device and nowhere else: no server ever refuses a passphrase.
"""

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Final, Literal

from latchstring.protocol.constants import (
    PASSPHRASE_CHECK_BITS,
    PASSPHRASE_RANDOM_BITS,
    PASSPHRASE_WORDS,
    WORD_BITS,
)
from latchstring.protocol.encoding import h, lp
from latchstring.protocol.wordlist import WordList

_BYTES: Final = (PASSPHRASE_RANDOM_BITS + 7) // 8  # 13
_NEAR: Final = 12
_SHOWN: Final = 3
_EXPLAINED: Final = 2 * PASSPHRASE_WORDS  # of a text with more words than this only their count is told


@dataclass(frozen=True, slots=True)
class Passphrase:
    """The 100 random bits as 13 bytes, big-endian (the top 4 bits are zero)."""

    bits: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """ValueError for anything but 13 bytes that begin with four zero bits."""
        if len(self.bits) != _BYTES or self.bits[0] >> 4:
            raise ValueError("a passphrase is 100 bits in 13 bytes")

    def words(self, words: WordList) -> tuple[str, ...]:
        """The ten words in one list."""
        value = int.from_bytes(self.bits, "big") << PASSPHRASE_CHECK_BITS | _check(self.bits)
        mask = (1 << WORD_BITS) - 1
        shifts = range((PASSPHRASE_WORDS - 1) * WORD_BITS, -1, -WORD_BITS)
        return tuple(words.words[value >> shift & mask] for shift in shifts)


@dataclass(frozen=True, slots=True)
class Slip:
    """A word that is likely wrong: its place (from 1), what was typed, what may have been meant, best first.

    `why`: `unknown`, it is not in the list; `check`, it is, but the ten do not belong together and would with one of
    `meant`; `swapped`, they would if it and the word after it changed places.
    """

    place: int
    why: Literal["unknown", "check", "swapped"]
    typed: str = field(repr=False)
    meant: tuple[str, ...] = field(repr=False)

    def sentence(self) -> str:
        """What to tell the person who typed it; it names words."""
        meant = " or ".join(f"“{word}”" for word in self.meant)
        if self.why == "unknown":
            return f"Word {self.place}, “{self.typed}”, is not in the list." + (
                f" Did you mean {meant}?" if meant else ""
            )
        if self.why == "check":
            return f"Perhaps word {self.place}, “{self.typed}”, should be {meant}."
        return f"Perhaps words {self.place} and {self.place + 1} are the wrong way round: {meant} comes first."


class MistypedPassphrase(ValueError):
    """What was typed is not a passphrase. The text names no word; `slips` is for the source's own screen only.

    `count` is how many words were typed. Slips for which `why` is `check` or `swapped` are alternatives to each other.
    """

    def __init__(self, count: int, slips: tuple[Slip, ...]) -> None:
        super().__init__("The words typed are not a passphrase.")  # none of these words is in a list
        self.count = count
        self.slips = slips

    def sentences(self) -> list[str]:
        """What to tell the person who typed it; they name words."""
        told = [slip.sentence() for slip in self.slips]
        if self.count != PASSPHRASE_WORDS:
            return [f"A passphrase has {PASSPHRASE_WORDS} words; you typed {self.count}.", *told]
        if not told:
            return ["One or more words are wrong or out of order; it cannot be seen which. Compare them one by one."]
        if self.slips[0].why != "unknown":
            told.insert(0, "Every word is in the list, but one is wrong or out of place. Look here first:")
        return told


def _check(bits: bytes) -> int:
    return int.from_bytes(h(lp("passphrase", bits))[:2], "big") >> (16 - PASSPHRASE_CHECK_BITS)


def generate(random: Callable[[int], bytes]) -> Passphrase:
    """A new one, from 13 random bytes of which the top 4 bits are dropped; ValueError when `random` gives fewer."""
    raw = random(_BYTES)
    if len(raw) != _BYTES:
        raise ValueError("the source of randomness gave the wrong number of bytes")
    return Passphrase(bytes([raw[0] & 0x0F]) + raw[1:])


def _of_numbers(numbers: Sequence[int]) -> Passphrase | None:
    value = 0
    for number in numbers:
        value = value << WORD_BITS | number
    bits = (value >> PASSPHRASE_CHECK_BITS).to_bytes(_BYTES, "big")
    return Passphrase(bits) if _check(bits) == value & ((1 << PASSPHRASE_CHECK_BITS) - 1) else None


def tokens(text: str) -> list[str]:
    """The words in what was typed, whatever stands between them: spaces, commas, hyphens, line breaks, numbering.

    Marks that are not seen (soft hyphens, joiners, a byte order mark) are dropped.
    """
    spaced = "".join(_plain(ch) for ch in unicodedata.normalize("NFC", text))
    return [token for token in spaced.split() if any(unicodedata.category(ch)[0] != "N" for ch in token)]


def _plain(ch: str) -> str:
    category = unicodedata.category(ch)
    if category == "Cf" and ch != "\u200b":  # the zero-width space does part words
        return ""
    return " " if category[0] in "PSZC" else ch


def parse_passphrase(text: str, words: WordList) -> Passphrase:
    """The passphrase that was typed; MistypedPassphrase says which word is likely wrong."""
    typed = tokens(text)
    if len(typed) > _EXPLAINED:
        raise MistypedPassphrase(len(typed), ())
    numbers = [words.find(token) for token in typed]
    if len(typed) != PASSPHRASE_WORDS:
        raise MistypedPassphrase(len(typed), _unknown(typed, numbers, words))
    if None in numbers:
        raise MistypedPassphrase(len(typed), _unknown(typed, numbers, words))
    known = [number for number in numbers if number is not None]
    passphrase = _of_numbers(known)
    if passphrase is None:
        raise MistypedPassphrase(len(typed), _misread(typed, known, words))
    return passphrase


def parse_in_any(text: str, lists: Iterable[WordList]) -> Passphrase:
    """The passphrase that was typed in the language of one of `lists`, which are asked in turn.

    MistypedPassphrase of the list that knows most of the words, the first of several; ValueError without lists. Words
    that lists share could be taken for another language's: one in 10^8 at most (`test_languages.py` counts).
    """
    typed, asked = tokens(text), []
    for words in lists:
        known = sum(words.find(token) is not None for token in typed)
        if known == PASSPHRASE_WORDS == len(typed) and (passphrase := _read(typed, words)) is not None:
            return passphrase
        asked.append((known, words))
    if not asked:
        raise ValueError("no list was given")
    return parse_passphrase(text, max(asked, key=lambda one: one[0])[1])


def _read(typed: Sequence[str], words: WordList) -> Passphrase | None:
    numbers = [number for token in typed if (number := words.find(token)) is not None]
    return _of_numbers(numbers)


def _unknown(typed: list[str], numbers: list[int | None], words: WordList) -> tuple[Slip, ...]:
    """The words that are not in the list. When there are one or two, the check bits sort out which near ones fit."""
    places = [i for i, number in enumerate(numbers) if number is None]
    near = [words.near(typed[i], _NEAR) for i in places]
    if len(numbers) == PASSPHRASE_WORDS and len(places) <= 2:
        fits = [meant for meant in product(*near) if _fits(numbers, places, meant, words)]
        near = [tuple(dict.fromkeys(column)) for column in zip(*fits, strict=True)] or near
    return tuple(Slip(i + 1, "unknown", typed[i], meant[:_SHOWN]) for i, meant in zip(places, near, strict=True))


def _fits(numbers: Sequence[int | None], places: Sequence[int], meant: Sequence[str], words: WordList) -> bool:
    """Would the ten belong together with the words `meant` at `places`?"""
    tried = list(numbers)
    for place, word in zip(places, meant, strict=True):
        tried[place] = words.find(word)
    whole = [number for number in tried if number is not None]
    return len(whole) == PASSPHRASE_WORDS and _of_numbers(whole) is not None


def _misread(typed: list[str], numbers: list[int], words: WordList) -> tuple[Slip, ...]:
    """All words exist and the check fails: try neighbours swapped, and the near words at each place."""
    slips = []
    for i in range(len(numbers) - 1):
        swapped = [*numbers[:i], numbers[i + 1], numbers[i], *numbers[i + 2 :]]
        if numbers[i] != numbers[i + 1] and _of_numbers(swapped) is not None:
            slips.append(Slip(i + 1, "swapped", typed[i], (words.words[numbers[i + 1]],)))
    for i, token in enumerate(typed):
        meant = tuple(word for word in words.near(token, _NEAR) if _fits(numbers, [i], [word], words))
        if meant:
            slips.append(Slip(i + 1, "check", token, meant[:_SHOWN]))
    return tuple(slips)
