# SPDX-License-Identifier: AGPL-3.0-or-later
"""Threads as a member reads them: letters and replies in their order, each with its time and state."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from latchstring.desk.answering import Answered, answered
from latchstring.desk.errors import DeskError
from latchstring.desk.identity import identity
from latchstring.desk.letters import Letter, letters
from latchstring.desk.linking import linked
from latchstring.desk.marks import Assignment, Note, assignments, notes, readers
from latchstring.desk.outbox import waiting
from latchstring.desk.progress import followed
from latchstring.desk.replies import Reply, replies
from latchstring.desk.shared_replies import shared_replies
from latchstring.desk.vault import Vault
from latchstring.desk.withdrawal import is_withdrawn
from latchstring.protocol.constants import ACK_SIZE, TICKS_PER_SHEET
from latchstring.protocol.directory import Policy

MARK_DIGITS: Final = 8  # of a thread's id on the screen
LEAST_DIGITS: Final = 4


class Stage(StrEnum):
    """Where a reply is."""

    UNSENT = "unsent"  # the next sync places it
    WAITING = "waiting"  # in our page of a coming sheet
    PUBLISHED = "published"
    READ = "read"
    WITHDRAWN = "withdrawn"
    UNREAD = "never read"  # placed for a year


@dataclass(frozen=True, slots=True)
class Crossed:
    """Another member's reply whose author did not know of this one when writing, nor the other way round."""

    author: str
    written: int  # Unix seconds


@dataclass(frozen=True, slots=True)
class Sent:
    """A reply with its stage. `sheet` and `at` (Unix seconds): the coming sheet, or the newest that held it. `author`:
    None when it is ours; `pending`: the other members do not know of it yet.
    """

    reply: Reply
    stage: Stage
    sheet: int | None
    at: int | None
    author: str | None = None
    pending: bool = False
    crossed: tuple[Crossed, ...] = ()


