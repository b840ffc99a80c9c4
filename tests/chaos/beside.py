# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a server takes and drops beside letters while it is killed: a member's key notes and page, an attachment's
chunk. Each is sent again until it is acknowledged, as clients do; what was acknowledged must be there in the end, and
nothing of what was dropped.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from latchstring.protocol import constants as c
from latchstring.protocol.attachment import Ask
from latchstring.protocol.sheet import noise_page, parse_sheet
from latchstring.server.accept import DirectoryCache, Intake, accept_key_notes, accept_page
from latchstring.server.attachments import (
    FOLDER,
    accept_attachment,
    accept_chunk,
    chunk_path,
    drop_old,
    has_chunk,
    reconcile,
    recount,
)
from latchstring.store.objects import FolderObjects, Objects
from latchstring.store.sql import Sql, StoreError, open_sqlite
from tests.builders import Founding, Stream, make_epoch
from tests.faults import cbor_notes

SHEET: Final = 1  # that of batch 36
PAGE: Final = noise_page(1, Stream("chaos page"))
TOKEN: Final = b"\x07" * c.SYM_KEY
NAME: Final = b"\x08" * 32
CHUNK: Final = Stream("chaos chunk")(c.ATTACHMENT_CHUNK)


def notes_of(founding: Founding, day: int) -> bytes:
    """What the member posts for that day; made once, since seals are random."""
    return cbor_notes(make_epoch(founding, "news", day, Stream(f"chaos epoch {day}"))[1])


def put_right(sql: Sql, private: Objects) -> None:
    """What a server does at its start, beside the publisher. StoreError when the running sums were wrong."""
    if not recount(sql):
        raise StoreError("what attachments take was summed up wrongly")
    reconcile(sql, private)


def take(
    intake: Intake, private: Objects, notes: bytes, now: int, again: Callable[[Callable[[], object]], object],
    acknowledged: Callable[[str], None],
) -> None:  # fmt: skip
    """Send all of it. `again` tries once more what failed; `acknowledged` is called when the sender knows."""
    cache = DirectoryCache()
    again(lambda: accept_key_notes(intake, "news-1", notes, now))
    again(lambda: accept_page(intake, cache, "news-1", SHEET, 0, 1, PAGE))
    acknowledged("page")
    again(lambda: accept_attachment(intake, cache, Ask(TOKEN, 1).encode(), None, now))
    again(lambda: accept_chunk(intake, cache, private, TOKEN, NAME, CHUNK, now))
    acknowledged("chunk")


def drop(sql: Sql, private: Objects, batch: int) -> None:
    """As the publisher does between batches, a month later."""
    while drop_old(sql, private, batch + 30 * c.TICKS_PER_DAY):
        pass


def kept_too_long(folder: Path) -> bool:
    """Is there a file or a row of an attachment after all were dropped?"""
    sql = open_sqlite(folder / "db")
    try:
        return has_chunk(sql, NAME) or any(FolderObjects(folder / "private").paths(FOLDER.rstrip("/")))
    finally:
        sql.close()


def lost(folder: Path, acknowledged: set[str]) -> int:
    """How many of the acknowledged are not there. `folder`: the server's, whose batch 36 has closed."""
    public, private = FolderObjects(folder / "public"), FolderObjects(folder / "private")
    sql = open_sqlite(folder / "db")
    try:
        there = {
            "page": parse_sheet(public.get(f"sheets/{SHEET}")).pages[0] == PAGE,
            "chunk": has_chunk(sql, NAME) and private.get(chunk_path(NAME)) == CHUNK,
        }
    except KeyError:
        return len(acknowledged)
    finally:
        sql.close()
    return sum(not there[what] for what in acknowledged)
