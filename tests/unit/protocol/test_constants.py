# SPDX-License-Identifier: AGPL-3.0-or-later
"""The figures that `docs/protocol.md` prints are those of the constants."""

import re
from pathlib import Path

import pytest

from latchstring.protocol import constants as c
from latchstring.protocol.letter import LetterBody, frame_letter, room_left
from latchstring.protocol.pair import pair_of_source
from latchstring.protocol.reply import ReplyBody
from latchstring.protocol.reply import room_left as reply_room
from tests.vectors.make import _source

DOC = (Path(__file__).parents[3] / "docs" / "protocol.md").read_text("utf-8")
ROWS = re.findall(r"^\| `([A-Z0-9_]+)` \| ([0-9,]+) \|", DOC, re.MULTILINE)


@pytest.mark.parametrize(("name", "printed"), ROWS, ids=[name for name, _ in ROWS])
def test_the_document_prints_the_constant(name: str, printed: str) -> None:
    assert getattr(c, name) == int(printed.replace(",", ""))


def test_the_document_prints_every_size() -> None:
    numbers = {name for name, value in vars(c).items() if name.isupper() and isinstance(value, int)}
    assert {name for name, _ in ROWS} == {name for name in numbers if not name.startswith("_")}


def test_the_largest_letter_fits_exactly() -> None:
    source, epoch = _source()
    pair = pair_of_source(source, epoch.note)
    empty = LetterBody("en", "client", "")
    text = "x" * (room_left(empty) - 2)  # a text of more than 255 bytes has two more bytes of length
    full = LetterBody("en", "client", text)
    assert (room_left(full), len(full.encode())) == (0, c.LETTER_CBOR_MAX)
    assert len(frame_letter(pair, bytes(16), full.encode())) == c.LETTER_PLAIN
    assert room_left(LetterBody("en", "client", text + "x")) == -1


def test_sizes_by_hand() -> None:
    assert (c.LETTER_PLAIN, c.LETTER_CBOR_MAX, c.REPLY_PLAIN, c.REPLY_CBOR_MAX) == (2960, 1582, 1920, 1835)
    assert reply_room(ReplyBody("")) < c.REPLY_CBOR_MAX
    assert c.PAGES_AHEAD == 28
    assert c.MAX_PLACINGS == 26
