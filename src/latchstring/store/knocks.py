# SPDX-License-Identifier: AGPL-3.0-or-later
"""Lists of knocks, one for each epoch note, and the knocks of them that were spent."""

from dataclasses import asdict, dataclass, field
from typing import Final

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from latchstring.store.tables import knock_lists, spent_knocks

# put together once: each session of a member posts some ten lists
_HERE: Final = knock_lists.c.note == bindparam("of_note")
_VERSION: Final = select(knock_lists.c.version).where(_HERE)
_FIRST: Final = insert(knock_lists)
_NEXT: Final = update(knock_lists).where(_HERE)


@dataclass(frozen=True, slots=True)
class StoredList:
    """A list as it is held. `entries`: of 32 bytes each, in rising order, run together."""

    desk: str
    gen: int
    day: int
    version: int
    salt: bytes
    entries: bytes = field(repr=False)


def put(connection: Connection, note: bytes, new: StoredList) -> bool:
    """Keep the list of an epoch note unless a newer version is there: False then."""
    old = connection.execute(_VERSION, {"of_note": note}).scalar_one_or_none()
    values = asdict(new)
    if old is None:
        connection.execute(_FIRST, {"note": note, **values})
    elif new.version >= old:
        connection.execute(_NEXT, {"of_note": note, **values})
    else:
        return False
    return True


def of_note(connection: Connection, note: bytes) -> StoredList | None:
    """The list of an epoch note."""
    columns = knock_lists.c
    row = connection.execute(
        select(columns.desk, columns.gen, columns.day, columns.version, columns.salt, columns.entries).where(
            columns.note == note
        )
    ).first()
    return StoredList(*row) if row else None


def spend(connection: Connection, note: bytes, digest: bytes, most: int) -> bool:
    """Remember that a knock is spent; False when it was before, or `most` of this epoch were, whatever the version."""
    here = spent_knocks.c.note == note
    if connection.execute(select(spent_knocks.c.note).where(here, spent_knocks.c.knock == digest)).first() is not None:
        return False
    if connection.execute(select(func.count()).select_from(spent_knocks).where(here)).scalar_one() >= most:
        return False
    connection.execute(insert(spent_knocks).values(note=note, knock=digest))
    return True


def prune(connection: Connection, before_day: int) -> None:
    """Forget the lists of days before `before_day`, and what was spent of them."""
    old = select(knock_lists.c.note).where(knock_lists.c.day < before_day)
    connection.execute(delete(spent_knocks).where(spent_knocks.c.note.in_(old)))
    connection.execute(delete(knock_lists).where(knock_lists.c.day < before_day))
