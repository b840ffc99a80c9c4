# SPDX-License-Identifier: AGPL-3.0-or-later
"""The rows of each subject: letters, notes, pages, the outbox, the lease, nonces."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection

from latchstring.store import guard, letters, notes, pages, tip
from latchstring.store.sql import open_sqlite
from latchstring.store.tip import Tip, TipMoved


@pytest.fixture
def db() -> Iterator[Connection]:
    store = open_sqlite(None)
    with store.write() as connection:
        yield connection
    store.close()


def leaf(number: int) -> bytes:
    return number.to_bytes(32, "big")


def add(db: Connection, *numbers: int, publish_by: int = 5) -> None:
    letters.add(db, [(leaf(i), b"body %d" % i, publish_by) for i in numbers])


# --- letters ---------------------------------------------------------------------------------------


def test_letters_come_out_in_order_of_arrival(db: Connection) -> None:
    add(db, 9, 3, 7)
    add(db, 1)
    assert [w.leaf for w in letters.oldest(db, 3)] == [leaf(9), leaf(3), leaf(7)]
    assert letters.waiting(db) == 4


def test_promises_of_many_leaves_at_once(db: Connection) -> None:
    add(db, *range(1200))
    found = letters.promises(db, [leaf(i) for i in range(600, 2000)])
    assert found == {leaf(i): 5 for i in range(600, 1200)}
    assert letters.promises(db, []) == {}


def test_a_placed_letter_keeps_its_promise_and_loses_its_body(db: Connection) -> None:
    add(db, *range(1500))
    ids = [w.id for w in letters.oldest(db, 1200)]
    letters.place(db, ids, 8)
    assert letters.waiting(db) == 300
    assert [w.leaf for w in letters.oldest(db, 1)] == [leaf(1200)]
    assert letters.promises(db, [leaf(0)]) == {leaf(0): 5}
    assert db.exec_driver_sql("SELECT count(*) FROM letters WHERE body IS NOT NULL").scalar_one() == 300


def test_a_letter_is_placed_once(db: Connection) -> None:
    add(db, 1, 2)
    ids = [w.id for w in letters.oldest(db, 2)]
    letters.place(db, ids[:1], 8)
    with pytest.raises(ValueError, match="twice"):
        letters.place(db, ids, 9)


def test_an_id_is_never_used_again(db: Connection) -> None:
    """Order of arrival holds after pruning, too."""
    add(db, 1, 2)
    letters.place(db, [w.id for w in letters.oldest(db, 2)], 8)
    letters.prune(db, 9)
    assert letters.promises(db, [leaf(1), leaf(2)]) == {}
    add(db, 3)
    add(db, 4)
    assert [w.leaf for w in letters.oldest(db, 2)] == [leaf(3), leaf(4)]


def test_pruning_leaves_what_waits_and_what_is_younger(db: Connection) -> None:
    add(db, 1, 2, 3)
    first, second, _ = (w.id for w in letters.oldest(db, 3))
    letters.place(db, [first], 8)
    letters.place(db, [second], 9)
    letters.prune(db, 9)
    assert set(letters.promises(db, [leaf(1), leaf(2), leaf(3)])) == {leaf(2), leaf(3)}


def test_how_many_are_due(db: Connection) -> None:
    add(db, 1, publish_by=5)
    add(db, 2, publish_by=9)
    add(db, 3, publish_by=6)
    assert [letters.due(db, n) for n in (4, 5, 6, 9)] == [0, 1, 3, 3]
    letters.place(db, [w.id for w in letters.oldest(db, 3)], 5)
    assert letters.due(db, 100) == 0


# --- notes -----------------------------------------------------------------------------------------


def test_notes_keep_their_order_and_directories_come_first(db: Connection) -> None:
    assert notes.add(db, "transport", b"1" * 32, b"a", "m", 3)
    assert notes.add(db, "directory", b"2" * 32, b"b", "", 0)
    assert notes.add(db, "epoch", b"3" * 32, b"c", "m", 3)
    assert not notes.add(db, "epoch", b"3" * 32, b"c", "m", 4)
    assert [n.body for n in notes.waiting(db)] == [b"b", b"a", b"c"]
    assert notes.posted_on(db, "m", 3) == 2
    assert notes.posted_on(db, "m", 4) == 0
    notes.place(db, [n.id for n in notes.waiting(db)], 7)
    assert [n.body for n in notes.logged(db)] == [b"b", b"a", b"c"]
    assert notes.waiting(db) == []
    with pytest.raises(ValueError, match="twice"):
        notes.place(db, [n.id for n in notes.logged(db)], 8)


def test_pruning_notes_keeps_directories(db: Connection) -> None:
    for number, kind in enumerate(("directory", "epoch", "wrap")):
        notes.add(db, kind, leaf(number), b"x", "m", 0)
    notes.place(db, [n.id for n in notes.waiting(db)], 7)
    notes.add(db, "epoch", leaf(9), b"waits", "m", 0)
    notes.fix(db, {("news", 1, 3): leaf(1), ("news", 1, 4): leaf(2)})
    notes.prune(db, 8, 4)
    assert [n.kind for n in notes.logged(db)] == ["directory"]
    assert [n.body for n in notes.waiting(db)] == [b"waits"]
    assert notes.all_fixed(db) == {("news", 1, 4): leaf(2)}


def test_only_waiting_notes_are_dropped(db: Connection) -> None:
    notes.add(db, "epoch", leaf(1), b"x", "m", 0)
    row = notes.waiting(db)[0].id
    notes.place(db, [row], 7)
    notes.drop(db, [row])
    assert len(notes.logged(db)) == 1


# --- pages -----------------------------------------------------------------------------------------


def test_the_highest_version_of_one_owner_wins(db: Connection) -> None:
    assert pages.put(db, 4, 0, 5, "m", b"five")
    assert pages.put(db, 4, 0, 5, "m", b"five")
    assert not pages.put(db, 4, 0, 5, "m", b"else")
    assert not pages.put(db, 4, 0, 4, "m", b"four")
    assert pages.put(db, 4, 0, 6, "m", b"six")
    assert pages.put(db, 4, 0, 1, "n", b"another owner")
    assert pages.put(db, 5, 0, 1, "n", b"later")
    assert pages.of_sheet(db, 4) == {0: ("n", b"another owner")}
    pages.drop_through(db, 4)
    assert pages.of_sheet(db, 4) == {}
    assert pages.of_sheet(db, 5) == {0: ("n", b"later")}


# --- the tip and the outbox ------------------------------------------------------------------------


def test_the_tip_moves_only_from_what_was_seen(db: Connection) -> None:
    first, second = Tip(1, leaf(1), 0, b"m", b"c"), Tip(2, leaf(2), 1, b"m", b"c")
    with pytest.raises(TipMoved):
        tip.swap(db, first, second)
    tip.swap(db, None, first)
    with pytest.raises(TipMoved):
        tip.swap(db, None, second)
    tip.swap(db, first, second)
    with pytest.raises(TipMoved):
        tip.swap(db, first, second)
    assert tip.read(db) == second


def test_the_outbox_gives_back_what_was_put(db: Connection) -> None:
    tip.add_files(db, {"a/1": b"x", "b": b"y"})
    assert tip.files(db) == {"a/1": b"x", "b": b"y"}
    tip.drop_files(db, ["a/1"])
    assert tip.files(db) == {"b": b"y"}


def test_the_last_batches_and_sheets(db: Connection) -> None:
    assert tip.recent_first(db) == 0
    for n in range(10):
        tip.add_batch(db, n, n * 100, 4)
        tip.add_sheet(db, n, leaf(n))
    assert tip.recent_first(db) == 600
    assert tip.last_sheets(db, 2) == [(8, leaf(8)), (9, leaf(9))]


# --- lease and nonces ------------------------------------------------------------------------------


def test_the_lease_is_for_one(db: Connection) -> None:
    assert guard.take_lease(db, "a", 100, 10) == 0
    assert guard.take_lease(db, "b", 104, 10) == 6
    assert guard.take_lease(db, "a", 105, 10) == 0
    assert guard.take_lease(db, "b", 110, 10) == 5
    assert guard.holder(db) == ("a", 115)
    assert guard.take_lease(db, "b", 115, 10) == 0
    guard.drop_lease(db, "a")
    assert guard.holder(db) == ("b", 125)
    guard.drop_lease(db, "b")
    assert guard.take_lease(db, "a", 0, 10) == 0


def test_a_lease_that_nobody_renews_is_taken_though_the_clock_was_set_back(db: Connection) -> None:
    guard.take_lease(db, "a", 1_000_000, 10)
    assert guard.take_lease(db, "b", 50, 10) == 10
    seen = guard.holder(db)
    assert guard.take_lease(db, "b", 60, 10) == 10
    guard.take_lease(db, "a", 1_000_005, 10)  # a lives
    assert guard.take_lease(db, "b", 60, 10, seen) == 10
    assert guard.take_lease(db, "b", 70, 10, guard.holder(db)) == 0
    assert guard.holder(db) == ("b", 80)


def test_a_nonce_is_spent_once_while_it_counts(db: Connection) -> None:
    assert guard.spend_nonce(db, "n", 100, 10)
    assert not guard.spend_nonce(db, "n", 100, 100)
    assert guard.spend_nonce(db, "n", 300, 101)
