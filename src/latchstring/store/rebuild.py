# SPDX-License-Identifier: AGPL-3.0-or-later
"""Rows made anew from a published log that is longer than what the database knows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, delete, insert, select

from latchstring.store import letters
from latchstring.store.tables import batches, fixed, lease, notes, outbox, pages, sheets


@dataclass(frozen=True, slots=True)
class LoggedNote:
    """A note as the log has it. `digest`: what the store knows it by; `day`: of its batch."""

    kind: str
    digest: bytes
    body: bytes = field(repr=False)
    day: int
    batch: int


def replace_notes(connection: Connection, logged: Sequence[LoggedNote]) -> int:
    """Make the logged notes these, in this order, older than those that wait and are in no batch; how many wait."""
    known = {note.digest for note in logged}
    rows = connection.execute(
        select(notes.c.kind, notes.c.hash, notes.c.body, notes.c.owner, notes.c.day)
        .where(notes.c.batch.is_(None))
        .order_by(notes.c.id)
    )
    waiting = [row._asdict() for row in rows if row.hash not in known]
    connection.execute(delete(notes))
    made = [
        {"kind": n.kind, "hash": n.digest, "body": n.body, "owner": "", "day": n.day, "batch": n.batch} for n in logged
    ]
    for row in made + [{**row, "batch": None} for row in waiting]:
        connection.execute(insert(notes).values(**row))
    return len(waiting)


def replace_fixed(connection: Connection, chosen: Mapping[tuple[str, int, int], bytes]) -> None:
    """Make these the chosen epoch notes."""
    connection.execute(delete(fixed))
    for (desk, gen, day), note in chosen.items():
        connection.execute(insert(fixed).values(desk=desk, gen=gen, day=day, note=note))


def replace_index(
    connection: Connection, starts: Sequence[tuple[int, int]], closed: Sequence[tuple[int, bytes]]
) -> None:
    """Make these the remembered batches (number, first leaf) and sheets (number, hash); pages of closed sheets go."""
    connection.execute(delete(batches))
    connection.execute(delete(sheets))
    for n, first in starts:
        connection.execute(insert(batches).values(n=n, first=first))
    for n, digest in closed:
        connection.execute(insert(sheets).values(n=n, hash=digest))
    if closed:
        connection.execute(delete(pages).where(pages.c.sheet <= closed[-1][0]))


def place_letters(connection: Connection, where: Mapping[bytes, int]) -> int:
    """Mark waiting letters whose leaf is in the log as placed in its batch; how many."""
    by_batch: dict[int, list[int]] = {}
    for waiting in letters.oldest(connection, letters.waiting(connection)):
        if waiting.leaf in where:
            by_batch.setdefault(where[waiting.leaf], []).append(waiting.id)
    for batch, ids in by_batch.items():
        letters.place(connection, ids, batch)
    return sum(len(ids) for ids in by_batch.values())


def forget_running(connection: Connection) -> None:
    """Drop what a process had under way: files to be copied out, and the lease."""
    connection.execute(delete(outbox))
    connection.execute(delete(lease))
