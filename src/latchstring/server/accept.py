# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the server takes in: letters, directories, key notes, pages. Each is durable before it is answered.

Nothing here knows HTTP, threads or the clock: `now` is an argument, in Unix seconds.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from sqlalchemy import Connection

from latchstring.protocol import constants as c
from latchstring.protocol.directory import (
    MAX_MEMBERS,
    Directory,
    Policy,
    SignedDirectory,
    check_successor,
    open_directory,
)
from latchstring.protocol.encoding import ProtocolError, decode_cbor, h, sized
from latchstring.protocol.entry import KEY_NOTES, Kind, entry
from latchstring.protocol.epoch import EpochNote, TransportNote
from latchstring.protocol.keystate import Note, check_key_note
from latchstring.protocol.knock import Knock
from latchstring.protocol.primitives import ed25519_key
from latchstring.protocol.receipt import PageReceipt, Receipt
from latchstring.protocol.root import Door
from latchstring.protocol.root_note import RootChain
from latchstring.protocol.rooted import open_rooted
from latchstring.protocol.sheet import page_size
from latchstring.server.forecast import Shape, takes_letters
from latchstring.server.keys import ServerKeys
from latchstring.server.lottery import chance, drawn
from latchstring.server.spending import spend_knock
from latchstring.store import letters, notes, pages, tip
from latchstring.store.sql import Sql

MAX_NOTES_POSTED: Final = 512
# Of one member on the day of a founding, a risen gen or a change of keys: 29 transport keys; for each of 15 days a
# note, its signature, a wrap for each of 32 members; signatures under three notes of others, and a late wrap for each
# of 31 members. Twice over: 2 * (29 + 15 * (2 + 32 + 3 + 31)) = 2098. A desk of 16 is founded with 16 * 28 transport
# keys and 15 notes, each with 16 wraps and signatures: all its members' keys together are under a megabyte.
MAX_NOTES_A_DAY = 2 * (
    (c.TRANSPORT_DAYS_AHEAD + 1) + (c.EPOCH_DAYS_AHEAD + 1) * (2 + MAX_MEMBERS + 3 + (MAX_MEMBERS - 1))
)
DAYS_SLACK: Final = 1  # a member's clock may be past midnight already
PAGES_SLACK: Final = 2


DEFAULT_ROOM: Final = 50 * 10**9  # bytes for attachments


def _plenty() -> int:
    """For stores in memory."""
    return 1 << 62


class Refusal(Enum):
    """Why something was not taken, as one sentence for whoever sent it. Nothing of it is kept."""

    NOT_OPEN = "This door is not open yet. Try again later."
    FULL = (
        "The door is full just now: your letter was not taken, and nothing of it was kept. Try again in a few minutes; "
        "each try has the same chance."
    )
    KNOCK = "This knock does not count now, or did already: nothing was taken, and nothing of it was kept."
    LETTER_SIZE = "A letter is exactly 4096 bytes."
    NOT_A_MEMBER = "This is for members, and the request is not signed as a member signs it now."
    NOT_THIS_DOOR = "This directory is not this door's, or its signatures do not hold."
    NOT_NEXT = "This directory does not follow the newest one."
    OLD_ROOTS = "These root keys were replaced, or another rotation came first: what they sign does not count any more."
    EXPIRY = "This directory has expired already, or is to hold for longer than 92 days."
    CLOSED = "This door is closed for good and takes no letters any more. What it says at the end is in its directory."
    LETTER_DISK = "The server's disk is full: your letter was not taken. Try again tomorrow, or write another way."
    EXPIRED = "This door takes no letters until the organisation has renewed its directory. Try again in some days."
    NOTES_BAD = "These key notes are not what the protocol says."
    NOTES_FOREIGN = "A member can post the notes of their own desk only."
    NOTES_DAY = "These key notes are for a day that is past or too far ahead."
    NOTES_MANY = "Too many key notes in one day. Try again tomorrow."
    KNOCKS_BAD = "These lists of knocks are not what the protocol says."
    KNOCKS_FOREIGN = "A member can post knocks for the keys of their own desk only, once those are fixed."
    KNOCKS_AHEAD = "These lists of knocks name a batch that is not closed yet."
    PAGE_FOREIGN = "That page is not this member's."
    PAGE_SIZE = "That page does not have the size that the directory says."
    PAGE_FAR = "That sheet is too far ahead."
    SHEET_CLOSED = "That sheet is closed."
    PAGE_OLD = "A newer version of that page is there already."
    ASK_BAD = "That does not ask for an attachment as the protocol says."
    UPLOAD_OTHER = "That token was used for an attachment of another size. Make a new one."
    UPLOAD_UNKNOWN = "This upload was not admitted here, or it is over. Ask again for room with a new attachment."
    GONE = "The time of this upload is over and what came of it is dropped. Begin it anew."
    NO_ATTACHMENTS = "This door takes no attachments."
    ATTACHMENT_SIZE = "That attachment is larger than this door takes."
    NO_ROOM = "There is no room for an attachment of that size just now: nothing was taken. Try again in some hours."
    DISK_FULL = "The server's disk is full: this piece was not stored, what came before is. Try again later."
    CHUNK_SIZE = "A piece of an attachment is exactly 262144 bytes."
    CHUNK_OTHER = "Something else is stored under that name, and it stays as it is."
    CHUNK_MANY = "That is more than was asked for."


