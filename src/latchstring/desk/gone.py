# SPDX-License-Identifier: AGPL-3.0-or-later
"""What was deleted must not come back: a hash of the random id of each letter, reply and note that is gone.

The hash is also what members tell each other: whoever holds the letter knows which it is, and nobody else learns more.
A thread's id is a hash of keys that a passphrase gives: marks of threads are forgotten, told or not, as `forget_marks`
says.
"""

from typing import Final

from latchstring.desk.vault import Vault
from latchstring.protocol.constants import BODY_DAYS, HASH_SIZE, TICKS_PER_DAY
from latchstring.protocol.encoding import h, lp
from latchstring.protocol.memo import Fact

KIND: Final = "delete"
FORGET: Final = "forget"
_THREAD: Final = b"t"  # before a thread's mark: no fact about letters, replies and notes reaches it
KEPT_TICKS: Final = 2 * BODY_DAYS * TICKS_PER_DAY  # twice as long as the server keeps letters


def mark_of(id: bytes) -> bytes:
    """H(LP("gone", id)), 32 bytes, of a letter's, reply's or note's 16 random bytes or a thread's id."""
    return h(lp("gone", id))


def mark_gone(vault: Vault, mark: bytes, batch: int, at: int | None, by: str | None) -> None:
    """Part of the transaction that deletes. `at`: the place of the fact in the log, None until it is there; of several
    the first counts, in whatever order they are heard."""
    vault.do(
        "INSERT INTO gone (mark, batch, at, by) VALUES (?, ?, ?, ?) ON CONFLICT (mark) DO UPDATE SET"
        " batch = excluded.batch, at = excluded.at, by = excluded.by WHERE excluded.at IS NOT NULL"
        " AND (gone.at IS NULL OR excluded.at < gone.at)",
        mark,
        batch,
        at,
        by,
    )


def is_gone(vault: Vault, id: bytes) -> bool:
    """Was a letter, reply, note or thread with this id deleted?"""
    return bool(vault.rows("SELECT 1 FROM gone WHERE mark = ?", mark_of(id)))


def mark_forgotten(vault: Vault, mark: bytes, batch: int, at: int | None, by: str | None) -> bool:
    """Part of a transaction: what was said of the thread with this mark before place `at` is nothing (None: its letters
    went, and nobody told that yet). Of several the last counts; False when this one changes nothing."""
    return bool(
        vault.do(
            "INSERT INTO gone (mark, batch, at, by) VALUES (?, ?, ?, ?) ON CONFLICT (mark) DO UPDATE SET"
            " batch = excluded.batch, at = excluded.at, by = excluded.by WHERE excluded.at IS NOT NULL"
            " AND (gone.at IS NULL OR excluded.at > gone.at)",
            _THREAD + mark,
            batch,
            at,
            by,
        )
    )


def forgotten_in(vault: Vault, thread: bytes) -> int | None:
    """The batch up to which the log was followed when this thread went by a member's word; None for all others."""
    rows = vault.rows("SELECT batch FROM gone WHERE mark = ?", _THREAD + mark_of(thread))
    return int(rows[0][0]) if rows else None


def is_untold(vault: Vault, thread: bytes) -> bool:
    """Went this thread by a word that the log does not hold yet?"""
    return bool(vault.rows("SELECT 1 FROM gone WHERE mark = ? AND at IS NULL", _THREAD + mark_of(thread)))


def said_too_early(vault: Vault, at: int, *threads: bytes) -> bool:
    """Does place `at` lie before that of the word by which one of the threads was forgotten?"""
    return any(
        vault.rows("SELECT 1 FROM gone WHERE mark = ? AND at > ?", _THREAD + mark_of(thread), at) for thread in threads
    )


def forgotten_too(vault: Vault, old: bytes, new: bytes) -> None:
    """Part of the transaction that follows a change of words: the thread under its new id began as late as before."""
    for batch, at, by in vault.rows("SELECT batch, at, by FROM gone WHERE mark = ?", _THREAD + mark_of(old)):
        mark_forgotten(vault, mark_of(new), batch, at, by)


def forget_fact(marks: list[bytes]) -> Fact:
    """What tells that threads with these marks are forgotten; see `forgetting.py`."""
    return {"kind": FORGET, "threads": marks}


def again_gone(vault: Vault, first: int, last: int) -> list[tuple[int, str, Fact]]:
    """What was told to be deleted from place `first` to `last` of the log."""
    return [(at, by, {"kind": KIND, "gone": marks}) for at, by, marks in _told(vault, first, last, HASH_SIZE)]


def again_forgotten(vault: Vault, first: int, last: int) -> list[tuple[int, str, Fact]]:
    """Threads that were told to be forgotten, from place `first` to `last`."""
    return [
        (at, by, forget_fact([mark[len(_THREAD) :] for mark in marks]))
        for at, by, marks in _told(vault, first, last, len(_THREAD) + HASH_SIZE)
    ]


def _told(vault: Vault, first: int, last: int, size: int) -> list[tuple[int, str, list[bytes]]]:
    places: dict[tuple[int, str], list[bytes]] = {}
    for at, by, mark in vault.rows(
        "SELECT at, by, mark FROM gone WHERE at BETWEEN ? AND ? AND length(mark) = ? ORDER BY mark", first, last, size
    ):
        places.setdefault((at, by), []).append(mark)
    return [(at, by, marks) for (at, by), marks in sorted(places.items())]


def forget_marks(vault: Vault, batch: int) -> None:
    """What the log does not tell, and all marks of threads, is forgotten when nothing of it can come from the server
    now: it could be computed from a passphrase. What the log tells of letters, replies and notes stays:
    a member who comes back after months still holds the letter, and hears of it from us alone.

    Opens its own transaction, when there is something to forget.
    """
    due, before = "(at IS NULL OR length(mark) > ?) AND batch < ?", (HASH_SIZE, batch - KEPT_TICKS)
    if vault.rows(f"SELECT 1 FROM gone WHERE {due}", *before):  # noqa: S608  # own constant
        with vault.transaction():
            vault.do(f"DELETE FROM gone WHERE {due}", *before)  # noqa: S608  # own constant
