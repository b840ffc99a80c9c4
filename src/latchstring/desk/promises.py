# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sealed memos and what the server promised of them: it logs a letter by the batch that its receipt names, or the
receipt proves that it did not (P6). To the server a memo is a letter like any other, so that this audits all of them.
"""

from dataclasses import dataclass, field

from latchstring.desk.vault import Vault


@dataclass(frozen=True, slots=True)
class Sealing:
    """A memo as it was sealed. `sealed` goes once the server answered; `publish_by` is what its receipt names."""

    leaf: bytes = field(repr=False)
    msg_id: bytes = field(repr=False)
    note: bytes
    sealed: bytes | None = field(repr=False)
    receipt: bytes | None = field(repr=False)
    publish_by: int | None


@dataclass(frozen=True, slots=True)
class Broken:
    """A letter of ours that the log did not hold in time, with the signed receipt that says it would."""

    receipt: bytes = field(repr=False)
    publish_by: int
    noticed: int

    @property
    def sentence(self) -> str:
        """For the member."""
        return (
            f"The server took a letter of ours, promised it for batch {self.publish_by} and did not log it; its "
            "receipt proves it (latchstring desk evidence)."
        )


def sealings(vault: Vault) -> tuple[Sealing, ...]:
    """All that the log is not known to hold, oldest first."""
    rows = vault.rows("SELECT leaf, msg_id, note, sealed, receipt, publish_by FROM memo_sent ORDER BY rowid")
    return tuple(Sealing(*row) for row in rows)


def keep_sealing(vault: Vault, sealing: Sealing) -> None:
    """Part of the transaction before it is sent."""
    vault.do(
        "INSERT INTO memo_sent (leaf, msg_id, note, sealed) VALUES (?, ?, ?, ?)",
        sealing.leaf,
        sealing.msg_id,
        sealing.note,
        sealing.sealed,
    )


def answered(vault: Vault, leaf: bytes, receipt: bytes, publish_by: int) -> None:
    """Part of a transaction: the server took it."""
    vault.do(
        "UPDATE memo_sent SET sealed = NULL, receipt = ?, publish_by = ? WHERE leaf = ?", receipt, publish_by, leaf
    )


def drop_sealing(vault: Vault, leaf: bytes) -> None:
    """Part of a transaction: the log holds it, or it will never be sent."""
    vault.do("DELETE FROM memo_sent WHERE leaf = ?", leaf)


def overdue(vault: Vault, batch: int) -> tuple[Broken, ...]:
    """Part of the transaction that stores `batch`, after `memos.shared_now`: promises that it broke."""
    broken = tuple(
        Broken(s.receipt, s.publish_by, batch)
        for s in sealings(vault)
        if s.receipt is not None and s.publish_by is not None and s.publish_by <= batch
    )
    for promise in broken:
        vault.do(
            "INSERT OR IGNORE INTO broken_promise (receipt, publish_by, noticed) VALUES (?, ?, ?)",
            promise.receipt,
            promise.publish_by,
            promise.noticed,
        )
        vault.do("DELETE FROM memo_sent WHERE receipt = ?", promise.receipt)
    return broken


def expire(vault: Vault, live: frozenset[bytes]) -> None:
    """Part of a transaction: what was never answered and can count no more. Promised ones are audited all the same."""
    for sealing in sealings(vault):
        if sealing.receipt is None and sealing.note not in live:
            drop_sealing(vault, sealing.leaf)


def evidence(vault: Vault) -> tuple[Broken, ...]:
    """All broken promises ever noticed."""
    rows = vault.rows("SELECT receipt, publish_by, noticed FROM broken_promise ORDER BY noticed, receipt")
    return tuple(Broken(*row) for row in rows)
