# SPDX-License-Identifier: AGPL-3.0-or-later
"""Pages for sheets that are not closed yet."""

from sqlalchemy import Connection, delete, insert, select, update

from latchstring.store.tables import pages


def put(connection: Connection, sheet: int, page: int, version: int, body: bytes) -> bool:
    """Keep the page if its version is the highest, or the same bytes again; False when a higher one is there."""
    where = (pages.c.sheet == sheet) & (pages.c.page == page)
    old = connection.execute(select(pages.c.version, pages.c.body).where(where)).first()
    if old is None:
        connection.execute(insert(pages).values(sheet=sheet, page=page, version=version, body=body))
    elif version > old.version:
        connection.execute(update(pages).where(where).values(version=version, body=body))
    else:
        return bool(version == old.version and body == old.body)
    return True


def of_sheet(connection: Connection, sheet: int) -> dict[int, bytes]:
    """page number -> bytes."""
    rows = connection.execute(select(pages.c.page, pages.c.body).where(pages.c.sheet == sheet))
    return {row.page: row.body for row in rows}


def drop_through(connection: Connection, sheet: int) -> None:
    """Forget pages of sheets up to and including `sheet`."""
    connection.execute(delete(pages).where(pages.c.sheet <= sheet))
