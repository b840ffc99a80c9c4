# SPDX-License-Identifier: AGPL-3.0-or-later
"""A copy of the database: one moment's, one file, durable, and read without being touched."""

import os
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy import Connection

from latchstring.store import letters, snapshot, steps
from latchstring.store.sql import Sql, StoreError, StoreFailed, open_passing, open_sqlite


def letter(number: int) -> tuple[bytes, bytes, int]:
    return number.to_bytes(32, "big"), bytes(4096), 5


def add(sql: Sql, *numbers: int) -> None:
    with sql.write() as connection:
        letters.add(connection, [letter(i) for i in numbers])


def count(sql: Sql) -> int:
    with sql.read() as connection:
        return letters.waiting(connection)


def test_a_copy_has_what_was_acknowledged_and_needs_no_other_file(tmp_path: Path) -> None:
    sql = open_sqlite(tmp_path / "db")
    add(sql, 1, 2)  # in the write-ahead log, which is not copied
    snapshot.take(tmp_path / "db", tmp_path / "copy")
    add(sql, 3)
    sql.close()
    (tmp_path / "alone").mkdir()
    (tmp_path / "copy").rename(tmp_path / "alone" / "copy")
    before = (tmp_path / "alone" / "copy").read_bytes()
    copy = snapshot.load(tmp_path / "alone" / "copy")
    assert count(copy) == 2
    copy.close()
    assert [p.name for p in (tmp_path / "alone").iterdir()] == ["copy"]
    assert (tmp_path / "alone" / "copy").read_bytes() == before
    assert (tmp_path / "alone" / "copy").stat().st_mode & 0o777 == 0o600


def test_a_transaction_that_is_open_is_not_in_it(tmp_path: Path) -> None:
    sql = open_sqlite(tmp_path / "db")
    with sql.write() as connection:
        letters.add(connection, [letter(1)])
        snapshot.take(tmp_path / "db", tmp_path / "copy")
    copy = snapshot.load(tmp_path / "copy")
    assert count(copy) == 0
    copy.close()
    sql.close()


def test_a_stopped_server_s_too(tmp_path: Path) -> None:
    sql = open_sqlite(tmp_path / "db")
    add(sql, 1)
    sql.close()
    snapshot.take(tmp_path / "db", tmp_path / "copy")
    copy = snapshot.load(tmp_path / "copy")
    assert count(copy) == 1
    copy.close()


def test_nothing_is_left_when_it_fails(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no database here"):
        snapshot.take(tmp_path / "none", tmp_path / "copy")
    (tmp_path / "text").write_bytes(b"not a database" * 1000)
    with pytest.raises(StoreFailed):
        snapshot.take(tmp_path / "text", tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
    sql = open_sqlite(tmp_path / "db")
    (tmp_path / "copy").write_bytes(b"mine")
    with pytest.raises(StoreFailed):
        snapshot.take(tmp_path / "db", tmp_path / "copy")
    sql.close()
    assert (tmp_path / "copy").read_bytes() == b"mine"


def nameless_files() -> int:
    """Files that this process holds open and that have no name any more."""
    found = 0
    for number in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            found += os.readlink(f"/proc/self/fd/{number}").endswith(" (deleted)")
    return found


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="only Linux says which files are open")
def test_a_large_one_is_looked_at_on_the_disk_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql = open_sqlite(tmp_path / "db")
    add(sql, *range(1500))  # 6 MB, more than SQLite holds in memory
    before = nameless_files()
    copy = snapshot.look(tmp_path / "db")
    assert nameless_files() > before
    assert count(copy) == 1500
    copy.close()
    assert nameless_files() == before
    sql.close()

    def small() -> Sql:
        made = open_passing()
        made.driver().execute("PRAGMA max_page_count = 100").fetchall()
        return made

    monkeypatch.setattr(snapshot, "open_passing", small)
    with pytest.raises(StoreFailed, match="no room"):
        snapshot.look(tmp_path / "db")


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """As under a quota: what would make a file longer is an error of the disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_does_not_take_the_copy_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sql = open_sqlite(tmp_path / "small")
    add(sql, 1)
    sql.close()
    sql = open_sqlite(tmp_path / "large")
    add(sql, *range(1500))
    sql.close()

    def grows(connection: Connection) -> None:
        connection.exec_driver_sql("CREATE TABLE more AS SELECT zeroblob(6000000) AS bytes")

    with files_of_at_most(1 << 20):
        snapshot.load(tmp_path / "small").close()
        with pytest.raises(StoreFailed, match="disk of temporary files"):
            snapshot.load(tmp_path / "large")

    def of_today() -> Sql:
        made = open_passing()
        monkeypatch.setattr(steps, "STEPS", (*steps.STEPS, grows))
        return made

    monkeypatch.setattr(snapshot, "open_passing", of_today)
    with files_of_at_most(1 << 20), pytest.raises(StoreFailed, match="disk of temporary files"):
        snapshot.load(tmp_path / "small")


def test_damage_and_a_newer_program_are_said(tmp_path: Path) -> None:
    sql = open_sqlite(tmp_path / "db")
    add(sql, *range(40))
    sql.close()
    raw = bytearray((tmp_path / "db").read_bytes())
    for at in range(4096 * 3, len(raw), 4096):
        raw[at : at + 64] = bytes(64)
    (tmp_path / "cut").write_bytes(raw)
    with pytest.raises(StoreError, match="damaged"):
        snapshot.load(tmp_path / "cut")
    plain = sqlite3.connect(tmp_path / "db")
    plain.execute("UPDATE schema SET version = ?", (len(steps.STEPS) + 1,))
    plain.commit()
    plain.close()
    with pytest.raises(StoreError, match="newer Latchstring"):
        snapshot.load(tmp_path / "db")
