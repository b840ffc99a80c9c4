# SPDX-License-Identifier: AGPL-3.0-or-later
"""Stores of every earlier version go up to the newest with all they hold, and the newest is what `tables` says."""

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, Table, create_engine, inspect

from latchstring.server.check import check
from latchstring.server.run import run_server
from latchstring.store import chunks, letters, notes, pages, steps, tables, tip
from latchstring.store.sql import Sql, StoreError, open_sqlite
from tests.sites import ServerSite

FIRST: dict[str, list[tuple[object, ...]]] = {
    "counters": [("letters-waiting", 1)],
    "letters": [(1, b"a" * 32, None, 5, 3), (2, b"b" * 32, b"the body", 7, None)],
    "notes": [(1, "directory", b"d" * 32, b"a directory", "", 0, 3), (2, "epoch", b"e" * 32, b"a note", "m", 4, None)],
    "pages": [(9, 0, 2, "mark", b"a page")],
    "tip": [(1, 12, b"r" * 32, 3, b"a manifest", b"a checkpoint")],
    "batches": [(3, 0)],
    "sheets": [(0, b"s" * 32)],
    "fixed": [("news", 1, 0, b"f" * 32)],
    "outbox": [("manifests/3", b"a manifest")],
    "nonces": [("once", 99)],
    "lease": [(1, "holder", 99)],
}
"""Rows in every table of version 1 but `schema`, in the order of its columns."""

Rows = dict[str, tuple[list[str], list[tuple[object, ...]]]]
"""table -> its columns when its rows were written, and the rows."""


def old_store(path: Path, version: int) -> Rows:
    """A store as the steps up to `version` leave it, with rows in every table, written when its step had made it."""
    engine = create_engine(f"sqlite:///{path}")
    written: Rows = {}
    with engine.begin() as connection:
        for step in steps.STEPS[:version]:
            step(connection)
            looked = inspect(connection)
            for name in set(looked.get_table_names()) - {"schema", *written}:
                columns = looked.get_columns(name)
                rows = (
                    FIRST[name]
                    if name in FIRST
                    else [tuple(some(column["type"], n) for column in columns) for n in (1, 2)]
                )
                for row in rows:
                    marks = ",".join("?" * len(row))
                    connection.exec_driver_sql(f"INSERT INTO {name} VALUES ({marks})", row)  # noqa: S608  # names of our own tables
                written[name] = ([column["name"] for column in columns], rows)
        connection.exec_driver_sql("INSERT INTO schema VALUES (1, ?)", (version,))
    engine.dispose()
    return written


def some(kind: object, number: int) -> object:
    """A value that a column of this type takes, another for each number."""
    text = str(kind).upper()
    if "INT" in text:
        return number
    return f"text {number}" if "CHAR" in text else bytes([number]) * 32


def shape(path: Path) -> dict[str, object]:
    """What the database says of each table: columns, keys, indexes."""
    engine = create_engine(f"sqlite:///{path}")
    looked = inspect(engine)
    found: dict[str, object] = {}
    for name in looked.get_table_names():
        columns = [(c["name"], str(c["type"]), c["nullable"]) for c in looked.get_columns(name)]
        keys = looked.get_pk_constraint(name)["constrained_columns"]
        unique = sorted(u["column_names"] for u in looked.get_unique_constraints(name))
        indexes = sorted((i["name"] or "", i["column_names"], i["unique"]) for i in looked.get_indexes(name))
        found[name] = (sorted(columns), keys, unique, indexes)
    engine.dispose()
    return found


def shape_of_metadata(path: Path) -> dict[str, object]:
    engine = create_engine(f"sqlite:///{path}")
    tables.metadata.create_all(engine)
    engine.dispose()
    return shape(path)


def test_the_newest_version_is_what_the_tables_say(tmp_path: Path) -> None:
    open_sqlite(tmp_path / "new").close()
    assert shape(tmp_path / "new") == shape_of_metadata(tmp_path / "said")


def test_a_column_without_a_step_would_be_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_sqlite(tmp_path / "new").close()
    other = MetaData()
    for table in tables.metadata.tables.values():
        table.to_metadata(other)
    Table("forgotten", other, Column("id", Integer, primary_key=True))
    monkeypatch.setattr(tables, "metadata", other)
    assert shape(tmp_path / "new") != shape_of_metadata(tmp_path / "said")


@pytest.mark.parametrize("version", range(1, len(steps.STEPS) + 1))
def test_a_store_of_each_version_goes_up_with_all_it_holds(version: int, tmp_path: Path) -> None:
    written = old_store(tmp_path / "db", version)
    store = open_sqlite(tmp_path / "db")
    _holds(store)
    store.close()
    assert shape(tmp_path / "db") == shape_of_metadata(tmp_path / "said")
    plain = sqlite3.connect(tmp_path / "db")
    assert set(FIRST) <= set(written)
    for name, (columns, rows) in written.items():
        found = plain.execute(f"SELECT {','.join(columns)} FROM {name} ORDER BY 1")  # noqa: S608  # names of our own tables
        assert [tuple(row) for row in found if not str(row[0]).startswith("attachments-")] == rows, name
    plain.close()


