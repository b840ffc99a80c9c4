# SPDX-License-Identifier: AGPL-3.0-or-later
"""Replies as the members of a desk share them: copies, where they were published, and who places them from now on.

Facts: {"kind": "reply", "id", "thread", "body": CBOR of the reply, "written", "knew": batch that its author had
followed}; {"kind": "placed", "reply", "sheet"}; a turn (`turns.py`) whose `what` is the reply's id.
A vault's `reply` table holds the replies that it places itself; `shared_reply` all that the log holds. Of what its
owner wrote, the vault believes itself: no word of another member gives such a reply another text, author or thread.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from latchstring.desk.changes import sealed_to_old_keys, thread_now
from latchstring.desk.facts import At, Told
from latchstring.desk.gone import is_gone
from latchstring.desk.outbox import tell, waiting
from latchstring.desk.pages import placings
from latchstring.desk.search import index_reply
from latchstring.desk.seen import is_absent, seen
from latchstring.desk.turns import holder, take
from latchstring.desk.vault import Vault
from latchstring.protocol import constants as c
from latchstring.protocol.encoding import Fields, ProtocolError
from latchstring.protocol.letter import LetterBody
from latchstring.protocol.memo import Fact
from latchstring.protocol.reply import ReplyBody

TAKEN_AT_ONCE: Final = 16  # replies of an absent member, in one session


@dataclass(frozen=True, slots=True)
class SharedReply:
    """A reply in the log. `sheets`: those it is known to have been published in; `read`: batch of the letter that
    names it."""

    id: bytes = field(repr=False)
    thread: bytes = field(repr=False)
    author: str
    written: int
    knew: int
    read: int | None
    at: At
    sheets: tuple[int, ...]
    body: ReplyBody = field(repr=False)


# --- taking facts in -----------------------------------------------------------------------------


def reply_fact(reply_id: bytes, thread: bytes, body: ReplyBody, written: int, knew: int) -> Fact:
    """What tells a reply to the other members."""
    return {
        "kind": "reply",
        "id": reply_id,
        "thread": thread,
        "body": body.encode(),
        "written": written,
        "knew": max(0, knew),
    }


def apply_reply(vault: Vault, told: Told, fields: Fields) -> None:
    """The first with its id holds. Letters that it acknowledges need no further acknowledgement."""
    reply, raw = fields.raw("id", c.REPLY_ID), fields.raw("body")
    thread = thread_now(vault, fields.raw("thread", c.HASH_SIZE))
    written, knew = fields.count("written"), fields.count("knew")
    fields.done()
    if is_gone(vault, reply):
        return
    own = vault.rows("SELECT thread, cbor FROM reply WHERE id = ? AND NOT adopted", reply)
    if own and (told.by != told.reader.member or own != [(thread, raw)]):
        return  # it is ours, and we said something else
    body = ReplyBody.parse(raw)
    if len(raw) > c.REPLY_CBOR_MAX:
        raise ProtocolError("reply: a body that is too long for one slot")
    new = vault.do(
        "INSERT INTO shared_reply (id, thread, author, cbor, written, knew, at) VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET thread = excluded.thread, author = excluded.author, cbor = excluded.cbor,"
        " written = excluded.written, knew = excluded.knew, at = excluded.at WHERE excluded.at < shared_reply.at",
        reply,
        thread,
        told.by,
        raw,
        written,
        knew,
        told.at.number,
    )
    for mark in body.acks:
        vault.do("UPDATE letter SET acked = 1 WHERE thread = ? AND substr(msg_id, 1, ?) = ?", thread, c.ACK_SIZE, mark)
    if new:
        index_reply(vault, reply, raw)
    _read_already(vault, reply, thread)


def _read_already(vault: Vault, reply: bytes, thread: bytes) -> None:
    """A source may have answered before the copy of the reply came."""
    rows = vault.rows("SELECT batch, cbor FROM letter WHERE thread = ? AND verified ORDER BY batch", thread)
    for batch, cbor in rows:
        try:
            body = LetterBody.parse(cbor)
        except ProtocolError:
            continue
        if reply in body.read:
            vault.do("UPDATE shared_reply SET read = ? WHERE id = ? AND thread = ?", batch, reply, thread)
            return


def acknowledged_already(vault: Vault, thread: bytes, msg_id: bytes) -> bool:
    """Does a shared reply acknowledge this letter, which came after it?"""
    rows = vault.rows("SELECT cbor FROM shared_reply WHERE thread = ?", thread)
    return any(msg_id[: c.ACK_SIZE] in ReplyBody.parse(cbor).acks for (cbor,) in rows)


def apply_placed(vault: Vault, told: Told, fields: Fields) -> None:
    """A published sheet holds the reply."""
    reply, sheet = fields.raw("reply", c.REPLY_ID), fields.count("sheet", 0, 1 << 38)
    fields.done()
    if sheet > c.sheet_of(told.at.batch):
        raise ProtocolError("placed: in a sheet that was not published yet")
    if is_gone(vault, reply) or sealed_to_old_keys(vault, reply, sheet):
        return
    vault.do(
        "INSERT INTO placed_by (reply, sheet, member, at) VALUES (?, ?, ?, ?) ON CONFLICT (reply, sheet) DO UPDATE SET"
        " member = excluded.member, at = excluded.at WHERE excluded.at < placed_by.at",
        reply,
        sheet,
        told.by,
        told.at.number,
    )


def again_replies(vault: Vault, first: int, last: int) -> list[tuple[int, str, Fact]]:
    """Replies and placings told from place `first` to `last`."""
    told = [
        (at, author, reply_fact(reply, thread, ReplyBody.parse(cbor), written, knew))
        for reply, thread, author, cbor, written, knew, at in vault.rows(
            "SELECT id, thread, author, cbor, written, knew, at FROM shared_reply WHERE at BETWEEN ? AND ?", first, last
        )
    ]
    told += [
        (at, member, {"kind": "placed", "reply": reply, "sheet": sheet})
        for reply, sheet, member, at in vault.rows(
            "SELECT reply, sheet, member, at FROM placed_by WHERE at BETWEEN ? AND ?", first, last
        )
    ]
    return told


# --- views ---------------------------------------------------------------------------------------


def shared_replies(vault: Vault, thread: bytes | None = None) -> tuple[SharedReply, ...]:
    """All in the log, or one thread's, by time of writing."""
    sheets: dict[bytes, tuple[int, ...]] = {}
    placed = vault.rows(
        "SELECT p.reply, p.sheet FROM placed_by p JOIN shared_reply r ON r.id = p.reply"
        " WHERE ?1 IS NULL OR r.thread = ?1 ORDER BY p.sheet",
        thread,
    )
    for reply, sheet in placed:
        sheets[reply] = (*sheets.get(reply, ()), sheet)
    rows = vault.rows(
        "SELECT id, thread, author, written, knew, read, at, cbor FROM shared_reply WHERE ?1 IS NULL OR thread = ?1"
        " ORDER BY written, id",
        thread,
    )
    return tuple(
        SharedReply(i, t, author, written, knew, read, At.of(at), sheets.get(i, ()), ReplyBody.parse(cbor))
        for i, t, author, written, knew, read, at, cbor in rows
    )


