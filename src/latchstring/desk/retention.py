# SPDX-License-Identifier: AGPL-3.0-or-later
"""Retention: what the directory's policy says about how long a thread may lie quiet, and threads marked to stay.

A thread is quiet from its newest letter or reply. One is deleted when it has been quiet for as many days as the policy
says, all its letters were opened, nobody marked it to be kept, and this machine has warned of it for a week: who comes
back late, or opens its letters late, is warned first.
"""

from dataclasses import dataclass, field
from typing import Final

from latchstring.desk.changes import thread_now
from latchstring.desk.deletion import Deleted, delete_thread
from latchstring.desk.facts import At, Told
from latchstring.desk.gone import said_too_early
from latchstring.desk.outbox import tell
from latchstring.desk.vault import Vault
from latchstring.protocol.constants import ACK_SIZE, HASH_SIZE, day_of
from latchstring.protocol.directory import Policy
from latchstring.protocol.encoding import Fields
from latchstring.protocol.memo import Fact

KIND: Final = "keep"
WARN_DAYS: Final = 7


@dataclass(frozen=True, slots=True)
class Quiet:
    """A thread, since which day nothing came or went, whether it stays, and whether some letter is unopened."""

    thread: bytes = field(repr=False)
    since: int
    kept: bool
    unopened: bool
    warned: int | None

    def goes_on(self, keep_days: int) -> int:
        """The first day on which it may be deleted; a warning must have come a week before."""
        return max(self.since + keep_days, (self.warned if self.warned is not None else 1 << 40) + WARN_DAYS)


def keep(vault: Vault, thread: bytes, on: bool, now: At) -> None:
    """Mark a thread to stay, or take the mark away: here at once, and told to the others. Opens its own transaction."""
    with vault.transaction():
        _keep(vault, thread, on, now, None)
        tell(vault, {"kind": KIND, "thread": thread, "on": on})


def apply_keep(vault: Vault, told: Told, fields: Fields) -> None:
    """Part of a transaction: of what members said about a thread the last word in the log counts."""
    thread, on = thread_now(vault, fields.raw("thread", HASH_SIZE)), fields.flag("on")
    fields.done()
    if not said_too_early(vault, told.at.number, thread):
        _keep(vault, thread, on, told.at, told.by)


def _keep(vault: Vault, thread: bytes, on: bool, at: At, by: str | None) -> None:
    vault.do(
        "INSERT INTO kept (thread, at, by, is_on) VALUES (?, ?, ?, ?) ON CONFLICT (thread)"
        " DO UPDATE SET at = excluded.at, by = excluded.by, is_on = excluded.is_on WHERE excluded.at >= kept.at",
        thread,
        at.number,
        by,
        int(on),
    )


def again_kept(vault: Vault, first: int, last: int) -> list[tuple[int, str, Fact]]:
    """The words that count about threads, told from place `first` to `last` of the log."""
    rows = vault.rows("SELECT at, by, thread, is_on FROM kept WHERE by IS NOT NULL AND at BETWEEN ? AND ?", first, last)
    return [(at, by, {"kind": KIND, "thread": thread, "on": bool(on)}) for at, by, thread, on in rows]


def quiet_threads(vault: Vault, policy: Policy) -> tuple[Quiet, ...]:
    """All threads, the one that has been quiet for longest first. Any member's reply counts, from its place in the log,
    and a letter that any member opened is opened."""
    rows = vault.rows(
        "SELECT l.thread, max(l.batch), min(l.opened OR EXISTS (SELECT 1 FROM letter_read o WHERE o.thread = l.thread"
        " AND o.mark = substr(l.msg_id, 1, ?1))),"
        " (SELECT max(r.written) FROM reply r WHERE r.thread = l.thread AND r.id NOT IN (SELECT id FROM shared_reply)),"
        " (SELECT max(s.at) FROM shared_reply s WHERE s.thread = l.thread),"
        " (SELECT k.is_on FROM kept k WHERE k.thread = l.thread),"
        " (SELECT w.day FROM retention_warned w WHERE w.thread = l.thread)"
        " FROM letter l GROUP BY l.thread",
        ACK_SIZE,
    )
    found = []
    for thread, batch, opened, written, told, kept, warned in rows:
        replied = (policy.batch_at(written) if written is not None else 0, At.of(told).batch if told is not None else 0)
        last = day_of(max(batch, *replied))
        found.append(Quiet(thread, last, bool(kept), not opened, warned))
    return tuple(sorted(found, key=lambda q: (q.since, q.thread)))


def retain(vault: Vault, policy: Policy, batch: int) -> tuple[Deleted, tuple[Quiet, ...]]:
    """Delete what is due, and warn of what will be within a week. Opens its own transactions.

    `batch`: how far the log was followed; its day is today. Nothing happens where the policy says 0 days.
    """
    today, days = day_of(batch), policy.keep_days
    deleted, soon = Deleted(), list[Quiet]()
    if not days:
        return deleted, ()
    for quiet in quiet_threads(vault, policy):
        due = not quiet.kept and quiet.since + days <= today + WARN_DAYS
        if not due or quiet.unopened:
            _unwarn(vault, quiet)
            soon += [quiet] if due else []
        elif today < quiet.goes_on(days):
            soon.append(_warned(vault, quiet, today))
        else:
            deleted = deleted.plus(delete_thread(vault, quiet.thread, batch, told=False))
    return deleted, tuple(soon)


def _warned(vault: Vault, quiet: Quiet, today: int) -> Quiet:
    if quiet.warned is not None:
        return quiet
    with vault.transaction():
        vault.do("INSERT OR IGNORE INTO retention_warned (thread, day) VALUES (?, ?)", quiet.thread, today)
    return Quiet(quiet.thread, quiet.since, quiet.kept, quiet.unopened, today)


def _unwarn(vault: Vault, quiet: Quiet) -> None:
    """It spoke again, is kept, or stays because nobody opened it: before it goes it is warned of anew."""
    if quiet.warned is not None:
        with vault.transaction():
            vault.do("DELETE FROM retention_warned WHERE thread = ?", quiet.thread)


def warning(soon: tuple[Quiet, ...], policy: Policy, batch: int) -> tuple[str, ...]:
    """A sentence for the member about threads that will go."""
    unopened = sum(quiet.unopened for quiet in soon)
    goes = [quiet.goes_on(policy.keep_days) - day_of(batch) for quiet in soon if not quiet.unopened]
    said = []
    if goes:
        said.append(
            f"Threads that have been quiet for long and will be deleted: {len(goes)}. Days until the first: "
            f"{max(1, min(goes))}. "
            "See 'latchstring desk retention'; 'latchstring desk keep' marks one to stay."
        )
    if unopened:
        said.append(f"Threads that have been quiet for long, with letters that nobody opened: {unopened}. They stay.")
    return tuple(said)
