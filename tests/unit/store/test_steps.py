# SPDX-License-Identifier: AGPL-3.0-or-later
"""Stores of every earlier version go up to the newest with all they hold, and the newest is what `tables` says."""

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, create_engine, inspect

from latchstring.store import letters, notes, pages, steps, tables, tip
from latchstring.store.sql import Sql, open_sqlite

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


def old_store(path: Path, version: int) -> None:
    """A store as the steps up to `version` leave it, with rows in every table of version 1."""
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        for step in steps.STEPS[:1]:
            step(connection)
        for name, rows in FIRST.items():
            for row in rows:
                marks = ",".join("?" * len(row))
                connection.exec_driver_sql(f"INSERT INTO {name} VALUES ({marks})", row)  # noqa: S608  # names of our own tables
        for step in steps.STEPS[1:version]:
            step(connection)
        connection.exec_driver_sql("INSERT INTO schema VALUES (1, ?)", (version,))
    engine.dispose()


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
    old_store(tmp_path / "db", version)
    store = open_sqlite(tmp_path / "db")
    _holds(store)
    store.close()
    assert shape(tmp_path / "db") == shape_of_metadata(tmp_path / "said")
    plain = sqlite3.connect(tmp_path / "db")
    for name, rows in FIRST.items():
        found = plain.execute(f"SELECT * FROM {name} ORDER BY 1")  # noqa: S608  # names of our own tables
        kept = [tuple(row[: len(rows[0])]) for row in found]
        assert kept == rows, name
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