class Refused(Exception):
    """Carries a Refusal."""

    def __init__(self, why: Refusal) -> None:
        super().__init__(why.value)
        self.why = why


@dataclass(frozen=True, slots=True)
class Intake:
    """What accepting needs: the store, the keys, whose door it is, and the operator's own limit on the queue."""

    sql: Sql
    keys: ServerKeys = field(repr=False)
    door: Door
    queue_limit: int | None = None  # None: as the directory says, which is the most
    attachment_room: int = DEFAULT_ROOM  # bytes
    free: Callable[[], int] = _plenty  # bytes left on the disk
    random: Callable[[int], bytes] = field(default=secrets.token_bytes, repr=False)  # of the lottery


def current_roots(connection: Connection, door: Door, in_log: bool) -> RootChain:
    """The root keys so far: by the rotations logged, or by all that were posted."""
    return RootChain(door).follow(row.body for row in notes.of_kind(connection, Kind.ROOT, in_log))


def current_directory(connection: Connection, door: Door, in_log: bool) -> SignedDirectory | None:
    """The newest directory: of those logged, or of all that were posted."""
    row = notes.newest(connection, Kind.DIRECTORY, in_log)
    return open_directory(row.body, current_roots(connection, door, in_log)) if row else None


class DirectoryCache:
    """The directory in force, opened once for each new one; one for each worker."""

    def __init__(self) -> None:
        self._id = -1
        self._value: SignedDirectory | None = None

    def get(self, connection: Connection, door: Door) -> SignedDirectory:
        """The newest logged directory; Refused when there is none."""
        row = notes.newest(connection, Kind.DIRECTORY, in_log=True)
        if row is None:
            raise Refused(Refusal.NOT_OPEN)
        if row.id != self._id or self._value is None:
            roots = current_roots(connection, door, in_log=True)
            self._id, self._value = row.id, open_directory(row.body, roots)
        return self._value


def promised_batch(present: int, policy: Policy) -> int:
    """What a receipt promises: the batch now open, one for a close under way, and those that a full queue fills.

    For every letter the same, so that nobody learns from a receipt how many wait.
    """
    return present + 2 + (policy.queue - 1) // policy.letters