def places_it(vault: Vault, reply: bytes, author: str) -> str:
    """Who places the reply now."""
    return holder(vault, reply, author)[0] or author


def placed_by_others(vault: Vault, me: str) -> frozenset[bytes]:
    """Replies in our own table that another member took over. None that we wrote: whoever says that they place it may
    lie, and one that is placed by two is read once."""
    rows = vault.rows(
        "SELECT DISTINCT t.what, r.author FROM turn t JOIN reply o ON o.id = t.what"
        " JOIN shared_reply r ON r.id = t.what WHERE o.adopted",
    )
    return frozenset(reply for reply, author in rows if places_it(vault, reply, author) != me)


# --- placing for others --------------------------------------------------------------------------


def tell_placed(vault: Vault) -> int:
    """Tell of our replies that are out, once each. Opens its own transaction."""
    rows = vault.rows(
        "SELECT DISTINCT p.reply, p.sheet FROM placement p WHERE p.published AND NOT EXISTS"
        " (SELECT 1 FROM placed_by b WHERE b.reply = p.reply AND b.sheet = p.sheet) ORDER BY p.sheet"
    )
    told = {(w.fact.get("reply"), w.fact.get("sheet")) for w in waiting(vault, "placed")} if rows else set()
    new = [row for row in rows if row not in told]
    if new:
        with vault.transaction():
            for reply, sheet in new:
                tell(vault, {"kind": "placed", "reply": reply, "sheet": sheet})
    return len(new)


def take_over(vault: Vault, me: str, members: Collection[str], batch: int) -> int:
    """Ask for replies whose member is absent or removed and that want a place; how many. Opens its own transaction.

    An absent member's pages reached seven days ahead: whatever they held is out when this begins, and a reply that is
    placed once more is read once.
    """
    said, sheet = seen(vault), c.sheet_of(batch)
    wanted: list[tuple[bytes, int]] = []
    for reply in shared_replies(vault):
        if reply.read is not None or placings(reply.sheets) >= c.MAX_PLACINGS:
            continue
        if reply.sheets and reply.sheets[-1] + c.REPLACE_FROM_SHEETS > sheet:
            continue
        who, turn = holder(vault, reply.id, reply.author)
        if who == me or who is None or (who in members and not is_absent(said.get(who), batch)):
            continue
        if reply.at.batch >= batch - c.PAGES_AHEAD * c.TICKS_PER_SHEET and who in members:
            continue  # written lately: its author was there
        wanted.append((reply.id, turn + 1))
    if not wanted:
        return 0
    with vault.transaction():
        return sum(take(vault, reply, turn) for reply, turn in wanted[:TAKEN_AT_ONCE])


def adopt(vault: Vault, me: str) -> int:
    """Replies that became ours to place go into our own table; how many. None of a thread without a letter: the keys of
    a deleted one may still be here. Opens its own transaction."""
    rows = vault.rows(
        "SELECT id, thread, cbor, written, read, author FROM shared_reply r WHERE author <> ?1 AND EXISTS"
        " (SELECT 1 FROM turn t WHERE t.what = r.id AND t.member = ?1)"
        " AND EXISTS (SELECT 1 FROM letter l WHERE l.thread = r.thread)"
        " AND NOT EXISTS (SELECT 1 FROM reply o WHERE o.id = r.id) ORDER BY at",
        me,
    )
    ours = [row for row in rows if places_it(vault, row[0], row[5]) == me]
    if ours:
        with vault.transaction():
            for reply, thread, cbor, written, read, _ in ours:
                vault.do(
                    "INSERT INTO reply (id, thread, cbor, written, read, adopted) VALUES (?, ?, ?, ?, ?, 1)",
                    reply,
                    thread,
                    cbor,
                    written,
                    read,
                )
    return len(ours)
