# SPDX-License-Identifier: AGPL-3.0-or-later
"""A source changes the passphrase: its thread goes on under new keys and a new id, and the old keys are forgotten.

A change acts after the batch that holds it, in the order of the log, so that every member's machine comes to the same:
of two changes of one thread the first counts. While letters of an earlier batch may still come, in which another change
may lie, it waits: the server owes them, or a key to them is on its way.

For 35 days, as long as letters of before can still come, the vault remembers the old id (a hash): letters under the old
keys from later batches are shown outside the thread. While the server owes letters of those days that this vault could
still open, it remembers longer, by W days at most. Afterwards nothing in the vault leads from the old words to the
thread any more. All of this holds whether or not the thread is deleted meanwhile: both ids and the new keys stay for as
long, so that the same letter comes to the same on every machine, whatever each holds when it comes.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from latchstring.desk.gone import (
    forget_fact,
    forgotten_in,
    forgotten_too,
    is_gone,
    is_untold,
    mark_gone,
    mark_of,
)
from latchstring.desk.opening import Opened
from latchstring.desk.outbox import tell, waiting
from latchstring.desk.scrub import owe
from latchstring.desk.vault import Row, Vault
from latchstring.protocol.change import ChangeBody
from latchstring.protocol.constants import BODY_DAYS, TICKS_PER_DAY, day_of, sheet_of
from latchstring.protocol.encoding import encode_cbor
from latchstring.protocol.memo import Fact

_IDS: Final = ("thread", "a", "b")  # what facts call a thread's id
_SAID_LAST: Final = (
    ("assignment", "thread", ()),
    ("kept", "thread", ()),
    ("known", "thread", ()),
    ("linked", "other_thread", ("thread",)),
    ("linked", "thread", ("other_thread",)),
)
"""Tables of words of which the last in the log counts: where each names a thread, and what else it is about. While a
change waits, some are said of the old id and others of the new one."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A thread's id now, and the batch whose change made its old keys stale."""

    thread: bytes = field(repr=False)
    batch: int


@dataclass(frozen=True, slots=True)
class Place:
    """The thread that a letter belongs to. `moved`: its own keys are not that thread's any more; `stale`: they had been
    changed before it came."""

    thread: bytes = field(repr=False)
    moved: bool
    stale: bool


@dataclass(frozen=True, slots=True)
class Settled:
    """How many changes were followed, and how many were not: another came first, or there is no such thread."""

    done: int = 0
    refused: int = 0


def moved_to(vault: Vault, thread: bytes) -> Moved | None:
    """Where a thread's letters belong that come under keys changed in the last 35 days; None for all others."""
    rows = vault.rows("SELECT thread, batch FROM moved_thread WHERE old = ?", thread)
    return Moved(*rows[0]) if rows else None


def thread_now(vault: Vault, thread: bytes) -> bytes:
    """The id that a thread has now: what a note of another member calls it may be its id of before a change."""
    moved = moved_to(vault, thread)
    return thread if moved is None else moved.thread


def place_of(vault: Vault, letter: Opened, batch: int) -> Place:
    """Where a letter of this batch belongs."""
    moved = moved_to(vault, letter.thread)
    if moved is None:
        return Place(letter.thread, False, False)
    return Place(moved.thread, True, batch > moved.batch)


def changes_of(vault: Vault, thread: bytes) -> tuple[int, ...]:
    """The batches in which this thread's passphrase was changed, oldest first."""
    rows = vault.rows("SELECT batch FROM moved_thread WHERE thread = ? ORDER BY batch", thread)
    return tuple(row[0] for row in rows)


def former_ids(vault: Vault, thread: bytes) -> tuple[bytes, ...]:
    """What it was called before, as long as that is remembered."""
    rows = vault.rows("SELECT old FROM moved_thread WHERE thread = ? AND old IS NOT NULL", thread)
    return tuple(row[0] for row in rows)


def keep_change(vault: Vault, letter: Opened, batch: int) -> bool:
    """Part of a transaction: a proved change waits until it may act. False for one that is held or done already."""
    if letter.new_thread is None or not letter.verified:
        raise ValueError("not a change that counts")
    old, new, keys = letter.thread, letter.new_thread, ChangeBody.parse(letter.cbor).keys
    moved = moved_to(vault, old)
    waits = vault.rows("SELECT 1 FROM pending_change WHERE old = ? AND new = ?", old, new)
    if waits or old == new or (moved is not None and moved.thread == thread_now(vault, new)):
        return False
    vault.do(
        "INSERT INTO pending_change (batch, old, new, seal_key, dh, psk) VALUES (?, ?, ?, ?, ?, ?)",
        batch,
        old,
        new,
        keys.seal_key.raw,
        keys.dh,
        keys.psk,
    )
    return True


