# SPDX-License-Identifier: AGPL-3.0-or-later
"""A thread that was deleted whole begins anew: what members said of the thread itself before is nothing, everywhere.

Fact: {"kind": "forget", "threads": [marks of 32 bytes, see `gone.py`]}. Told before the deletion of the thread's
letters. It rules by its place in the log alone, of several the last: whether a machine held letters of the thread then,
or has a newer one that stays, must not decide what the desk shares. Replies and notes are named one by one
(`deletion.py`): an answer to a letter that stays stays too.
"""

from collections.abc import Sequence
from typing import Final

from latchstring.desk.facts import Told
from latchstring.desk.gone import forget_fact, mark_forgotten, mark_of
from latchstring.desk.marks import tell_read
from latchstring.desk.outbox import tell
from latchstring.desk.scrub import owe
from latchstring.desk.vault import Vault
from latchstring.protocol.constants import ACK_SIZE, HASH_SIZE
from latchstring.protocol.encoding import Fields, ProtocolError

MARKS: Final = 64  # in one fact, of letters that go too: 2.2 kB
SAID: Final = (
    ("assignment", "thread"),
    ("kept", "thread"),
    ("known", "thread"),
    ("letter_read", "thread"),
    ("linked", "other_thread"),
    ("linked", "thread"),
)
"""Where what members said of a thread itself lies, each with its place in the log."""


def marks_in(fields: Fields, name: str) -> tuple[bytes, ...]:
    """A fact's one list of marks. ProtocolError when it holds anything else."""
    items = fields.items(name, MARKS)
    fields.done()
    marks = tuple(item for item in items if isinstance(item, bytes) and len(item) == HASH_SIZE)
    if len(marks) != len(items):
        raise ProtocolError(f"{name}: something else than marks")
    return marks


def tell_forgotten(vault: Vault, threads: Sequence[bytes]) -> None:
    """Part of a transaction. `threads`: their ids, and those of before a change of words that are remembered."""
    marks = [mark_of(thread) for thread in threads]
    for start in range(0, len(marks), MARKS):
        tell(vault, forget_fact(marks[start : start + MARKS]))


def apply_forget(vault: Vault, told: Told, fields: Fields) -> None:
    """Part of a transaction: what was said before is nothing, heard already or still to be heard."""
    marks = set(marks_in(fields, "threads"))
    moved = vault.rows("SELECT old, thread FROM moved_thread WHERE old IS NOT NULL")
    marks |= {mark_of(thread) for old, thread in moved if mark_of(old) in marks}
    new = {mark for mark in marks if mark_forgotten(vault, mark, told.at.batch, told.at.number, told.by)}
    for table, column in SAID:
        for (thread,) in vault.rows(f"SELECT DISTINCT {column} FROM {table}"):  # noqa: S608  # own constants
            if mark_of(thread) in marks:
                vault.do(f"DELETE FROM {table} WHERE {column} = ? AND at < ?", thread, told.at.number)  # noqa: S608  # own constants
                owe(vault)
    for (thread,) in vault.rows("SELECT DISTINCT thread FROM letter"):
        if mark_of(thread) in new:
            _tell_read_again(vault, thread)


def _tell_read_again(vault: Vault, thread: bytes) -> None:
    """Letters that a human opened here, and that stay, are opened still; of those that go it is not told any more."""
    rows = vault.rows("SELECT msg_id FROM letter WHERE thread = ? AND opened", thread)
    tell_read(vault, thread, [msg_id[:ACK_SIZE] for (msg_id,) in rows])
