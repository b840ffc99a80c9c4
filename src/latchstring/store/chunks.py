# SPDX-License-Identifier: AGPL-3.0-or-later
"""Attachments that were admitted, and which of their chunks are stored. The bytes are files, not rows.

A chunk is claimed (name, digest) before its file is written, and marked as stored after: so a file without a row is
nobody's, at every moment, and what an attachment may take is never exceeded.

What all attachments take is asked at each admission, under the lock: three running sums, each changed in the
transaction that changes the rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import ColumnElement, Connection, delete, func, insert, or_, select, update

from latchstring.store.sql import add_to_count, count
from latchstring.store.tables import attachments, chunks

PLAIN: Final = "attachments-plain"  # chunks of those admitted without a knock
KNOCKED: Final = "attachments-knocked"  # and with one
MISSING: Final = "attachments-missing"  # of both, chunks not stored yet


@dataclass(frozen=True, slots=True)
class Admitted:
    """An attachment's row. `chunks`: how many it may have, `missing` of which are not stored yet."""

    id: int
    chunks: int
    missing: int
    day: int
    touched: int
    dropped: bool


@dataclass(frozen=True, slots=True)
class Chunk:
    """A claimed chunk; `stored` when its file is durable."""

    id: int
    name: bytes = field(repr=False)
    attachment: int
    digest: bytes
    stored: bool


def held(connection: Connection) -> tuple[int, int]:
    """Chunks for which room is kept: of attachments admitted without a knock, and with one."""
    return count(connection, PLAIN), count(connection, KNOCKED)


def outstanding(connection: Connection) -> int:
    """Chunks admitted and not stored yet: room on the disk that is promised."""
    return count(connection, MISSING)


def recount(connection: Connection) -> bool:
    """Compare the running sums with the rows, all of them, and put right what differs; False when something did."""
    t = attachments.c
    rows = connection.execute(select(t.knocked, func.sum(t.chunks), func.sum(t.missing)).group_by(t.knocked)).all()
    by = {knocked: (int(chunks), int(missing)) for knocked, chunks, missing in rows}
    plain, knocked = by.get(0, (0, 0)), by.get(1, (0, 0))
    true = {PLAIN: plain[0], KNOCKED: knocked[0], MISSING: plain[1] + knocked[1]}
    wrong = {name: value - count(connection, name) for name, value in true.items() if value != count(connection, name)}
    _add(connection, wrong)
    return not wrong


def _add(connection: Connection, changes: Mapping[str, int]) -> None:
    for name, by in changes.items():
        if by:
            add_to_count(connection, name, by)


def by_token(connection: Connection, token_hash: bytes) -> Admitted | None:
    """The attachment of a token."""
    t = attachments.c
    row = connection.execute(
        select(t.id, t.chunks, t.missing, t.day, t.touched, t.dropped).where(t.token == token_hash)
    ).first()
    return Admitted(row.id, row.chunks, row.missing, row.day, row.touched, bool(row.dropped)) if row else None


def admit(connection: Connection, token_hash: bytes, asked: int, knocked: bool, day: int, batch: int) -> None:
    """Keep room for `asked` chunks; `day` and `batch`: the present."""
    connection.execute(
        insert(attachments).values(
            token=token_hash, chunks=asked, missing=asked, knocked=int(knocked), day=day, touched=batch, dropped=0
        )
    )
    _add(connection, {KNOCKED if knocked else PLAIN: asked, MISSING: asked})


def find(connection: Connection, name: bytes) -> Chunk | None:
    """The chunk of that name."""
    t = chunks.c
    row = connection.execute(select(t.id, t.name, t.attachment, t.digest, t.stored).where(t.name == name)).first()
    return Chunk(row.id, row.name, row.attachment, row.digest, bool(row.stored)) if row else None


def claimed(connection: Connection, attachment: int) -> int:
    """How many chunks of an attachment have a row."""
    return int(
        connection.execute(
            select(func.count()).select_from(chunks).where(chunks.c.attachment == attachment)
        ).scalar_one()
    )


def claim(connection: Connection, name: bytes, attachment: int, digest: bytes) -> None:
    """This name is for these bytes from now on; no row has it yet."""
    connection.execute(insert(chunks).values(name=name, attachment=attachment, digest=digest, stored=0))


