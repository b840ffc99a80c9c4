# SPDX-License-Identifier: AGPL-3.0-or-later
"""Replies in the vault: written once, placed up to 26 times, until a letter names them as read."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from latchstring.desk.errors import DeskError
from latchstring.desk.identity import identity
from latchstring.desk.letters import mark_acknowledged, marks_to_acknowledge
from latchstring.desk.outbox import tell
from latchstring.desk.pages import placings
from latchstring.desk.presence import check_may_write
from latchstring.desk.search import index_reply
from latchstring.desk.shared_replies import reply_fact
from latchstring.desk.vault import Row, Vault
from latchstring.protocol.constants import MAX_PLACINGS, REPLY_ID
from latchstring.protocol.reply import ReplyBody, room_left


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply. `published`: how often it was placed and came out; `last`: the newest sheet with it; `planned`: the one
    that it waits for; `read`: the batch of the letter that names it. `withdrawn`: a member took it back.
    """

    number: int
    id: bytes = field(repr=False)
    thread: bytes = field(repr=False)
    written: int
    published: int
    last: int | None
    planned: int | None
    read: int | None
    withdrawn: bool
    body: ReplyBody = field(repr=False)

    @property
    def wants_a_place(self) -> bool:
        """Not read, not withdrawn, and not yet placed as often as a year takes."""
        return self.read is None and not self.withdrawn and self.published < MAX_PLACINGS


class ReplyTooLong(DeskError):
    """`over`: by how many bytes of UTF-8."""

    def __init__(self, over: int) -> None:
        super().__init__(
            f"The reply is {over} bytes too long for one slot.", "Shorten it, or send it as several replies."
        )
        self.over = over


class NothingToSay(DeskError):
    """No text, or no letter to acknowledge."""


def write_reply(vault: Vault, thread: bytes, text: str, now: int, random: Callable[[int], bytes]) -> Reply:
    """Keep a reply, with acknowledgements of what a human opened; the next sync places it. An empty text: those alone.

    ReplyTooLong, NothingToSay, NoLongerHere; nothing is stored then.
    """
    check_may_write(vault, identity(vault).desk)
    if not vault.rows("SELECT 1 FROM letter WHERE thread = ? LIMIT 1", thread):
        raise DeskError("There is no such thread.", "See 'desk inbox' for those there are.")
    marks = marks_to_acknowledge(vault, thread)
    body = ReplyBody(text, marks)
    if not text.strip() and not marks:
        raise NothingToSay(
            "There is nothing to say or acknowledge in this thread.", "Write a text, or 'show' it first."
        )
    room = room_left(body)
    if room < 0:
        raise ReplyTooLong(-room)
    reply_id = random(REPLY_ID)
    with vault.transaction():
        knew = vault.rows("SELECT batch FROM followed")
        tell(vault, reply_fact(reply_id, thread, body, now, knew[0][0] if knew else 0))
        vault.do(
            "INSERT INTO reply (id, thread, cbor, written) VALUES (?, ?, ?, ?)", reply_id, thread, body.encode(), now
        )
        index_reply(vault, reply_id, body.encode())
        mark_acknowledged(vault, thread, marks)
    return next(r for r in replies(vault, thread) if r.id == reply_id)


_OUT: Final = (  # sheets that hold the reply; of what we wrote ourselves only those that we saw, whatever others say
    "SELECT p.sheet FROM placement p WHERE p.reply = r.id AND p.published"
    " UNION SELECT b.sheet FROM placed_by b WHERE b.reply = r.id AND r.adopted"
)


def replies(vault: Vault, thread: bytes | None = None) -> tuple[Reply, ...]:
    """All replies, or one thread's, in order of writing."""
    rows = vault.rows(
        "SELECT r.number, r.id, r.thread, r.written,"  # noqa: S608  # own constant
        f" (SELECT group_concat(sheet) FROM ({_OUT})),"
        " (SELECT p.sheet FROM placement p WHERE p.reply = r.id AND NOT p.published"
        " ORDER BY p.version DESC, p.sheet LIMIT 1),"
        " r.read, EXISTS (SELECT 1 FROM withdrawn w WHERE w.reply = r.id), r.cbor FROM reply r"
        " WHERE ?1 IS NULL OR r.thread = ?1 ORDER BY r.number",
        thread,
    )
    return tuple(_reply(row) for row in rows)


def _reply(row: Row) -> Reply:
    number, reply_id, thread, written, out, planned, read, withdrawn, cbor = row
    sheets = sorted(map(int, out.split(","))) if out is not None else []
    last = sheets[-1] if sheets else None
    body = ReplyBody.parse(cbor)
    return Reply(number, reply_id, thread, written, placings(sheets), last, planned, read, bool(withdrawn), body)


def mark_read(vault: Vault, thread: bytes, ids: tuple[bytes, ...], batch: int, *, passed_on: bool) -> int:
    """Part of a transaction: a letter of this thread names these replies. How many were not known as read before.

    `passed_on`: by another member, whose word is not enough for what we wrote ourselves: it goes on being placed.
    """
    count = 0
    for i in ids:
        new = 0
        ours = bool(vault.rows("SELECT 1 FROM reply WHERE id = ? AND NOT adopted", i))
        for table in () if passed_on and ours else ("reply", "shared_reply"):
            known = f"{table} WHERE id = ? AND thread = ? AND read IS NULL"
            new |= len(vault.rows(f"SELECT 1 FROM {known}", i, thread))  # noqa: S608  # own constant
            vault.do(
                f"UPDATE {table} SET read = ?1 WHERE id = ?2 AND thread = ?3 AND (read IS NULL OR read > ?1)",  # noqa: S608  # own constant
                batch,
                i,
                thread,
            )
        count += new
    return count
