# SPDX-License-Identifier: AGPL-3.0-or-later
"""The publisher: which batches close when, what goes into them, when it refuses to start, what it forgets."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchstring.protocol import constants as c
from latchstring.protocol.directory import open_directory
from latchstring.protocol.encoding import decode_cbor, h
from latchstring.protocol.manifest import Manifest
from latchstring.protocol.receipt import open_receipt
from latchstring.protocol.sheet import noise_page, parse_sheet
from latchstring.protocol.visit import parse_visit
from latchstring.server.accept import Refused, accept_directory, accept_page
from latchstring.server.batch import shuffled
from latchstring.server.publisher import Publisher, Shelves, batches_due
from latchstring.store import letters, notes, tip
from latchstring.store.sql import StoreError, StoreFailed
from latchstring.store.tip import TipMoved
from tests.builders import STARTED, Stream, found, successor
from tests.faults import Core, FaultyObjects, Fuse, check_published, letter


def manifest(core: Core, batch: int) -> Manifest:
    return Manifest.parse(core.public.get(f"manifests/{batch}"))


# --- which batches close ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last", "present", "due"),
    [
        (None, -1, []),
        (None, 0, [0]),
        (None, 700, [700]),
        (5, 4, []),
        (5, 5, []),
        (5, 6, [6]),
        (5, 8, [6, 7, 8]),
        (5, 9, [6, 7, 8, 9]),
        (5, 10, [6, 7, 8, 9, 10]),
        (5, 4000, [6, 7, 8, 9, 4000]),
    ],
)
def test_which_batches_are_due(last: int | None, present: int, due: list[int]) -> None:
    assert batches_due(last, present, 4) == due


@given(
    st.integers(1, 5),
    st.integers(1, 20),
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 12)), max_size=12),
)
def test_a_receipt_holds_whatever_standstills_there_are(size: int, queue: int, story: list[tuple[int, int]]) -> None:
    """The arithmetic alone: letters accepted while the publisher stands still for any number of ticks."""
    queue = max(size, queue)
    last, present = 0, 0
    waiting: list[int] = []  # publish-by, oldest first
    for ticks, sent in story:
        present += ticks
        for _ in range(min(sent, queue - len(waiting))):
            waiting.append(present + 2 + len(waiting) // size)
        if ticks % 3 == 0:  # the publisher runs again
            for n in batches_due(last, present, -(-queue // size) + 2):
                assert all(by >= n for by in waiting[:size]) or last < min(waiting[:size])
                del waiting[:size]
                last = n
            assert present == last
            assert waiting == [] or len(waiting) <= queue


def test_nothing_closes_without_a_directory_or_before_the_start() -> None:
    core = Core.make()
    core.publisher.start()
    assert core.close(10) == []
    accept_directory(core.intake, core.founding.signed, STARTED - 100)
    assert core.publisher.run_due(STARTED - 1, core.random) == []
    assert core.close(0) == [0]
    assert check_published(core) == [0]


def test_a_clock_that_is_behind_closes_nothing_and_is_told() -> None:
    core = Core.opened()
    assert core.close(20) == []
    assert core.publisher.ticks_behind(core.at(20)) == 11
    assert core.publisher.ticks_behind(core.at(40)) == 0
    assert core.batch == 31


def test_after_a_standstill_missed_batches_close_one_by_one_and_then_the_present_one() -> None:
    core = Core.opened(letters=2, queue=8)
    core.send(33, *range(8))
    closed = core.close(5000)
    assert closed == [32, 33, 34, 35, 36, 37, 5000]
    check_published(core)
    lone = Core.opened(letters=2, queue=8)
    assert lone.close(5000) == closed  # no letter waited: the shape is the same


# --- what goes into a batch ------------------------------------------------------------------------


def test_the_founding_story() -> None:
    core = Core.make()
    core.publisher.start()
    core.post_directory(30)
    core.close(30)
    first = manifest(core, 30)
    assert (first.n, first.open, first.first, first.previous) == (30, 0, 0, bytes(32))
    assert first.notes == ()
    core.post_notes(30, 0)
    core.close(31)
    second = manifest(core, 31)
    assert [desk for desk, _ in second.notes] == ["news"]
    assert second.open == 30
    listed = decode_cbor(core.public.get("keynotes/31"))
    assert isinstance(listed, list)
    assert [kind for kind, _ in listed] == ["transport", "epoch", "signature", "wrap"]
    assert core.public.get("log.vkey").startswith(b"door.example/log+")
    assert core.public.get("log.vkey") == f"{core.keys.verifier('door.example/log')}\n".encode()
    check_published(core)


def test_key_notes_wait_for_the_first_batch_of_a_day() -> None:
    core = Core.opened()
    core.post_notes(40, 1)
    for batch in (40, 41, 143):
        core.close(batch)
        assert f"keynotes/{batch}" not in core.public.files
    core.close(144)
    assert "keynotes/144" in core.public.files
    assert manifest(core, 144).notes
    check_published(core)


def test_letters_lie_in_random_order_and_cannot_be_told_from_filler_by_size() -> None:
    core = Core.opened(letters=16, queue=64)
    core.send(31, *range(8))
    core.close(32)
    pack = core.private.get("packs/32")
    assert len(pack) == 16 * c.LETTER_SIZE
    bodies = [pack[i : i + c.LETTER_SIZE] for i in range(0, len(pack), c.LETTER_SIZE)]
    places = [bodies.index(letter(i)) for i in range(8)]
    assert places != sorted(places)


def test_shuffling_reaches_every_order() -> None:
    items = [b"a", b"b", b"c"]
    assert len({tuple(shuffled(items, Stream(str(i)))) for i in range(100)}) == 6


def test_a_sheet_takes_the_owners_page_and_fills_the_rest() -> None:
    core = Core.opened()
    page = noise_page(1, Stream("mine"))
    accept_page(core.intake, core.cache, "news-1", 1, 0, 1, page)
    core.close(35)
    core.close(36)
    sheet = parse_sheet(core.public.get("sheets/1"))
    assert sheet.pages == (page,)
    assert sheet.heads[0].note == dict(manifest(core, 36).notes)["news"]
    core.close(72)
    second = parse_sheet(core.public.get("sheets/2"))
    assert len(second.pages[0]) == len(page)
    check_published(core)


def test_a_page_of_a_former_owner_is_not_published() -> None:
    core = Core.opened()
    page = noise_page(1, Stream("mine"))
    accept_page(core.intake, core.cache, "news-1", 1, 0, 1, page)
    desk = core.founding.directory.desks[0]
    other = found("other", ("news",)).members[0]
    new = successor(
        core.founding,
        desks=(replace(desk, gen=2, members=(replace(other.public, id="news-2"),)),),
        pages=(replace(core.founding.directory.pages[0], member="news-2"),),
    )
    accept_directory(core.intake, new.signed, core.at(31))
    core.close(36)
    assert parse_sheet(core.public.get("sheets/1")).pages != (page,)
    check_published(core)


def test_a_page_with_a_size_that_no_longer_fits_is_filled() -> None:
    core = Core.opened()
    accept_page(core.intake, core.cache, "news-1", 1, 0, 1, noise_page(1, Stream("mine")))
    policy = replace(core.founding.directory.policy, slots=2)
    accept_directory(core.intake, successor(core.founding, policy=policy).signed, core.at(31))
    core.close(36)
    assert parse_sheet(core.public.get("sheets/1")).heads[0].slots == 2
    check_published(core)


def test_a_directory_acts_in_its_own_batch() -> None:
    core = Core.opened()
    new = successor(core.founding, addresses=("http://other.example",))
    accept_directory(core.intake, new.signed, core.at(31))
    core.close(32)
    assert manifest(core, 32).directory == new.opened.hash
    visit = parse_visit(core.public.get("visit"))
    assert open_directory(visit.directories[-1], core.founding.door).hash == new.opened.hash


@pytest.mark.parametrize("figures", [{"letters": 3}, {"queue": 15}])
def test_a_directory_cannot_break_receipts_by_smaller_batches(figures: dict[str, int]) -> None:
    """Larger batches to make up for it would show how many waited."""
    core = Core.opened(letters=4, queue=16)
    core.send(31, *range(8))
    policy = replace(core.founding.directory.policy, **figures)
    with pytest.raises(Refused):
        accept_directory(core.intake, successor(core.founding, policy=policy).signed, core.at(31))


# --- refusing to start -----------------------------------------------------------------------------


def refuses(core: Core, words: str) -> None:
    files, rows = dict(core.public.files), core.sql.dump()
    core.restart()
    with pytest.raises(StoreError, match=words):
        core.publisher.start()
    assert core.public.files == files, "a refusal changes nothing"
    assert core.sql.dump() == rows


def test_refuses_when_the_files_are_ahead_of_the_database() -> None:
    core = Core.opened()
    old = core.sql.copy(core.fuse)
    core.close(32)
    core.sql = old
    refuses(core, "ahead of the database")


def test_refuses_files_of_a_log_that_the_database_does_not_know() -> None:
    core = Core.opened()
    core.sql = Core.make().sql
    refuses(core, "does not know")


def test_refuses_another_root_at_the_same_size() -> None:
    core = Core.opened()
    fork = core.copy()
    core.close(32)
    fork.close(32)
    fork.shelves = core.shelves
    refuses(fork, "disagree")


def test_refuses_when_the_published_files_are_gone_or_old() -> None:
    core = Core.opened()
    old = core.copy().shelves
    core.close(32)
    new = core.shelves
    core.shelves = old
    refuses(core, "older than the database")
    fuse = Fuse()
    core.shelves = Shelves(FaultyObjects(fuse), new.private)
    refuses(core, "missing")


@pytest.mark.parametrize("path", ["tile/0/000.p/", "tile/0/000.p/cut", "sheets/1"])
def test_refuses_damaged_files(path: str) -> None:
    core = Core.opened()
    core.close(36)
    with core.sql.read() as connection:
        at = tip.read(connection)
    assert at is not None
    name = f"tile/0/000.p/{at.size}" if path.startswith("tile") else path
    data = core.public.files[name]
    if path.endswith("cut"):
        core.public.files[name] = data[:-1]
    else:
        core.public.files[name] = data[:-1] + bytes([data[-1] ^ 1])
    refuses(core, "damaged")
    del core.public.files[name]
    refuses(core, "missing")


def test_refuses_a_checkpoint_of_another_key() -> None:
    core = Core.opened()
    core.founding = replace(core.founding, log_seed=bytes(32))
    refuses(core, "not of this server's key")


def test_refuses_notes_of_another_door() -> None:
    core = Core.opened()
    other = found("another")
    publisher = Publisher(core.sql, core.shelves, core.keys, other.door)
    with pytest.raises(StoreError, match="right door"):
        publisher.start()


# --- two publishers --------------------------------------------------------------------------------


def test_two_publishers_on_one_store_make_one_log() -> None:
    core = Core.opened()
    core.send(31, *range(8))
    other = Publisher(core.sql, core.shelves, core.keys, core.founding.door)
    other.start()
    for batch in range(32, 40):
        first, second = (core.publisher, other) if batch % 3 else (other, core.publisher)
        assert first.run_due(core.at(batch), core.random) == [batch]
        assert second.run_due(core.at(batch), core.random) == []
    assert check_published(core) == list(range(30, 40))


def test_the_slower_of_two_publishers_keeps_nothing() -> None:
    core = Core.opened()
    core.send(31, 1)
    other = Publisher(core.sql, core.shelves, core.keys, core.founding.door)
    other.start()
    other.resume = lambda: None  # type: ignore[method-assign]  # as if it had looked just before the other closed
    core.close(32)
    rows = core.sql.dump()
    for batch in (32, 33):
        with pytest.raises(TipMoved):
            other.close(batch, core.random)
    assert core.sql.dump() == rows
    check_published(core)


def test_swapping_the_tip_needs_the_old_one() -> None:
    core = Core.opened()
    with core.sql.read() as connection:
        old = tip.read(connection)
    assert old is not None
    new = replace(old, batch=32, size=old.size + 1)
    for wrong in (None, replace(old, size=1), replace(old, root=bytes(32)), replace(old, batch=7)):
        with pytest.raises(TipMoved), core.sql.write() as connection:
            tip.swap(connection, wrong, new)
    with core.sql.write() as connection:
        tip.swap(connection, old, new)
        assert tip.read(connection) == new


# --- forgetting ------------------------------------------------------------------------------------


def test_superseded_partial_tiles_go() -> None:
    core = Core.opened(letters=16, queue=16)
    for batch in range(32, 50):
        core.close(batch)
    full = [path for path in core.public.files if path in ("tile/0/000", "tile/entries/000")]
    assert len(full) == 2
    assert not [p for p in core.public.files if p.startswith(("tile/0/000.p/", "tile/entries/000.p/"))]
    assert [p for p in core.public.files if p.startswith("tile/0/001.p/")]
    check_published(core)


def test_partial_tiles_that_a_crash_left_go_at_the_start() -> None:
    core = Core.opened(letters=16, queue=16)
    for batch in range(32, 44):
        core.close(batch)
    partial = [path for path in core.public.files if ".p/" in path]
    kept = {path: core.public.files[path] for path in partial}
    core.close(44)
    core.close(45)  # the first tiles are full by now
    now = dict(core.public.files)
    assert any(path not in now for path in kept)
    core.public.files |= kept  # as if the tidying had been cut off
    core.restart()
    core.publisher.start()
    assert core.public.files == now
    core.close(46)
    check_published(core)


def test_bodies_go_after_35_days_and_the_log_stays() -> None:
    core = Core.opened()
    core.send(31, 1, 2)
    core.close(32)
    core.post_notes(32, 1)
    core.close(144)
    edge = 32 + c.BODY_DAYS * c.TICKS_PER_DAY
    core.close(edge - 1)
    assert "packs/32" in core.private.files
    with core.sql.read() as connection:
        assert letters.promises(connection, [open_receipt(r, core.keys.receipt_public).leaf for r in core.receipts])
    core.close(edge + c.TICKS_PER_DAY)
    assert "packs/32" not in core.private.files
    assert "manifests/32" in core.public.files
    with core.sql.read() as connection:
        kept = letters.promises(connection, [open_receipt(r, core.keys.receipt_public).leaf for r in core.receipts])
    assert kept == {}
    check_published(core, packs=False)


def test_a_year_later_little_is_kept_and_a_restart_says_the_same() -> None:
    core = Core.opened(letters=1, queue=1)
    for day in range(1, 120):
        batch = day * c.TICKS_PER_DAY
        core.post_notes(batch - 5, day)
        core.publisher.close(batch, core.random)
        core.publisher.close(batch + 36, core.random)
        core.publisher.close(batch + 72, core.random)
        core.publisher.close(batch + 108, core.random)
    with core.sql.read() as connection:
        kept = notes.logged(connection)
        chosen = notes.all_fixed(connection)
    assert {note.kind for note in kept} >= {"directory", "epoch"}
    assert len(kept) < 1 + 4 * (c.BODY_DAYS + 20)
    assert len(chosen) <= c.BODY_DAYS + 8
    went_on = core.copy()
    core.restart()
    core.publisher.start()
    state = core.publisher._memory.state
    assert state.named(core.batch)
    check_published(core, packs=False)
    for each in (core, went_on):
        each.close(120 * c.TICKS_PER_DAY)
        check_published(each, packs=False)


def test_sheets_that_outlive_35_days_keep_their_epochs_in_visit() -> None:
    """After a long standstill `/visit` still carries old sheets; what they name must be there too."""
    core = Core.make()
    core.publisher.start()
    core.post_directory(30)
    core.close(30)
    core.post_notes(30, 10)  # logged ten days before its day
    core.close(31)
    core.publisher.close(10 * c.TICKS_PER_DAY, core.random)
    for day in (100, 101):
        core.publisher.close(day * c.TICKS_PER_DAY, core.random)
    core.restart()
    core.publisher.start()
    core.close(102 * c.TICKS_PER_DAY)
    visit = parse_visit(core.public.get("visit"))
    assert parse_sheet(visit.sheets[0]).heads[0].note == h(visit.epochs[0][0])
    check_published(core, packs=False)


def test_notes_that_can_never_be_right_are_dropped() -> None:
    core = Core.opened()
    core.close(143)
    with core.sql.write() as connection:
        notes.add(connection, "signature", b"x" * 32, b"no signature at all", "news-1", 0)
        notes.add(connection, "signature", b"y" * 32, b"one of today", "news-1", 1)
    core.close(144)
    with core.sql.read() as connection:
        assert [note.body for note in notes.waiting(connection)] == [b"one of today"]
    core.close(288)
    with core.sql.read() as connection:
        assert notes.waiting(connection) == []
    check_published(core)


# --- a full disk -----------------------------------------------------------------------------------


def _fits(core: Core, number: int) -> bool:
    try:
        core.send(31, number)
    except StoreFailed:
        return False
    return True


def test_a_full_disk_loses_no_acknowledged_letter_and_the_next_tick_goes_on() -> None:
    core = Core.opened(letters=2, queue=1000)
    with core.sql.write() as connection:
        pages_now = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages_now + 40}")
    sent = 0
    while _fits(core, sent):
        sent += 1
    assert 5 < sent < 100
    with core.sql.read() as connection:
        assert letters.waiting(connection) == sent == len(core.receipts)
    with pytest.raises(StoreFailed):
        core.close(60)
    with core.sql.write() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=100000")
    core.close(200)
    for batch in range(201, 260):
        core.close(batch)
    check_published(core)
    with core.sql.read() as connection:
        assert letters.waiting(connection) == 0
