# SPDX-License-Identifier: AGPL-3.0-or-later
"""Threads and letters in the vault."""

from dataclasses import dataclass, field

from latchstring.desk.changes import place_of
from latchstring.desk.opening import Opened
from latchstring.desk.vault import Row, Vault
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
    thread: bytes
    msg_id: bytes
    day: int
    batch: int
    verified: bool
    opened: bool
    acked: bool
    stale: bool
    body: LetterBody | None = field(repr=False)

    @property
    def mark(self) -> bytes:
        """The 8 bytes by which replies acknowledge it."""
        return self.msg_id[:ACK_SIZE]


_COLUMNS = "number, thread, msg_id, day, batch, verified, opened, acked, stale, cbor"


def _letter(row: Row) -> Letter:
    number, thread, msg_id, day, batch, verified, opened, acked, stale, cbor = row
    try:
        body = LetterBody.parse(cbor)
    except ProtocolError:
        body = None
    return Letter(number, thread, msg_id, day, batch, bool(verified), bool(opened), bool(acked), bool(stale), body)


def keep_letter(vault: Vault, letter: Opened, batch: int) -> bool:
    """Part of a transaction. False, and nothing stored, when (thread, msg_id) is there already.

    A verified letter takes the place of an unverified one: that was only somebody's word.
    """
    place = place_of(vault, letter, batch)
    verified = letter.verified and not place.stale
    found = vault.rows("SELECT verified FROM letter WHERE thread = ? AND msg_id = ?", place.thread, letter.msg_id)
    if found:
        if found[0][0] or not verified:
            return False
        vault.do("DELETE FROM letter WHERE thread = ? AND msg_id = ?", place.thread, letter.msg_id)
    if not place.moved:
        vault.do(
            "INSERT OR IGNORE INTO thread (id, seal_key, dh, psk) VALUES (?, ?, ?, ?)",
            place.thread,
            letter.seal_key,
            letter.dh,
            letter.psk,
        )
    vault.do(
        "INSERT INTO letter (thread, msg_id, day, batch, verified, stale, cbor) VALUES (?, ?, ?, ?, ?, ?, ?)",
        place.thread,
        letter.msg_id,
        letter.day,
        batch,
        int(verified),
        int(place.stale),
        letter.cbor,
    )
    return True


def letters(vault: Vault, thread: bytes | None = None) -> tuple[Letter, ...]:
    """All letters, or one thread's, in the order of the log."""
    if thread is None:
        rows = vault.rows(f"SELECT {_COLUMNS} FROM letter ORDER BY number")  # noqa: S608  # own constant
    else:
        rows = vault.rows(f"SELECT {_COLUMNS} FROM letter WHERE thread = ? ORDER BY number", thread)  # noqa: S608  # own constant
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
    """A human has them on the screen. Opens its own transaction."""
    with vault.transaction():
        for number in numbers:
            vault.do("UPDATE letter SET opened = 1 WHERE number = ?", number)


def marks_to_acknowledge(vault: Vault, thread: bytes) -> tuple[bytes, ...]:
    """Marks of letters that a human opened and no reply has acknowledged yet, oldest first."""
    rows = vault.rows(
        "SELECT msg_id FROM letter WHERE thread = ? AND opened AND NOT acked ORDER BY number LIMIT ?",
        thread,
        MAX_ACKS,
    )
    return tuple(row[0][:ACK_SIZE] for row in rows)


def mark_acknowledged(vault: Vault, thread: bytes, marks: tuple[bytes, ...]) -> None:
    """Part of the transaction that keeps the reply."""
    for mark in marks:
        vault.do("UPDATE letter SET acked = 1 WHERE thread = ? AND substr(msg_id, 1, ?) = ?", thread, ACK_SIZE, mark)
