# SPDX-License-Identifier: AGPL-3.0-or-later
"""Witnesses in one process, and a log whose every size they can be asked about."""

from dataclasses import dataclass, field
from functools import lru_cache

from latchstring.log.addcheckpoint import AddCheckpoint
from latchstring.log.checkpoint import Checkpoint
from latchstring.log.cosignature import Cosigner, witness_of
from latchstring.log.note import VerifierKey
from latchstring.log.proof import consistency_proof
from latchstring.log.tree import leaf_hash, raise_by, root_of
from latchstring.protocol.primitives import ed25519_public
from latchstring.protocol.witness import Witness
from latchstring.witness.errors import StateFailed
from latchstring.witness.rule import Answer, WitnessOfLogs
from latchstring.witness.state import NOTHING, Seen, States
from tests.builders import Stream


@dataclass
class MemoryStates:
    """What was seen, in a dictionary; `fail`: the next put fails, and with `stored` only after it was kept."""

    kept: dict[str, Seen] = field(default_factory=dict)
    fail: bool = False
    stored: bool = False

    def get(self, origin: str) -> Seen:
        return self.kept.get(origin, NOTHING)

    def put(self, origin: str, seen: Seen) -> None:
        if not self.fail or self.stored:
            self.kept[origin] = seen
        if self.fail:
            self.fail = False
            raise StateFailed("on purpose")


@lru_cache(maxsize=64)
def cosigner(name: str) -> Cosigner:
    """The same keys for the same name."""
    random = Stream(f"witness {name}")
    return Cosigner(name, random(32), random(32))


def as_named(keys: Cosigner) -> Witness:
    """As a directory names it."""
    return witness_of(keys.keys, f"http://{keys.name}")


def _leaves(size: int, fork: int | None) -> list[bytes]:
    return [leaf_hash(bytes([i % 251, fork is not None and i >= fork])) for i in range(size)]


@lru_cache(maxsize=1024)
def _root(size: int, fork: int | None) -> bytes:
    return root_of(_leaves(size, fork))


@dataclass
class Log:
    """A log with a key. `fork`: leaves from there on differ from those of the log without."""

    origin: str = "log.example"
    seed: bytes = field(default_factory=lambda: Stream("a log")(32))
    fork: int | None = None

    @property
    def key(self) -> VerifierKey:
        return VerifierKey(self.origin, ed25519_public(self.seed))

    def leaves(self, size: int) -> list[bytes]:
        """Leaf hashes."""
        return _leaves(size, self.fork)

    def checkpoint(self, size: int) -> Checkpoint:
        return Checkpoint(self.origin, size, _root(size, self.fork))

    def proof(self, old: int, new: int) -> list[bytes]:
        leaves = self.leaves(new)

        def hash_at(level: int, index: int) -> bytes:
            return raise_by(leaves[index << level : (index + 1) << level], level)[0]

        return consistency_proof(old, new, hash_at)

    def ask(self, old: int, new: int) -> bytes:
        """An honest request."""
        proof = self.proof(old, new) if old <= new else []
        return AddCheckpoint(old, tuple(proof), self.checkpoint(new).sign(self.seed)).encode()


def witness_for(*logs: Log, name: str = "w1.example", states: States | None = None) -> WitnessOfLogs:
    """A witness that knows these logs."""
    return WitnessOfLogs(cosigner(name), {log.origin: log.key for log in logs}, states or MemoryStates())


def whole(log: Log, size: int, answer: Answer) -> bytes:
    """The checkpoint with what the witness answered."""
    assert answer.status == 200, answer.body
    return log.checkpoint(size).sign(log.seed) + answer.body