def accept_letters(
    intake: Intake, cache: DirectoryCache, bodies: Sequence[bytes], now: int, knocks: Sequence[Knock | None] = ()
) -> list[bytes | Refusal]:
    """For each letter its signed receipt, or why not, in one transaction. The same bytes get the same receipt.

    `knocks`: what came with each, if anything did. A knock is looked at, and spent, only when room is short.
    StoreFailed when nobody may count on the store having them: send the same bytes again.
    """
    leaves = [entry(Kind.LETTER, body) if len(body) == c.LETTER_SIZE else b"" for body in bodies]
    with intake.sql.write() as connection:
        try:
            directory = cache.get(connection, intake.door).directory
        except Refused as refused:
            return [refused.why] * len(bodies)
        policy = directory.policy
        present = present_batch(connection, directory, now)
        limit = policy.queue if intake.queue_limit is None else min(intake.queue_limit, policy.queue)
        publish_by = promised_batch(present, policy)
        promised = letters.promises(connection, [leaf for leaf in leaves if leaf])
        queued = letters.waiting(connection)
        room = takes_letters(Shape.of(directory, 0), intake.free())
        new: list[tuple[bytes, bytes, int]] = []
        refusals: dict[int, Refusal] = {}

        def admit(number: int, queued: int) -> Refusal | None:
            odds, knock = chance(queued, limit), knocks[number] if number < len(knocks) else None
            if odds == 1.0 or knock is None:
                return None if drawn(odds, intake.random) else Refusal.FULL
            if queued >= limit:
                return Refusal.FULL
            return None if spend_knock(connection, directory, present, knock) else Refusal.KNOCK

        for number, (leaf, body) in enumerate(zip(leaves, bodies, strict=True)):
            if not leaf:
                refusals[number] = Refusal.LETTER_SIZE
            elif leaf in promised:
                continue
            elif directory.closed is not None:
                refusals[number] = Refusal.CLOSED
            elif present >= directory.expires:
                refusals[number] = Refusal.EXPIRED
            elif not room:  # what is left is for publishing what was taken
                refusals[number] = Refusal.LETTER_DISK
            elif why := admit(number, queued):
                refusals[number] = why
            else:
                promised[leaf] = publish_by
                new.append((leaf, body, publish_by))
                queued += 1
        letters.add(connection, new)

    key = ed25519_key(intake.keys.receipt)

    def receipt(leaf: bytes) -> bytes:
        return Receipt(directory.origin, leaf, promised[leaf]).sign(key)

    # signed once they are durable, and while other workers have the database
    return [refusals.get(number) or receipt(leaf) for number, leaf in enumerate(leaves)]


def present_batch(connection: Connection, directory: Directory, now: int) -> int:
    """The number of the present batch: by the clock, or the newest in the log when the clock is behind it."""
    at = tip.read(connection)
    return max(0, directory.policy.batch_at(now), at.batch if at else 0)


def accept_directory(intake: Intake, raw: bytes, now: int) -> SignedDirectory:
    """Take a directory on its root signatures, from anyone, with the root rotations before it that are new; Refused
    when it is not the next. All of it or nothing is kept: a rotation alone can hold nobody up.
    """
    try:
        rooted = open_rooted(raw, intake.door)
        new = rooted.signed
    except ProtocolError:
        raise Refused(Refusal.NOT_THIS_DOOR) from None
    keys = intake.keys
    ours = (keys.log_public, keys.receipt_public, keys.request_public)
    if (new.directory.log_key, new.directory.receipt_key, new.directory.request_key) != ours:
        raise Refused(Refusal.NOT_THIS_DOOR)
    with intake.sql.write() as connection:
        old = current_directory(connection, intake.door, in_log=False)
        if old is not None and old.hash == new.hash:
            return old
        known = current_roots(connection, intake.door, in_log=False)
        if RootChain(intake.door, rooted.roots.notes[: known.number]).head != known.head:
            raise Refused(Refusal.OLD_ROOTS)
        try:
            if old is not None:
                check_successor(old, new)
            elif new.directory.seq != 1:
                raise Refused(Refusal.NOT_NEXT)
        except ProtocolError:
            raise Refused(Refusal.NOT_NEXT) from None
        left = new.directory.expires - present_batch(connection, new.directory, now)
        if not 0 < left <= (c.MAX_EXPIRY_DAYS + DAYS_SLACK) * c.TICKS_PER_DAY:
            raise Refused(Refusal.EXPIRY)
        for note in rooted.roots.notes[known.number :]:
            notes.add(connection, Kind.ROOT, note.hash, note.raw, "", 0)
        notes.add(connection, Kind.DIRECTORY, new.hash, new.raw, "", 0)
    return new


