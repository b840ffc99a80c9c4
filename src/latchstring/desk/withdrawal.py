# SPDX-License-Identifier: AGPL-3.0-or-later
"""Withdrawing a reply: it is not placed again. What was published of it stays published."""

from typing import Final

from latchstring.desk.facts import Told
from latchstring.desk.outbox import tell
from latchstring.desk.vault import Vault
from latchstring.protocol.constants import REPLY_ID
from latchstring.protocol.encoding import Fields
from latchstring.protocol.memo import Fact

KIND: Final = "withdraw"


def withdraw(vault: Vault, reply: bytes) -> bool:
    """Here at once, and told to the others; False when it was withdrawn before. Opens its own transaction.

    The next sync makes the pages of the coming sheets without it.
    """
    with vault.transaction():
        if not _withdraw(vault, reply, None, None):
            return False
        tell(vault, {"kind": KIND, "reply": reply})
    return True


def is_withdrawn(vault: Vault, reply: bytes) -> bool:
    """Did a member withdraw it?"""
    return bool(vault.rows("SELECT 1 FROM withdrawn WHERE reply = ?", reply))


def apply_withdraw(vault: Vault, told: Told, fields: Fields) -> None:
    """Part of a transaction: a member withdrew it. It may be that the reply itself is still to be heard of."""
    reply = fields.raw("reply", REPLY_ID)
    fields.done()
    _withdraw(vault, reply, told.at.number, told.by)


def _withdraw(vault: Vault, reply: bytes, at: int | None, by: str | None) -> bool:
    new = not vault.rows("SELECT 1 FROM withdrawn WHERE reply = ?", reply)
    vault.do(
        "INSERT INTO withdrawn (reply, at, by) VALUES (?, ?, ?) ON CONFLICT (reply) DO UPDATE SET at = excluded.at,"
        " by = excluded.by WHERE excluded.at IS NOT NULL AND (withdrawn.at IS NULL OR excluded.at < withdrawn.at)",
        reply,
        at,
        by,
    )
    return new


def again_withdrawn(vault: Vault, first: int, last: int) -> list[tuple[int, str, Fact]]:
    """Withdrawals told from place `first` to `last` of the log."""
    rows = vault.rows("SELECT at, by, reply FROM withdrawn WHERE at BETWEEN ? AND ?", first, last)
    return [(at, by, {"kind": KIND, "reply": reply}) for at, by, reply in rows]
