# SPDX-License-Identifier: AGPL-3.0-or-later
"""The database: durable, for its owner alone, of one version, and one writer at a time."""

import sqlite3
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, select

from latchstring.store import letters, sql, steps, tables
from latchstring.store.sql import Sql, StoreError, StoreFailed, open_sqlite

LETTER = (b"l" * 32, b"the bytes of a letter", 7)


def pragma(store: Sql, name: str) -> object:
    with store.read() as connection:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()


def test_commits_are_durable_and_the_file_is_the_owners(tmp_path: Path) -> None:
    store = open_sqlite(tmp_path / "db")
    assert pragma(store, "journal_mode") == "wal"
    assert pragma(store, "synchronous") == 2
    assert pragma(store, "secure_delete") == 1
    with store.write() as connection:
        letters.add(connection, [LETTER])
    for file in tmp_path.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name
    store.close()
    again = open_sqlite(tmp_path / "db")
    with again.read() as connection:
        assert [w.body for w in letters.oldest(connection, 9)] == [LETTER[1]]


def test_a_block_that_raises_keeps_nothing(tmp_path: Path) -> None:
    store = open_sqlite(tmp_path / "db")

    def fail() -> None:
        with store.write() as connection:
            letters.add(connection, [LETTER])
            raise KeyError("something else went wrong")

    with pytest.raises(KeyError):
        fail()
    with store.read() as connection:
        assert letters.waiting(connection) == 0
        assert letters.oldest(connection, 9) == []


def test_what_the_database_refuses_is_a_store_failure_that_shows_no_content(tmp_path: Path) -> None:
    store = open_sqlite(tmp_path / "db")

    row = {"nonce": "what nobody should see", "expires": 1}

    def twice() -> None:
        with store.write() as connection:
            letters.add(connection, [LETTER])
            connection.execute(insert(tables.nonces), [row, row])

    with pytest.raises(StoreFailed) as caught:
        twice()
    chain = f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__cause__}"
    assert "UNIQUE" in chain
    assert "nobody should see" not in chain
    with store.read() as connection:
        assert letters.oldest(connection, 9) == []


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    """Each of two writers reads a counter and writes it one higher: without the lock, counts would be lost."""
    stores = [open_sqlite(tmp_path / "db") for _ in range(2)]

    def work(store: Sql) -> None:
        for _ in range(20):
            with store.write() as connection:
                seen = sql.count(connection, "turns")
                sql.add_to_count(connection, "turns", 1)
                assert sql.count(connection, "turns") == seen + 1

    threads = [threading.Thread(target=work, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with stores[0].read() as connection:
        assert sql.count(connection, "turns") == 40


def test_a_reader_sees_one_state_while_another_writes(tmp_path: Path) -> None:
    store, other = open_sqlite(tmp_path / "db"), open_sqlite(tmp_path / "db")
    with store.read() as reading:
        assert letters.waiting(reading) == 0
        with other.write() as writing:
            letters.add(writing, [LETTER])
        assert letters.waiting(reading) == 0
    with store.read() as reading:
        assert letters.waiting(reading) == 1


# --- versions --------------------------------------------------------------------------------------


def test_a_new_store_has_the_newest_version() -> None:
    store = open_sqlite(None)
    with store.read() as connection:
        assert connection.execute(select(tables.schema.c.version)).scalar_one() == len(steps.STEPS)


def test_a_newer_store_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    store = open_sqlite(tmp_path / "db")
    with store.write() as connection:
        connection.execute(tables.schema.update().values(version=len(steps.STEPS) + 1))
    store.close()
    before = (tmp_path / "db").read_bytes()
    with pytest.raises(StoreError, match="newer Latchstring"):
        open_sqlite(tmp_path / "db")
    assert (tmp_path / "db").read_bytes() == before


def with_step(monkeypatch: pytest.MonkeyPatch, step: Callable[[Connection], None]) -> None:
    monkeypatch.setattr(steps, "STEPS", (*steps.STEPS, step))


def test_an_older_store_is_taken_through_the_steps_it_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_sqlite(tmp_path / "db").close()
    seen: list[int] = []

    def step(connection: Connection) -> None:
        seen.append(1)
        connection.execute(insert(tables.counters).values(name="step", value=2))

    with_step(monkeypatch, step)
    for _ in range(2):
        store = open_sqlite(tmp_path / "db")
        with store.read() as connection:
            assert sql.count(connection, "step") == 2
        store.close()
    assert seen == [1]


def test_a_step_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_sqlite(tmp_path / "db").close()

    def step(connection: Connection) -> None:
        connection.exec_driver_sql("CREATE TABLE half (x)")
        raise StoreError("this step does not work")

    with monkeypatch.context() as patch:
        with_step(patch, step)
        with pytest.raises(StoreError, match="does not work"):
            open_sqlite(tmp_path / "db")
    store = open_sqlite(tmp_path / "db")
    with store.read() as connection:
        names = connection.exec_driver_sql("SELECT name FROM sqlite_master").scalars().all()
    assert "half" not in names


def test_databases_that_are_not_ours(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "other")
    other.execute("CREATE TABLE recipes (x)")
    other.commit()
    other.close()
    with pytest.raises(StoreError, match="another program's"):
        open_sqlite(tmp_path / "other")
    (tmp_path / "junk").write_bytes(b"not a database at all" * 500)
    with pytest.raises(StoreError, match="cannot be opened"):
        open_sqlite(tmp_path / "junk")
    with pytest.raises(StoreError, match="cannot be opened"):
        open_sqlite(tmp_path / "no" / "folder")
    store = open_sqlite(tmp_path / "blank")
    with store.write() as connection:
        connection.execute(tables.schema.delete())
    store.close()
    with pytest.raises(StoreError, match="does not say"):
        open_sqlite(tmp_path / "blank")


def test_a_full_disk_is_a_store_failure() -> None:
    store = open_sqlite(None)
    with store.write() as connection:
        count = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={count + 3}")

    def fill(start: int) -> None:
        with store.write() as connection:
            letters.add(connection, [(bytes([i]) * 32, bytes(4096), 1) for i in range(start, start + 20)])

    with pytest.raises(StoreFailed):
        fill(0)
    with store.read() as connection:
        assert letters.oldest(connection, 99) == []
    with store.write() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=10000")
    fill(0)
    with store.read() as connection:
        assert letters.waiting(connection) == 20