def first_owed(vault: Vault) -> int | None:
    """The earliest batch whose letters may still come: the server owes them, or a key to them may yet arrive."""
    ((batch,),) = vault.rows(
        "SELECT min(batch) FROM (SELECT batch FROM missing_pack UNION ALL"
        " SELECT u.batch FROM unopened u JOIN secret s ON s.kind = 'transport' AND s.day = u.day)"
    )
    return None if batch is None else int(batch)


def settle_changes(vault: Vault) -> Settled:
    """Part of a transaction, at the end of a batch: follow the changes that wait for nothing any more."""
    done = refused = 0
    for row in vault.rows(
        "SELECT number, batch, old, new, seal_key, dh, psk FROM pending_change"
        " WHERE ?1 IS NULL OR batch < ?1 ORDER BY batch, number",
        first_owed(vault),
    ):
        followed = _follow(vault, row)
        done, refused = done + followed, refused + (not followed)
        vault.do("DELETE FROM pending_change WHERE number = ?", row[0])
        owe(vault)
    return Settled(done, refused)


def _follow(vault: Vault, row: Row) -> bool:
    """One change. False when the thread is not here (deleted, say), or was changed before."""
    _, batch, old, new, seal_key, dh, psk = row
    there = bool(vault.rows("SELECT 1 FROM letter WHERE thread = ? AND verified AND batch <= ?", old, batch))
    if not there and not _was_deleted_first(vault, batch, old, new):
        return False
    vault.do("INSERT OR IGNORE INTO thread (id, seal_key, dh, psk) VALUES (?, ?, ?, ?)", new, seal_key, dh, psk)
    # what came under the old words meanwhile, while this waited
    vault.do("UPDATE letter SET verified = 0, stale = 1 WHERE thread = ? AND batch > ?", old, batch)
    # copies sealed to the old keys do not count: what was not read is placed anew
    vault.do("DELETE FROM placement WHERE reply IN (SELECT id FROM reply WHERE thread = ? AND read IS NULL)", old)
    vault.do(
        "DELETE FROM placed_by WHERE reply IN (SELECT id FROM shared_reply WHERE thread = ?1 AND read IS NULL"
        " UNION SELECT id FROM reply WHERE thread = ?1 AND read IS NULL)",
        old,
    )
    forgotten_too(vault, old, new)
    for table, column, same in _SAID_LAST:
        alike = "".join(f" AND said.{name} = {table}.{name}" for name in same)
        vault.do(
            f"DELETE FROM {table} WHERE {column} = ?2 AND EXISTS"  # noqa: S608  # own constants
            f" (SELECT 1 FROM {table} said WHERE said.{column} = ?1{alike} AND said.at > {table}.at)",
            old,
            new,
        )
    for table, column in columns_naming_threads(vault):
        vault.do(f'UPDATE OR IGNORE "{table}" SET "{column}" = ? WHERE "{column}" = ?', new, old)  # noqa: S608  # names of our own schema
        vault.do(f'DELETE FROM "{table}" WHERE "{column}" = ?', old)  # noqa: S608  # what the new id had already
    for (old_psk,) in vault.rows("SELECT psk FROM thread WHERE id = ?", old):
        _rename_waiting(vault, (old, old_psk), (new, seal_key, dh, psk))
    vault.do("DELETE FROM thread WHERE id = ?", old)
    vault.do("INSERT INTO moved_thread (thread, batch, old) VALUES (?, ?, ?)", new, batch, old)
    return there


def _was_deleted_first(vault: Vault, batch: int, old: bytes, new: bytes) -> bool:
    """Was the thread deleted here before its first change came? Then the change is followed with nothing in it, as on
    machines that had the letters: the old words count no more, and what the others said of the thread under its new id
    is forgotten with it. Whoever deleted it by their word could not name that id, and does so now; where the policy
    ended it nothing is told.
    """
    if moved_to(vault, old) is not None:
        return False
    if forgotten_in(vault, old) is None:
        if not is_gone(vault, old):
            return False
        mark_gone(vault, mark_of(new), batch, None, None)
    elif is_untold(vault, old):
        tell(vault, forget_fact([mark_of(new)]))
    return True


