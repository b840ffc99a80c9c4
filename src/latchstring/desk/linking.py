# SPDX-License-Identifier: AGPL-3.0-or-later
"""Threads that a member holds to be of one source: after a lost passphrase, say. They are shown together; a reply still
goes to the one that it is written to, since each opens with its own words.

A link is between two threads; of what members said about a pair the last word in the log counts.
"""

from dataclasses import dataclass, field
from typing import Final

from latchstring.desk.changes import thread_now
from latchstring.desk.errors import DeskError
from latchstring.desk.facts import At, Told
from latchstring.desk.gone import said_too_early
from latchstring.desk.outbox import tell
from latchstring.desk.vault import Vault
from latchstring.protocol.constants import HASH_SIZE
from latchstring.protocol.encoding import Fields, ProtocolError
from latchstring.protocol.memo import Fact

KIND: Final = "link"


@dataclass(frozen=True, slots=True)
class _Link:
    """Two threads, and whether they belong together."""

    a: bytes = field(repr=False)
    b: bytes = field(repr=False)
    on: bool


def link(vault: Vault, a: bytes, b: bytes, now: At) -> None:
    """Here at once, and told to the others. `now`: the last place of the log that was followed.

    DeskError when it is one thread, or they are linked already. Opens its own transaction.
    """
    if a == b:
        raise DeskError("That is one and the same thread.", "Name two different ones.")
    if b in linked(vault, a):
        raise DeskError("These two threads are linked already.", "Nothing was changed.")
    _say(vault, _Link(a, b, True), now)


def unlink(vault: Vault, thread: bytes, now: At) -> int:
    """Take a thread out of its group: how many links went. DeskError when it had none. Opens its own transactions."""
    others = _direct(vault, thread)
    if not others:
        raise DeskError("This thread is not linked to another.", "Nothing was changed.")
    for other in others:
        _say(vault, _Link(thread, other, False), now)
    return len(others)


def linked(vault: Vault, thread: bytes) -> tuple[bytes, ...]:
    """The other threads of its group, whether linked to it or to one that is; sorted."""
    group, ahead = {thread}, [thread]
    while ahead:
        for other in _direct(vault, ahead.pop()):
            if other not in group:
                group.add(other)
                ahead.append(other)
    return tuple(sorted(group - {thread}))


def _direct(vault: Vault, thread: bytes) -> tuple[bytes, ...]:
    rows = vault.rows("SELECT other_thread FROM linked WHERE thread = ? AND is_on ORDER BY other_thread", thread)
    return tuple(row[0] for row in rows)


def _say(vault: Vault, said: _Link, now: At) -> None:
    with vault.transaction():
        _keep(vault, said, now, None)
        tell(vault, {"kind": KIND, "a": said.a, "b": said.b, "on": said.on})


def apply_link(vault: Vault, told: Told, fields: Fields) -> None:
    """Part of a transaction: a member links two threads, or takes that back."""
    said = _Link(fields.raw("a", HASH_SIZE), fields.raw("b", HASH_SIZE), fields.flag("on"))
    fields.done()
    if said.a == said.b:
        raise ProtocolError("link: one thread alone")
    if not said_too_early(vault, told.at.number, thread_now(vault, said.a), thread_now(vault, said.b)):
        _keep(vault, said, told.at, told.by)


def _keep(vault: Vault, said: _Link, at: At, by: str | None) -> None:
    a, b = thread_now(vault, said.a), thread_now(vault, said.b)
    for one, other in ((a, b), (b, a)):
        vault.do(
            "INSERT INTO linked (thread, other_thread, at, by, is_on) VALUES (?, ?, ?, ?, ?) ON CONFLICT"
            " (thread, other_thread) DO UPDATE SET at = excluded.at, by = excluded.by, is_on = excluded.is_on"
            " WHERE excluded.at >= linked.at",
            one,
            other,
            at.number,
            by,
            int(said.on),
        )


def again_linked(vault: Vault, first: int, last: int) -> list[tuple[int, str, Fact]]:
    """The words that count about pairs of threads, told from place `first` to `last` of the log."""
    rows = vault.rows(
        "SELECT at, by, thread, other_thread, is_on FROM linked WHERE by IS NOT NULL AND thread < other_thread"
        " AND at BETWEEN ? AND ?",
        first,
        last,
    )
    return [(at, by, {"kind": KIND, "a": a, "b": b, "on": bool(on)}) for at, by, a, b, on in rows]
