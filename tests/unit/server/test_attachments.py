# SPDX-License-Identifier: AGPL-3.0-or-later
"""Attachments on the server: room, write-once chunks, time, and every write failing before and after it is kept."""

import errno
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchstring.protocol import constants as c
from latchstring.protocol.attachment import Ask, parse_admitted, parse_names
from latchstring.protocol.encoding import lp
from latchstring.protocol.knock import Knock
from latchstring.server import attachments as module
from latchstring.server.accept import DirectoryCache, Intake, Refusal, Refused
from latchstring.server.attachments import (
    accept_attachment,
    accept_chunk,
    check_token,
    chunk_path,
    drop_old,
    has_chunk,
    has_room,
    names_page,
    reconcile,
    recount,
)
from latchstring.server.forecast import KEEP_FREE
from latchstring.store import chunks
from latchstring.store.objects import FolderObjects, MemoryObjects
from latchstring.store.sql import StoreFailed, open_sqlite
from tests.builders import Stream
from tests.faults import Core
from tests.unit.server.test_knocking import Side as KnockSide

CHUNK = c.ATTACHMENT_CHUNK
FATES = pytest.mark.parametrize("stored", [False, True], ids=["fails, not stored", "fails, but stored"])
OPENED = Core.opened(30)
TODAY = 0
TOKEN = Stream("token")(32)


