# SPDX-License-Identifier: AGPL-3.0-or-later
"""The tip of the log: one row, changed by compare-and-swap, with the files that wait to be copied out beside it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection, delete, insert, select, update

from latchstring.store.tables import batches, outbox, sheets, tip

_READ: Final = select(tip.c.size, tip.c.root, tip.c.batch, tip.c.manifest, tip.c.checkpoint)


class TipMoved(Exception):
    """Another publisher moved the tip: nothing of this transaction may be kept."""


@dataclass(frozen=True, slots=True)
class Tip:
    """What the log was when batch `batch` closed. `manifest` and `checkpoint` are raw bytes."""

    size: int
    root: bytes
    batch: int
    manifest: bytes = field(repr=False)
    checkpoint: bytes = field(repr=False)


def read(connection: Connection) -> Tip | None:
    """The tip, None before the first batch."""
    row = connection.execute(_READ).first()
    return Tip(row.size, row.root, row.batch, row.manifest, row.checkpoint) if row else None


def swap(connection: Connection, old: Tip | None, new: Tip) -> None:
    """Put `new` where `old` is; TipMoved when something else is there."""
    values = {
        "size": new.size,
        "root": new.root,
        "batch": new.batch,
        "manifest": new.manifest,
        "checkpoint": new.checkpoint,
    }
    if old is None:
        if read(connection) is not None:
            raise TipMoved
        connection.execute(insert(tip).values(id=1, **values))
        return
    where = (tip.c.size == old.size) & (tip.c.root == old.root) & (tip.c.batch == old.batch)
    if connection.execute(update(tip).where(where).values(**values)).rowcount != 1:
        raise TipMoved


def add_files(connection: Connection, files: Mapping[str, bytes]) -> None:
    """Keep built files as rows until they lie at their final place."""
    if files:
        connection.execute(insert(outbox), [{"path": path, "body": body} for path, body in files.items()])


def files(connection: Connection) -> dict[str, bytes]:
    """The files that wait to be copied out."""
    return {row.path: row.body for row in connection.execute(select(outbox.c.path, outbox.c.body))}


def drop_files(connection: Connection, paths: Iterable[str]) -> None:
    """Forget files that lie at their final place."""
    for path in paths:
        connection.execute(delete(outbox).where(outbox.c.path == path))


def add_batch(connection: Connection, n: int, first: int, keep: int) -> None:
    """Remember where batch `n` starts; forget all but the last `keep`."""
    connection.execute(insert(batches).values(n=n, first=first))
    edge = connection.execute(select(batches.c.n).order_by(batches.c.n.desc()).offset(keep - 1).limit(1)).scalar()
    if edge is not None:
        connection.execute(delete(batches).where(batches.c.n < edge))


def recent_first(connection: Connection) -> int:
    """The first leaf of the oldest batch that is remembered; 0 before the first."""
    return int(connection.execute(select(batches.c.first).order_by(batches.c.n).limit(1)).scalar() or 0)


def add_sheet(connection: Connection, n: int, digest: bytes) -> None:
    """Remember a sheet's hash."""
    connection.execute(insert(sheets).values(n=n, hash=digest))


def last_sheets(connection: Connection, most: int) -> list[tuple[int, bytes]]:
    """[number, hash] of the last sheets, oldest first."""
    rows = connection.execute(select(sheets.c.n, sheets.c.hash).order_by(sheets.c.n.desc()).limit(most))
    return [(row.n, row.hash) for row in rows][::-1]
