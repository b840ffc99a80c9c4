# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the log itself says: which letters came and where they belong, and what a desk's members told each other. Read
from the packs, apart from any vault's state.

A thread is named by the id that it has now. The words of a thread are changed by the first change of them in the log;
for 35 days from then on its id of before leads to the thread, and letters under it do not count.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from latchstring.desk.facts import At
from latchstring.desk.follow import split_pack
from latchstring.desk.gone import mark_of
from latchstring.desk.opening import Job, MemoCame, Opened, in_window, open_one
from latchstring.desk.secrets import EpochSecret, epoch_secrets
from latchstring.protocol.constants import BODY_DAYS, TICKS_PER_DAY, day_of
from latchstring.protocol.epoch import OpenEpoch
from latchstring.protocol.letter import LetterBody
from latchstring.protocol.memo import Fact, MemoBody, kind_of
from tests.world.world import Desk, World

Since = Mapping[bytes, int]
"""By thread: the batch with which it began anew on one machine."""


@dataclass(frozen=True)
class Logged:
    """A letter. `thread`: what its keys give."""

    batch: int
    thread: bytes = field(repr=False)
    msg_id: bytes = field(repr=False)
    body: LetterBody


@dataclass(frozen=True)
class Change:
    """A change of words that was followed."""

    batch: int
    old: bytes = field(repr=False)
    new: bytes = field(repr=False)

    def reaches(self, batch: int) -> bool:
        """Does the old id lead to the thread in this batch? Before the change it was the thread's own."""
        return self.batch >= (day_of(batch) - BODY_DAYS) * TICKS_PER_DAY


@dataclass
class Overheard:
    """Facts at first hand, each at the place at which its memo was logged first; `hear` after every batch, while some
    member still has the day's key."""

    facts: dict[At, tuple[str, Fact]] = field(default_factory=dict)  # who told it, what
    letters: list[Logged] = field(default_factory=list)  # each as it was logged first
    changes: list[Change] = field(default_factory=list)
    _live: set[bytes] = field(default_factory=set)  # ids of threads that came with a letter, or by a change
    _memos: set[tuple[str, bytes]] = field(default_factory=set)
    _epochs: dict[bytes, OpenEpoch] = field(default_factory=dict)

    def hear(self, world: World, team: list[Desk]) -> None:
        """The newest batch."""
        batch = world.batch
        days: dict[bytes, EpochSecret] = {s.note_hash: s for desk in team for s in epoch_secrets(desk.vault)}
        epochs = [self._open(secret) for secret in days.values() if in_window(secret.day, batch)]
        job = tuple(range(len(epochs)))
        asked: list[tuple[bytes, bytes]] = []
        for position, sealed in enumerate(split_pack(world.core.private.get(f"packs/{batch}"))):
            came = open_one(epochs, Job(sealed, job, ()))
            if isinstance(came, MemoCame):
                self._memo(came, batch, position)
            elif isinstance(came, Opened) and came.new_thread is not None:
                asked.append((came.thread, came.new_thread))
            elif isinstance(came, Opened):
                self._letter(came, batch)
        for old, new in asked:
            if old in self._live and new != old:
                self.changes.append(Change(batch, old, new))
                self._live = self._live - {old} | {new}

    def _memo(self, came: MemoCame, batch: int, position: int) -> None:
        memo = MemoBody.parse(came.cbor)
        if (memo.member, came.msg_id) in self._memos:
            return
        self._memos.add((memo.member, came.msg_id))
        for number, fact in enumerate(memo.facts):
            self.facts[At(batch, position, number)] = (memo.member, fact)

    def _letter(self, came: Opened, batch: int) -> None:
        if any(x.msg_id == came.msg_id and x.thread == came.thread for x in self.letters):
            return
        letter = Logged(batch, came.thread, came.msg_id, LetterBody.parse(came.cbor))
        self.letters.append(letter)
        if not self.is_stale(letter):
            self._live.add(letter.thread)

    def _open(self, secret: EpochSecret) -> OpenEpoch:
        if secret.note_hash not in self._epochs:
            self._epochs[secret.note_hash] = secret.open()
        return self._epochs[secret.note_hash]

    # --- letters -------------------------------------------------------------------------------------

    def now(self, thread: bytes, batch: int) -> bytes:
        """What the thread is called now that was called so in this batch."""
        for change in self.changes:
            if change.old == thread and change.reaches(batch):
                thread = change.new
        return thread

    def is_stale(self, letter: Logged) -> bool:
        """Had its words been changed before it came?"""
        return any(c.old == letter.thread and c.batch < letter.batch and c.reaches(letter.batch) for c in self.changes)

    def left(self, since: Since) -> list[Logged]:
        """The letters that nobody deleted, of threads since they began anew."""
        gone = self.gone()
        return [
            x
            for x in self.letters
            if mark_of(x.msg_id) not in gone and x.batch > since.get(self.now(x.thread, x.batch), -1)
        ]

    def read_by_sources(self) -> set[bytes]:
        """Ids of replies that a letter names which counts."""
        return {reply for x in self.letters if not self.is_stale(x) for reply in x.body.read}

    # --- facts ---------------------------------------------------------------------------------------

    def _of(self, kind: str) -> Iterator[tuple[At, str, Fact]]:
        """In the order of the log, in which they were heard."""
        return ((at, by, fact) for at, (by, fact) in self.facts.items() if kind_of(fact) == kind)

    def _forgotten(self) -> dict[bytes, At]:
        """By thread: the last word that it was deleted whole."""
        ids = {x.thread for x in self.letters} | {i for c in self.changes for i in (c.old, c.new)}
        named = {mark_of(i): i for i in ids}
        last: dict[bytes, At] = {}
        for at, _, fact in self._of("forget"):
            for mark in _list(fact, "threads"):
                if isinstance(mark, bytes) and mark in named:
                    last[self.now(named[mark], at.batch)] = at
        return last

    def _said(self, kind: str, *names: str) -> list[tuple[str, Fact]]:
        """Of the threads that the facts have under these `names`, by their ids of now: without what was said before one
        was forgotten."""
        last, found = self._forgotten(), list[tuple[str, Fact]]()
        for at, by, fact in self._of(kind):
            ids = {name: self.now(_id(fact, name), at.batch) for name in names}
            if not any(last.get(thread, at) > at for thread in ids.values()):
                found.append((by, {**fact, **ids}))
        return found

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

    def notes(self) -> set[tuple[bytes, object, str]]:
        """Thread, text and author of those that nobody deleted."""
        gone = self.gone()
        return {
            (self.now(_id(fact, "thread"), at.batch), fact["text"], by)
            for at, by, fact in self._of("note")
            if mark_of(_id(fact, "id")) not in gone
        }

    def newest_reply(self, thread: bytes) -> int:
        """The batch of the last in this thread; -1 without any."""
        said = ((at.batch, _id(fact, "thread")) for at, _, fact in self._of("reply"))
        return max((batch for batch, named in said if self.now(named, batch) == thread), default=-1)

    def gone(self) -> Collection[object]:
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