@dataclass(frozen=True, slots=True)
class Came:
    """A letter, when its batch closed (Unix seconds), and what it answers."""

    letter: Letter
    at: int
    answers: tuple[Answered, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Thread:
    """All that was said with one source. Unverified letters are in `outside`: they may be somebody else's."""

    id: bytes = field(repr=False)
    letters: tuple[Came, ...]
    outside: tuple[Came, ...]
    sent: tuple[Sent, ...] = field(repr=False)
    assigned: Assignment | None = None
    notes: tuple[Note, ...] = field(default=(), repr=False)
    readers: dict[bytes, tuple[str, ...]] = field(repr=False, default_factory=dict)  # by letter's mark: who opened it
    linked: tuple[bytes, ...] = field(default=(), repr=False)  # threads held to be of the same source

    @property
    def mark(self) -> str:
        """How it is named on the screen."""
        return self.id.hex()[:MARK_DIGITS]

    @property
    def unopened(self) -> int:
        """Letters that nobody has looked at."""
        return sum(
            not (came.letter.opened or self.readers.get(came.letter.mark)) for came in (*self.letters, *self.outside)
        )

    @property
    def unopened_here(self) -> int:
        """Letters that the vault's owner has not looked at, whoever else has."""
        return sum(not came.letter.opened for came in (*self.letters, *self.outside))

    @property
    def newest(self) -> Came:
        """The last letter, one that counts if there is any."""
        return (self.letters or self.outside)[-1]

    def in_order(self) -> tuple[Came | Sent, ...]:
        """Letters that count and replies, by time."""
        items: list[tuple[int, int, Came | Sent]] = [(came.at, came.letter.number, came) for came in self.letters]
        items += [(sent.reply.written, sent.reply.number, sent) for sent in self.sent]
        return tuple(item for _, _, item in sorted(items, key=lambda entry: entry[:2]))


def stage_of(reply: Reply, policy: Policy) -> Sent:
    """Where one reply is."""

    def at(sheet: int | None) -> int | None:
        return policy.closes_at(sheet * TICKS_PER_SHEET) if sheet is not None else None

    if reply.read is not None:
        return Sent(reply, Stage.READ, reply.last, policy.closes_at(reply.read))
    if reply.withdrawn:
        return Sent(reply, Stage.WITHDRAWN, reply.last, at(reply.last))
    if reply.last is not None and not reply.wants_a_place:
        return Sent(reply, Stage.UNREAD, reply.last, at(reply.last))
    if reply.last is not None:
        return Sent(reply, Stage.PUBLISHED, reply.last, at(reply.last))
    if reply.planned is not None:
        return Sent(reply, Stage.WAITING, reply.planned, at(reply.planned))
    return Sent(reply, Stage.UNSENT, None, None)


def all_threads(vault: Vault) -> tuple[Thread, ...]:
    """Every thread, the one with the newest letter last."""
    return threads_of(vault, tuple(row[0] for row in vault.rows("SELECT DISTINCT thread FROM letter")))


def newest_threads(vault: Vault, most: int) -> tuple[Thread, ...]:
    """The `most` threads with the newest letters, the newest of all last. However many letters there are, those of the
    threads that are shown are all that is read."""
    found: dict[bytes, None] = {}
    taken, size = 0, 4 * most
    while len(found) < most:
        rows = vault.rows("SELECT thread FROM letter ORDER BY batch DESC, number DESC LIMIT ? OFFSET ?", size, taken)
        found.update(dict.fromkeys(row[0] for row in rows))
        taken, size = taken + len(rows), 2 * size
        if not rows:
            break
    return threads_of(vault, tuple(found)[:most])


def threads_of(vault: Vault, ids: Sequence[bytes]) -> tuple[Thread, ...]:
    """These threads, the one with the newest letter last."""
    if not ids:
        return ()
    me = identity(vault).member
    policy = followed(vault).state.directory.policy
    given = assignments(vault, me)
    made = [_thread(vault, thread, policy, me, given.get(thread)) for thread in ids]
    return tuple(sorted(made, key=lambda t: (t.newest.letter.batch, t.newest.letter.number)))


def _thread(vault: Vault, thread: bytes, policy: Policy, me: str, assigned: Assignment | None) -> Thread:
    came = [
        Came(letter, policy.closes_at(letter.batch), answered(vault, letter.answers))
        for letter in letters(vault, thread)
    ]
    return Thread(
        thread,
        tuple(c for c in came if c.letter.verified),
        tuple(c for c in came if not c.letter.verified),
        _sent(vault, thread, policy, me),
        assigned,
        notes(vault, thread, me),
        readers(vault, thread),
        linked(vault, thread),
    )


def _sent(vault: Vault, thread: bytes, policy: Policy, me: str) -> tuple[Sent, ...]:
    """Our replies and those of the others, each with those that it crossed."""
    shared = {reply.id: reply for reply in shared_replies(vault, thread)}
    own = {reply.id: reply for reply in replies(vault, thread)}
    known = {w.fact.get("id"): w.fact.get("knew") for w in waiting(vault, "reply")}
    found: list[Sent] = []
    for reply in own.values():
        copy = shared.get(reply.id)
        author = None if copy is None or copy.author == me else copy.author
        found.append(replace(stage_of(reply, policy), author=author, pending=reply.id in known))
    for copy in shared.values():
        if copy.id not in own:
            last = copy.sheets[-1] if copy.sheets else None
            withdrawn = is_withdrawn(vault, copy.id)
            theirs = Reply(
                0, copy.id, thread, copy.written, len(copy.sheets), last, None, copy.read, withdrawn, copy.body
            )
            found.append(replace(stage_of(theirs, policy), author=None if copy.author == me else copy.author))

    def times(sent: Sent) -> tuple[int, int]:
        """What its author knew of the log, and the batch that tells it; past all batches while none does."""
        copy = shared.get(sent.reply.id)
        if copy is not None:
            return copy.knew, copy.at.batch
        knew = known.get(sent.reply.id)
        return (knew if isinstance(knew, int) else 0), 1 << 62

    def crossed(sent: Sent) -> tuple[Crossed, ...]:
        knew, told = times(sent)
        return tuple(
            Crossed(other.author or me, other.reply.written)
            for other in found
            if other.author != sent.author and times(other)[1] > knew and told > times(other)[0]
        )

    return tuple(
        sorted((replace(sent, crossed=crossed(sent)) for sent in found), key=lambda s: (s.reply.written, s.reply.id))
    )


def with_linked(vault: Vault, thread: Thread) -> tuple[Thread, ...]:
    """The thread, then those that it is linked with, as far as letters of them are here; no other thread is read."""
    here = [other for other in thread.linked if vault.rows("SELECT 1 FROM letter WHERE thread = ? LIMIT 1", other)]
    return (thread, *threads_of(vault, here))


def find_thread(vault: Vault, typed: str) -> Thread:
    """The thread whose mark, or one of whose letters' marks, starts as typed. DeskError when none or several do."""
    wanted = "".join(typed.split()).lower()
    if len(wanted) < LEAST_DIGITS:
        raise DeskError("That is too short to name a thread.", "Give at least four digits, as 'desk inbox' shows them.")
    found: set[bytes] = set()
    if re.fullmatch("[0-9a-f]{1,64}", wanted):
        for (thread,) in vault.rows(
            "SELECT id FROM thread WHERE lower(hex(id)) GLOB ?1 UNION"
            " SELECT thread FROM moved_thread WHERE lower(hex(old)) GLOB ?1 UNION"
            " SELECT thread FROM letter WHERE lower(hex(substr(msg_id, 1, ?2))) GLOB ?1",
            f"{wanted}*",
            ACK_SIZE,
        ):
            found.add(thread)
    named = threads_of(vault, _with_letters(vault, found))
    if len(named) != 1:
        raise DeskError(
            "No thread or letter is named so." if not named else "More than one thread is named so.",
            "See 'desk inbox' for their marks.",
        )
    return named[0]


def _with_letters(vault: Vault, ids: set[bytes]) -> tuple[bytes, ...]:
    return tuple(t for t in sorted(ids) if vault.rows("SELECT 1 FROM letter WHERE thread = ? LIMIT 1", t))
