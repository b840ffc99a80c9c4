# SPDX-License-Identifier: AGPL-3.0-or-later
"""For every write of the server's core a pair: it fails and is not stored; it fails but is stored.

After either, sending again gives the same answer, and the next start publishes one log that holds every receipt.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from latchstring.protocol.receipt import open_page_receipt
from latchstring.protocol.sheet import noise_page, parse_sheet
from latchstring.server.accept import accept_page
from latchstring.server.publisher import Publisher
from latchstring.store import letters, notes, tip
from latchstring.store.sql import StoreFailed
from tests.builders import Stream
from tests.faults import Core, check_published

FATES = pytest.mark.parametrize("stored", [False, True], ids=["fails-not-stored", "fails-but-stored"])


def eventful() -> Core:
    """A server just before batch 144: a sheet, a new day with waiting notes, letters, a full tile and old packs."""
    core = Core.opened(letters=19, queue=38)
    core.send(32, 1, 2, 3)
    core.close(32)
    for batch in range(33, 36):
        core.close(batch)
    core.close(36)  # sheet 1
    core.post_notes(36, 1)
    core.send(142, 4, 5, 6)
    core.close(143)
    with core.sql.read() as connection:
        at = tip.read(connection)
    assert at is not None
    assert at.batch == 143
    assert at.size < 256 <= at.size + 20
    core.send(143, *range(7, 40))
    accept_page(core.intake, core.cache, "news-1", 4, 0, 1, noise_page(1, Stream("page")))
    return core


@FATES
def test_letters(stored: bool) -> None:
    core = Core.opened()
    before = core.sql.dump()
    core.fuse.arm(1, stored)
    with pytest.raises(StoreFailed):
        core.send(31, 1, 2)
    with core.sql.read() as connection:
        assert letters.waiting(connection) == (2 if stored else 0)
    assert (core.sql.dump() == before) == (not stored)
    core.restart()
    again = core.send(31, 1, 2)
    assert again == core.send(40, 2, 1)[::-1]
    with core.sql.read() as connection:
        assert letters.waiting(connection) == len(letters.oldest(connection, 100)) == 2
    for batch in range(32, 36):
        core.close(batch)
    check_published(core)


@FATES
def test_directory(stored: bool) -> None:
    core = Core.make()
    core.fuse.arm(1, stored)
    with pytest.raises(StoreFailed):
        core.post_directory(30)
    with core.sql.read() as connection:
        assert len(notes.waiting(connection)) == (1 if stored else 0)
    core.post_directory(30)
    with core.sql.read() as connection:
        assert len(notes.waiting(connection)) == 1
    core.close(30)
    check_published(core)


@FATES
def test_key_notes(stored: bool) -> None:
    core = Core.opened()
    before = core.sql.dump()
    core.fuse.arm(1, stored)
    with pytest.raises(StoreFailed):
        core.post_notes(31, 1)
    assert (core.sql.dump() == before) == (not stored)
    core.post_notes(31, 1)
    with core.sql.read() as connection:
        assert len(notes.waiting(connection)) == 4
    core.close(144)
    check_published(core)
    assert "keynotes/144" in core.public.files


@FATES
def test_page(stored: bool) -> None:
    core = Core.opened()
    page = noise_page(1, Stream("page"))
    core.fuse.arm(1, stored)
    with pytest.raises(StoreFailed):
        accept_page(core.intake, core.cache, "news-1", 1, 0, 7, page)
    receipt = accept_page(core.intake, core.cache, "news-1", 1, 0, 7, page)
    assert open_page_receipt(receipt, core.keys.receipt_public).version == 7
    core.close(36)
    assert parse_sheet(core.public.get("sheets/1")).pages == (page,)
    check_published(core)


def writes_of(core: Core, act: Callable[[Core], object]) -> int:
    """How many writes an act makes."""
    twin = core.copy()
    twin.publisher.start()
    twin.fuse.disarm()
    act(twin)
    return twin.fuse.count


def close_144(core: Core) -> object:
    return core.close(144)


@pytest.mark.parametrize("restarted", [True, False], ids=["restarted", "went-on"])
@FATES
def test_every_write_of_a_close(stored: bool, restarted: bool) -> None:
    start = eventful()
    writes = writes_of(start, close_144)
    assert writes > 15
    for n in range(1, writes + 1):
        core = start.copy()
        core.publisher.start()
        core.fuse.arm(n, stored)
        with pytest.raises(StoreFailed):
            core.close(144)
        core.fuse.disarm()
        if restarted:
            core.restart()
            core.publisher.start()
        core.send(144, 100 + n)
        for batch in range(144, 148):
            core.close(batch)
        numbers = check_published(core)
        assert numbers[-4:] == [144, 145, 146, 147], n


@FATES
def test_every_write_of_the_founding_batch(stored: bool) -> None:
    def founded() -> Core:
        core = Core.make()
        core.publisher.start()
        core.post_directory(30)
        return core

    reference = founded()
    reference.fuse.disarm()
    reference.close(30)
    for n in range(1, reference.fuse.count + 1):
        core = founded()
        core.fuse.arm(n, stored)
        with pytest.raises(StoreFailed):
            core.close(30)
        core.fuse.disarm()
        core.restart()
        core.publisher.start()
        core.close(30)
        core.close(31)
        assert check_published(core) == [30, 31]
        assert core.public.files["log.vkey"] == reference.public.files["log.vkey"]


def committed_only() -> Core:
    """A server that was killed right after the commit of batch 144."""
    core = eventful()
    core.fuse.arm(1, True)
    with pytest.raises(StoreFailed):
        core.close(144)
    core.fuse.disarm()
    with core.sql.read() as connection:
        assert tip.files(connection)
    return core


@FATES
def test_recovery_that_fails_at_any_write_publishes_the_same_bytes(stored: bool) -> None:
    start = committed_only()
    whole = start.copy()
    whole.fuse.disarm()
    whole.publisher.start()
    check_published(whole)
    for n in range(1, whole.fuse.count + 1):
        core = start.copy()
        core.fuse.arm(n, stored)
        with pytest.raises(StoreFailed):
            core.publisher.start()
        core.fuse.disarm()
        core.restart()
        core.publisher.start()
        assert core.public.files == whole.public.files, n
        assert core.private.files == whole.private.files, n


def test_recovery_twice_changes_nothing() -> None:
    core = committed_only()
    core.publisher.start()
    files, rows = dict(core.public.files), core.sql.dump()
    core.restart()
    core.publisher.start()
    assert core.public.files == files
    assert core.sql.dump() == rows


@FATES
def test_pruning(stored: bool) -> None:
    start = eventful()
    start.close(144)
    later = 144 + 40 * 144
    count = writes_of(start, lambda core: core.close(later))
    reference = start.copy()
    reference.publisher.start()
    reference.close(later)
    kept = set(reference.private.files)
    deletions = len(start.private.files)
    for n in range(count - deletions - 2, count + 1):
        core = start.copy()
        core.publisher.start()
        core.fuse.arm(n, stored)
        with pytest.raises(StoreFailed):
            core.close(later)
        core.fuse.disarm()
        core.restart()
        core.publisher.start()
        core.close(later + 144)  # pruning comes again with the next day
        check_published(core, packs=False)
        assert not set(core.private.files) & (set(start.private.files) - kept)


def test_a_publisher_that_goes_on_with_what_it_knew_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check of all that is published sees a publisher that does not read again after an unheard commit."""

    def careless(self: Publisher) -> None:
        with self._sql.read() as connection:
            at, rows = tip.read(connection), tip.files(connection)
        if at is not None and rows:
            self._memory.state = replace(self._memory.state, batch=at.batch)
            self._copy_out(at, rows)

    core = Core.opened()
    core.close(143)
    core.post_notes(143, 1)
    core.fuse.arm(1, True)
    with pytest.raises(StoreFailed):
        core.close(144)
    core.fuse.disarm()
    twin = core.copy()
    twin.close(145)
    check_published(twin)
    monkeypatch.setattr(Publisher, "resume", careless)
    core.close(145)
    with pytest.raises(AssertionError):
        check_published(core)


def test_tip_moved_keeps_nothing() -> None:
    core = Core.opened()
    core.send(31, 1)
    second = core.copy()
    second.sql = core.sql
    second.shelves = core.shelves
    second.restart()
    second.publisher.start()
    core.close(32)
    rows = core.sql.dump()
    second.publisher.resume = lambda: None  # type: ignore[method-assign]  # as if the other had been quicker just now
    with pytest.raises(tip.TipMoved):
        second.publisher.close(32, second.random)
    assert core.sql.dump() == rows
    check_published(core)
