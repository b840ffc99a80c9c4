# SPDX-License-Identifier: AGPL-3.0-or-later
"""Directories and key notes: those that wait, and all that were logged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, func, insert, select, update

from latchstring.store.tables import fixed, notes


@dataclass(frozen=True, slots=True)
class StoredNote:
    """A note with its order of arrival; `batch` is None while it waits."""

    id: int
    kind: str
    body: bytes = field(repr=False)
    batch: int | None


def add(connection: Connection, kind: str, digest: bytes, body: bytes, owner: str) -> bool:
    """Store one note; False when it is there already."""
    if connection.execute(select(notes.c.id).where(notes.c.hash == digest)).first() is not None:
        return False
    connection.execute(insert(notes).values(kind=kind, hash=digest, body=body, owner=owner))
    return True


def waiting(connection: Connection) -> list[StoredNote]:
    """Notes in no batch yet, oldest first."""
    return _rows(connection, notes.c.batch.is_(None))


def logged(connection: Connection) -> list[StoredNote]:
    """All logged notes in the order of the log."""
    return _rows(connection, notes.c.batch.is_not(None))


def newest(connection: Connection, kind: str, in_log: bool) -> StoredNote | None:
    """The latest note of a kind: of those logged, or of all."""
    where = notes.c.kind == kind
    if in_log:
        where = where & notes.c.batch.is_not(None)
    row = connection.execute(
        select(notes.c.id, notes.c.kind, notes.c.body, notes.c.batch).where(where).order_by(notes.c.id.desc()).limit(1)
    ).first()
    return StoredNote(row.id, row.kind, row.body, row.batch) if row else None


def waiting_of(connection: Connection, owner: str) -> int:
    """How many notes of one member wait."""
    return int(
        connection.execute(
            select(func.count()).select_from(notes).where(notes.c.owner == owner, notes.c.batch.is_(None))
        ).scalar_one()
    )


def place(connection: Connection, ids: Sequence[int], batch: int) -> None:
    """Mark notes as logged in `batch`.."""
    for start in range(0, len(ids), 500):
        connection.execute(update(notes).where(notes.c.id.in_(ids[start : start + 500])).values(batch=batch))


def fix(connection: Connection, chosen: Mapping[tuple[str, int, int], bytes]) -> None:
    """Remember which epoch note was chosen for (desk, gen, day)."""
    if chosen:
        rows = [{"desk": desk, "gen": gen, "day": day, "note": note} for (desk, gen, day), note in chosen.items()]
        connection.execute(insert(fixed), rows)


def all_fixed(connection: Connection) -> dict[tuple[str, int, int], bytes]:
    """(desk, gen, day) -> H(epoch note), all that were ever chosen."""
    rows = connection.execute(select(fixed.c.desk, fixed.c.gen, fixed.c.day, fixed.c.note))
    return {(row.desk, row.gen, row.day): row.note for row in rows}


def _rows(connection: Connection, where: object) -> list[StoredNote]:
    rows = connection.execute(
        select(notes.c.id, notes.c.kind, notes.c.body, notes.c.batch)
        .where(where)  # type: ignore[arg-type]  # a column expression
        .order_by(notes.c.batch, (notes.c.kind != "directory"), notes.c.id)
    )
    return [StoredNote(row.id, row.kind, row.body, row.batch) for row in rows]
