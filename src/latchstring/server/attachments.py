# SPDX-License-Identifier: AGPL-3.0-or-later
"""Attachments on the server: admitted by bytes, stored chunk by chunk, listed and handed to members, dropped in time.

Nothing here knows HTTP, threads or the clock. A chunk is claimed in one transaction, its file written, and marked as
stored in another: whatever fails between, sending the same bytes again puts it right, and no file is nobody's.
"""

import errno
from typing import Final

from sqlalchemy import Connection

from latchstring.protocol import constants as c
from latchstring.protocol.attachment import Ask, admitted, chunks_of, encode_names
from latchstring.protocol.directory import Directory, Policy
from latchstring.protocol.encoding import ProtocolError, h
from latchstring.protocol.knock import Knock
from latchstring.server.accept import DirectoryCache, Intake, Refusal, Refused
from latchstring.server.forecast import KEEP_FREE
from latchstring.server.spending import spend_knock
from latchstring.store import chunks, tip
from latchstring.store.objects import NoObject, Objects
from latchstring.store.sql import Sql, StoreFailed

FOLDER: Final = "attachments/"  # of the private shelf; never in a backup
NAMES_AT_ONCE: Final = 16_384  # half a megabyte
DROP_AT_ONCE: Final = 256  # files, and attachments: so that dropping a large attachment does not keep a batch waiting
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


def chunk_path(name: bytes) -> str:
    """Where a chunk lies on the private shelf."""
    return f"{FOLDER}{name.hex()[:2]}/{name.hex()}"


def has_room(room: int, plain: int, knocked: int, asked: int, knock: bool) -> bool:
    """The rule of admission, all in chunks: of the `room`, half is kept for whoever knocks.

    `plain` and `knocked` are held already, without and with a knock.
    """
    if plain + knocked + asked > room:
        return False
    return knock or plain + asked <= room // 2


def present(connection: Connection, policy: Policy, now: int) -> int:
    """The present batch: by the clock, or by the log when the clock is behind it."""
    at = tip.read(connection)
    return max(0, policy.batch_at(now), at.batch if at else 0)


def _gone(row: chunks.Admitted, today: int) -> bool:
    return row.dropped or row.day < today - c.ATTACHMENT_DAYS


def accept_attachment(intake: Intake, cache: DirectoryCache, raw: bytes, knock: Knock | None, now: int) -> bytes:
    """Keep room for what is asked, once a token; how many of its chunks are to come. Refused otherwise.

    A knock is looked at, and spent, only when what is open to all has no room left.
    """
    try:
        ask = Ask.parse(raw)
    except ProtocolError:
        raise Refused(Refusal.ASK_BAD) from None
    with intake.sql.read() as connection:  # who is refused keeps nobody who writes letters waiting
        known = _look(intake, cache, connection, ask, knock, now)
    if isinstance(known, int):
        return admitted(known)
    with intake.sql.write() as connection:
        known = _look(intake, cache, connection, ask, knock, now)
        if isinstance(known, int):
            return admitted(known)
        directory, batch, reserved = known
        if reserved and knock is not None and not spend_knock(connection, directory, batch, knock):
            raise Refused(Refusal.KNOCK)
        chunks.admit(connection, h(ask.token), ask.chunks, reserved, c.day_of(batch), batch)
    return admitted(ask.chunks)


def _look(
    intake: Intake, cache: DirectoryCache, connection: Connection, ask: Ask, knock: Knock | None, now: int
) -> int | tuple[Directory, int, bool]:
    """Of a token that is known: how many chunks are to come. Else, when there is room: the directory in force, the
    present batch, and whether it is room kept for knocks. Refused otherwise.
    """
    directory = cache.get(connection, intake.door).directory
    policy = directory.policy
    batch = present(connection, policy, now)
    row = chunks.by_token(connection, h(ask.token))
    if row is not None:
        if row.chunks != ask.chunks:
            raise Refused(Refusal.UPLOAD_OTHER)
        if _gone(row, c.day_of(batch)):
            raise Refused(Refusal.GONE)
        return row.missing
    if directory.closed is not None:
        raise Refused(Refusal.CLOSED)
    if batch >= directory.expires:
        raise Refused(Refusal.EXPIRED)
    if not policy.attachment:
        raise Refused(Refusal.NO_ATTACHMENTS)
    if ask.chunks > chunks_of(policy.attachment):
        raise Refused(Refusal.ATTACHMENT_SIZE)
    room, held = intake.attachment_room // c.ATTACHMENT_CHUNK, chunks.held(connection)
    reserved = not has_room(room, *held, ask.chunks, False)
    if reserved and (knock is None or not has_room(room, *held, ask.chunks, True)):
        raise Refused(Refusal.NO_ROOM)
    if intake.free() < KEEP_FREE + (chunks.outstanding(connection) + ask.chunks) * c.ATTACHMENT_CHUNK:
        raise Refused(Refusal.NO_ROOM)
    return directory, batch, reserved