def body(n: int) -> bytes:
    return n.to_bytes(4, "big") * (CHUNK // 4)


def name(n: int) -> bytes:
    return Stream(f"name {n}")(32)


KNOCK = Knock(bytes(32), bytes(32))


class Side:
    """A server's core and somebody who uploads."""

    def __init__(self, room: int = 8 * CHUNK, free: int = 1 << 50) -> None:
        self.core = OPENED.copy()
        self.intake: Intake = replace(self.core.intake, attachment_room=room, free=lambda: self.free)
        self.free = free
        self.cache = DirectoryCache()
        self.now = self.core.at(31)

    def ask(self, count: int, token: bytes = TOKEN, knock: bool = False) -> int:
        raw = Ask(token, count).encode()
        return parse_admitted(accept_attachment(self.intake, self.cache, raw, KNOCK if knock else None, self.now))

    def put(self, n: int, data: bytes | None = None, token: bytes | None = TOKEN) -> None:
        data = body(n) if data is None else data
        accept_chunk(self.intake, self.cache, self.core.private, token, name(n), data, self.now)

    def refused(self, why: Refusal, act: Callable[[], object]) -> None:
        before = self.core.sql.dump(), dict(self.core.private.files)
        with pytest.raises(Refused) as caught:
            act()
        assert caught.value.why is why
        assert (self.core.sql.dump(), dict(self.core.private.files)) == before

    def held(self) -> tuple[int, int]:
        with self.core.sql.read() as connection:
            return chunks.held(connection)

    def names(self) -> list[bytes]:
        found: list[bytes] = []
        after = 0
        while True:
            after, some = parse_names(names_page(self.core.sql, after))
            if not some:
                return found
            found += some

    def drop(self, day: int) -> None:
        while drop_old(self.core.sql, self.core.private, 144 * day):
            pass

    def at_day(self, day: int) -> None:
        self.now = self.core.at(day * 144)

    def check(self) -> None:
        """Every file has a row, every stored row its file, and no attachment has more than was admitted."""
        with self.core.sql.read() as connection:
            rows = chunks.between(connection, b"", b"\xff" * 33)
            plain, knocked = chunks.held(connection)
            missing = chunks.outstanding(connection)
        files = {p for p in self.core.private.files if p.startswith("attachments/")}
        assert files <= {chunk_path(row.name) for row in rows}
        assert {chunk_path(row.name) for row in rows if row.stored} <= files
        assert plain + knocked - missing == sum(row.stored for row in rows)
        assert len(rows) <= plain + knocked

    def counted(self) -> bool:
        """Are the running sums what the rows say?"""
        with self.core.sql.write() as connection:
            return chunks.recount(connection)


@pytest.fixture
def side() -> Iterator[Side]:
    """Whatever a test does, writes that fail too: the running sums have not drifted."""
    made = Side()
    yield made
    made.core.fuse.disarm()
    assert made.counted()


# --- room ----------------------------------------------------------------------------------------


def test_room_is_kept_once_however_often_it_is_asked_for(side: Side) -> None:
    assert [side.ask(3), side.ask(3)] == [3, 3]
    assert side.held() == (3, 0)
    side.refused(Refusal.UPLOAD_OTHER, lambda: side.ask(2))
    side.put(0)
    assert side.ask(3) == 2


def test_who_is_refused_keeps_no_writer_waiting(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counting what is held takes long when much is: not while letters wait for their turn to write."""
    side.ask(4)

    def never() -> None:
        raise AssertionError("a transaction that writes")

    monkeypatch.setattr(side.core.sql, "write", never)
    side.refused(Refusal.NO_ROOM, lambda: side.ask(1, Stream("other")(32)))
    assert side.ask(4) == 4


def test_half_of_the_room_is_for_those_who_knock(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    assert side.ask(3, knock=True) == 3, "a knock is not looked at while there is room for all"
    side.refused(Refusal.NO_ROOM, lambda: side.ask(2, Stream("b")(32)))
    assert side.ask(1, Stream("b")(32)) == 1
    side.refused(Refusal.NO_ROOM, lambda: side.ask(1, Stream("c")(32)))
    side.refused(Refusal.KNOCK, lambda: side.ask(4, Stream("c")(32), knock=True))
    spent: list[Knock] = []

    def spend(_connection: object, _directory: object, _batch: int, knock: Knock) -> bool:
        spent.append(knock)
        return True

    monkeypatch.setattr("latchstring.server.attachments.spend_knock", spend)
    assert side.ask(4, Stream("c")(32), knock=True) == 4
    assert side.ask(4, Stream("c")(32), knock=True) == 4, "the same again, before the knock is looked at"
    assert spent == [KNOCK]
    side.refused(Refusal.NO_ROOM, lambda: side.ask(1, Stream("d")(32), knock=True))
    assert side.held() == (4, 4)
    assert side.ask(3) == 3, "what is admitted stays so when the room is full"


def test_a_knock_of_a_real_list_is_spent_once() -> None:
    """Posted by a member, as in `test_knocking.py`."""
    known = KnockSide.make()
    intake = replace(known.core.intake, attachment_room=6 * CHUNK)
    cache, now = DirectoryCache(), known.core.at(known.now)

    def ask(count: int, seed: str, knock: Knock | None) -> int:
        return parse_admitted(accept_attachment(intake, cache, Ask(Stream(seed)(32), count).encode(), knock, now))

    def refusal(count: int, seed: str, knock: Knock | None) -> Refusal:
        with pytest.raises(Refused) as caught:
            ask(count, seed, knock)
        return caught.value.why

    assert ask(3, "a", known.knock(0)) == 3, "there is room: it is not looked at"
    assert refusal(1, "b", None) is Refusal.NO_ROOM
    assert refusal(4, "b", known.knock(0)) is Refusal.NO_ROOM, "more than is left even so: not spent"
    assert ask(1, "b", known.knock(0)) == 1
    assert ask(1, "b", known.knock(0)) == 1, "the same token again is the same"
    assert refusal(1, "c", known.knock(0)) is Refusal.KNOCK
    assert ask(1, "c", known.knock(1)) == 1
    with known.core.sql.read() as connection:
        assert chunks.held(connection) == (3, 2)


def test_an_admission_is_as_much_work_however_many_there_are(side: Side) -> None:
    """Counted in steps of SQLite's machine; every letter waits for the lock meanwhile."""

    def work(seed: str) -> int:
        steps = 0

        def step() -> None:
            nonlocal steps
            steps += 1

        side.core.sql.driver().set_progress_handler(step, 1)
        assert side.ask(1, Stream(seed)(32)) == 1
        side.core.sql.driver().set_progress_handler(None, 1)
        return steps

    side.intake = replace(side.intake, attachment_room=1 << 50)
    work("first")
    few = work("with few")
    with side.core.sql.write() as connection:
        for n in range(1200):
            chunks.admit(connection, name(n), 2, False, 0, 0)
    assert work("with many") < 1.5 * few


def test_sums_that_something_else_changed_are_put_right_at_a_start(side: Side) -> None:
    side.intake = replace(side.intake, attachment_room=1 << 50)
    side.ask(3)
    side.put(0)
    side.ask(2, Stream("b")(32))
    with side.core.sql.write() as connection:
        chunks.admit(connection, name(9), 4, True, 0, 0)
        right = (chunks.held(connection), chunks.outstanding(connection))
        assert right == ((5, 4), 8)
    assert recount(side.core.sql)
    for statement in (
        "UPDATE counters SET value = value + 7 WHERE name LIKE 'attachments-%'",
        "DELETE FROM counters",
        "UPDATE counters SET value = -1 WHERE name = 'attachments-missing'",
    ):
        with side.core.sql.write() as connection:
            connection.exec_driver_sql(statement)
        assert not recount(side.core.sql)
        with side.core.sql.read() as connection:
            assert (chunks.held(connection), chunks.outstanding(connection)) == right
        assert recount(side.core.sql)


@given(st.integers(0, 50), st.lists(st.tuples(st.integers(1, 20), st.booleans()), max_size=30))
def test_the_rule_never_gives_more_than_there_is(room: int, asks: list[tuple[int, bool]]) -> None:
    plain = knocked = 0
    for asked, knock in asks:
        if has_room(room, plain, knocked, asked, knock):
            plain, knocked = (plain, knocked + asked) if knock else (plain + asked, knocked)
    assert plain + knocked <= room
    assert plain <= room // 2


def test_the_disk_s_room_is_looked_at_with_all_that_is_promised(side: Side) -> None:
    side.free = KEEP_FREE + 3 * CHUNK
    assert side.ask(2) == 2
    side.refused(Refusal.NO_ROOM, lambda: side.ask(2, Stream("b")(32)))
    assert side.ask(1, Stream("b")(32)) == 1


def test_the_directory_says_how_large_and_whether_at_all(side: Side) -> None:
    side = Side(room=1 << 50)
    side.refused(Refusal.ATTACHMENT_SIZE, lambda: side.ask(20_480))
    assert side.ask(19_456) == 19_456
    policy = side.core.founding.directory.policy
    none = Core.make(attachment=0)
    none.publisher.start()
    none.post_directory(30)
    none.close(30)
    side.core, side.intake = none, none.intake
    side.cache = DirectoryCache()
    assert policy.attachment == c.DEFAULT_ATTACHMENT
    side.refused(Refusal.NO_ATTACHMENTS, lambda: side.ask(1))


def test_nothing_is_admitted_before_the_founding_or_after_the_expiry(side: Side) -> None:
    side.now = side.core.at(side.core.founding.directory.expires)
    side.refused(Refusal.EXPIRED, lambda: side.ask(1))
    young = Core.make()
    with pytest.raises(Refused):
        accept_attachment(young.intake, DirectoryCache(), Ask(TOKEN, 1).encode(), None, side.now)


@pytest.mark.parametrize("raw", [b"", lp("attachment", TOKEN, 9), lp("attachment", TOKEN[:5], 1), bytes(80)])
def test_what_is_not_an_ask(side: Side, raw: bytes) -> None:
    side.refused(Refusal.ASK_BAD, lambda: accept_attachment(side.intake, side.cache, raw, None, side.now))


# --- chunks --------------------------------------------------------------------------------------


def test_a_chunk_is_written_once(side: Side) -> None:
    side.ask(2)
    side.put(0)
    side.put(0)
    side.refused(Refusal.CHUNK_OTHER, lambda: side.put(0, body(7)))
    assert side.core.private.get(chunk_path(name(0))) == body(0)
    assert (has_chunk(side.core.sql, name(0)), has_chunk(side.core.sql, name(1))) == (True, False)
    side.ask(1, Stream("b")(32))
    side.refused(Refusal.CHUNK_OTHER, lambda: side.put(0, token=Stream("b")(32)))
    side.check()


def test_no_more_chunks_than_were_admitted(side: Side) -> None:
    side.ask(2)
    side.put(0)
    side.put(1)
    side.refused(Refusal.CHUNK_MANY, lambda: side.put(2))
    side.put(1)
    assert side.ask(2) == 0
    side.check()


def test_who_has_no_token_stores_nothing(side: Side) -> None:
    side.ask(2)
    for token in (None, bytes(32), TOKEN[:31]):
        side.refused(Refusal.UPLOAD_UNKNOWN, lambda token=token: side.put(0, token=token))  # type: ignore[misc]  # bound now
        with pytest.raises(Refused):
            check_token(side.intake, side.cache, token, side.now)
    check_token(side.intake, side.cache, TOKEN, side.now)
    for data in (b"", body(0)[:-1], body(0) + b"x"):
        side.refused(Refusal.CHUNK_SIZE, lambda data=data: side.put(0, data))  # type: ignore[misc]  # bound now


def test_names_are_listed_in_pages(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NAMES_AT_ONCE", 2)
    side.ask(3)
    for n in (2, 0, 1):
        side.put(n)
    assert side.names() == [name(2), name(0), name(1)]


def test_the_server_keeps_the_hash_of_a_token_alone(side: Side) -> None:
    side.ask(1)
    side.put(0)
    assert TOKEN.hex().upper() not in "".join(side.core.sql.dump())


# --- time ----------------------------------------------------------------------------------------


def test_everything_is_dropped_after_fourteen_days_and_its_room_is_free(side: Side) -> None:
    side.ask(3)
    for n in range(3):
        side.put(n)
    side.drop(14)
    assert len(side.names()) == 3
    side.at_day(15)
    side.refused(Refusal.GONE, lambda: side.put(0))
    side.refused(Refusal.GONE, lambda: side.ask(3))
    side.drop(15)
    assert side.names() == []
    assert side.held() == (0, 0)
    assert not [p for p in side.core.private.files if p.startswith("attachments/")]


def test_an_upload_that_stands_still_loses_its_room(side: Side) -> None:
    side.ask(3)
    side.put(0)
    side.at_day(1)
    side.drop(1)
    side.put(1)  # on the next day: it goes on
    side.drop(2)
    assert side.held() == (3, 0)
    side.drop(3)
    assert side.held() == (0, 0)
    side.refused(Refusal.UPLOAD_UNKNOWN, lambda: side.put(2))
    side.check()


def test_room_is_not_to_be_had_for_asking_alone(side: Side) -> None:
    """Who asks and sends nothing has it for an hour; who sends something, for longer."""
    side.ask(1)
    side.ask(3, Stream("b")(32))
    side.put(0, token=Stream("b")(32))
    drop_old(side.core.sql, side.core.private, 31 + 6)
    assert side.held() == (4, 0)
    drop_old(side.core.sql, side.core.private, 31 + 7)
    assert side.held() == (3, 0)
    side.refused(Refusal.UPLOAD_UNKNOWN, lambda: side.put(1))
    side.check()


def test_a_whole_one_does_not_stand_still(side: Side) -> None:
    side.ask(1)
    side.put(0)
    side.drop(14)
    assert side.names() == [name(0)]


def test_dropping_goes_in_slices_and_nothing_comes_in_between(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DROP_AT_ONCE", 2)
    side.ask(4)
    for n in range(3):
        side.put(n)
    assert drop_old(side.core.sql, side.core.private, 5 * 144) == 2
    assert side.held() == (4, 0), "room is free when the last file is gone"
    side.refused(Refusal.GONE, lambda: side.put(3))
    side.refused(Refusal.GONE, lambda: side.put(0))
    assert drop_old(side.core.sql, side.core.private, 5 * 144) == 1 + 1, "the last chunk, and the attachment"
    assert side.held() == (0, 0)


@pytest.mark.parametrize("day", [0, 5, 20], ids=["none due", "stand still", "days over"])
def test_a_slice_is_as_much_work_however_many_there_are(day: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted in steps of SQLite's machine: letters wait for the lock meanwhile."""
    monkeypatch.setattr(module, "DROP_AT_ONCE", 8)

    def work(many: int) -> int:
        sql, files, steps = open_sqlite(None), MemoryObjects(), 0
        with sql.write() as connection:
            for n in range(many):
                chunks.admit(connection, name(n), 2, False, 0, 0)
                owner = chunks.by_token(connection, name(n))
                assert owner is not None
                for m in range(n % 3):
                    chunks.claim(connection, name(3 * n + m), owner.id, bytes(32))
                    chunks.mark_stored(connection, name(3 * n + m), 0)

        def step() -> None:
            nonlocal steps
            steps += 1

        for _ in range(3):  # the first knows of none that is being dropped
            sql.driver().set_progress_handler(step, 1)
            gone = drop_old(sql, files, 144 * day)
            sql.driver().set_progress_handler(None, 1)
            assert bool(gone) == bool(day)
        sql.close()
        return steps

    few, many = work(60), work(1200)
    assert many < 1.5 * few


def test_a_chunk_that_comes_while_its_attachment_goes_leaves_no_file(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    side.ask(1)
    real = side.core.private.put

    def put(path: str, data: bytes) -> None:
        side.drop(20)
        real(path, data)

    monkeypatch.setattr(side.core.private, "put", put)
    with pytest.raises(Refused) as caught:
        side.put(0)
    assert caught.value.why is Refusal.GONE
    assert not [p for p in side.core.private.files if p.startswith("attachments/")]
    side.check()


# --- writes that fail ----------------------------------------------------------------------------


@FATES
def test_asking(side: Side, stored: bool) -> None:
    side.core.fuse.arm(1, stored)
    with pytest.raises(StoreFailed):
        side.ask(3)
    assert side.held() == ((3, 0) if stored else (0, 0))
    assert side.ask(3) == 3
    assert side.held() == (3, 0)


@FATES
@pytest.mark.parametrize("at", [1, 2, 3], ids=["claim", "file", "mark"])
def test_a_chunk(side: Side, at: int, stored: bool) -> None:
    side.ask(2)
    side.core.fuse.arm(at, stored)
    with pytest.raises(StoreFailed):
        side.put(0)
    side.core.fuse.disarm()
    assert has_chunk(side.core.sql, name(0)) == (at == 3 and stored)
    side.check()
    side.refused(Refusal.CHUNK_OTHER, lambda: side.put(0, body(9))) if at > 1 or stored else None
    side.put(0)
    assert side.core.private.get(chunk_path(name(0))) == body(0)
    assert side.ask(2) == 1
    side.check()


@FATES
@pytest.mark.parametrize("at", range(1, 6))
def test_dropping(side: Side, at: int, stored: bool) -> None:
    """Two transactions and three files."""
    side.ask(3)
    for n in range(3):
        side.put(n)
    side.core.fuse.arm(at, stored)
    with pytest.raises(StoreFailed):
        side.drop(15)
    side.core.fuse.disarm()
    side.drop(15)
    assert side.held() == (0, 0)
    assert not [p for p in side.core.private.files if p.startswith("attachments/")]


def test_a_start_puts_files_and_rows_together_again(side: Side) -> None:
    side.ask(4)
    for n in range(3):
        side.put(n)
    side.core.private.files[chunk_path(name(9))] = body(9)  # nobody's
    side.core.private.files["attachments/00/left"] = b"nobody's either"
    side.core.private.files["packs/7"] = b"not an attachment"
    del side.core.private.files[chunk_path(name(1))]  # a store that was put back
    reconcile(side.core.sql, side.core.private)
    assert chunk_path(name(9)) not in side.core.private.files
    assert "attachments/00/left" not in side.core.private.files
    assert "packs/7" in side.core.private.files
    assert side.names() == [name(0), name(2)]
    assert side.ask(4) == 2
    side.put(1)
    side.check()


def test_a_full_disk_is_said_and_what_came_before_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    side = Side()
    shelf = FolderObjects(tmp_path)
    side.ask(2)

    def put(n: int) -> None:
        accept_chunk(side.intake, side.cache, shelf, TOKEN, name(n), body(n), side.now)

    put(0)
    side.free = KEEP_FREE - 1
    with pytest.raises(Refused, match="disk is full"):
        put(1)
    side.free = 1 << 50

    def fsync(_fd: int) -> None:
        raise OSError(errno.ENOSPC, "no space")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", fsync)
        with pytest.raises(Refused, match="disk is full"):
            put(1)
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", lambda _fd: (_ for _ in ()).throw(OSError(errno.EIO, "broken")))
        with pytest.raises(StoreFailed):
            put(1)
    put(1)
    assert shelf.get(chunk_path(name(0))) == body(0)
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == sorted(name(n).hex() for n in range(2))
