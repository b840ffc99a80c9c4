# SPDX-License-Identifier: AGPL-3.0-or-later
"""A member's session with the server: look, open, erase, audit, keys, pages; in this order, each step alone.

Everything the session does to the outside has the same shape whatever it finds: all packs fetched, all pages made anew.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from latchstring.client.door import fetch_visit
from latchstring.client.pin import Pin
from latchstring.client.transport import Transport
from latchstring.client.visit import DoorCheck, VerifiedVisit
from latchstring.desk.addresses import learn, learned
from latchstring.desk.beginning import beginning
from latchstring.desk.changes import awaited, forget_old_ids
from latchstring.desk.colleagues import in_vain
from latchstring.desk.deletion import sweep
from latchstring.desk.errors import VaultError
from latchstring.desk.facts import FactKinds, Reader, apply_kept
from latchstring.desk.follow import Step, open_batches, walk_back
from latchstring.desk.gone import forget_marks
from latchstring.desk.identity import Identity, identity, keep_pin, pinned
from latchstring.desk.keys import make_keys, prepare_keys, waiting_notes
from latchstring.desk.knocks import post_lists
from latchstring.desk.line import Line
from latchstring.desk.meanwhile import Meanwhile, logged_keys
from latchstring.desk.memos import Fresh, Posts, send_due
from latchstring.desk.notices import notices
from latchstring.desk.owed import open_late, retry_missing
from latchstring.desk.placing import Audit, Placed, audit, place
from latchstring.desk.presence import NoLongerHere, check_member
from latchstring.desk.progress import failing_since, followed, went_well
from latchstring.desk.replies import Reply
from latchstring.desk.retention import retain
from latchstring.desk.retention import warning as retention_warning
from latchstring.desk.scrub import scrub
from latchstring.desk.search import ensure_index
from latchstring.desk.secrets import due_before, erase_before, erase_days
from latchstring.desk.seen import is_catching_up, seen
from latchstring.desk.shared import FACT_KINDS
from latchstring.desk.shared_replies import placed_by_others
from latchstring.desk.sharing import Shared, share
from latchstring.desk.tally import Tally
from latchstring.desk.unopened import unopened_days
from latchstring.desk.vault import Vault
from latchstring.protocol.constants import ERASE_GRACE_DAYS, TICKS_PER_DAY, day_of
from latchstring.protocol.directory import SignedDirectory
from latchstring.protocol.encoding import encode_cbor
from latchstring.protocol.keystate import Note

Random = Callable[[int], bytes]
NOTES_AT_ONCE: Final = 256
LATE_TICKS: Final = 3  # a batch may close a little late; more than this is said


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a session did. `warnings` are for the member, `faults` what the server did against the protocol."""

    batch: int
    next_close: int  # Unix seconds
    tally: Tally
    audit: Audit
    placed: Placed
    shared: Shared
    memos: Posts
    posted: int  # key notes
    erased: tuple[int, ...]  # days
    deleted: int  # threads, by the policy's retention
    desk_open: bool
    warnings: tuple[str, ...]
    unopened: tuple[int, ...] = ()  # days some of whose letters this member could not open

    @property
    def faults(self) -> tuple[str, ...]:
        """Of all steps."""
        return (*self.tally.faults, *self.audit.faults, *self.placed.faults, *self.memos.faults)


def _silent(_what: str, _done: int, _of: int) -> None:
    """No progress wanted."""


