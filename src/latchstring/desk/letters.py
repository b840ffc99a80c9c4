# SPDX-License-Identifier: AGPL-3.0-or-later
"""Threads and letters in the vault."""

from dataclasses import dataclass, field

from latchstring.desk.answering import read_answers
from latchstring.desk.changes import place_of
from latchstring.desk.gone import is_gone
from latchstring.desk.marks import tell_read
from latchstring.desk.opening import Opened
from latchstring.desk.vault import Row, Vault
from latchstring.protocol.answers import Answers
from latchstring.protocol.constants import ACK_SIZE
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.letter import LetterBody
from latchstring.protocol.reply import MAX_ACKS
from latchstring.protocol.source_keys import ThreadKeys


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter as it lies in the vault. `body` is None when this version cannot read what it holds.

    `verified` is False for one that came outside its epoch's days: whoever found that day's key could have written it;
    and for a `stale` one, which came under a passphrase that had been changed: whoever knows the old words could.
    """

    number: int
    thread: bytes = field(repr=False)
    msg_id: bytes = field(repr=False)
    day: int
    batch: int
    verified: bool
    opened: bool
    acked: bool
    stale: bool
    passed_on_by: str | None  # the member on whose word it is here; None: this vault opened it
    body: LetterBody | None = field(repr=False)
    beside: Answers | None = field(default=None, repr=False)  # what `body.answers_in` holds, once it is here

    @property
    def answers(self) -> Answers | None:
        """To the desk's questions, wherever they came."""
        return self.beside or (self.body.answers if self.body is not None else None)

    @property
    def mark(self) -> bytes:
        """The 8 bytes by which replies acknowledge it."""
        return self.msg_id[:ACK_SIZE]


_COLUMNS = "number, thread, msg_id, day, batch, verified, opened, acked, stale, passed_on_by, cbor, answers"


def _letter(row: Row) -> Letter:
    number, thread, msg_id, day, batch, verified, opened, acked, stale, passed_on_by, cbor, answers = row
    try:
        body = LetterBody.parse(cbor)
    except ProtocolError:
        body = None
    flags = (bool(verified), bool(opened), bool(acked), bool(stale))
    return Letter(number, thread, msg_id, day, batch, *flags, passed_on_by, body, read_answers(answers))


def keep_letter(vault: Vault, letter: Opened, batch: int, place: int = 0) -> bool:
    """Part of a transaction. False, and nothing stored, when (thread, msg_id) is there already or was
    deleted. `place`: in the pack.

    A verified letter takes the place of an unverified one, and what this vault opened that of a letter passed on: those
    were only somebody's word.
    """
    if is_gone(vault, letter.msg_id):
        return False
    where = place_of(vault, letter, batch)
    verified = letter.verified and not where.stale
    found = vault.rows(
        "SELECT verified, passed_on_by FROM letter WHERE thread = ? AND msg_id = ?", where.thread, letter.msg_id
    )
    beside = None
    if found:
        if found[0][1] is None and (found[0][0] or not verified):
            return False
        rows = vault.rows(
            "SELECT answers FROM letter WHERE thread = ? AND msg_id = ? AND cbor = ?",
            where.thread,
            letter.msg_id,
            letter.cbor,
        )
        beside = rows[0][0] if rows else None  # of the same words: it is the same attachment
        vault.do("DELETE FROM letter WHERE thread = ? AND msg_id = ?", where.thread, letter.msg_id)
    if not where.moved:
        vault.do(
            "INSERT OR IGNORE INTO thread (id, seal_key, dh, psk) VALUES (?, ?, ?, ?)",
            where.thread,
            letter.seal_key,
            letter.dh,
            letter.psk,
        )
    vault.do(
        "INSERT INTO letter (thread, msg_id, day, batch, place, verified, stale, cbor, answers)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        where.thread,
        letter.msg_id,
        letter.day,
        batch,
        place,
        int(verified),
        int(where.stale),
        letter.cbor,
        beside,
    )
    return True


def letters(vault: Vault, thread: bytes | None = None) -> tuple[Letter, ...]:
    """All letters, or one thread's, in the order of the log."""
    if thread is None:
        rows = vault.rows(f"SELECT {_COLUMNS} FROM letter ORDER BY batch, number")  # noqa: S608  # own constant
    else:
        rows = vault.rows(f"SELECT {_COLUMNS} FROM letter WHERE thread = ? ORDER BY batch, number", thread)  # noqa: S608  # own constant
    return tuple(_letter(row) for row in rows)


def thread_keys(vault: Vault, thread: bytes) -> ThreadKeys:
    """The keys that came with the thread's letters. KeyError when there is no such thread."""
    rows = vault.rows("SELECT seal_key, dh, psk FROM thread WHERE id = ?", thread)
    if not rows:
        raise KeyError("no such thread")
    return ThreadKeys.parse(*rows[0])


def threads(vault: Vault) -> tuple[bytes, ...]:
    """The ids of all threads, in order of their first letter."""
    return tuple(row[0] for row in vault.rows("SELECT thread FROM letter GROUP BY thread ORDER BY min(number)"))


def mark_opened(vault: Vault, numbers: tuple[int, ...]) -> None:
    """A human has them on the screen; the other members are told. Opens its own transaction."""
    with vault.transaction():
        new: dict[bytes, list[bytes]] = {}
        for number in numbers:
            rows = vault.rows("SELECT thread, msg_id FROM letter WHERE number = ? AND NOT opened", number)
            if rows:
                vault.do("UPDATE letter SET opened = 1 WHERE number = ?", number)
                new.setdefault(rows[0][0], []).append(rows[0][1][:ACK_SIZE])
        for thread, marks in new.items():
            tell_read(vault, thread, marks)


def marks_to_acknowledge(vault: Vault, thread: bytes) -> tuple[bytes, ...]:
    """Marks of letters that a human of this desk opened and no reply has acknowledged yet, oldest first."""
    rows = vault.rows(
        "SELECT msg_id FROM letter l WHERE thread = ?1 AND NOT acked AND (opened OR EXISTS (SELECT 1 FROM letter_read r"
        " WHERE r.thread = ?1 AND r.mark = substr(l.msg_id, 1, ?2))) ORDER BY batch, number LIMIT ?3",
        thread,
        ACK_SIZE,
        MAX_ACKS,
    )
    return tuple(row[0][:ACK_SIZE] for row in rows)


def mark_acknowledged(vault: Vault, thread: bytes, marks: tuple[bytes, ...]) -> None:
    """Part of the transaction that keeps the reply."""
    for mark in marks:
        vault.do("UPDATE letter SET acked = 1 WHERE thread = ? AND substr(msg_id, 1, ?) = ?", thread, ACK_SIZE, mark)
