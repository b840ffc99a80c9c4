# SPDX-License-Identifier: AGPL-3.0-or-later
"""The card: words, link and addresses are the door's, in every form, whatever name stands on it."""

import re
import struct
import xml.etree.ElementTree as ET  # reads what this project wrote a line before
import zlib
from dataclasses import replace
from itertools import pairwise

import pytest
import segno
from hypothesis import given, settings
from hypothesis import strategies as st

from latchstring.org.card import CardTexts, card_link, card_qr, card_svg, card_text, code_png, link_qr
from latchstring.protocol.directory import Directory
from latchstring.protocol.doorwords import door_words, parse_door
from latchstring.protocol.wordlist import load
from latchstring.site.files import card
from latchstring.site.languages import LANGUAGES
from latchstring.site.texts import Texts
from tests.builders import found

WORDS = load()
DIRECTORY = found().directory
ONION = "http://" + "a2" * 28 + ".onion"
SVG = "{http://www.w3.org/2000/svg}"


def squares(svg: str) -> list[list[bool]]:
    """The modules that the card's path paints black, read back from its runs."""
    root = ET.fromstring(svg)  # noqa: S314  # our own
    path = next(p for p in root.iter(SVG + "path") if p.get("transform"))
    runs = [tuple(map(int, run)) for run in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\d+z", path.get("d") or "")]
    side = max(x + width for x, _, width in runs)
    grid = [[False] * side for _ in range(side)]
    for x, y, width in runs:
        for i in range(x, x + width):
            grid[y][i] = True
    return grid


def pixels(png: bytes) -> list[list[bool]]:
    """A 1-bit grey PNG as rows of black or not."""
    width, height, depth, colour = struct.unpack(">IIBB", png[16:26])
    assert (depth, colour) == (1, 0)
    data, at = b"", 8
    while at < len(png):
        size = int.from_bytes(png[at : at + 4], "big")
        if png[at + 4 : at + 8] == b"IDAT":
            data += png[at + 8 : at + 8 + size]
        at += 12 + size
    raw, row = zlib.decompress(data), 1 + (width + 7) // 8
    rows, line = [], bytes(row - 1)
    for y in range(height):
        kind, coded = raw[y * row], raw[y * row + 1 : (y + 1) * row]
        assert kind in (0, 2)  # as it is, or as the difference from the row above
        line = bytes((a + b) & 255 for a, b in zip(coded, line, strict=True)) if kind else coded
        rows.append([bit == "0" for bit in f"{int.from_bytes(line):0{8 * len(line)}b}"[:width]])
    return rows


def modules(link: str) -> list[list[bool]]:
    """The QR code of a link as the library gives it."""
    return [[bool(dark) for dark in row] for row in segno.make(link, error="m", micro=False).matrix]


@pytest.mark.parametrize("addresses", [(), (ONION,), (ONION, "https://door.example.org", "http://c.example")])
def test_every_form_holds_the_same_link(addresses: tuple[str, ...]) -> None:
    d = replace(DIRECTORY, addresses=addresses)
    link = card_link(d)
    name = parse_door(link, WORDS)
    assert (name.door, name.addresses) == (d.door, addresses[:2])
    assert squares(card_svg(d, "The Daily Example", WORDS)) == modules(link)
    assert link in card_text(d, "The Daily Example", WORDS)
    assert card_qr(d) == link_qr(link)


def test_the_picture_is_the_code_with_a_quiet_zone_at_print_size() -> None:
    d = replace(DIRECTORY, addresses=(ONION, "https://door.example.org"))
    png, want = code_png(d), modules(card_link(d))
    rows = pixels(png)
    scale = len(rows) // (len(want) + 8)
    assert scale * (len(want) + 8) == len(rows) == len(rows[0])
    assert 600 <= len(rows) <= 1000
    for y, line in enumerate(rows):
        for x, dark in enumerate(line):
            row, column = y // scale - 4, x // scale - 4
            inside = 0 <= row < len(want) and 0 <= column < len(want)
            assert dark == (inside and want[row][column])
    per_metre = png.index(b"pHYs") + 4
    assert struct.unpack(">II", png[per_metre : per_metre + 8]) == (11811, 11811)  # 300 dots an inch


def test_the_words_stand_on_the_card_in_order_and_for_screen_readers() -> None:
    twelve = list(door_words(DIRECTORY.door, WORDS))
    root = ET.fromstring(card_svg(DIRECTORY, "The Daily Example", WORDS))  # noqa: S314  # our own
    spans = [t.text for t in root.iter(SVG + "tspan")]
    assert spans[1::2] == twelve
    assert spans[::2] == [str(i) for i in range(1, 13)]
    assert root.get("role") == "img"
    assert {root[0].get("id"), root[1].get("id")} == set((root.get("aria-labelledby") or "").split())
    assert ", ".join(twelve) in (root[1].text or "")
    text = card_text(DIRECTORY, "The Daily Example", WORDS)
    assert re.findall(r"\d+\. ([a-z]+)", text) == twelve


def test_a_card_that_is_read_from_the_right_begins_there() -> None:
    said = CardTexts("%(name)s بابنا", "مفتوح", "هل هو بابنا؟", "%(name)s %(words)s %(link)s", True)
    svg = card_svg(DIRECTORY, "100% <us>", WORDS, said)
    lines = [text for text in drawn(svg) if text.get("direction") == "rtl"]
    assert [text.text for text in lines] == ["100% <us>", "مفتوح", "هل هو بابنا؟"]
    assert {text.get("x") for text in lines} == {"139"}, "the right edge"
    assert "100% &lt;us&gt; بابنا</title>" in svg


def test_in_every_language_the_question_stays_between_the_code_and_the_edge() -> None:
    """In one line the paper cut it off in Russian: 73 mm are there, and a letter takes 0.6 of its size."""
    for code in LANGUAGES:
        texts = Texts.load(code)
        svg = card(DIRECTORY, "The Daily Example", WORDS, texts)[1].decode()
        lines = [text.text or "" for text in drawn(svg) if text.get("font-size") == "3.1"]
        assert " ".join(lines) == texts("Is it our door? All twelve words must be these.")
        assert len(lines) <= 2, "a third one would touch the words"
        assert max(len(line) * 0.6 * 3.1 for line in lines) <= 73


def test_no_word_touches_the_number_of_the_next_or_the_edge() -> None:
    """Of eight letters, after a number of two digits: a bold one takes 0.72 of its size, a digit 0.7 of 2.8 mm."""
    root = ET.fromstring(card_svg(DIRECTORY, "The Daily Example", WORDS))  # noqa: S314  # our own
    [group] = [g for g in root.iter(SVG + "g") if g.get("font-weight") == "bold"]
    columns = sorted({float(text.get("x") or 0) for text in group})
    longest = 2 * 0.7 * 2.8 + 1 + max(map(len, WORDS.words)) * 0.72 * float(group.get("font-size") or 0)
    assert all(one + longest < other for one, other in pairwise([*columns, 139]))


def test_the_card_needs_nothing_from_elsewhere() -> None:
    svg = card_svg(DIRECTORY, "The Daily Example", WORDS)
    assert not re.search(r"href|url\(|@import|<script|<image|<style", svg)
    assert re.findall(r"https?://[^\s\"<]*", svg.replace("http://127.0.0.1:8400", "")) == ["http://www.w3.org/2000/svg"]


def drawn(svg: str) -> list[ET.Element]:
    """The texts on the card."""
    return list(ET.fromstring(svg).iter(SVG + "text"))  # noqa: S314  # our own


@given(name=st.text(max_size=200), addresses=st.lists(st.text(min_size=1, max_size=200), max_size=4))
@settings(max_examples=60)
def test_any_name_and_address_give_a_whole_card(name: str, addresses: list[str]) -> None:
    """Also a name with markup or control characters; nothing is drawn outside the paper."""
    clean = tuple(a for a in addresses if a.isprintable() and " " not in a)
    d: Directory = replace(DIRECTORY, addresses=clean)
    svg = card_svg(d, name, WORDS)
    for text in drawn(svg):
        size = float(text.get("font-size") or 4)
        assert 0 < float(text.get("y") or 0) < 103
        if text.get("font-family"):  # an address, in letters of one width
            assert 9 + len(text.text or "") * 0.602 * size <= 140
    shown = "".join(ch for text in drawn(svg) if text.get("font-family") for ch in text.text or "")
    assert "".join(clean).startswith(shown)
    assert "\x1b" not in card_text(d, name, WORDS)
    assert len(card_link(d)) <= 500


def test_long_addresses_stay_out_of_the_code_before_it_gets_too_fine() -> None:
    long = "https://" + "ї" * 190
    assert parse_door(card_link(replace(DIRECTORY, addresses=(long, long))), WORDS).addresses == ()
    assert parse_door(card_link(replace(DIRECTORY, addresses=(ONION, long))), WORDS).addresses == (ONION,)