def synchronise(
    vault: Vault,
    transport: Transport,
    typed_door: DoorCheck,
    clock: Callable[[], int],
    random: Random,
    *,
    coming: SignedDirectory | None = None,
    kinds: FactKinds = FACT_KINDS,
    memos: Fresh | None = None,
    workers: int = 1,
    step: Step = _silent,
) -> SyncReport:
    """One session. `typed_door`: whether a door is the one the member typed. `coming`: a directory that is signed and
    not posted yet, whose keys are made too. `memos`: ways to the door for memos, one each; without them none are sent.

    NetworkFailed, VisitRefused, ClockOff, DeskError (ServerFault, VaultError): what was done before is stored, and the
    next session goes on from there.
    """
    who, known = identity(vault), learned(vault)
    visit = look(vault, transport, typed_door, clock(), step)
    today = day_of(visit.manifest.n)
    line = Line.of(transport, clock, random, who, visit.directory)
    try:
        check_member(vault, visit, who)
        last = followed(vault)
        if last.batch < 0:
            last = beginning(visit, who)
        links = walk_back(line, visit, last, step)
        ensure_index(vault)
        apply_kept(vault, kinds, Reader(visit.directory.door, who.desk, who.member))
        tally = retry_missing(vault, line, who, last.state, kinds)
        at, opened = open_batches(vault, line, visit, who, last, links, kinds, workers, step)
        opened = opened.plus(open_late(vault, line, who, at.state, kinds, step))
    except VaultError:
        raise  # a vault that cannot be written cannot be erased from
    except NoLongerHere:
        erase(vault, today, erase_days(visit.directory, who.desk))  # nothing more can be fetched first
        raise
    except Exception:  # whatever it was goes on to the caller: a server that fails must not keep keys alive by it
        if today - failing_since(vault, today) >= ERASE_GRACE_DAYS:
            erase(vault, today, erase_days(visit.directory, who.desk), step)
        else:
            scrub(vault, step)
        raise
    went_well(vault)
    came = logged_keys(vault, visit.directory.desk(who.desk), who.member)  # before those of old days are erased
    policy = visit.directory.policy
    deleted, soon = retain(vault, policy, visit.manifest.n)
    erased = erase(vault, today, erase_days(visit.directory, who.desk), step)
    tally = tally.plus(opened)
    audited = audit(vault, visit)
    shared = share(vault, who.desk, who.member, visit.directory, at.batch)
    meanwhile = Meanwhile(came, seen(vault), at.batch)
    posted, placed, lost_days, refused = 0, Placed(), tuple[int, ...](), tuple[str, ...]()
    if not visit.expired:
        lost_days = make_keys(vault, who, at.state, visit.manifest.n, random).lost
        if coming is not None:
            prepare_keys(vault, who, at.state, coming, random)
        posted, refused = post_notes(vault, line)
        refused += post_lists(vault, line, who, at.state, at.batch)
        others = placed_by_others(vault, who.member)
        # what was out is placed by those who were there meanwhile, if anybody was
        late = is_catching_up(tuple(gap for gap in shared.gaps if meanwhile.were_there(gap)), at.batch)

        def ours(reply: Reply) -> bool:
            return reply.id not in others and not (late and reply.published)

        placed = place(vault, line, visit, who, at.state, random, step, ours)
    posts = send_due(vault, memos, who, clock, random, step) if memos is not None else Posts()
    return SyncReport(
        batch=visit.manifest.n,
        next_close=visit.directory.policy.closes_at(visit.manifest.n + 1),
        tally=tally,
        audit=audited,
        placed=placed,
        shared=shared,
        memos=posts,
        posted=posted,
        erased=erased,
        deleted=deleted.threads,
        desk_open=visit.note(who.desk) is not None,
        warnings=(
            *notices(visit, clock(), known),
            *warnings(visit, clock(), tally, placed, meanwhile),
            *retention_warning(soon, policy, visit.manifest.n),
            *key_warnings(vault, visit, who, tally.closed_days, lost_days, meanwhile),
            *refused,
        ),
        unopened=unopened_days(vault),
    )