def _rename_waiting(vault: Vault, old: tuple[bytes, bytes], new: tuple[bytes, bytes, bytes, bytes]) -> None:
    """What waits to be told names the thread by its id now, and passes its present keys on. `old`: id, psk; `new`: id,
    seal key, dh, psk."""
    (old_id, old_psk), (new_id, seal_key, dh, psk) = old, new

    def renamed(fact: Fact) -> Fact:
        match fact:
            case {"kind": "changed"}:
                return fact  # it tells of this very step, or of an earlier one
            case {"kind": "thread", "psk": bytes(said)} if said == old_psk:
                return {"kind": "thread", "seal": seal_key, "dh": dh, "psk": psk}
            case {"kind": "again", "fact": dict(inner)}:
                return {**fact, "fact": dict(renamed(inner))}
        return {key: new_id if key in _IDS and value == old_id else value for key, value in fact.items()}

    for item in waiting(vault):
        fact = renamed(item.fact)
        if fact != item.fact:
            vault.do("UPDATE fact_waiting SET raw = ? WHERE number = ?", encode_cbor(dict(fact)), item.number)


def sealed_to_old_keys(vault: Vault, reply: bytes, sheet: int) -> bool:
    """Was this sheet out before the thread's passphrase was changed? Then its copy of the reply does not count."""
    rows = vault.rows(
        "SELECT max(m.batch) FROM moved_thread m JOIN (SELECT thread FROM shared_reply WHERE id = ?1"
        " UNION SELECT thread FROM reply WHERE id = ?1) r ON r.thread = m.thread",
        reply,
    )
    return rows[0][0] is not None and sheet <= sheet_of(rows[0][0])


def columns_naming_threads(vault: Vault) -> tuple[tuple[str, str], ...]:
    """Each table with its column that names threads; such columns are called `thread` or `other_thread` everywhere."""
    rows = vault.rows(
        "SELECT t.name, c.name FROM pragma_table_list t JOIN pragma_table_info(t.name) c WHERE t.schema = 'main'"
        " AND t.type IN ('table', 'virtual') AND c.name IN ('thread', 'other_thread') ORDER BY t.name, c.name"
    )
    return tuple((table, column) for table, column in rows)


def awaited(vault: Vault) -> frozenset[bytes]:
    """Threads that letters under old words may still lead to, whether or not anything of them is here."""
    return frozenset(thread for (thread,) in vault.rows("SELECT thread FROM moved_thread WHERE old IS NOT NULL"))


def keys_stay(vault: Vault, threads: Iterable[bytes]) -> int | None:
    """Of those of these threads that are deleted: the first day on which none of their keys is kept any more for
    letters under old words; None when all went with them."""
    days = [
        day_of(batch) + BODY_DAYS + 1
        for thread in threads
        for (batch,) in vault.rows(
            "SELECT batch FROM moved_thread WHERE thread = ?1 AND old IS NOT NULL"
            " AND NOT EXISTS (SELECT 1 FROM letter WHERE thread = ?1)",
            thread,
        )
    ]
    return max(days, default=None)


def forget_old_ids(vault: Vault, read_to: int, opens_from: int = 0) -> None:
    """Part of a transaction: forget the ids under which no letter of the 35 days after a change can come any more. Done
    as the log is followed, before the batches of the day: what a letter of that day under old words is must not depend
    on when this machine reads it.

    `read_to`: the day to which the log was read here; what is owed from before it may still come, and waits for its
    letters. `opens_from`: the first day whose letters this vault could still open: what is owed from before that does
    not keep an id.
    """
    owed = first_owed(vault)
    _forget_old(vault, max(opens_from, read_to if owed is None else min(read_to, day_of(owed))), None)


def forget_outlived(vault: Vault, thread: bytes, batch: int) -> None:
    """Part of a transaction: a letter under these keys came in this batch. If they were changed more than 35 days
    before, their id is forgotten first, though letters of before are owed: it comes to what it does where none are."""
    _forget_old(vault, day_of(batch), thread)


def _forget_old(vault: Vault, day: int, old: bytes | None) -> None:
    """What changes of more than 35 days before this day left; `old`: of that id alone."""
    last = (day - BODY_DAYS) * TICKS_PER_DAY
    over = "old IS NOT NULL AND batch < ?1 AND (?2 IS NULL OR old = ?2)"
    if vault.do(f"UPDATE moved_thread SET old = NULL WHERE {over}", last, old):  # noqa: S608  # own constant
        left = (  # a reply may name a thread that was deleted, in a vault of before: it goes with the next sweep
            "NOT IN (SELECT thread FROM letter UNION SELECT thread FROM reply"
            " UNION SELECT thread FROM moved_thread WHERE old IS NOT NULL)"
        )
        vault.do(f"DELETE FROM thread WHERE id IN (SELECT thread FROM moved_thread) AND id {left}")  # noqa: S608  # own constant
        vault.do(f"DELETE FROM moved_thread WHERE thread {left}")  # noqa: S608  # own constant
        owe(vault)