def accept_key_notes(intake: Intake, member_id: str, raw: bytes, now: int) -> int:
    """Take a CBOR list of [kind, bytes] that a member posted; how many were new. Refused or taken as a whole."""
    try:
        items = decode_cbor(raw)
        if not isinstance(items, list) or not 1 <= len(items) <= MAX_NOTES_POSTED:
            raise ProtocolError("not a list of notes")
        posted = [_note(item) for item in items]
    except ProtocolError:
        raise Refused(Refusal.NOTES_BAD) from None
    with intake.sql.write() as connection:
        signed = current_directory(connection, intake.door, in_log=True)
        if signed is None:
            raise Refused(Refusal.NOT_OPEN)
        found = signed.directory.member(member_id)
        if found is None:
            raise Refused(Refusal.NOTES_FOREIGN)
        desk = found[0]
        today = c.day_of(present_batch(connection, signed.directory, now))
        added = 0
        for kind, body in posted:
            try:
                owner = check_key_note(signed.directory, kind, body)
                gen, day, ahead = desk.gen, today, 0
                if kind is Kind.EPOCH:
                    epoch = EpochNote.parse(body)
                    gen, day, ahead = epoch.gen, epoch.day, c.EPOCH_DAYS_AHEAD
                elif kind is Kind.TRANSPORT:
                    day, ahead = TransportNote.parse(body).day, c.TRANSPORT_DAYS_AHEAD
            except ProtocolError:
                raise Refused(Refusal.NOTES_BAD) from None
            if not today - DAYS_SLACK <= day <= today + ahead + DAYS_SLACK:
                raise Refused(Refusal.NOTES_DAY)
            if kind is Kind.EPOCH:  # of the gen in force, or of the one that the next directory may name
                own = owner == desk.id and gen in (desk.gen, signed.directory.seq + 1)
            elif kind is Kind.WRAP:
                own = desk.member(owner) is not None
            else:
                own = owner == member_id
            if not own:
                raise Refused(Refusal.NOTES_FOREIGN)
            added += notes.add(connection, kind, entry(kind, body), body, member_id, today)
        if notes.posted_on(connection, member_id, today) > MAX_NOTES_A_DAY:
            raise Refused(Refusal.NOTES_MANY)
    return added


def _note(item: object) -> Note:
    match item:
        case [str(kind), bytes(body)] if kind in KEY_NOTES and len(body) <= 8192:
            return Kind(kind), body
        case _:
            raise ProtocolError("not a key note")


def accept_page(
    intake: Intake, cache: DirectoryCache, member_id: str, sheet: int, page: int, version: int, body: bytes
) -> bytes:
    """Take a member's page for a coming sheet; the signed receipt. Refused otherwise."""
    with intake.sql.write() as connection:
        directory = cache.get(connection, intake.door).directory
        at = tip.read(connection)
        if at is None:
            raise Refused(Refusal.NOT_OPEN)
        found = directory.member(member_id)
        if found is None or not 0 <= page < len(directory.pages) or directory.pages[page].member != member_id:
            raise Refused(Refusal.PAGE_FOREIGN)
        last_sheet = c.sheet_of(at.batch)
        if sheet <= last_sheet:
            raise Refused(Refusal.SHEET_CLOSED)
        if sheet > last_sheet + c.PAGES_AHEAD + PAGES_SLACK:
            raise Refused(Refusal.PAGE_FAR)
        try:
            sized(body, page_size(directory.policy.slots), "a page")
        except ProtocolError:
            raise Refused(Refusal.PAGE_SIZE) from None
        if not pages.put(connection, sheet, page, version, found[1].keys_mark, body):
            raise Refused(Refusal.PAGE_OLD)
    return PageReceipt(directory.origin, sheet, page, version, h(body)).sign(ed25519_key(intake.keys.receipt))
