# SPDX-License-Identifier: AGPL-3.0-or-later
"""How long the disk lasts: the arithmetic by hand, day by day, and against what a server really writes."""

from dataclasses import replace
from pathlib import Path

import pytest

from latchstring.protocol import constants as c
from latchstring.server.disk import used
from latchstring.server.forecast import (
    FAR_DAYS,
    KEEP_FREE,
    Shape,
    Use,
    blocks,
    days_left,
    room,
    takes_letters,
)
from tests.builders import found
from tests.sites import ServerSite

USUAL = Shape(tick=600, letters=16, queue=2304, pages=1, slots=8, members=1, desks=1, attachments=0)


def test_the_usual_door_by_hand() -> None:
    assert USUAL.packs == 144 * 16 * 4096  # 9.4 MB a day
    leaves = 144 * 17 + 4 + 3 + 1
    sheet = 7 * 4096  # 16 + 8 * 3072 and its head: 24,872 bytes
    assert blocks(16 + 8 * 3072 + 80 + 200) == sheet
    assert USUAL.lasting == 144 * 4096 + leaves * 67 + 4 * sheet + 8192
    assert 800_000 < USUAL.lasting < 900_000
    assert USUAL.reserve == 3 * (USUAL.lasting + USUAL.packs) + 2 * (2**20 + 84 * 24_592)
    free = USUAL.database + USUAL.reserve
    assert days_left(USUAL, Use(free + 10 * (USUAL.lasting + USUAL.packs), 0, 0, 0)) == 10
    assert days_left(USUAL, Use(free + 10 * USUAL.lasting, 0, 0, 35)) == 10


def by_days(shape: Shape, use: Use) -> int:
    """The same, one day after the other."""
    left, day = room(shape, use) - shape.reserve, 0
    while day < FAR_DAYS:
        left -= shape.lasting + (shape.packs if use.pack_days + day < c.BODY_DAYS else 0)
        if left < 0:
            break
        day += 1
    return day


@pytest.mark.parametrize("pack_days", [0, 1, 20, 34, 35])
@pytest.mark.parametrize("free", [0, 10**7, 10**8, 3 * 10**8, 5 * 10**8, 10**9, 10**10, 10**12])
@pytest.mark.parametrize("letters", [1, 16, 64])
def test_day_by_day_it_is_the_same(pack_days: int, free: int, letters: int) -> None:
    shape, use = replace(USUAL, letters=letters), Use(free, 10**6, 0, pack_days)
    assert days_left(shape, use) == by_days(shape, use)


def test_a_quick_door_has_many_days_in_one() -> None:
    use = Use(10**9, 0, 0, 0)
    assert days_left(replace(USUAL, tick=60), use) == by_days(USUAL, use) // 10


def test_what_comes_and_goes_counts_as_full_whatever_there_is() -> None:
    """Each letter or attachment takes from `free` what it adds to `database` or `attachments`."""
    shape = replace(USUAL, attachments=10**10)
    empty = Use(10**11, 10**5, 0, 3)
    for letters, uploaded in ((0, 0), (2304, 0), (100, 5 * 10**9), (2304, 10**10)):
        now = Use(10**11 - letters * 5000 - uploaded, 10**5 + letters * 5000, uploaded, 3)
        assert days_left(shape, now) == days_left(shape, empty)
    small = Use(5 * 10**9, 10**5, 0, 3)  # attachments stop at KEEP_FREE
    assert room(shape, small) == KEEP_FREE
    assert room(shape, replace(small, free=3 * 10**9, attachments=2 * 10**9)) == KEEP_FREE


def test_a_directory_gives_the_shape() -> None:
    directory = found("shape", ("a", "b"), letters=3, slots=5).directory
    shape = Shape.of(directory, 77)
    assert (shape.letters, shape.pages, shape.slots, shape.members, shape.desks) == (3, 2, 5, 2, 2)
    assert shape.attachments == 77
    none = replace(directory, policy=replace(directory.policy, attachment=0))
    assert Shape.of(none, 77).attachments == 0


def allocated(folder: Path) -> int:
    return sum(p.stat().st_blocks * 512 for p in folder.rglob("*") if p.is_file() and ".p" not in p.parent.name)


def test_a_real_server_writes_no_more_than_is_said(tmp_path: Path) -> None:
    """36 batches: a quarter of a day, with its sheet. Tiles that are not full yet are left out: they come and go."""
    site = ServerSite.opened(tmp_path / "data", letters=16)
    before = {name: allocated(site.config.data / name) for name in ("published", "private")}
    site.close(*range(36, 72))
    after = {name: allocated(site.config.data / name) for name in ("published", "private")}
    shape = Shape.of(site.founding.directory, 0)
    visit = (site.published / "visit").stat().st_blocks * 512
    assert after["private"] - before["private"] == shape.packs * 38 // 144
    assert 0 < after["published"] - before["published"] - visit <= shape.lasting * 40 // 144
    with site.parts() as parts:
        use = used(site.config, parts.sql, 71, lambda _: 10**9)
    assert (use.free, use.attachments, use.pack_days) == (10**9, 0, 0)
    assert 0 < use.database < shape.database


def test_letters_stop_before_publishing_does() -> None:
    assert takes_letters(USUAL, USUAL.reserve + 1)
    assert not takes_letters(USUAL, USUAL.reserve)
    assert USUAL.reserve > 3 * 144 * (16 * 4096 + 4096)  # three days of batches fit
