# SPDX-License-Identifier: AGPL-3.0-or-later
"""Threads that the desk marked as known: their letters get in when the door is flooded.

A mark is a fact, so that all members hold the same ones. What this member said and the log does not hold yet counts
here at once, on top of what is shared.
"""

from typing import Final

from latchstring.desk.changes import thread_now
from latchstring.desk.errors import DeskError
from latchstring.desk.facts import Told
from latchstring.desk.gone import said_too_early
from latchstring.desk.outbox import tell, waiting
from latchstring.desk.vault import Vault
from latchstring.protocol.constants import HASH_SIZE, KNOWN_THREADS
from latchstring.protocol.encoding import Fields, sized
from latchstring.protocol.memo import Fact

KIND: Final = "known"


def known_threads(vault: Vault) -> tuple[bytes, ...]:
    """Ids of the marked threads, at most 48 of them: those whose marks are oldest, should members have made more."""
    rows = vault.rows("SELECT thread FROM known WHERE known ORDER BY at, thread")
    found = {row[0]: None for row in rows}
    for item in waiting(vault, KIND):
        fields = Fields(dict(item.fact), KIND)
        thread = thread_now(vault, fields.raw("thread", HASH_SIZE))
        if not fields.flag("known"):
            found.pop(thread, None)
        elif thread not in found:
            found[thread] = None
    return tuple(found)[:KNOWN_THREADS]


def mark_known(vault: Vault, thread: bytes, known: bool) -> bool:
    """Mark a thread, or take the mark off; False when it is so already. DeskError when there are 48."""
    marked = known_threads(vault)
    if (thread in marked) == known:
        return False
    if known and len(marked) >= KNOWN_THREADS:
        raise DeskError(
            f"{KNOWN_THREADS} threads are marked as known, and more cannot be.",
            "Take a mark off one that is quiet: latchstring desk known THREAD --off",
        )
    with vault.transaction():
        tell(vault, {"kind": KIND, "thread": thread, "known": known})
    return True


def apply_known(vault: Vault, told: Told, fields: Fields) -> None:
    """Part of a transaction: a mark, from any member. The last in the log counts."""
    thread = thread_now(vault, sized(fields.raw("thread"), HASH_SIZE, "a thread's id"))
    known = fields.flag("known")
    fields.done()
    if said_too_early(vault, told.at.number, thread):
        return
    vault.do(
        "INSERT INTO known (thread, at, by, known) VALUES (?1, ?2, ?3, ?4)"
        " ON CONFLICT (thread) DO UPDATE SET at = ?2, by = ?3, known = ?4 WHERE at < ?2",
        thread,
        told.at.number,
        told.by,
        int(known),
    )


def again_known(vault: Vault, first: int, last: int) -> list[tuple[int, str, Fact]]:
    """Facts whose place lies from `first` to `last` (both `At.number`): place, who said it, the fact."""
    rows = vault.rows("SELECT at, by, thread, known FROM known WHERE at BETWEEN ? AND ?", first, last)
    return [(at, by, {"kind": KIND, "thread": thread, "known": bool(known)}) for at, by, thread, known in rows]
