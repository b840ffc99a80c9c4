# SPDX-License-Identifier: AGPL-3.0-or-later
"""Facts of this member that wait to be told: a local act puts one here in the transaction that keeps the act.

It stays until the log holds a memo with it; the memos themselves are made and sent by `memos.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from latchstring.desk.vault import Vault
from latchstring.protocol.encoding import ProtocolError, decode_cbor, encode_cbor
from latchstring.protocol.memo import Fact, kind_of


@dataclass(frozen=True, slots=True)
class Waiting:
    """A fact in the outbox. `memo`: the msg_id of the memo that carries it, None while none does."""

    number: int
    kind: str
    memo: bytes | None = field(repr=False)
    fact: Fact = field(repr=False)


def tell(vault: Vault, fact: Fact, *, later: bool = False) -> None:
    """Part of a transaction: this fact is to be told to the other members. `later`: after everything that is not."""
    vault.do(
        "INSERT INTO fact_waiting (kind, raw, later) VALUES (?, ?, ?)",
        kind_of(fact),
        encode_cbor(dict(fact)),
        int(later),
    )


def waiting(vault: Vault, kind: str | None = None) -> tuple[Waiting, ...]:
    """All facts that the log does not hold yet, or those of one kind, in the order in which they go out."""
    rows = vault.rows(
        "SELECT number, kind, memo, raw FROM fact_waiting WHERE ?1 IS NULL OR kind = ?1 ORDER BY later, number", kind
    )
    return tuple(Waiting(number, kind, memo, _decoded(raw)) for number, kind, memo, raw in rows)


def carried_by(vault: Vault, msg_id: bytes, facts: Sequence[Waiting]) -> None:
    """Part of a transaction: a memo with these facts was sealed."""
    for fact in facts:
        vault.do("UPDATE fact_waiting SET memo = ? WHERE number = ?", msg_id, fact.number)


def take_back(vault: Vault, kind: str) -> None:
    """Part of a transaction: facts of this kind that no memo carries yet are overtaken by a newer one."""
    vault.do("DELETE FROM fact_waiting WHERE kind = ? AND memo IS NULL", kind)


def delivered(vault: Vault, msg_id: bytes) -> tuple[Fact, ...]:
    """Part of a transaction: the log holds the memo. Its facts in their order; they wait no more."""
    rows = vault.rows("SELECT raw FROM fact_waiting WHERE memo = ? ORDER BY later, number", msg_id)
    vault.do("DELETE FROM fact_waiting WHERE memo = ?", msg_id)
    return tuple(_decoded(raw) for (raw,) in rows)


def _decoded(raw: bytes) -> Fact:
    fact = decode_cbor(raw)
    if not isinstance(fact, dict):
        raise ProtocolError("a fact that is not a map")
    return fact
