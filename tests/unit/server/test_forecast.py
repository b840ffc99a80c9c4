# SPDX-License-Identifier: AGPL-3.0-or-later
"""How long the disk lasts: the arithmetic by hand, day by day, and against what a server really writes."""

from dataclasses import replace
from pathlib import Path

import pytest

from latchstring.protocol import constants as c
from latchstring.protocol.entry import Kind
from latchstring.protocol.epoch import TransportNote
from latchstring.protocol.hpke import OpenKey
from latchstring.protocol.keystate import Note
from latchstring.server.accept import MAX_NOTES_A_DAY, MAX_NOTES_POSTED, Refusal, Refused, accept_key_notes
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
from tests.builders import Stream, found
from tests.faults import cbor_notes
from tests.sites import ServerSite

NOTES_BOUND = 3_500_000  # bytes of the key notes that one member may post in a day
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


# --- a hostile member ------------------------------------------------------------------------------


def post_notes(site: ServerSite, batch: int, random: Stream) -> int:
    """One member posts as many key notes as one post may hold, each another; how many were taken."""
    keys, posted = site.founding.member("news"), list[Note]()
    for _ in range(MAX_NOTES_POSTED):
        key = OpenKey.from_secret(random(32)).seal_key()
        note = TransportNote.make(site.founding.door, "news", keys.id, 1, key, keys.sign_seed)
        posted.append((Kind.TRANSPORT, note.raw))
    with site.parts() as parts:
        return accept_key_notes(parts.intake, keys.id, cbor_notes(posted), site.at(batch))


def test_a_member_who_posts_without_end_shortens_it_and_hides_nothing(tmp_path: Path) -> None:
    """What they can do: some 3 MB a day of notes for ever, and as much in the database until these are pruned. The
    forecast does not know beforehand; the next one does, and the reserve lasts for more than a day of it."""
    site = ServerSite.opened(tmp_path / "data", letters=16)
    site.close(143)
    total, shape = 10**9, Shape.of(site.founding.directory, 0)

    def look(batch: int) -> tuple[int, Use]:
        """What has been written; what is in use on a disk of `total` bytes."""
        with site.parts() as parts:
            written = allocated(site.config.data)
            return written, used(site.config, parts.sql, batch, lambda _: total - written)

    before, use = look(143)
    random = Stream("hostile")
    for _ in range(MAX_NOTES_A_DAY // MAX_NOTES_POSTED):
        assert post_notes(site, 143, random) == MAX_NOTES_POSTED
    with pytest.raises(Refused, match=Refusal.NOTES_MANY.value):
        post_notes(site, 143, random)
    site.close(144)
    after, used_now = look(144)
    notes = (site.published / "keynotes" / "144").stat().st_blocks * 512
    assert 2_500_000 < notes < NOTES_BOUND
    assert notes < after - before < 4 * NOTES_BOUND  # the same in the database, and in its write-ahead log for a while
    assert 0 < days_left(shape, use) - days_left(shape, used_now) <= NOTES_BOUND // shape.lasting + 1
    assert room(shape, used_now) <= used_now.free
    assert shape.reserve > shape.lasting + shape.packs + 2 * NOTES_BOUND


def test_a_database_that_a_member_filled_is_not_counted_as_free() -> None:
    """As it was: what is more than the largest that an honest desk makes was counted as room for the log."""
    full = Use(USUAL.reserve + USUAL.lasting, USUAL.database, 0, 35)
    assert days_left(USUAL, full) == 1
    assert days_left(USUAL, replace(full, database=USUAL.database + 10**8)) == 1
    for database in (0, USUAL.database // 2, USUAL.database, 10**9):
        assert room(USUAL, replace(full, database=database)) <= full.free


def test_letters_stop_before_publishing_does() -> None:
    assert takes_letters(USUAL, USUAL.reserve + 1)
    assert not takes_letters(USUAL, USUAL.reserve)
    assert USUAL.reserve > 3 * 144 * (16 * 4096 + 4096)  # three days of batches fit
