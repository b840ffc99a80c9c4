# SPDX-License-Identifier: AGPL-3.0-or-later
"""Letters that wait, and those placed in a batch within the retention window."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select, update

from latchstring.store.sql import add_to_count, count
from latchstring.store.tables import letters

_WAITING: Final = "letters-waiting"
_CHUNK: Final = 500  # of bound values in one statement


@dataclass(frozen=True, slots=True)
class Waiting:
    """A letter that is in no batch yet."""

    id: int
    leaf: bytes = field(repr=False)
    body: bytes = field(repr=False)


def waiting(connection: Connection) -> int:
    """How many letters wait."""
    return count(connection, _WAITING)


def promises(connection: Connection, leaves: Sequence[bytes]) -> dict[bytes, int]:
    """leaf -> publish-by batch, of those among `leaves` that are stored."""
    found: dict[bytes, int] = {}
    for start in range(0, len(leaves), _CHUNK):
        rows = connection.execute(
            select(letters.c.leaf, letters.c.publish_by).where(letters.c.leaf.in_(leaves[start : start + _CHUNK]))
        )
        found |= {row.leaf: row.publish_by for row in rows}
    return found


def add(connection: Connection, new: Sequence[tuple[bytes, bytes, int]]) -> None:
    """Store (leaf, body, publish-by) in this order; no leaf is there yet."""
    if new:
        connection.execute(insert(letters), [{"leaf": a, "body": b, "publish_by": by} for a, b, by in new])
        add_to_count(connection, _WAITING, len(new))


def oldest(connection: Connection, most: int) -> list[Waiting]:
    """The letters that have waited longest."""
    rows = connection.execute(
        select(letters.c.id, letters.c.leaf, letters.c.body)
        .where(letters.c.batch.is_(None))
        .order_by(letters.c.id)
        .limit(most)
    )
    return [Waiting(row.id, row.leaf, row.body) for row in rows]


def due(connection: Connection, batch: int) -> int:
    """How many of the oldest must go into `batch` if every receipt is to hold: fewer than a batch takes, unless a
    directory has made batches smaller meanwhile.
    """
    here = letters.c.batch.is_(None)
    last = connection.execute(select(func.max(letters.c.id)).where(here, letters.c.publish_by <= batch)).scalar_one()
    if last is None:
        return 0
    return int(connection.execute(select(func.count()).where(here, letters.c.id <= last)).scalar_one())


def place(connection: Connection, ids: Sequence[int], batch: int) -> None:
    """Mark letters as placed in `batch` and drop their bodies, which the batch's pack now holds."""
    done = 0
    for start in range(0, len(ids), _CHUNK):
        some = ids[start : start + _CHUNK]
        done += connection.execute(
            update(letters).where(letters.c.id.in_(some), letters.c.batch.is_(None)).values(batch=batch, body=None)
        ).rowcount
    if done != len(ids):
        raise ValueError("a letter was placed twice")
    add_to_count(connection, _WAITING, -len(ids))


def prune(connection: Connection, before_batch: int) -> None:
    """Forget letters of batches before `before_batch`."""
    connection.execute(delete(letters).where(letters.c.batch < before_batch))
