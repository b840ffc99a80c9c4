# SPDX-License-Identifier: AGPL-3.0-or-later
"""Facts: what members tell each other in memos, and how a vault takes them in.

What a desk shares is what all facts make of it in the order of the log. A machine may hear of them in another order: a
pack that the server owed comes late, a newer program reads what an older one could not, a member passes on what another
missed. So every fact has its place in the log (`At`), and a kind's `apply` must leave the same state whatever the order
in which it hears: it keeps the place beside what it stores and lets the first, or the last, place win.

A kind lives in the module of its subject; whoever composes a session passes the table of all kinds.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from sqlcipher3 import dbapi2

from latchstring.desk.vault import Vault
from latchstring.protocol.encoding import Fields, ProtocolError, decode_cbor, encode_cbor
from latchstring.protocol.memo import Fact, MemoBody, kind_of
from latchstring.protocol.root import Door

FIRST_HAND: Final = frozenset({"thread", "letter", "again"})
"""Kinds that pass something on themselves: nobody tells that another had told one."""

_BITS: Final = 12  # a batch has at most 4,096 letters, a memo far fewer facts


@dataclass(frozen=True, slots=True, order=True)
class At:
    """A fact's place in the log: batch, position of its letter in the pack, position in the memo."""

    batch: int
    letter: int
    fact: int

    @property
    def number(self) -> int:
        """One integer in the same order, as the vault stores it."""
        return (self.batch << 2 * _BITS) | (self.letter << _BITS) | self.fact

    @classmethod
    def of(cls, number: int) -> "At":
        """From `number`."""
        low = (1 << _BITS) - 1
        return cls(number >> 2 * _BITS, number >> _BITS & low, number & low)


@dataclass(frozen=True, slots=True)
class Reader:
    """Whose vault takes a fact in."""

    door: Door
    desk: str
    member: str


@dataclass(frozen=True, slots=True)
class Told:
    """Where a fact stands and who says so. `passed_on_by`: the member who told it again, None when `by` said it."""

    at: At
    by: str
    reader: Reader
    passed_on_by: str | None = None


Apply = Callable[[Vault, Told, Fields], None]
"""Part of a transaction: take one fact in. `Fields` holds what the fact has besides its kind.

ProtocolError for a fact that is not what its kind says, best before anything is written; what was written is undone.
"""

FactKinds = Mapping[str, Apply]
"""The explicit table: a kind's name and what takes it in."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of facts. `unknown` ones are kept for a newer program, `malformed` ones are nothing."""

    applied: int = 0
    unknown: int = 0
    malformed: int = 0

    def plus(self, other: "Taken") -> "Taken":
        """Both together."""
        return Taken(self.applied + other.applied, self.unknown + other.unknown, self.malformed + other.malformed)


def apply_facts(vault: Vault, kinds: FactKinds, reader: Reader, body: MemoBody, batch: int, letter: int) -> Taken:
    """Part of a transaction: all facts of one memo, in its order. A bad one stops nothing."""
    taken = Taken()
    for position, fact in enumerate(body.facts):
        taken = taken.plus(apply_fact(vault, kinds, Told(At(batch, letter, position), body.member, reader), fact))
    return taken


def apply_fact(vault: Vault, kinds: FactKinds, told: Told, fact: Fact) -> Taken:
    """Part of a transaction: one fact, all of it or nothing."""
    try:
        kind = kind_of(fact)
        if told.passed_on_by is not None and kind in FIRST_HAND:
            return Taken(malformed=1)
        apply = kinds.get(kind)
        if apply is None:
            _keep_unknown(vault, told, kind, fact)
            return Taken(unknown=1)
        with _all_or_nothing(vault):
            fields = Fields(dict(fact), kind)
            fields.take("kind")
            apply(vault, told, fields)
    except (ProtocolError, dbapi2.IntegrityError, OverflowError):
        # a member's program may send anything: what contradicts the vault's own rules is malformed too
        return Taken(malformed=1)
    return Taken(applied=1)


@contextmanager
def _all_or_nothing(vault: Vault) -> Iterator[None]:
    vault.do("SAVEPOINT fact")
    try:
        yield
    except BaseException:
        vault.do("ROLLBACK TO fact")
        vault.do("RELEASE fact")
        raise
    vault.do("RELEASE fact")


def _keep_unknown(vault: Vault, told: Told, kind: str, fact: Fact) -> None:
    vault.do(
        "INSERT OR IGNORE INTO fact_kept (at, by, passed_on_by, kind, raw) VALUES (?, ?, ?, ?, ?)",
        told.at.number,
        told.by,
        told.passed_on_by,
        kind,
        encode_cbor(dict(fact)),
    )


def apply_kept(vault: Vault, kinds: FactKinds, reader: Reader) -> Taken:
    """Take in what an older program could not read and this one can. Opens its own transaction if there is any."""
    names: Sequence[str] = [row[0] for row in vault.rows("SELECT DISTINCT kind FROM fact_kept")]
    known = [name for name in names if name in kinds]
    taken = Taken()
    if not known:
        return taken
    with vault.transaction():
        for kind in known:
            rows = vault.rows("SELECT at, by, passed_on_by, raw FROM fact_kept WHERE kind = ? ORDER BY at", kind)
            for at, by, passed_on_by, raw in rows:
                fact = decode_cbor(raw)
                if isinstance(fact, dict):
                    taken = taken.plus(apply_fact(vault, kinds, Told(At.of(at), by, reader, passed_on_by), fact))
            vault.do("DELETE FROM fact_kept WHERE kind = ?", kind)
    return taken
