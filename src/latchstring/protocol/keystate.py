# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which directory and which epoch note are in force: a pure function of the log.

The server computes it when it closes a batch, `log verify` and the desk when they read one, so that a manifest
that names anything else is seen. Fed batch by batch with the notes of that batch in leaf order.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from latchstring.protocol.constants import (
    EPOCH_DAYS_AHEAD,
    EPOCH_LETTER_TICKS,
    NOTE_FIXED_DAYS_AHEAD,
    TICKS_PER_DAY,
    day_of,
    signatures_needed,
)
from latchstring.protocol.directory import Desk, Directory, SignedDirectory, check_successor, open_directory
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.entry import ROOT_NOTES, Kind
from latchstring.protocol.epoch import EpochNote, EpochSignature, TransportNote, Wrap
from latchstring.protocol.root import Door
from latchstring.protocol.root_note import RootChain, RootNote

Note = tuple[Kind, bytes]


@dataclass(frozen=True, slots=True)
class LoggedEpoch:
    """An epoch note in the log: `order` counts notes from the founding; `signatures` that hold, by member."""

    note: EpochNote
    order: int
    signatures: dict[str, bytes]  # member -> raw signature note


@dataclass(frozen=True, slots=True)
class KeyState:
    """The state after a batch. `fixed`: (desk, gen, day) -> H(epoch note), chosen once for ever. `roots`: the root keys
    so far; None before anything was logged of a door that is not known from elsewhere. `since`: the batch before the
    first that was read, by one who did not read from the founding; signatures and wraps of notes before it are passed
    over, and what is fixed is as an honest log has it for days after `knows_from` alone.
    """

    batch: int = -1
    current: SignedDirectory | None = None
    epochs: dict[bytes, LoggedEpoch] = field(default_factory=dict)
    fixed: dict[tuple[str, int, int], bytes] = field(default_factory=dict)
    count: int = 0
    roots: RootChain | None = None
    since: int = -1

    @property
    def knows_from(self) -> int:
        """The first day all of whose epoch notes were read: none is logged more than 15 days ahead."""
        return 0 if self.since < 0 else day_of(self.since) + EPOCH_DAYS_AHEAD + 2

    @property
    def rotating(self) -> bool:
        """Was a root rotation logged whose new keys have not signed a directory yet? No batch may close so."""
        signed = self.current.root if self.current is not None else 0
        return self.roots is not None and self.roots.number != signed

    @property
    def directory(self) -> Directory:
        """The directory in force; ProtocolError before the first."""
        if self.current is None:
            raise ProtocolError("no directory yet")
        return self.current.directory

    def named(self, batch: int) -> tuple[tuple[str, bytes], ...]:
        """What the manifest of `batch` names: [desk, H(epoch note)] sorted by desk, closed desks left out.

        A note that was fixed stays the day's; when a desk grows past two, it is named again once enough have signed.
        """
        day = day_of(batch)
        found = ((d, self.fixed.get((d.id, d.gen, day))) for d in self.directory.desks)
        return tuple(sorted((d.id, note) for d, note in found if note is not None and is_valid(d, self.epochs[note])))

    def fixed_note(self, desk: str, day: int) -> EpochNote | None:
        """The note fixed for a desk's day under its present gen."""
        found = self.directory.desk(desk)
        key = self.fixed.get((desk, found.gen, day)) if found else None
        return self.epochs[key].note if key else None

    def all_open(self, batch: int) -> bool:
        """Has every desk a note fixed for the day of `batch`? If not, key notes go into the next batch."""
        return len(self.named(batch)) == len(self.directory.desks)


def may_log_key_notes(before: KeyState, batch: int, with_directory: bool) -> bool:
    """Key notes are released at a day's first batch, with a directory, or while a desk is not open (P5)."""
    if with_directory or before.current is None:
        return True
    return day_of(batch) > day_of(before.batch) or not before.all_open(batch)


def check_key_note(directory: Directory, kind: Kind, raw: bytes) -> str:
    """Parse one key note and check it against `directory` as far as it goes alone; the id of its member (of its desk
    for an epoch note). ProtocolError otherwise.
    """
    if kind is Kind.TRANSPORT:
        transport = TransportNote.parse(raw)
        desk = _desk(directory, transport.door, transport.desk)
        member = desk.member(transport.member)
        if member is None or not transport.holds(member.sign_key):
            raise ProtocolError("a transport key that its member did not sign")
        return member.id
    if kind is Kind.EPOCH:
        note = EpochNote.parse(raw)
        _desk(directory, note.door, note.desk)
        return note.desk
    if kind is Kind.SIGNATURE:
        signature = EpochSignature.parse(raw)
        found = directory.member(signature.member)
        if found is None or not signature.holds(found[1].sign_key):
            raise ProtocolError("an epoch signature that does not hold")
        return signature.member
    if kind is Kind.WRAP:
        wrap = Wrap.parse(raw)
        if directory.member(wrap.member) is None:
            raise ProtocolError("a wrap for somebody who is not a member")
        return wrap.member
    raise ProtocolError("not a key note")


def _desk(directory: Directory, door: Door, desk_id: str) -> Desk:
    desk = directory.desk(desk_id)
    if door != directory.door or desk is None:
        raise ProtocolError("a key note of another desk")
    return desk


