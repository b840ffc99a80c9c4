# SPDX-License-Identifier: AGPL-3.0-or-later
"""The SQL engine: one SQLite file by default, or one in memory for tests.

A transaction that `write` opens takes SQLite's write lock at once (BEGIN IMMEDIATE), so that two workers never
both read a state that one of them is about to change. It is durable when the block ends.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, delete, event, insert, inspect, select, update
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry, StaticPool

from latchstring.store import steps, tables


class StoreError(Exception):
    """The store cannot be used. The text says what to do, in the operator's words."""


class StoreFailed(Exception):
    """A read or write did not succeed now (disk full, locked, input/output error). Nothing was promised.

    What was to be written may be stored all the same, when only the answer was lost: every write can be repeated.
    """


class Sql:
    """Transactions on one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that may write: all of it is durable when the block ends, or none. StoreFailed if it fails."""
        try:
            with self._engine.connect().execution_options(latchstring_write=True) as connection, connection.begin():
                yield connection
        except (DBAPIError, PoolTimeout) as error:
            raise StoreFailed("the database did not take it") from error

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads."""
        try:
            with self._engine.connect() as connection, connection.begin():
                yield connection
        except (DBAPIError, PoolTimeout) as error:
            raise StoreFailed("the database did not answer") from error

    def upgrade(self) -> None:
        """Bring the tables to this program's version. StoreError for what is newer or not ours, and nothing changes."""
        try:
            with self.write() as connection:
                _upgrade(connection)
        except StoreFailed as error:
            raise StoreError(
                "The database cannot be opened: damaged, not Latchstring's, or no right to write."
            ) from error

    def driver(self) -> sqlite3.Connection:
        """SQLite's own connection; of a database without a file's name, the one that holds it."""
        found = self._engine.raw_connection().driver_connection
        if not isinstance(found, sqlite3.Connection):
            raise StoreError("This is not a SQLite database.")
        return found

    def close(self) -> None:
        """Let go of every connection."""
        self._engine.dispose()


def open_sqlite(path: Path | None) -> Sql:
    """The database at `path` (None: in memory), made when it is not there and readable by its owner alone.

    StoreError when a newer program wrote it, or when it is not a database of ours.
    """
    if path is None:
        engine = create_engine(
            "sqlite://", hide_parameters=True, poolclass=StaticPool, connect_args={"check_same_thread": False}
        )
    else:
        try:
            path.touch(mode=0o600, exist_ok=True)
        except OSError as error:
            raise StoreError("The database cannot be opened: no right to write, or no such folder.") from error
        # hide_parameters: what is stored stays out of the texts of errors
        engine = create_engine(
            f"sqlite:///{path}", hide_parameters=True, connect_args={"timeout": 30, "check_same_thread": False}
        )
    return _ready(engine)


def open_passing() -> Sql:
    """An empty database of one connection that is gone when it is closed or the process ends: SQLite keeps it in a file
    without a name on the disk, and little of it in memory."""

    def connect() -> sqlite3.Connection:
        return sqlite3.connect("", check_same_thread=False)

    return _ready(create_engine("sqlite://", hide_parameters=True, poolclass=StaticPool, creator=connect))


def _ready(engine: Engine) -> Sql:
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    sql = Sql(engine)
    try:
        sql.upgrade()
    except StoreError:
        sql.close()
        raise
    return sql


def _upgrade(connection: Connection) -> None:
    names = inspect(connection).get_table_names()
    version = 0
    if names:
        if tables.schema.name not in names:
            raise StoreError("This database is another program's. Name one of Latchstring's own, or a new file.")
        version = connection.execute(select(tables.schema.c.version)).scalar_one_or_none() or 0
        if version < 1:
            raise StoreError("This database does not say which version wrote it. Restore it from a backup.")
    if version > len(steps.STEPS):
        raise StoreError("This store was written by a newer Latchstring. Start that version, or a newer one.")
    if version < len(steps.STEPS):
        for step in steps.STEPS[version:]:
            step(connection)
        connection.execute(delete(tables.schema))
        connection.execute(insert(tables.schema).values(id=1, version=len(steps.STEPS)))


def _on_connect(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # sqlite3: we say BEGIN ourselves
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA secure_delete=ON")
    cursor.close()


def _on_begin(connection: Connection) -> None:
    write = connection.get_execution_options().get("latchstring_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def count(connection: Connection, name: str) -> int:
    """The value of a counter; 0 when it was never set."""
    row = connection.execute(select(tables.counters.c.value).where(tables.counters.c.name == name)).scalar_one_or_none()
    return int(row) if row is not None else 0


def add_to_count(connection: Connection, name: str, by: int) -> None:
    """Change a counter."""
    done = connection.execute(
        update(tables.counters).where(tables.counters.c.name == name).values(value=tables.counters.c.value + by)
    )
    if not done.rowcount:
        connection.execute(insert(tables.counters).values(name=name, value=by))
