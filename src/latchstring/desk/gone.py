# SPDX-License-Identifier: AGPL-3.0-or-later
"""What was deleted must not come back: a hash of the random id of each letter, reply and note that is gone.

The hash is also what members tell each other: whoever holds the letter knows which it is, and nobody else learns more.
"""

from typing import Final

from latchstring.desk.vault import Vault
from latchstring.protocol.constants import BODY_DAYS, TICKS_PER_DAY
from latchstring.protocol.encoding import h, lp
from latchstring.protocol.memo import Fact

KIND: Final = "delete"
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


def mark_old_words(vault: Vault, old: bytes, changed: int) -> None:
    """Part of the transaction that deletes a thread: its words had been changed in this batch, and `old` is its id of
    before. What comes under them later still does not count."""
    mark_gone(vault, _old_words(old), changed, None, None)


def words_changed(vault: Vault, thread: bytes) -> int | None:
    """The batch in which the words of a thread were changed that is deleted now; None for all others."""
    rows = vault.rows("SELECT batch FROM gone WHERE mark = ?", _old_words(thread))
    return int(rows[0][0]) if rows else None


def _old_words(old: bytes) -> bytes:
    """One byte longer than what members tell each other: nobody's word makes words stale, or good again."""
    return b"w" + h(lp("gone-words", old))


def again_gone(vault: Vault, first: int, last: int) -> list[tuple[int, str, Fact]]:
    """What was told to be deleted from place `first` to `last` of the log."""
    places: dict[tuple[int, str], list[bytes]] = {}
    for at, by, mark in vault.rows("SELECT at, by, mark FROM gone WHERE at BETWEEN ? AND ? ORDER BY mark", first, last):
        places.setdefault((at, by), []).append(mark)
    return [(at, by, {"kind": KIND, "gone": marks}) for (at, by), marks in sorted(places.items())]


def forget_marks(vault: Vault, batch: int) -> None:
    """What the log does not tell, of threads and old words above all, is forgotten when nothing of it can come now.
    What it tells stays: a member who comes back after months still holds the letter, and hears of it from us alone.

    Opens its own transaction, when there is something to forget.
    """
    if vault.rows("SELECT 1 FROM gone WHERE at IS NULL AND batch < ?", batch - KEPT_TICKS):
        with vault.transaction():
            vault.do("DELETE FROM gone WHERE at IS NULL AND batch < ?", batch - KEPT_TICKS)