def apply_note(state: KeyState, kind: Kind, raw: bytes, door: Door | None) -> KeyState:
    """The state with one more note of the batch that is being read or built.

    `door`: whose directories count (None: that of the first one or its root rotation). ProtocolError when the note is
    one that an honest server would not have logged: signatures and wraps come after their epoch's note, and notes
    of a coming gen after the directory that names it.
    """
    if kind is Kind.ROOT:
        return _apply_root(state, raw, door)
    if kind is Kind.DIRECTORY:
        return _apply_directory(state, raw, door)
    if state.rotating:
        raise ProtocolError("a root rotation without a directory of the new keys")
    directory = state.directory
    check_key_note(directory, kind, raw)
    epochs = state.epochs
    if kind is Kind.EPOCH:
        note = EpochNote.parse(raw)
        if note.gen > _desk(directory, note.door, note.desk).gen:
            raise ProtocolError("an epoch of a gen that no directory has named yet")
        if note.hash not in epochs:
            epochs = {**epochs, note.hash: LoggedEpoch(note, state.count, {})}
    elif kind is Kind.SIGNATURE:
        signature = EpochSignature.parse(raw)
        logged = epochs.get(signature.note_hash)
        found = directory.member(signature.member)
        if logged is None and state.since >= 0:
            return state
        if logged is None or found is None or found[0].id != logged.note.desk:
            raise ProtocolError("a signature under no epoch of its desk")
        signed = replace(logged, signatures={**logged.signatures, signature.member: raw})
        epochs = {**epochs, signature.note_hash: signed}
    elif kind is Kind.WRAP:
        wrap = Wrap.parse(raw)
        logged = epochs.get(wrap.note_hash)
        found = directory.member(wrap.member)
        if logged is None and state.since >= 0:
            return state
        if logged is None or found is None or found[0].id != logged.note.desk:
            raise ProtocolError("a wrap of no epoch of its member's desk")
    return replace(state, epochs=epochs, count=state.count + 1)


def _apply_root(state: KeyState, raw: bytes, door: Door | None) -> KeyState:
    roots = state.roots or RootChain(RootNote.parse(raw).door if door is None else door)
    return replace(state, roots=roots.then(raw))


def _apply_directory(state: KeyState, raw: bytes, door: Door | None) -> KeyState:
    """A directory counts under the root keys in force at its place alone."""
    new = open_directory(raw, state.roots or door)
    roots = state.roots or RootChain(new.directory.door)
    if new.root != roots.number:
        raise ProtocolError("a directory signed by root keys that were replaced")
    if state.current is not None:
        check_successor(state.current, new)
    elif new.directory.seq != 1:
        raise ProtocolError("a log whose first directory is not the first")
    return replace(state, current=new, roots=roots)


def comes_too_late(state: KeyState, kind: Kind, raw: bytes, batch: int) -> bool:
    """Is it a signature or wrap for an epoch to which no letter counts any more? A server does not log it then."""
    if kind not in (Kind.SIGNATURE, Kind.WRAP):
        return False
    note_hash = (EpochSignature if kind is Kind.SIGNATURE else Wrap).parse(raw).note_hash
    return note_hash in state.epochs and batch >= state.epochs[note_hash].note.day * TICKS_PER_DAY + EPOCH_LETTER_TICKS


def close_batch(state: KeyState, batch: int) -> KeyState:
    """The state once `batch` closes: the notes of its day and the seven after it are fixed, where there are valid ones.

    ProtocolError when the batch does not come after the last, there is no directory, or a rotation without one.
    """
    if batch <= state.batch:
        raise ProtocolError("a batch that does not come after the one before")
    if state.rotating:
        raise ProtocolError("a root rotation without a directory of the new keys")
    fixed = dict(state.fixed)
    today = day_of(batch)
    for desk in state.directory.desks:
        for day in range(today, today + NOTE_FIXED_DAYS_AHEAD + 1):
            key = (desk.id, desk.gen, day)
            valid = [e for e in state.epochs.values() if e.note.day == day and is_valid(desk, e)]
            if key not in fixed and valid:
                fixed[key] = min(valid, key=lambda e: (-e.note.v, e.order)).note.hash
    return replace(state, batch=batch, fixed=fixed)


def next_state(state: KeyState, batch: int, notes: Sequence[Note], door: Door | None) -> KeyState:
    """The state after `batch`, whose notes in leaf order are `notes`; ProtocolError as `apply_note`, `close_batch`."""
    key_notes_seen = False
    for kind, raw in notes:
        if kind in ROOT_NOTES and key_notes_seen:
            raise ProtocolError("a directory after the key notes of its batch")
        key_notes_seen = kind not in ROOT_NOTES
        state = apply_note(state, kind, raw, door)
    return close_batch(state, batch)


def is_valid(desk: Desk, epoch: LoggedEpoch) -> bool:
    """Is the note this desk's, of its present gen, and signed by enough of its present members?"""
    if (epoch.note.desk, epoch.note.gen) != (desk.id, desk.gen):
        return False
    signed = sum(1 for m in desk.members if m.id in epoch.signatures)
    return signed >= signatures_needed(len(desk.members))


def forget(state: KeyState, before_day: int) -> KeyState:
    """Drop epochs and choices of days before `before_day`, which nothing can name any more."""
    return replace(
        state,
        epochs={k: e for k, e in state.epochs.items() if e.note.day >= before_day},
        fixed={k: v for k, v in state.fixed.items() if k[2] >= before_day},
    )
