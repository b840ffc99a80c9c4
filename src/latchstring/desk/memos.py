# SPDX-License-Identifier: AGPL-3.0-or-later
"""This member's memos: made of what waits in the outbox, kept until the log holds them, and the server audited by them.

A sealing is stored before it is sent. When the log holds its leaf within the epoch's days, its facts are shared; when
its epoch ran out, or the server broke its promise to log it, the same msg_id is sealed anew. All of that happens only
when a memo is due by the schedule, in the place of a dummy.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from latchstring.client.door import fetch_visit
from latchstring.client.pin import Pin
from latchstring.client.promise import check_receipt
from latchstring.client.transport import NetworkFailed, Response, Transport
from latchstring.client.visit import ClockOff, VerifiedVisit, VisitRefused
from latchstring.desk.follow import Step, counting
from latchstring.desk.identity import Identity, pinned
from latchstring.desk.knocks import dummies
from latchstring.desk.outbox import Waiting, carried_by, waiting
from latchstring.desk.progress import followed
from latchstring.desk.promises import Sealing, answered, drop_sealing, keep_sealing, sealings
from latchstring.desk.schedule import first_due, may_send, next_gap, pace_of
from latchstring.desk.secrets import epoch_secrets
from latchstring.desk.vault import Vault
from latchstring.log.tree import leaf_hash
from latchstring.protocol.constants import MSG_ID
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.entry import Kind, entry
from latchstring.protocol.epoch import OpenEpoch
from latchstring.protocol.keystate import KeyState
from latchstring.protocol.knock import HEADER, NO_KNOCK, Knock
from latchstring.protocol.memo import MemoBody, facts_that_fit, seal_memo

Random = Callable[[int], bytes]
Fresh = Callable[[], AbstractContextManager[Transport]]
"""A way to the door that nobody used before: a circuit of its own."""


@dataclass(frozen=True, slots=True)
class Posts:
    """Memos sent in a session. `facts`: how many still wait for one; `stopped`: why fewer went out than were due."""

    sent: int = 0
    facts: int = 0
    stopped: str | None = None
    faults: tuple[str, ...] = ()


def send_due(vault: Vault, fresh: Fresh, who: Identity, clock: Callable[[], int], random: Random, step: Step) -> Posts:
    """Send the memos that are due by the schedule, each by a way of its own. Call it after the log was followed."""
    at = followed(vault)
    pace = pace_of(at.state.directory)
    sent, stopped, faults = 0, None, list[str]()
    while stopped is None:
        now = clock()
        due = _planned(vault, first_due(pace, _plan(vault), now, random))
        times = [row[0] for row in vault.rows("SELECT at FROM memo_time")]
        if due > now or not may_send(pace, times, now):
            break
        try:
            with fresh() as transport:
                fault = _send_one(vault, transport, who, at.state, now, random)
        except (NetworkFailed, VisitRefused, ClockOff) as failed:
            stopped = str(failed)  # it stays due
            break
        except _NotNow as why:
            stopped = str(why)
        else:
            sent += 1
            faults += [fault] if fault else []
            step("memos", sent, sent)
        with vault.transaction():
            vault.do("DELETE FROM memo_time WHERE at <= ? OR at > ?", now - pace.day, now)
            if stopped is None:
                vault.do("INSERT INTO memo_time (at) VALUES (?)", now)
            vault.do("UPDATE memo_plan SET due = ?", due + next_gap(pace, random))
    return Posts(sent, len(waiting(vault)), stopped, tuple(faults))


def next_due(vault: Vault) -> int | None:
    """When the next memo goes out, Unix seconds; None before the first session."""
    return _plan(vault)


def _plan(vault: Vault) -> int | None:
    rows = vault.rows("SELECT due FROM memo_plan")
    return int(rows[0][0]) if rows else None


def _planned(vault: Vault, due: int) -> int:
    if _plan(vault) != due:
        with vault.transaction():
            vault.do("INSERT OR REPLACE INTO memo_plan (one, due) VALUES (1, ?)", due)
    return due


class _NotNow(Exception):
    """The desk cannot be written to just now; the sentence says why."""


# --- one memo ------------------------------------------------------------------------------------


def _send_one(
    vault: Vault, transport: Transport, who: Identity, state: KeyState, now: int, random: Random
) -> str | None:
    """One memo, as a source sends a letter: fetch /visit, check it, post. A fault of the server, or None."""
    door, pin = pinned(vault)
    visit = fetch_visit(transport, lambda d: d == door, now, Pin.parse(pin) if pin is not None else None)
    epoch = _epoch(vault, visit, who)
    desk = visit.directory.desk(who.desk)
    live = frozenset(counting(state, who.desk, desk.gen if desk else 0, visit.manifest.n + 1))
    sealing = _next_sealing(vault, who, epoch, live, random)
    assert sealing.sealed is not None  # noqa: S101  # the type cannot say so
    answer = _post(transport, sealing.sealed, dummies(vault, epoch, random))
    return _answer(vault, visit, sealing, answer)


def _post(transport: Transport, sealed: bytes, knocks: Sequence[Knock]) -> Response:
    """As a source that the desk knows: without a knock, and when the door is full with one after the other."""
    full = transport.request("POST", "/v1/letters", body=sealed, headers={HEADER: NO_KNOCK})
    for knock in knocks if full.status == 503 else ():
        answer = transport.request("POST", "/v1/letters", body=sealed, headers={HEADER: knock.header()})
        if answer.status != 409:
            return answer
    return full


def _epoch(vault: Vault, visit: VerifiedVisit, who: Identity) -> OpenEpoch:
    note = visit.note(who.desk)
    if visit.directory.closed is not None:
        raise _NotNow("The door is closed for good: nothing is shared any more.")
    if visit.expired:
        raise _NotNow("The directory has expired: nothing is sent.")
    if note is None:
        raise _NotNow("The desk is not open: what the others should know waits.")
    held = next((s for s in epoch_secrets(vault) if s.note_hash == note.hash), None)
    if held is None:
        raise _NotNow("This vault does not hold the desk's present key: what the others should know waits.")
    return held.open()


def _next_sealing(vault: Vault, who: Identity, epoch: OpenEpoch, live: frozenset[bytes], random: Random) -> Sealing:
    """What goes out now: one that got no answer, one whose epoch ran out, new facts, or nothing at all in a dummy."""
    known = sealings(vault)
    unanswered = next((s for s in known if s.sealed is not None and s.note in live), None)
    if unanswered is not None:
        return unanswered
    facts = waiting(vault)
    travelling = {s.msg_id for s in known if s.note in live}
    again = next((w.memo for w in facts if w.memo is not None and w.memo not in travelling), None)
    fresh = random(MSG_ID)
    msg_id = again or fresh
    if again is not None:
        chosen: Sequence[Waiting] = [w for w in facts if w.memo == again]
    else:
        new = [w for w in facts if w.memo is None]
        chosen = new[: facts_that_fit(who.member, [w.fact for w in new])]
    sealed = seal_memo(epoch, msg_id, MemoBody(who.member, tuple(w.fact for w in chosen)))
    sealing = Sealing(leaf_of(sealed), msg_id, epoch.note.hash, sealed, None, None)
    with vault.transaction():
        carried_by(vault, msg_id, chosen)
        keep_sealing(vault, sealing)
    return sealing


def leaf_of(sealed: bytes) -> bytes:
    """The hash under which the log's tree holds a letter."""
    return leaf_hash(entry(Kind.LETTER, sealed))


def _answer(vault: Vault, visit: VerifiedVisit, sealing: Sealing, answer: Response) -> str | None:
    if answer.status == 201:
        try:
            receipt = check_receipt(visit, entry(Kind.LETTER, sealing.sealed or b""), answer.body)
        except ProtocolError:
            return "The server answered a letter of ours without a receipt that holds."
        with vault.transaction():
            answered(vault, sealing.leaf, answer.body, receipt.publish_by)
        return None
    if answer.status == 410:
        return None  # the door has closed since we looked
    if answer.status >= 500:
        return None  # not taken, or nobody knows: the same bytes go out again when the next memo is due
    with vault.transaction():
        drop_sealing(vault, sealing.leaf)
    return f"The server refused a letter of ours: {answer.sentence()}"
