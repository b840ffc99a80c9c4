# SPDX-License-Identifier: AGPL-3.0-or-later
"""Pages for sheets that are not closed yet."""

from typing import Final

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from latchstring.store.tables import pages

# put together once: a member's session uploads dozens of pages
_HERE: Final = (pages.c.sheet == bindparam("at_sheet")) & (pages.c.page == bindparam("at_page"))
_OLD: Final = select(pages.c.version, pages.c.owner, pages.c.body).where(_HERE)
_FIRST: Final = insert(pages)
_NEXT: Final = update(pages).where(_HERE)


def put(connection: Connection, sheet: int, page: int, version: int, owner: str, body: bytes) -> bool:
    """Keep a member's page if its version is their highest, or the same bytes again; False when a higher one is there.

    `owner` is a mark of their keys. Versions are each owner's own: what an earlier one of the place, or an earlier
    holder of the member's id, has uploaded gives way.
    """
    where = {"at_sheet": sheet, "at_page": page}
    old = connection.execute(_OLD, where).first()
    values = {"version": version, "owner": owner, "body": body}
    if old is None:
        connection.execute(_FIRST, {"sheet": sheet, "page": page, **values})
    elif owner != old.owner or version > old.version:
        connection.execute(_NEXT, {**where, **values})
    else:
        return bool(version == old.version and body == old.body)
    return True


def of_sheet(connection: Connection, sheet: int) -> dict[int, tuple[str, bytes]]:
    """page number -> the mark of who uploaded it, and its bytes."""
    rows = connection.execute(select(pages.c.page, pages.c.owner, pages.c.body).where(pages.c.sheet == sheet))
    return {row.page: (row.owner, row.body) for row in rows}


def drop_through(connection: Connection, sheet: int) -> None:
    """Forget pages of sheets up to and including `sheet`."""
    connection.execute(delete(pages).where(pages.c.sheet <= sheet))
