# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who has a thread in hand, what members note about it, which letters a human opened.

Facts: {"kind": "assign", "thread", "to": member or null}: the last in the log holds;
{"kind": "note", "id", "thread", "text", "written"}: all are kept;
{"kind": "read", "thread", "letters": [marks of 8 bytes]}.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from latchstring.desk.changes import thread_now
from latchstring.desk.errors import DeskError
from latchstring.desk.facts import Told
from latchstring.desk.gone import is_gone, said_too_early
from latchstring.desk.outbox import tell, waiting
from latchstring.desk.search import index_note
from latchstring.desk.vault import Vault
from latchstring.protocol.constants import ACK_SIZE, HASH_SIZE
from latchstring.protocol.encoding import Fields, ProtocolError
from latchstring.protocol.memo import Fact
from latchstring.protocol.names import is_name

NOTE_ID: Final = 16
NOTE_LONGEST: Final = 500  # characters: 2,000 bytes of UTF-8 at most, so that it always fits a memo
MARKS_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who has a thread in hand (None: nobody), by whose word; `pending` until the log holds it."""

    member: str | None
    by: str
    pending: bool


@dataclass(frozen=True, slots=True)
class Note:
    """What a member noted about a thread; the source never sees it. `written`: Unix seconds."""

    id: bytes = field(repr=False)
    author: str
    written: int
    pending: bool
    text: str = field(repr=False)


# --- local acts ----------------------------------------------------------------------------------


def assign(vault: Vault, thread: bytes, member: str | None) -> None:
    """Give the thread to a member, or to nobody. Opens its own transaction."""
    with vault.transaction():
        for old in waiting(vault, "assign"):
            if old.memo is None and old.fact.get("thread") == thread:
                vault.do("DELETE FROM fact_waiting WHERE number = ?", old.number)
        tell(vault, {"kind": "assign", "thread": thread, "to": member})


def add_note(vault: Vault, thread: bytes, text: str, now: int, random: Callable[[int], bytes]) -> None:
    """Note something about the thread. DeskError when it is empty or too long. Opens its own transaction."""
    if not text.strip():
        raise DeskError("The note is empty.", "Write a few words.")
    if len(text) > NOTE_LONGEST:
        raise DeskError(
            f"The note is {len(text) - NOTE_LONGEST} characters too long.", "Shorten it, or write two notes."
        )
    with vault.transaction():
        tell(vault, {"kind": "note", "id": random(NOTE_ID), "thread": thread, "text": text, "written": now})


def tell_read(vault: Vault, thread: bytes, marks: Sequence[bytes]) -> None:
    """Part of the transaction that marks letters as opened here."""
    for start in range(0, len(marks), MARKS_AT_ONCE):
        tell(vault, {"kind": "read", "thread": thread, "letters": list(marks[start : start + MARKS_AT_ONCE])})


# --- taking facts in -----------------------------------------------------------------------------


def apply_assign(vault: Vault, told: Told, fields: Fields) -> None:
    """The last in the log holds."""
    thread, to = thread_now(vault, fields.raw("thread", HASH_SIZE)), fields.take("to")
    fields.done()
    if to is not None and not (isinstance(to, str) and is_name(to)):
        raise ProtocolError("assign: 'to' is neither a member's name nor nothing")
    if said_too_early(vault, told.at.number, thread):
        return
    vault.do(
        "INSERT INTO assignment (thread, member, by, at) VALUES (?, ?, ?, ?) ON CONFLICT (thread) DO UPDATE SET"
        " member = excluded.member, by = excluded.by, at = excluded.at WHERE excluded.at > assignment.at",
        thread,
        to,
        told.by,
        told.at.number,
    )


def apply_note(vault: Vault, told: Told, fields: Fields) -> None:
    """The first with its id holds."""
    note, thread = fields.raw("id", NOTE_ID), thread_now(vault, fields.raw("thread", HASH_SIZE))
    text, written = fields.text("text", NOTE_LONGEST), fields.count("written")
    fields.done()
    if is_gone(vault, note):
        return
    new = vault.do(
        "INSERT INTO note (id, thread, author, text, written, at) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE"
        " SET thread = excluded.thread, author = excluded.author, text = excluded.text, written = excluded.written,"
        " at = excluded.at WHERE excluded.at < note.at",
        note,
        thread,
        told.by,
        text,
        written,
        told.at.number,
    )
    if new:
        index_note(vault, note, text)


def apply_read(vault: Vault, told: Told, fields: Fields) -> None:
    """A letter may come later than the word that somebody opened it."""
    thread, marks = thread_now(vault, fields.raw("thread", HASH_SIZE)), fields.items("letters", MARKS_AT_ONCE)
    fields.done()
    for mark in marks:
        if not isinstance(mark, bytes) or len(mark) != ACK_SIZE:
            raise ProtocolError("read: 'letters' holds something else than letters' marks")
        if said_too_early(vault, told.at.number, thread):
            continue
        vault.do(
            "INSERT INTO letter_read (thread, mark, member, at) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " at = excluded.at WHERE excluded.at < letter_read.at",
            thread,
            mark,
            told.by,
            told.at.number,
        )


# --- telling again -------------------------------------------------------------------------------


def again_marks(vault: Vault, first: int, last: int) -> list[tuple[int, str, Fact]]:
    """Facts whose place lies from `first` to `last` (both `At.number`): place, who said it, the fact."""
    told: list[tuple[int, str, Fact]] = [
        (at, by, {"kind": "assign", "thread": thread, "to": member})
        for thread, member, by, at in vault.rows(
            "SELECT thread, member, by, at FROM assignment WHERE at BETWEEN ? AND ?", first, last
        )
    ]
    told += [
        (at, author, {"kind": "note", "id": note, "thread": thread, "text": text, "written": written})
        for note, thread, author, text, written, at in vault.rows(
            "SELECT id, thread, author, text, written, at FROM note WHERE at BETWEEN ? AND ?", first, last
        )
    ]
    told += [
        (at, member, {"kind": "read", "thread": thread, "letters": [mark]})
        for thread, mark, member, at in vault.rows(
            "SELECT thread, mark, member, at FROM letter_read WHERE at BETWEEN ? AND ?", first, last
        )
    ]
    return told


# --- views ---------------------------------------------------------------------------------------


def assignments(vault: Vault, me: str) -> dict[bytes, Assignment]:
    """By thread; own acts that the log does not hold yet show as pending."""
    found = {
        thread: Assignment(member, by, False)
        for thread, member, by in vault.rows("SELECT thread, member, by FROM assignment")
    }
    for item in waiting(vault, "assign"):
        thread, to = item.fact.get("thread"), item.fact.get("to")
        if isinstance(thread, bytes):
            found[thread] = Assignment(to if isinstance(to, str) else None, me, True)
    return found


def notes(vault: Vault, thread: bytes, me: str) -> tuple[Note, ...]:
    """A thread's notes by time of writing, own pending ones among them."""
    rows = vault.rows("SELECT id, author, written, text FROM note WHERE thread = ?", thread)
    found = {note: Note(note, author, written, False, text) for note, author, written, text in rows}
    for item in waiting(vault, "note"):
        match item.fact:
            case {"id": bytes(note), "thread": where, "text": str(text), "written": int(written)} if where == thread:
                found.setdefault(note, Note(note, me, written, True, text))
    return tuple(sorted(found.values(), key=lambda n: (n.written, n.id)))


def readers(vault: Vault, thread: bytes) -> dict[bytes, tuple[str, ...]]:
    """By letter's mark: the members who opened it, as far as the log says, in the log's order."""
    found: dict[bytes, tuple[str, ...]] = {}
    for mark, member in vault.rows("SELECT mark, member FROM letter_read WHERE thread = ? ORDER BY at", thread):
        found[mark] = (*found.get(mark, ()), member)
    return found