def look(vault: Vault, transport: Transport, typed_door: DoorCheck, now: int, step: Step = _silent) -> VerifiedVisit:
    """Fetch and check /visit, against the door and the pin of the last session; keep the new pin."""
    door, pin = pinned(vault)
    known: DoorCheck = typed_door if door is None else lambda served: served == door

    def in_kb(done: int, total: int | None) -> None:
        step("visit", done // 1000, (total or done) // 1000)

    visit = fetch_visit(transport, known, now, Pin.parse(pin) if pin is not None else None, in_kb)
    keep_pin(vault, visit.directory.door, visit.pin.encode())
    learn(vault, visit.directory.addresses)
    return visit


def post_notes(vault: Vault, line: Line) -> tuple[int, tuple[str, ...]]:
    """Post what the log does not hold yet; posting again is harmless. How many the server took, and its refusals.

    A refusal does not end the session: it would keep replies from being placed.
    """
    notes, taken, refused = waiting_notes(vault), 0, list[str]()
    for start in range(0, len(notes), NOTES_AT_ONCE):
        group: Sequence[Note] = notes[start : start + NOTES_AT_ONCE]
        answer = line.signed("POST", "/v1/keynotes", "", encode_cbor([[kind.value, raw] for kind, raw in group]))
        if answer.status == 201:
            taken += len(group)
        else:
            refused.append(
                f"The server refused key notes, which the next sync posts again: {answer.sentence()} "
                "If this goes on, tell the organisation."
            )
    return taken, tuple(refused)


def erase(vault: Vault, today: int, after_days: int, step: Step = _silent) -> tuple[int, ...]:
    """Erase what is due or was deleted, and every trace of it in the vault's journal; the days whose keys are gone.

    After everything that came before was fetched and opened, or when that has failed for seven days. Letters that the
    server withheld do not keep their keys alive: it could lose them anyway, and it would decide how long keys live.
    """
    due = due_before(today, after_days)
    days = erase_before(vault, due)
    if awaited(vault):
        with vault.transaction():
            forget_old_ids(vault, min(today, day_of(followed(vault).batch)), due)
    forget_marks(vault, today * TICKS_PER_DAY)
    sweep(vault, today * TICKS_PER_DAY)
    scrub(vault, step)
    vault.wipe_journal()  # each time: a crash may have come between an erasure and this
    return days


_NOBODY_READ: Final = "Sources who wrote then should be asked to write again."
_PASSED_ON: Final = "Whoever was at the desk has read them, and their next syncs pass them on to you."


def is_alone(visit: VerifiedVisit, who: Identity) -> bool:
    """A desk of one, where nobody else has what this vault has not."""
    desk = visit.directory.desk(who.desk)
    return desk is not None and len(desk.members) == 1


def warnings(visit: VerifiedVisit, now: int, tally: Tally, placed: Placed, meanwhile: Meanwhile) -> tuple[str, ...]:
    """Sentences for the member."""
    said = list[str]()
    policy, n = visit.directory.policy, visit.manifest.n
    behind = now - policy.closes_at(n)
    if behind > LATE_TICKS * policy.tick:
        ago = f"{behind // 60} minutes" if behind >= 120 else f"{behind} seconds"
        said.append(f"The newest batch closed {ago} ago: the server is late, or this device's clock is wrong.")
    elif behind < -policy.tick:
        said.append("This device's clock is behind the server's log: check date and time.")
    had = [batch for batch in tally.lost if meanwhile.have(batch, batch)]
    for count, then in ((len(had), _PASSED_ON), (len(tally.lost) - len(had), _NOBODY_READ)):
        if count:
            said.append(f"Batches whose letters came too long ago: {count}. The server keeps them for 35 days. {then}")
    if placed.unplaced:
        said.append(f"Replies that wait, as all slots of the coming seven days are taken: {placed.unplaced}.")
    return tuple(said)


def key_warnings(
    vault: Vault,
    visit: VerifiedVisit,
    who: Identity,
    closed_days: Sequence[int],
    lost_days: Sequence[int],
    meanwhile: Meanwhile,
) -> tuple[str, ...]:
    """What kept this member from reading, and what will in the coming days."""
    alone = is_alone(visit, who)
    given = in_vain(vault, who, day_of(visit.manifest.n))
    said = []
    had = [day for day in closed_days if meanwhile.have(day * TICKS_PER_DAY, (day + 1) * TICKS_PER_DAY - 1)]
    left = [day for day in closed_days if day not in had]
    if left:
        said.append(
            f"Letters sealed to the keys of {_days(left)} cannot be read with this vault; "
            "ask sources who wrote then to write again."
        )
    if had:
        said.append(f"Letters of {_days(had)} could not be opened here: keys for you were missing then. " + _PASSED_ON)
    if lost_days and alone:
        said.append(f"The keys of {_days(lost_days)} are not in this vault: it was put back from an older copy.")
    elif lost_days:
        said.append(
            f"The keys of {_days(lost_days)} have not reached you yet: another member's next sync sends them, and the "
            "day after you read with them."
        )
    if given:
        said.append(
            f"Keys for {_days(given)} came to you sealed wrongly by somebody at the desk. They were not signed for, "
            "and other members are asked for them. If it goes on, tell the organisation."
        )
    return tuple(said)


def _days(days: Sequence[int]) -> str:
    return f"day {days[0]}" if len(days) == 1 else f"days {days[0]} to {days[-1]}"