def mark_stored(connection: Connection, name: bytes, batch: int) -> bool:
    """Its file is durable. False when it has no row any more: the file is nobody's then."""
    chunk = find(connection, name)
    if chunk is None:
        return False
    if not chunk.stored:
        connection.execute(update(chunks).where(chunks.c.id == chunk.id).values(stored=1))
        connection.execute(
            update(attachments)
            .where(attachments.c.id == chunk.attachment)
            .values(missing=attachments.c.missing - 1, touched=batch)
        )
        _add(connection, {MISSING: -1})
    return True


def mark_lost(connection: Connection, chunk_ids: Sequence[int]) -> None:
    """Their files are gone (a store put back from a backup, say): they are to be sent again."""
    for chunk_id in chunk_ids:
        owner = connection.execute(
            update(chunks)
            .where(chunks.c.id == chunk_id, chunks.c.stored == 1)
            .values(stored=0)
            .returning(chunks.c.attachment)
        ).scalar_one_or_none()
        if owner is not None:
            connection.execute(
                update(attachments).where(attachments.c.id == owner).values(missing=attachments.c.missing + 1)
            )
            _add(connection, {MISSING: 1})


def names_after(connection: Connection, after: int, most: int) -> tuple[int, list[bytes]]:
    """Names of stored chunks in the order in which they came, behind row `after`; the last row that was looked at."""
    rows = connection.execute(
        select(chunks.c.id, chunks.c.name)
        .where(chunks.c.id > after, chunks.c.stored == 1)
        .order_by(chunks.c.id)
        .limit(most)
    ).all()
    return (rows[-1].id if rows else after), [row.name for row in rows]


def between(connection: Connection, low: bytes, high: bytes) -> list[Chunk]:
    """All rows with `low` <= name < `high`."""
    t = chunks.c
    where = (t.name >= low) & (t.name < high)
    rows = connection.execute(select(t.id, t.name, t.attachment, t.digest, t.stored).where(where))
    return [Chunk(row.id, row.name, row.attachment, row.digest, bool(row.stored)) for row in rows]


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be dropped: admitted before a day; not whole, and nothing came since a batch; nothing came at all, and
    admitted before a batch."""

    admitted: int
    idle: int
    unstarted: int


def due_now(connection: Connection, due: Due, most: int) -> list[int]:
    """Attachments to drop, and those that are being dropped; the indexes find them, however many others there are."""
    return list(connection.execute(select(attachments.c.id).where(_where(due)).limit(most)).scalars())


def mark_due(connection: Connection, ids: Sequence[int], due: Due) -> None:
    """From now on nothing is taken for those of `ids` that are still due."""
    connection.execute(
        update(attachments).where(attachments.c.id.in_(ids), attachments.c.dropped == 0, _where(due)).values(dropped=1)
    )


def _where(due: Due) -> ColumnElement[bool]:
    t = attachments.c
    return or_(
        t.dropped == 1,
        t.day < due.admitted,
        (t.missing > 0) & (t.touched < due.idle),
        (t.missing > 0) & (t.missing == t.chunks) & (t.touched < due.unstarted),
    )


def to_drop(connection: Connection, ids: Sequence[int], most: int) -> list[Chunk]:
    """Some chunks of those of these attachments that are being dropped."""
    t = chunks.c
    dropped = select(attachments.c.id).where(attachments.c.id.in_(ids), attachments.c.dropped == 1)
    rows = connection.execute(
        select(t.id, t.name, t.attachment, t.digest, t.stored).where(t.attachment.in_(dropped)).limit(most)
    )
    return [Chunk(row.id, row.name, row.attachment, row.digest, bool(row.stored)) for row in rows]


def drop(connection: Connection, chunk_ids: Sequence[int], ids: Sequence[int]) -> int:
    """Forget chunks whose files are gone; and those of these attachments that are being dropped and have none left,
    whose room is free then: how many."""
    connection.execute(delete(chunks).where(chunks.c.id.in_(chunk_ids)))
    t, left = attachments.c, select(chunks.c.id).where(chunks.c.attachment == attachments.c.id)
    rows = connection.execute(
        select(t.id, t.chunks, t.missing, t.knocked).where(t.id.in_(ids), t.dropped == 1, ~left.exists())
    ).all()
    connection.execute(delete(attachments).where(t.id.in_([row.id for row in rows])))
    knocked = sum(row.chunks for row in rows if row.knocked)
    gone = {
        KNOCKED: knocked,
        PLAIN: sum(row.chunks for row in rows) - knocked,
        MISSING: sum(row.missing for row in rows),
    }
    _add(connection, {name: -by for name, by in gone.items()})
    return len(rows)
