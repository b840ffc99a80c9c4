# SPDX-License-Identifier: AGPL-3.0-or-later
"""How a store gets from one version to the next. A step that was ever released is never changed: it says what the
tables were then, by itself, while `tables` says what they are now. A test compares the two ends.
"""

from collections.abc import Callable
from typing import Final

from sqlalchemy import BigInteger, Column, Connection, Index, Integer, LargeBinary, MetaData, String, Table


def _first(connection: Connection) -> None:
    """Version 1: letters of 4096 bytes, notes, pages, the tip and what waits to be copied out."""
    then = MetaData()
    row_id = BigInteger().with_variant(Integer, "sqlite")

    def number(name: str, key: bool = False) -> Column[int]:
        return Column(name, BigInteger, primary_key=key, autoincrement=False, nullable=False)

    def table(name: str, *columns: Column[int] | Column[bytes] | Column[str] | Index) -> None:
        Table(name, then, *columns)

    def digest(name: str, unique: bool = False) -> Column[bytes]:
        return Column(name, LargeBinary(32), nullable=False, unique=unique or None)

    table("schema", Column("id", Integer, primary_key=True), Column("version", Integer, nullable=False))
    table("counters", Column("name", String(32), primary_key=True), number("value"))
    table(
        "letters",
        Column("id", row_id, primary_key=True, autoincrement=True),
        digest("leaf", unique=True),
        Column("body", LargeBinary, nullable=True),
        number("publish_by"),
        Column("batch", BigInteger, nullable=True),
        Index("letters_waiting", "batch", "id"),
    )
    table(
        "notes",
        Column("id", row_id, primary_key=True, autoincrement=True),
        Column("kind", String(16), nullable=False),
        digest("hash", unique=True),
        Column("body", LargeBinary, nullable=False),
        Column("owner", String(32), nullable=False),
        number("day"),
        Column("batch", BigInteger, nullable=True),
        Index("notes_waiting", "batch", "id"),
        Index("notes_posted", "owner", "day"),
    )
    table(
        "pages",
        number("sheet", key=True),
        Column("page", Integer, primary_key=True, autoincrement=False),
        number("version"),
        Column("owner", String(32), nullable=False),
        Column("body", LargeBinary, nullable=False),
    )
    table(
        "tip",
        Column("id", Integer, primary_key=True),
        number("size"),
        digest("root"),
        number("batch"),
        Column("manifest", LargeBinary, nullable=False),
        Column("checkpoint", LargeBinary, nullable=False),
    )
    table("batches", number("n", key=True), number("first"))
    table("sheets", number("n", key=True), digest("hash"))
    table(
        "fixed",
        Column("desk", String(32), primary_key=True),
        number("gen", key=True),
        number("day", key=True),
        digest("note"),
    )
    table("outbox", Column("path", String(255), primary_key=True), Column("body", LargeBinary, nullable=False))
    table(
        "nonces",
        Column("nonce", String(128), primary_key=True),
        Column("expires", BigInteger, nullable=False, index=True),
    )
    table(
        "lease",
        Column("id", Integer, primary_key=True),
        Column("holder", String(64), nullable=False),
        number("expires"),
    )
    then.create_all(connection)


def _attachments(connection: Connection) -> None:
    """Attachments that were admitted, and their chunks, whose bytes are files."""
    then = MetaData()
    row_id = BigInteger().with_variant(Integer, "sqlite")

    def number(name: str) -> Column[int]:
        return Column(name, BigInteger, nullable=False)

    def flag(name: str) -> Column[int]:
        return Column(name, Integer, nullable=False)

    def digest(name: str, unique: bool = False) -> Column[bytes]:
        return Column(name, LargeBinary(32), nullable=False, unique=unique or None)

    Table(
        "attachments",
        then,
        Column("id", row_id, primary_key=True, autoincrement=True),
        digest("token", unique=True),
        number("chunks"),
        number("missing"),
        flag("knocked"),
        number("day"),
        number("touched"),
        flag("dropped"),
        Index("attachments_due", "day"),
    )
    Table(
        "chunks",
        then,
        Column("id", row_id, primary_key=True, autoincrement=True),
        digest("name", unique=True),
        number("attachment"),
        digest("digest"),
        flag("stored"),
        Index("chunks_of", "attachment"),
    )
    then.create_all(connection)


def _knocks(connection: Connection) -> None:
    """Lists of knocks, and those spent."""
    then = MetaData()
    Table(
        "knock_lists",
        then,
        Column("note", LargeBinary(32), primary_key=True),
        Column("desk", String(32), nullable=False),
        Column("gen", BigInteger, nullable=False),
        Column("day", BigInteger, nullable=False),
        Column("version", BigInteger, nullable=False),
        Column("salt", LargeBinary(32), nullable=False),
        Column("entries", LargeBinary, nullable=False),
    )
    Table(
        "spent_knocks",
        then,
        Column("note", LargeBinary(32), primary_key=True),
        Column("knock", LargeBinary(32), primary_key=True),
    )
    then.create_all(connection)


def _what_is_due(connection: Connection) -> None:
    """Attachments to be dropped are found without a look at the others, and what all take by a look at one index."""
    connection.exec_driver_sql("CREATE INDEX attachments_room ON attachments (knocked, chunks, missing)")
    connection.exec_driver_sql("CREATE INDEX attachments_idle ON attachments (touched) WHERE missing > 0")
    connection.exec_driver_sql("CREATE INDEX attachments_dropped ON attachments (dropped) WHERE dropped = 1")


def _running_sums(connection: Connection) -> None:
    """What all attachments take is a counter each, not a sum over an index at every admission."""
    connection.exec_driver_sql("DROP INDEX attachments_room")
    for name, what, where in (
        ("attachments-plain", "chunks", "knocked = 0"),
        ("attachments-knocked", "chunks", "knocked = 1"),
        ("attachments-missing", "missing", "knocked IN (0, 1)"),
    ):
        connection.exec_driver_sql("DELETE FROM counters WHERE name = ?", (name,))
        connection.exec_driver_sql(
            f"INSERT INTO counters SELECT ?, coalesce(sum({what}), 0) FROM attachments WHERE {where}",  # noqa: S608  # own constants
            (name,),
        )


STEPS: Final[tuple[Callable[[Connection], None], ...]] = (
    _first,
    _attachments,
    _knocks,
    _what_is_due,
    _running_sums,
)
"""STEPS[i] takes a store from version i to i + 1, in one transaction with the others; 0 is an empty database."""
