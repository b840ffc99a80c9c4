# SPDX-License-Identifier: AGPL-3.0-or-later
"""The card as one picture, read back from its dots: the code with its quiet zone, the twelve words, whole addresses."""

import struct
from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latchstring.org.card import card_link, card_png
from latchstring.org.font import HEIGHT, LETTERS, WIDTH
from latchstring.org.picture import Picture
from latchstring.protocol.doorwords import door_words
from latchstring.protocol.wordlist import load
from tests.builders import found
from tests.unit.org.test_card import ONION, modules, pixels

WORDS = load()
DIRECTORY = found().directory
EDGE, CODE = 106, 600  # pixels
SHAPES = {letter: sign for sign, letter in LETTERS.items()}
ADDRESS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=200)


def read(rows: list[list[bool]], x: int, y: int, scale: int) -> str:
    """What stands in the line from there to the picture's edge; each square of a dot must be of one colour."""
    text = ""
    while x + WIDTH * scale <= len(rows[0]) - EDGE:
        letter = []
        for at in range(y, y + HEIGHT * scale, scale):
            dots = 0
            for left in range(x, x + WIDTH * scale, scale):
                dark = rows[at][left]
                assert all(row[left : left + scale] == [dark] * scale for row in rows[at : at + scale])
                dots = dots * 2 + dark
            letter.append(dots)
        text += SHAPES[tuple(letter)]
        x += (WIDTH + 1) * scale
    return text.rstrip()


def addresses(rows: list[list[bool]]) -> list[str]:
    """Those on the card, put together from their lines."""
    lines: list[str] = []
    for y in range(2 * EDGE + CODE, len(rows) - EDGE - 5 * HEIGHT, 60):
        line = read(rows, EDGE, y, 5)
        if line.startswith("  "):
            lines[-1] += line[2:]
        elif line:
            lines.append(line)
    return lines


def twelve(rows: list[list[bool]]) -> list[str]:
    """The lines of words, as they stand."""
    return [read(rows, 2 * EDGE + CODE, EDGE + i * 100, 6) for i in range(6)]


@pytest.mark.parametrize("given", [(), (ONION,), (ONION, "https://door.example.org", "http://c.example")])
def test_the_code_stands_there_with_its_quiet_zone(given: tuple[str, ...]) -> None:
    d = replace(DIRECTORY, addresses=given)
    rows, want = pixels(card_png(d, WORDS)), modules(card_link(d))
    scale = CODE // len(want)
    for y in range(EDGE - 4 * scale, EDGE + (len(want) + 4) * scale):
        for x in range(EDGE - 4 * scale, EDGE + (len(want) + 4) * scale):
            row, column = (y - EDGE) // scale, (x - EDGE) // scale
            inside = 0 <= row < len(want) and 0 <= column < len(want)
            assert rows[y][x] == (inside and want[row][column])


def test_it_is_a6_at_300_dots_an_inch_and_higher_for_many_addresses() -> None:
    png = card_png(replace(DIRECTORY, addresses=(ONION, "https://door.example.org")), WORDS)
    assert struct.unpack(">II", png[16:24]) == (1748, 1240)
    assert struct.unpack(">II", png[png.index(b"pHYs") + 4 :][:8]) == (11811, 11811)
    many = pixels(card_png(replace(DIRECTORY, addresses=("https://" + "x" * 192,) * 12), WORDS))
    assert len(addresses(many)) == 12
    assert len(many) > 1240


def test_its_words_are_the_doors() -> None:
    words = door_words(DIRECTORY.door, WORDS)
    rows = pixels(card_png(DIRECTORY, WORDS))
    assert " ".join(twelve(rows)).split() == [part for i, word in enumerate(words) for part in (str(i + 1), word)]
    other = pixels(card_png(found("other").directory, WORDS))
    assert twelve(other) != twelve(rows)


def test_the_longest_words_have_room() -> None:
    longest = max(WORDS.words, key=len)
    assert [len(longest), max(map(len, WORDS.words))] == [8, 8]
    rows = pixels(card_png(DIRECTORY, replace(WORDS, words=(longest,) * len(WORDS.words))))
    assert " ".join(twelve(rows)).split()[1::2] == [longest] * 12


@given(st.lists(ADDRESS, max_size=6))
@settings(max_examples=15, deadline=None)
def test_every_address_stands_there_whole(written: list[str]) -> None:
    d = replace(DIRECTORY, addresses=tuple(written))
    assert addresses(pixels(card_png(d, WORDS))) == written


def test_an_address_with_other_letters_is_left_out() -> None:
    d = replace(DIRECTORY, addresses=("https://двері.example", ONION))
    assert addresses(pixels(card_png(d, WORDS))) == [ONION]


def test_no_two_letters_look_alike() -> None:
    assert "".join(LETTERS) == "".join(map(chr, range(32, 127)))
    plain = [letter for sign, letter in LETTERS.items() if sign.isalnum()]
    for one, other in combinations(LETTERS.values(), 2):
        differ = sum((a ^ b).bit_count() for a, b in zip(one, other, strict=True))
        assert differ >= (2 if one in plain and other in plain else 1)


def test_a_dot_that_is_missing_is_noticed() -> None:
    """The eyes of these tests on a picture that lacks one pixel of a word."""
    picture = Picture(1748, 60)
    picture.write(EDGE, 0, 6, "door")
    rows = pixels(picture.png())
    assert read(rows, EDGE, 0, 6) == "door"
    y, x = next((y, x) for y, row in enumerate(rows) for x, dark in enumerate(row) if dark)
    rows[y][x] = False
    with pytest.raises(AssertionError):
        read(rows, EDGE, 0, 6)
