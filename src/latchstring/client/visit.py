# SPDX-License-Identifier: AGPL-3.0-or-later
"""The check of `/visit`: what every client does before it believes anything.

In this order: the pinned door; the root keys' chain; directories, their signatures and chain; the quorum of the newest
one's witnesses; the checkpoint's signature; the root recomputed from the hashes; consistency with a pin, if there is
one; the manifest as last leaf; what the manifest names (sheets, directory, epoch notes with their signatures); the
clock, and by it the age of the cosignatures. Every failure but the clock says the same sentence.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from latchstring.client.pin import Pin
from latchstring.client.quorum import check_fresh, quorum_of
from latchstring.log.checkpoint import open_checkpoint
from latchstring.log.cosignature import Witnessed
from latchstring.log.errors import LogError, NotDerivable
from latchstring.log.note import VerifierKey
from latchstring.log.tree import Ranges, leaf_hashes
from latchstring.protocol import constants as c
from latchstring.protocol.directory import NO_HASH, Desk, Directory, SignedDirectory, check_successor, open_directory
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.entry import Kind, entry
from latchstring.protocol.epoch import EpochNote, EpochSignature
from latchstring.protocol.keystate import LoggedEpoch, is_valid
from latchstring.protocol.manifest import Manifest
from latchstring.protocol.root_note import RootChain
from latchstring.protocol.rooted import door_named
from latchstring.protocol.sheet import Sheet, parse_sheet, sheet_index_hash
from latchstring.protocol.visit import Visit, parse_visit, visit_starts

SENTENCE: Final = (
    "What this address serves cannot be trusted: it is not this door, or somebody has changed it on the way. "
    "Nothing was sent. Compare the door's words with a printed card, try another of its addresses, or wait a day."
)
_AHEAD_SECONDS: Final = 600

DoorCheck = Callable[[bytes], bool]


class VisitRefused(Exception):
    """The one sentence. `reason` says which check failed: for the desk, tests and `log verify`, not for a source."""

    def __init__(self, reason: str) -> None:
        super().__init__(SENTENCE)
        self.reason = reason


class ClockOff(Exception):
    """The newest batch is far from this device's time: `seconds` old, or negative when it lies ahead.

    `addresses`: where the door answers by the directory that was shown, whose root signatures hold.
    """

    def __init__(self, seconds: int, addresses: tuple[str, ...] = ()) -> None:
        hours = max(1, abs(seconds) // 3600)
        if seconds < 0:
            text = (
                f"By this device's clock the door's newest batch closes {hours} h in the future. "
                "Set the device's date and time (and time zone), then try again."
            )
        else:
            text = (
                f"By this device's clock the door has published nothing for {hours} h. If the date and time here are "
                "right, the door is not running: try another of its addresses, or again later."
            )
        super().__init__(text)
        self.seconds = seconds
        self.addresses = addresses


@dataclass(frozen=True, slots=True)
class VerifiedVisit:
    """What `/visit` proved. `notes`: epoch notes by hash; `entries` start at leaf `entries_start`."""

    directory: Directory
    directory_hash: bytes
    directories: Mapping[bytes, SignedDirectory] = field(repr=False)
    roots: RootChain = field(repr=False)
    manifest: Manifest
    manifest_raw: bytes = field(repr=False)
    sheets: tuple[Sheet, ...] = field(repr=False)
    notes: Mapping[bytes, EpochNote] = field(repr=False)
    entries: tuple[bytes, ...] = field(repr=False)
    entries_start: int
    level1: tuple[bytes, ...] = field(repr=False)  # hashes of 256 leaves each, up to where `entries` start
    level2: tuple[bytes, ...] = field(repr=False)  # of 65,536 each, up to where `level1` starts
    pin: Pin
    cosigned: tuple[Witnessed, ...]  # by which of the directory's witnesses
    expired: bool  # reading goes on, writing stops

    def note(self, desk: str) -> EpochNote | None:
        """The epoch that letters to `desk` are sealed to now; None when the desk is not open."""
        named = self.manifest.note(desk)
        return self.notes[named] if named is not None else None

    def has_leaf(self, leaf: bytes) -> bool:
        """Is this entry among those of the last two days?"""
        return leaf in self.entries


def check_visit(raw: bytes, is_door: DoorCheck, now: int, pin: Pin | None) -> VerifiedVisit:
    """Verify the whole file. VisitRefused or ClockOff otherwise. `now`: Unix seconds by this device."""
    try:
        visit = parse_visit(raw)
        roots = _roots(visit, is_door)
        by_hash, newest = _directories(visit, roots)
        cosigned = quorum_of(visit.checkpoint, newest.directory)
        log = _log(visit, newest.directory)
        fresh = _pin(visit, log, newest, roots, Manifest.parse(visit.manifest).n)
        if pin is not None:
            _follows(log, fresh, pin, roots)
        if not visit.entries or entry(Kind.MANIFEST, visit.manifest) != visit.entries[-1]:
            raise ProtocolError("the manifest is not the last leaf")
        manifest = Manifest.parse(visit.manifest)
        if manifest.directory != newest.hash:
            raise ProtocolError("the manifest names another directory than the newest")
        sheets = _sheets(visit, manifest, by_hash)
        notes = _notes(visit, manifest, newest.directory, sheets, by_hash)
    except (ProtocolError, LogError) as error:
        raise VisitRefused(str(error)) from None
    directory = newest.directory
    age = now - directory.policy.closes_at(manifest.n)
    if age < -(_AHEAD_SECONDS + 2 * directory.policy.tick):
        raise ClockOff(age)
    # what a closing says stays true for ever, whoever keeps the file after the server has gone
    if age > max(c.VISIT_FRESH_TICKS * directory.policy.tick, _AHEAD_SECONDS) and directory.closed is None:
        raise ClockOff(age, directory.addresses)
    try:  # last: a clock that is off is told apart from witnesses that are
        check_fresh(cosigned, directory, directory.policy.closes_at(manifest.n), now, _AHEAD_SECONDS)
    except ProtocolError as error:
        raise VisitRefused(str(error)) from None
    return VerifiedVisit(
        directory=directory,
        directory_hash=newest.hash,
        directories=by_hash,
        roots=roots,
        manifest=manifest,
        manifest_raw=visit.manifest,
        sheets=sheets,
        notes=notes,
        entries=visit.entries,
        entries_start=visit.entries_start,
        level1=visit.level1,
        level2=visit.level2,
        pin=fresh,
        cosigned=cosigned,
        expired=directory.policy.batch_at(now) >= directory.expires,
    )


def _roots(visit: Visit, is_door: DoorCheck) -> RootChain:
    """The root keys from the founding, whose hash is the door, to those in force."""
    if not visit.directories:
        raise ProtocolError("no directory")
    door = door_named(visit.roots, visit.directories[0])
    if not is_door(door):
        raise ProtocolError("another door")
    return RootChain(door).follow(visit.roots)


def _directories(visit: Visit, roots: RootChain) -> tuple[dict[bytes, SignedDirectory], SignedDirectory]:
    """Each under keys that were in force once, never going back; the newest under those in force now."""
    chain: list[SignedDirectory] = []
    for raw in visit.directories:
        signed = open_directory(raw, roots)
        if chain and signed.directory.seq <= chain[-1].directory.seq:
            raise ProtocolError("directories out of order")
        if chain and signed.directory.seq == chain[-1].directory.seq + 1:
            check_successor(chain[-1], signed)
        if chain:
            _after_closing(chain[-1])
        if chain and signed.root < chain[-1].root:
            raise ProtocolError("a directory signed by root keys that were replaced")
        chain.append(signed)
    if chain[-1].root != roots.number:
        raise ProtocolError("a root rotation without a directory of the new keys")
    return {signed.hash: signed for signed in chain}, chain[-1]


def _after_closing(before: SignedDirectory) -> None:
    if before.directory.closed is not None:
        raise ProtocolError("a directory after the closing of its door")


def _log(visit: Visit, directory: Directory) -> Ranges:
    checkpoint = open_checkpoint(visit.checkpoint, VerifierKey(directory.origin, directory.log_key))
    level1_start, _ = visit_starts(visit.size, visit.entries_start)
    if len(visit.level2) * c.LEVEL2_SPAN != level1_start:  # coarser hashes would hide a fork from pins
        raise ProtocolError("hashes coarser or finer than those of a /visit")
    log = Ranges(visit.level2, visit.level1, leaf_hashes(visit.entries))
    if (checkpoint.size, checkpoint.root) != (visit.size, log.root(visit.size)):
        raise ProtocolError("the hashes do not give the checkpoint's root")
    return log


def _pin(visit: Visit, log: Ranges, newest: SignedDirectory, roots: RootChain, batch: int) -> Pin:
    return Pin(
        size=visit.size,
        root=log.root(visit.size),
        root256=log.root(visit.size // c.LEVEL1_SPAN * c.LEVEL1_SPAN),
        root65536=log.root(visit.size // c.LEVEL2_SPAN * c.LEVEL2_SPAN),
        seq=newest.directory.seq,
        directory=newest.hash,
        batch=batch,
        rotations=roots.number,
        head=roots.head,
        closed=newest.directory.closed is not None,
    )


def _follows(log: Ranges, fresh: Pin, pin: Pin, roots: RootChain) -> None:
    """Is this the log that was pinned, grown? Compared at the exact size when it is recent, else rounded down.

    A server that forks its log chooses which leaves it folds into one hash: what an honest one lists must be there.
    """
    if fresh.size < pin.size or fresh.batch < pin.batch or fresh.seq < pin.seq:
        raise ProtocolError("older than what was seen before")
    if pin.head is not None and RootChain(roots.door, roots.notes[: pin.rotations]).head != pin.head:
        raise ProtocolError("other root keys than those seen before")
    if pin.closed and fresh.seq > pin.seq:
        raise ProtocolError("a directory after the closing of its door")
    if fresh.seq == pin.seq and fresh.directory != pin.directory:
        raise ProtocolError("another directory under the same number")
    spans = ((1, pin.root), (c.LEVEL1_SPAN, pin.root256), (c.LEVEL2_SPAN, pin.root65536))
    recent = fresh.batch - pin.batch <= c.VISIT_BATCHES
    for span, root in spans[:1] if recent else spans:
        try:
            seen = log.root(pin.size // span * span)
        except NotDerivable:
            continue
        if seen != root:
            raise ProtocolError("another log than the one seen before")
        return
    raise ProtocolError("a log that cannot be compared with the one seen before")


def _sheets(visit: Visit, manifest: Manifest, directories: Mapping[bytes, SignedDirectory]) -> tuple[Sheet, ...]:
    sheets = tuple(parse_sheet(raw) for raw in visit.sheets)
    if sheet_index_hash([(sheet.n, sheet.hash) for sheet in sheets]) != manifest.sheets:
        raise ProtocolError("the sheets are not those that the manifest names")
    for sheet in sheets:
        signed = directories.get(sheet.directory)
        if signed is None:
            raise ProtocolError("a sheet's directory is missing")
        owners = signed.directory.pages
        if len(owners) != len(sheet.heads) or c.sheet_of(sheet.close) != sheet.n:
            raise ProtocolError("a sheet that is not as its directory says")
        for owner, head in zip(owners, sheet.heads, strict=True):
            if (head.desk, head.slots) != (owner.desk, signed.directory.policy.slots):
                raise ProtocolError("a sheet that is not as its directory says")
    _in_force(visit, sheets, directories)
    return sheets


def _in_force(visit: Visit, sheets: tuple[Sheet, ...], directories: Mapping[bytes, SignedDirectory]) -> None:
    """Did each sheet close under the directory it names? Else a server could give a former member's pages a say again.

    Exactly, for sheets among `entries`; before those, directories may at least not go back.
    """
    places = {leaf: number for number, leaf in enumerate(visit.entries)}
    first = {leaf: number for number, leaf in reversed([*enumerate(visit.entries)])}  # logged twice: in force at once
    logged = [(first.get(entry(Kind.DIRECTORY, d.raw), -1), d) for d in directories.values()]
    last = 0
    for sheet in sheets:
        named = directories[sheet.directory].directory.seq
        at = places.get(entry(Kind.SHEET, sheet.raw))
        if named < last or (
            at is not None and named != max((d.directory.seq for place, d in logged if place < at), default=0)
        ):
            raise ProtocolError("a sheet under another directory than the one in force")
        last = named


def _notes(
    visit: Visit,
    manifest: Manifest,
    newest: Directory,
    sheets: tuple[Sheet, ...],
    directories: Mapping[bytes, SignedDirectory],
) -> dict[bytes, EpochNote]:
    given: dict[bytes, tuple[EpochNote, list[EpochSignature]]] = {}
    for raw, signatures in visit.epochs:
        note = EpochNote.parse(raw)
        given[note.hash] = note, [EpochSignature.parse(signature) for signature in signatures]
    named = [(newest, desk, digest, c.day_of(manifest.n)) for desk, digest in manifest.notes]
    for sheet in sheets:
        directory = directories[sheet.directory].directory
        named += [(directory, k.desk, k.note, c.day_of(sheet.close)) for k in sheet.heads if k.note != NO_HASH]
    held: dict[bytes, EpochNote] = {}
    checked: set[tuple[bytes, str, int, int]] = set()
    for directory, desk_id, digest, day in named:
        if (digest, desk_id, day, directory.seq) in checked:
            continue
        desk = directory.desk(desk_id)
        if digest not in given or desk is None:
            raise ProtocolError("an epoch that is missing or not its day's")
        note, made = given[digest]
        if (note.door, note.day) != (directory.door, day):
            raise ProtocolError("an epoch that is missing or not its day's")
        if not is_valid(desk, LoggedEpoch(note, 0, _signatures(note, made, desk))):
            raise ProtocolError("an epoch that its desk did not sign")
        checked.add((digest, desk_id, day, directory.seq))
        held[digest] = note
    return held


def _signatures(note: EpochNote, made: Sequence[EpochSignature], desk: Desk) -> dict[str, bytes]:
    """Signatures of the desk's members that hold, as many as are needed; others are passed over."""
    held: dict[str, bytes] = {}
    for signature in made:
        member = desk.member(signature.member)
        if member and signature.note_hash == note.hash and signature.holds(member.sign_key):
            held[member.id] = signature.raw
        if len(held) == c.signatures_needed(len(desk.members)):
            break
    return held
