# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sheets come apart in one way only: whatever else the header says is refused."""

from dataclasses import replace

import pytest

from latchstring.protocol.directory import MAX_SLOTS, check_directory
from latchstring.protocol.encoding import ProtocolError, encode_cbor, lp
from latchstring.protocol.sheet import PageHead, make_sheet, page_size, parse_sheet
from latchstring.protocol.visit import MAX_VISIT
from tests.builders import found

NOTE = bytes(range(32))
HEADS = (PageHead(1, "legal", NOTE), PageHead(2, "news", NOTE))
PAGES = (b"a" * page_size(1), b"b" * page_size(2))
SHEET = make_sheet(7, 252, bytes(32), HEADS, PAGES)


def test_a_sheet_comes_back() -> None:
    assert parse_sheet(SHEET.raw) == SHEET
    assert (SHEET.r(1), SHEET.slot(1, 1)) == (b"b" * 16, b"b" * 3072)


@pytest.mark.parametrize(
    "header",
    [
        {},
        [[0, 1, "legal", NOTE]],
        [[0, 1, "legal", NOTE], [0, 2, "news", NOTE]],
        [[1, 2, "news", NOTE], [0, 1, "legal", NOTE]],
        [[0, 1, "legal", NOTE], [1, 3, "news", NOTE]],
        [[0, 0, "legal", NOTE], [1, 2, "news", NOTE]],
        [[0, 257, "legal", NOTE], [1, 2, "news", NOTE]],
        [[0, 1, "legal", NOTE[1:]], [1, 2, "news", NOTE]],
        [[0, 1, b"legal", NOTE], [1, 2, "news", NOTE]],
        [[0, 1, "legal"], [1, 2, "news", NOTE]],
        [[False, 1, "legal", NOTE], [1, 2, "news", NOTE]],
        [[0, True, "legal", NOTE], [1, 2, "news", NOTE]],
    ],
)
def test_a_header_that_is_none(header: object) -> None:
    with pytest.raises(ProtocolError):
        parse_sheet(lp("sheet", 7, 252, bytes(32), encode_cbor(header), b"".join(PAGES)))


def test_pages_of_other_sizes() -> None:
    for pages in (PAGES[:1], (PAGES[0], PAGES[1][1:]), (*PAGES, PAGES[0])):
        with pytest.raises(ProtocolError):
            make_sheet(7, 252, bytes(32), HEADS, pages)


def test_no_directory_makes_a_visit_that_nobody_can_take() -> None:
    directory = found("door", ("news", "law"), 600, slots=64).directory
    assert len(directory.pages) * directory.policy.slots == MAX_SLOTS
    assert 84 * MAX_SLOTS * 3072 < MAX_VISIT * 2 // 3
    with pytest.raises(ProtocolError, match="at most 128 slots"):
        check_directory(replace(directory, policy=replace(directory.policy, slots=65)))
