# SPDX-License-Identifier: AGPL-3.0-or-later
"""Batches whose letters this member could not open, or not all: a key of theirs came late, or never.

A key that comes while the server still keeps the letters opens them then. What stays is for the others at the desk to
pass on: they ask by the batches that `unopened` names.
"""

from dataclasses import dataclass

from latchstring.desk.progress import MissingPack
from latchstring.desk.vault import Vault
from latchstring.protocol.constants import BODY_DAYS, TICKS_PER_DAY


@dataclass(frozen=True, slots=True)
class Unopened:
    """Letters of `batch` sealed to the desk's epoch of `day` (its note's hash) were not opened here."""

    batch: int
    day: int
    note: bytes


def keep_unopened(vault: Vault, pack: MissingPack, missing: dict[bytes, int]) -> None:
    """Part of a transaction: epochs that count in the batch and are not held, by note hash with their day."""
    for note, day in sorted(missing.items(), key=lambda item: item[1]):
        vault.do(
            "INSERT OR IGNORE INTO unopened (batch, note, day, pack, gen, leaves) VALUES (?, ?, ?, ?, ?, ?)",
            pack.batch,
            note,
            day,
            pack.pack,
            pack.gen,
            pack.leaves,
        )


def unopened(vault: Vault) -> tuple[Unopened, ...]:
    """Oldest batch first."""
    rows = vault.rows("SELECT batch, day, note FROM unopened ORDER BY batch, day")
    return tuple(Unopened(*row) for row in rows)


def unopened_days(vault: Vault) -> tuple[int, ...]:
    """The days whose letters are wanting."""
    return tuple(row[0] for row in vault.rows("SELECT DISTINCT day FROM unopened ORDER BY day"))


def openable(vault: Vault) -> tuple[MissingPack, ...]:
    """Batches for which a key has come meanwhile, oldest first."""
    rows = vault.rows(
        "SELECT DISTINCT u.batch, u.pack, u.gen, u.leaves FROM unopened u JOIN secret s"
        " ON s.kind = 'epoch' AND s.name = u.note ORDER BY u.batch"
    )
    return tuple(MissingPack(*row) for row in rows)


def never_opened(vault: Vault, batch: int) -> frozenset[bytes]:
    """Hashes of the notes whose secret was not here when the batch was read first."""
    return frozenset(row[0] for row in vault.rows("SELECT note FROM unopened WHERE batch = ?", batch))


def now_opened(vault: Vault, batch: int) -> None:
    """Part of a transaction: the batch's letters were tried with every key that is here."""
    vault.do(
        "DELETE FROM unopened WHERE batch = ? AND note IN (SELECT name FROM secret WHERE kind = 'epoch')",
        batch,
    )


def settled(vault: Vault, batches: tuple[int, ...]) -> None:
    """Part of a transaction: somebody passed on what these held."""
    for batch in batches:
        vault.do("DELETE FROM unopened WHERE batch = ?", batch)


def forget_unopened(vault: Vault, newest: int) -> None:
    """Part of a transaction: letters that nobody can fetch any more."""
    vault.do("DELETE FROM unopened WHERE batch < ?", newest - BODY_DAYS * TICKS_PER_DAY)
