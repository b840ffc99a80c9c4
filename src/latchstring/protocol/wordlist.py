# SPDX-License-Identifier: AGPL-3.0-or-later
"""Word lists: 2048 words of one language, each worth 11 bits. Checked whenever one is loaded.

A list has no two words with the same first four letters, and none that differ by one slip of the pen (a letter
changed, left out, added, or two neighbours swapped), both as words are compared; in English no two sound alike and
none is spelled in two ways. Only a whole word is taken: for one whose end was mistyped it is shown what may be meant.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import resources
from typing import Final

from latchstring.protocol.constants import WORD_BITS

CODES: Final = {  # ISO 639-1, and the list's name
    "en": "english",
    "ru": "russian",
    "uk": "ukrainian",
    "fr": "french",
    "es": "spanish",
    "ar": "arabic",
}
LANGUAGES: Final = tuple(CODES.values())
_COUNT: Final = 1 << WORD_BITS
# What people write for one another and NFKD keeps apart.
_ALIKE: Final = str.maketrans(
    {
        "œ": "oe",
        "æ": "ae",
        "ґ": "г",
        "ة": "ه",
        "ى": "ي",
        "ٱ": "ا",
        "ی": "ي",  # the keys of Persian keyboards
        "ک": "ك",
        "ـ": "",  # a stroke that makes words longer
    }
)


class BadWordList(ValueError):
    """A list that must not be used; the text says which rule it breaks."""


def fold(text: str) -> str:
    """How words are compared: NFKD, no combining marks, case folded, letters written for each other taken for one."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(ch for ch in decomposed if not unicodedata.combining(ch)).casefold().translate(_ALIKE)


@dataclass(frozen=True, slots=True)
class WordList:
    """2048 words; word i stands for the 11-bit number i."""

    language: str
    words: tuple[str, ...] = field(repr=False)
    _index: dict[str, int] = field(repr=False, compare=False)

    def find(self, token: str) -> int | None:
        """The number of a word typed in full, in any case or normal form; None when it is not in the list."""
        return self._index.get(fold(token.strip()))

    def near(self, token: str, most: int = 3) -> tuple[str, ...]:
        """The words that were most likely meant, best first: the same first four letters, then the fewest slips."""
        typed = fold(token.strip())
        if not typed:
            return ()
        dearest, letters = max(4, len(typed)), set(typed)
        ranked = []
        for word, plain in zip(self.words, self._index, strict=True):
            begun = len(typed) >= 4 and plain[:4] == typed[:4]
            if not begun and max(abs(len(plain) - len(typed)), len(letters.difference(plain))) > dearest // 2:
                continue  # each letter that the word lacks is a slip at least
            price = 2 * _slips(typed, plain)
            if begun:  # the end may have been left out on purpose; either way one word alone begins so
                price = min(price, 2 * _slips(typed, plain[: len(typed)]) + 2) - 3
            if price <= dearest:
                ranked.append((price, word))
        return tuple(word for _, word in sorted(ranked)[:most])


def _slips(a: str, b: str) -> int:
    """Damerau's distance between neighbours: letters changed, left out, added, or swapped with the next."""
    before, row = list(range(len(b) + 1)), list(range(len(b) + 1))
    earlier: list[int] = []
    for i, x in enumerate(a, 1):
        earlier, before, row = before, row, [i] + [0] * len(b)
        for j, y in enumerate(b, 1):
            row[j] = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                row[j] = min(row[j], earlier[j - 2] + 1)
    return row[-1]


def make_list(language: str, words: tuple[str, ...]) -> WordList:
    """Check a list and index it; BadWordList says which rule it breaks."""
    if len(words) != _COUNT:
        raise BadWordList(f"the {language} list has {len(words)} words and not {_COUNT}")
    folded = [fold(word) for word in words]
    for word, plain in zip(words, folded, strict=True):
        if not plain.isalpha() or not 3 <= len(plain) <= 8 or unicodedata.normalize("NFC", word) != word:
            raise BadWordList(f"the {language} list holds something else than words of 3 to 8 letters")
        if word != word.lower():
            raise BadWordList(f"the {language} list holds a capital letter")
        if language == "english" and not word.isascii():
            raise BadWordList("the english list holds a letter outside a to z")
    if len(set(folded)) != _COUNT:
        raise BadWordList(f"two words of the {language} list are alike")
    if len({plain[:4] for plain in folded}) != _COUNT:
        raise BadWordList(f"two words of the {language} list begin with the same four letters")
    if list(words) != sorted(words):
        raise BadWordList(f"the {language} list is not in order")
    return WordList(language, words, {plain: i for i, plain in enumerate(folded)})


def load(language: str = "english") -> WordList:
    """A list that ships with the project."""
    if language not in LANGUAGES:
        raise BadWordList("there is no list of that language")
    text = resources.files("latchstring.protocol.words").joinpath(f"{language}.txt").read_text("utf-8")
    return make_list(language, tuple(text.split("\n")[:-1]))


def of_code(code: str) -> WordList:
    """The list of a language by its code, such as `uk`; the English one where none ships."""
    return load(CODES.get(code, "english"))


def every(first: WordList) -> Iterator[WordList]:
    """All lists, `first` first; the others are read as they are asked for."""
    yield first
    for language in LANGUAGES:
        if language != first.language:
            yield load(language)
