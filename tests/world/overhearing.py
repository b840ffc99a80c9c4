# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the log itself says that a desk's members told each other: read from the packs, apart from any vault's state."""

from dataclasses import dataclass, field

from latchstring.desk.facts import At
from latchstring.desk.follow import split_pack
from latchstring.desk.gone import mark_of
from latchstring.desk.opening import Job, MemoCame, in_window, open_one
from latchstring.desk.secrets import EpochSecret, epoch_secrets
from latchstring.protocol.epoch import OpenEpoch
from latchstring.protocol.memo import Fact, MemoBody, kind_of
from tests.world.world import Desk, World


@dataclass
class Overheard:
    """Facts at first hand, each at the place at which its memo was logged first; `hear` after every batch, while some
    member still has the day's key."""

    facts: dict[At, tuple[str, Fact]] = field(default_factory=dict)  # who told it, what
    _memos: set[tuple[str, bytes]] = field(default_factory=set)
    _epochs: dict[bytes, OpenEpoch] = field(default_factory=dict)

    def hear(self, world: World, team: list[Desk]) -> None:
        """The newest batch."""
        batch = world.batch
        days: dict[bytes, EpochSecret] = {s.note_hash: s for desk in team for s in epoch_secrets(desk.vault)}
        epochs = [self._open(secret) for secret in days.values() if in_window(secret.day, batch)]
        job = tuple(range(len(epochs)))
        for position, sealed in enumerate(split_pack(world.core.private.get(f"packs/{batch}"))):
            came = open_one(epochs, Job(sealed, job, ()))
            if not isinstance(came, MemoCame):
                continue
            memo = MemoBody.parse(came.cbor)
            if (memo.member, came.msg_id) in self._memos:
                continue
            self._memos.add((memo.member, came.msg_id))
            for number, fact in enumerate(memo.facts):
                self.facts[At(batch, position, number)] = (memo.member, fact)

    def _open(self, secret: EpochSecret) -> OpenEpoch:
        if secret.note_hash not in self._epochs:
            self._epochs[secret.note_hash] = secret.open()
        return self._epochs[secret.note_hash]

    def _of(self, kind: str) -> list[tuple[At, str, Fact]]:
        return [(at, *self.facts[at]) for at in sorted(self.facts) if kind_of(self.facts[at][1]) == kind]

    def _said(self, kind: str, *names: str) -> list[tuple[str, Fact]]:
        """Of the threads that the facts have under these `names`: without what was said before one was forgotten."""
        last: dict[object, At] = {mark: at for at, _, fact in self._of("forget") for mark in _list(fact, "threads")}
        return [
            (by, fact)
            for at, by, fact in self._of(kind)
            if not any(last.get(mark_of(_id(fact, name)), at) > at for name in names)
        ]

    def hands(self) -> dict[bytes, tuple[object, str]]:
        """By thread: whose hands it was put into last, and by whom."""
        return {_id(fact, "thread"): (fact["to"], by) for by, fact in self._said("assign", "thread")}

    def read(self) -> set[tuple[bytes, object, str]]:
        """Thread, a letter's mark, and who opened it."""
        said = self._said("read", "thread")
        return {(_id(fact, "thread"), mark, by) for by, fact in said for mark in _list(fact, "letters")}

    def marked(self, kind: str, flag: str) -> set[bytes]:
        """Threads that are `known`, or to `keep`, by the last word about each."""
        last = {_id(fact, "thread"): fact[flag] for _, fact in self._said(kind, "thread")}
        return {thread for thread, on in last.items() if on}

    def links(self) -> set[frozenset[bytes]]:
        """Pairs of threads, by the last word about each."""
        last = {frozenset((_id(fact, "a"), _id(fact, "b"))): fact["on"] for _, fact in self._said("link", "a", "b")}
        return {pair for pair, on in last.items() if on}

    def gone(self) -> set[object]:
        """Marks of letters, replies and notes that some member deleted."""
        return {mark for _, _, fact in self._of("delete") for mark in _list(fact, "gone")}

    def withdrawn(self) -> set[bytes]:
        """Ids of replies."""
        return {_id(fact, "reply") for _, _, fact in self._of("withdraw")}


def _id(fact: Fact, name: str) -> bytes:
    value = fact[name]
    assert isinstance(value, bytes)
    return value


def _list(fact: Fact, name: str) -> list[object]:
    value = fact[name]
    assert isinstance(value, list)
    return value
