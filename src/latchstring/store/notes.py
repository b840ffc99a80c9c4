# SPDX-License-Identifier: AGPL-3.0-or-later
"""Directories and key notes: those that wait, and all that were logged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, insert, select, update

from latchstring.store.tables import fixed, notes

_CHUNK: Final = 500  # of bound values in one statement
_OF_ROOTS: Final = ("directory", "root")  # kept for ever, and before the key notes of their batch
_ALL: Final = select(notes.c.id, notes.c.kind, notes.c.body, notes.c.day, notes.c.batch)
# put together once: to put the query for the newest together, which every request of a member asks, takes five times as
# long as the answer
_KNOWN: Final = select(notes.c.id).where(notes.c.hash == bindparam("digest"))
_ADD: Final = insert(notes)
_NEWEST: Final = _ALL.where(notes.c.kind == bindparam("kind")).order_by(notes.c.id.desc()).limit(1)
_NEWEST_LOGGED: Final = _NEWEST.where(notes.c.batch.is_not(None))


@dataclass(frozen=True, slots=True)
class StoredNote:
    """A note with its order of arrival; `day`: when it was posted; `batch` is None while it waits."""

    id: int
    kind: str
    body: bytes = field(repr=False)
    day: int
    batch: int | None


def add(connection: Connection, kind: str, digest: bytes, body: bytes, owner: str, day: int) -> bool:
    """Store one note that `owner` posted on `day`; False when it is there already."""
    if connection.execute(_KNOWN, {"digest": digest}).first() is not None:
        return False
    connection.execute(_ADD, {"kind": kind, "hash": digest, "body": body, "owner": owner, "day": day})
    return True


def waiting(connection: Connection) -> list[StoredNote]:
    """Notes in no batch yet, oldest first."""
    return _rows(connection, notes.c.batch.is_(None))


def logged(connection: Connection) -> list[StoredNote]:
    """The logged notes that are still kept, in the order of the log."""
    return _rows(connection, notes.c.batch.is_not(None))


def newest(connection: Connection, kind: str, in_log: bool) -> StoredNote | None:
    """The latest note of a kind: of those logged, or of all."""
    row = connection.execute(_NEWEST_LOGGED if in_log else _NEWEST, {"kind": kind}).first()
    return StoredNote(*row) if row else None


def of_kind(connection: Connection, kind: str, in_log: bool) -> list[StoredNote]:
    """All notes of a kind, in order of arrival: those logged, or those that wait too."""
    where = notes.c.kind == kind
    rows = _rows(connection, where & notes.c.batch.is_not(None) if in_log else where)
    return sorted(rows, key=lambda row: row.id)


def posted_on(connection: Connection, owner: str, day: int) -> int:
    """How many notes one member posted on a day."""
    return int(
        connection.execute(
            select(func.count()).select_from(notes).where(notes.c.owner == owner, notes.c.day == day)
        ).scalar_one()
    )


def place(connection: Connection, ids: Sequence[int], batch: int) -> None:
    """Mark waiting notes as logged in `batch`."""
    done = 0
    for start in range(0, len(ids), _CHUNK):
        some = ids[start : start + _CHUNK]
        done += connection.execute(
            update(notes).where(notes.c.id.in_(some), notes.c.batch.is_(None)).values(batch=batch)
        ).rowcount
    if done != len(ids):
        raise ValueError("a note was placed twice")


def drop(connection: Connection, ids: Sequence[int]) -> None:
    """Forget waiting notes that nothing can make right any more."""
    for start in range(0, len(ids), _CHUNK):
        some = ids[start : start + _CHUNK]
        connection.execute(delete(notes).where(notes.c.id.in_(some), notes.c.batch.is_(None)))


def prune(connection: Connection, before_batch: int, before_day: int) -> None:
    """Forget key notes logged before a batch, and choices for days before a day. Directories and root rotations stay,
    and so does what is published.
    """
    connection.execute(delete(notes).where(notes.c.batch < before_batch, notes.c.kind.not_in(_OF_ROOTS)))
    connection.execute(delete(fixed).where(fixed.c.day < before_day))


def fix(connection: Connection, chosen: Mapping[tuple[str, int, int], bytes]) -> None:
    """Remember which epoch note was chosen for (desk, gen, day)."""
    if chosen:
        rows = [{"desk": desk, "gen": gen, "day": day, "note": note} for (desk, gen, day), note in chosen.items()]
        connection.execute(insert(fixed), rows)


def all_fixed(connection: Connection) -> dict[tuple[str, int, int], bytes]:
    """(desk, gen, day) -> H(epoch note), the choices that are still kept."""
    rows = connection.execute(select(fixed.c.desk, fixed.c.gen, fixed.c.day, fixed.c.note))
    return {(row.desk, row.gen, row.day): row.note for row in rows}


def _rows(connection: Connection, where: ColumnElement[bool]) -> list[StoredNote]:
    rows = connection.execute(_ALL.where(where).order_by(notes.c.batch, notes.c.kind.not_in(_OF_ROOTS), notes.c.id))
    return [StoredNote(*row) for row in rows]