@pytest.mark.parametrize("version", [2, 3, 4])
def test_what_attachments_take_is_summed_up_once_in_the_step(version: int, tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'db'}")
    with engine.begin() as connection:
        for step in steps.STEPS[:version]:
            step(connection)
        for number, (asked, missing, knocked) in enumerate([(5, 2, 0), (3, 3, 1), (8, 0, 0), (1, 1, 1)]):
            row = (number + 1, bytes([number]) * 32, asked, missing, knocked, 4, 600, 0)
            connection.exec_driver_sql("INSERT INTO attachments VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        connection.exec_driver_sql("INSERT INTO schema VALUES (1, ?)", (version,))
    engine.dispose()
    store = open_sqlite(tmp_path / "db")
    with store.write() as connection:
        assert (chunks.held(connection), chunks.outstanding(connection)) == ((13, 4), 6)
        assert chunks.recount(connection)
    store.close()


def test_a_step_that_loses_rows_would_be_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(connection: Connection) -> None:
        connection.exec_driver_sql("DELETE FROM letters WHERE batch IS NULL")

    newest = len(steps.STEPS)
    monkeypatch.setattr(steps, "STEPS", (*steps.STEPS, careless))
    with pytest.raises(AssertionError):
        test_a_store_of_each_version_goes_up_with_all_it_holds(newest, tmp_path)


@pytest.mark.parametrize("version", range(1, len(steps.STEPS) + 1))
def test_a_real_server_of_each_version_goes_on_after_the_upgrade(version: int, tmp_path: Path) -> None:
    """What its database held, in the tables that its version had: receipts are kept, and the log is one."""
    site = ServerSite.opened(tmp_path / "data")
    real = tmp_path / "real"
    site.config.database.rename(real)
    engine = create_engine(f"sqlite:///{site.config.database}")
    with engine.begin() as connection:
        for step in steps.STEPS[:version]:
            step(connection)
        connection.exec_driver_sql("INSERT INTO schema VALUES (1, ?)", (version,))
        columns = {
            name: [column["name"] for column in inspect(connection).get_columns(name)]
            for name in inspect(connection).get_table_names()
            if name != "schema"
        }
    engine.dispose()
    plain = sqlite3.connect(site.config.database)
    plain.execute("ATTACH ? AS real", (str(real),))
    for name, had in columns.items():
        has = {row[1] for row in plain.execute(f"PRAGMA real.table_info({name})")}
        common = ",".join(column for column in had if column in has)
        if common:
            plain.execute(f"INSERT OR REPLACE INTO main.{name} ({common}) SELECT {common} FROM real.{name}")  # noqa: S608  # names of our own tables
    plain.commit()
    plain.close()
    site.send(8, batch=33)
    site.close(34, 35, 36, 37)
    left = site.examine()
    assert left.ok, left
    assert (left.letters, left.waiting) == (8, 0)


def test_a_store_of_a_newer_program_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    site = ServerSite.opened(tmp_path / "data")
    plain = sqlite3.connect(site.config.database)
    plain.execute("UPDATE schema SET version = ?", (len(steps.STEPS) + 1,))
    plain.commit()
    before = list(plain.iterdump())
    with pytest.raises(StoreError, match="newer Latchstring"):
        open_sqlite(site.config.database)
    found = check(site.file, site.at(33))
    assert [(f.ok, f.text) for f in found] == [
        (False, "This store was written by a newer Latchstring. Start that version, or a newer one.")
    ]
    with pytest.raises(StoreError, match="newer Latchstring"):
        run_server(site.file)
    assert list(plain.iterdump()) == before
    plain.close()


def _holds(store: Sql) -> None:
    with store.read() as connection:
        at = tip.read(connection)
        assert at is not None
        assert (at.size, at.batch) == (12, 3)
        assert letters.waiting(connection) == 1
        assert [w.body for w in letters.oldest(connection, 9)] == [b"the body"]
        assert letters.promises(connection, [b"a" * 32, b"b" * 32]) == {b"a" * 32: 5, b"b" * 32: 7}
        assert [n.kind for n in notes.logged(connection)] == ["directory"]
        assert [n.kind for n in notes.waiting(connection)] == ["epoch"]
        assert notes.all_fixed(connection) == {("news", 1, 0): b"f" * 32}
        assert pages.of_sheet(connection, 9) == {0: ("mark", b"a page")}
        assert tip.files(connection) == {"manifests/3": b"a manifest"}
        assert tip.last_sheets(connection, 9) == [(0, b"s" * 32)]
        assert tip.recent_first(connection) == 0
