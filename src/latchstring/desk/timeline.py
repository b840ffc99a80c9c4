# SPDX-License-Identifier: AGPL-3.0-or-later
"""Threads as a member reads them: letters and replies in their order, each with its time and state."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from latchstring.desk.changes import former_ids
from latchstring.desk.errors import DeskError
from latchstring.desk.letters import Letter, letters
from latchstring.desk.progress import followed
from latchstring.desk.replies import Reply, replies
from latchstring.desk.vault import Vault
from latchstring.protocol.constants import TICKS_PER_SHEET
from latchstring.protocol.directory import Policy

MARK_DIGITS: Final = 8  # of a thread's id on the screen
LEAST_DIGITS: Final = 4


class Stage(StrEnum):
    """Where a reply is."""

    UNSENT = "unsent"  # the next sync places it
    WAITING = "waiting"  # in our page of a coming sheet
    PUBLISHED = "published"
    READ = "read"


@dataclass(frozen=True, slots=True)
class Sent:
    """A reply with its stage. `sheet` and `at` (Unix seconds): the coming sheet, or the newest that held it."""

    reply: Reply
    stage: Stage
    sheet: int | None
    at: int | None


@dataclass(frozen=True, slots=True)
class Came:
    """A letter and when its batch closed (Unix seconds)."""

    letter: Letter
    at: int


@dataclass(frozen=True, slots=True)
class Thread:
    """All that was said with one source. Unverified letters are in `outside`: they may be somebody else's."""

    id: bytes
    letters: tuple[Came, ...]
    outside: tuple[Came, ...]
    sent: tuple[Sent, ...] = field(repr=False)

    @property
    def mark(self) -> str:
        """How it is named on the screen."""
        return self.id.hex()[:MARK_DIGITS]

    @property
    def unopened(self) -> int:
        """Letters that nobody has looked at."""
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
    if reply.last is not None:
        return Sent(reply, Stage.PUBLISHED, reply.last, at(reply.last))
    if reply.planned is not None:
        return Sent(reply, Stage.WAITING, reply.planned, at(reply.planned))
    return Sent(reply, Stage.UNSENT, None, None)


def all_threads(vault: Vault) -> tuple[Thread, ...]:
    """Every thread, the one with the newest letter last."""
    found: dict[bytes, list[Came]] = {}
    rows = letters(vault)
    if not rows:
        return ()
    policy = followed(vault).state.directory.policy
    for letter in rows:
        found.setdefault(letter.thread, []).append(Came(letter, policy.closes_at(letter.batch)))
    by_thread: dict[bytes, list[Sent]] = {}
    for reply in replies(vault):
        by_thread.setdefault(reply.thread, []).append(stage_of(reply, policy))
    made = [
        Thread(
            thread,
            tuple(c for c in came if c.letter.verified),
            tuple(c for c in came if not c.letter.verified),
            tuple(by_thread.get(thread, ())),
        )
        for thread, came in found.items()
    ]
    return tuple(sorted(made, key=lambda t: t.newest.letter.number))


def find_thread(vault: Vault, typed: str) -> Thread:
    """The thread whose mark, or one of whose letters' marks, starts as typed. DeskError when none or several do."""
    wanted = "".join(typed.split()).lower()
    if len(wanted) < LEAST_DIGITS:
        raise DeskError("That is too short to name a thread.", "Give at least four digits, as 'desk inbox' shows them.")
    found = [
        thread
        for thread in all_threads(vault)
        if any(id.hex().startswith(wanted) for id in (thread.id, *former_ids(vault, thread.id)))
        or any(came.letter.mark.hex().startswith(wanted) for came in (*thread.letters, *thread.outside))
    ]
    if len(found) != 1:
        raise DeskError(
            "No thread or letter is named so." if not found else "More than one thread is named so.",
            "See 'desk inbox' for their marks.",
        )
    return found[0]
