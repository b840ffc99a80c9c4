# SPDX-License-Identifier: AGPL-3.0-or-later
"""The tables as they are now; `steps` makes them. Nothing that only one SQL engine can do; no time of
day and no address of anybody.

A letter has its order of arrival, its leaf and body, the batch it is promised for, and the batch it went into.
"""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table, text

metadata: Final = MetaData()
_Id = BigInteger().with_variant(Integer, "sqlite")

schema = Table("schema", metadata, Column("id", Integer, primary_key=True), Column("version", Integer, nullable=False))

counters = Table(
    "counters", metadata, Column("name", String(32), primary_key=True), Column("value", BigInteger, nullable=False)
)

letters = Table(
    "letters",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("leaf", LargeBinary(32), nullable=False, unique=True),
    Column("body", LargeBinary, nullable=True),  # dropped once the pack is published
    Column("publish_by", BigInteger, nullable=False),
    Column("batch", BigInteger, nullable=True),
    Index("letters_waiting", "batch", "id"),
)

notes = Table(
    "notes",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("kind", String(16), nullable=False),
    Column("hash", LargeBinary(32), nullable=False, unique=True),
    Column("body", LargeBinary, nullable=False),
    Column("owner", String(32), nullable=False),  # the member who posted it; "" for a directory
    Column("day", BigInteger, nullable=False),  # in which it was posted, as batches count days; 0 for a directory
    Column("batch", BigInteger, nullable=True),
    Index("notes_waiting", "batch", "id"),
    Index("notes_posted", "owner", "day"),
)

pages = Table(
    "pages",
    metadata,
    Column("sheet", BigInteger, primary_key=True, autoincrement=False),
    Column("page", Integer, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),
    Column("owner", String(32), nullable=False),  # a mark of the keys of the member who uploaded it
    Column("body", LargeBinary, nullable=False),
)

tip = Table(
    "tip",
    metadata,
    Column("id", Integer, primary_key=True),  # always 1
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("batch", BigInteger, nullable=False),
    Column("manifest", LargeBinary, nullable=False),
    Column("checkpoint", LargeBinary, nullable=False),
)

batches = Table(
    "batches",
    metadata,
    Column("n", BigInteger, primary_key=True, autoincrement=False),
    Column("first", BigInteger, nullable=False),
)

sheets = Table(
    "sheets",
    metadata,
    Column("n", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary(32), nullable=False),
)

fixed = Table(
    "fixed",
    metadata,
    Column("desk", String(32), primary_key=True),
    Column("gen", BigInteger, primary_key=True, autoincrement=False),
    Column("day", BigInteger, primary_key=True, autoincrement=False),
    Column("note", LargeBinary(32), nullable=False),
)

knock_lists = Table(
    "knock_lists",
    metadata,
    Column("note", LargeBinary(32), primary_key=True),  # the hash of the epoch note
    Column("desk", String(32), nullable=False),
    Column("gen", BigInteger, nullable=False),
    Column("day", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("salt", LargeBinary(32), nullable=False),
    Column("entries", LargeBinary, nullable=False),  # 256 of 32 bytes, which say nothing of threads
)

spent_knocks = Table(
    "spent_knocks",
    metadata,
    Column("note", LargeBinary(32), primary_key=True),
    Column("knock", LargeBinary(32), primary_key=True),  # its hash; no trace of the letter that it let in
)

outbox = Table(
    "outbox",
    metadata,
    Column("path", String(255), primary_key=True),
    Column("body", LargeBinary, nullable=False),
)

nonces = Table(
    "nonces",
    metadata,
    Column("nonce", String(128), primary_key=True),
    Column("expires", BigInteger, nullable=False, index=True),
)

lease = Table(
    "lease",
    metadata,
    Column("id", Integer, primary_key=True),  # always 1
    Column("holder", String(64), nullable=False),
    Column("expires", BigInteger, nullable=False),
)

attachments = Table(
    "attachments",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("token", LargeBinary(32), nullable=False, unique=True),  # the hash of the sender's token
    Column("chunks", BigInteger, nullable=False),  # admitted
    Column("missing", BigInteger, nullable=False),  # of these, how many are not stored yet
    Column("knocked", Integer, nullable=False),  # 1: admitted by a knock
    Column("day", BigInteger, nullable=False),  # in which it was admitted, as batches count days
    Column("touched", BigInteger, nullable=False),  # the batch in which a chunk came last, or it was admitted
    Column("dropped", Integer, nullable=False),  # 1: its chunks are being removed, no more are taken
    Index("attachments_due", "day"),
    Index("attachments_idle", "touched", sqlite_where=text("missing > 0")),
    Index("attachments_dropped", "dropped", sqlite_where=text("dropped = 1")),
)

chunks = Table(
    "chunks",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("name", LargeBinary(32), nullable=False, unique=True),
    Column("attachment", BigInteger, nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("stored", Integer, nullable=False),  # 1: its file lies there, durable
    Index("chunks_of", "attachment"),
)