def check_token(intake: Intake, cache: DirectoryCache, token: bytes | None, now: int) -> None:
    """Refused unless chunks are taken under this token now: what is looked at before a body is read."""
    with intake.sql.read() as connection:
        today = c.day_of(present(connection, cache.get(connection, intake.door).directory.policy, now))
        _owner(connection, token, today)


def _owner(connection: Connection, token: bytes | None, today: int) -> chunks.Admitted:
    row = chunks.by_token(connection, h(token)) if token is not None else None
    if row is None:
        raise Refused(Refusal.UPLOAD_UNKNOWN)
    if _gone(row, today):
        raise Refused(Refusal.GONE)
    return row


def accept_chunk(
    intake: Intake, cache: DirectoryCache, shelf: Objects, token: bytes | None, name: bytes, body: bytes, now: int
) -> None:
    """Store one chunk under its name, once and for these bytes. Durable when it returns; Refused otherwise.

    StoreFailed when nobody may count on it: send the same bytes again.
    """
    if len(body) != c.ATTACHMENT_CHUNK:
        raise Refused(Refusal.CHUNK_SIZE)
    digest = h(body)
    with intake.sql.write() as connection:
        batch = present(connection, cache.get(connection, intake.door).directory.policy, now)
        owner = _owner(connection, token, c.day_of(batch))
        found = chunks.find(connection, name)
        if found is not None:
            if (found.attachment, found.digest) != (owner.id, digest):
                raise Refused(Refusal.CHUNK_OTHER)
            if found.stored:
                return
        elif chunks.claimed(connection, owner.id) >= owner.chunks:
            raise Refused(Refusal.CHUNK_MANY)
        else:
            chunks.claim(connection, name, owner.id, digest)
    if intake.free() < KEEP_FREE:
        raise Refused(Refusal.DISK_FULL)
    try:
        shelf.put(chunk_path(name), body)
    except StoreFailed as failed:
        if isinstance(failed.__cause__, OSError) and failed.__cause__.errno in _FULL:
            raise Refused(Refusal.DISK_FULL) from None
        raise
    with intake.sql.write() as connection:
        kept = chunks.mark_stored(connection, name, batch)
    if not kept:  # dropped meanwhile
        shelf.delete(chunk_path(name))
        raise Refused(Refusal.GONE)


def has_chunk(sql: Sql, name: bytes) -> bool:
    """Is it stored? Only who made the name, and members, know it."""
    with sql.read() as connection:
        found = chunks.find(connection, name)
    return found is not None and found.stored


def names_page(sql: Sql, after: int) -> bytes:
    """The names of stored chunks behind row `after`, as `encode_names` has them; none at the end."""
    with sql.read() as connection:
        return encode_names(*chunks.names_after(connection, after, NAMES_AT_ONCE))


# --- in the background ---------------------------------------------------------------------------


def drop_old(sql: Sql, shelf: Objects, batch: int) -> int:
    """Remove some of the attachments whose 14 days are over, or whose upload stands still or never began: how many
    chunks and attachments are gone. However many there are, each transaction touches a slice of them.

    First nothing more is taken for them, then files go, then rows: a crash anywhere is gone on from.
    """
    limits = chunks.Due(
        c.day_of(batch) - c.ATTACHMENT_DAYS, batch - c.ATTACHMENT_IDLE_TICKS, batch - c.ATTACHMENT_START_TICKS
    )
    with sql.read() as connection:
        ids = chunks.due_now(connection, limits, DROP_AT_ONCE)
    if not ids:
        return 0
    with sql.write() as connection:
        chunks.mark_due(connection, ids, limits)
        due = chunks.to_drop(connection, ids, DROP_AT_ONCE)
    for chunk in due:
        shelf.delete(chunk_path(chunk.name))
    with sql.write() as connection:
        return len(due) + chunks.drop(connection, [chunk.id for chunk in due], ids)


def recount(sql: Sql) -> bool:
    """At a start: is the room that attachments take what the running sums say? False when they had to be put right."""
    with sql.write() as connection:
        return chunks.recount(connection)


def reconcile(sql: Sql, shelf: Objects) -> None:
    """After a crash or a store put back: no file without a row, and no row that says 'stored' without its file.

    Files are listed first: a chunk that is being uploaded has its row before its file.
    """
    for first in range(256):  # by the first byte of their names, a folder each
        files = {path.rpartition("/")[2]: path for path in shelf.paths(f"{FOLDER}{first:02x}")}
        with sql.read() as connection:
            rows = chunks.between(connection, bytes([first]), bytes([first + 1]) if first < 255 else b"\xff" * 33)
        known = {row.name.hex() for row in rows}
        for name, path in files.items():
            if name not in known:
                shelf.delete(path)
        lost = [row.id for row in rows if row.stored and row.name.hex() not in files and not _there(shelf, row.name)]
        if lost:
            with sql.write() as connection:
                chunks.mark_lost(connection, lost)


def _there(shelf: Objects, name: bytes) -> bool:
    try:
        shelf.get(chunk_path(name))
    except NoObject:
        return False
    return True
