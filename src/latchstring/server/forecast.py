# SPDX-License-Identifier: AGPL-3.0-or-later
"""How long the disk lasts: arithmetic on the door's shape, which is the same whatever is written to it.

What comes and goes with letters (the database, attachments) counts as full all the time: the forecast is never too
good, and it tells nobody how much of it is in use.
"""

from dataclasses import dataclass
from typing import Final

from latchstring.protocol import constants as c
from latchstring.protocol.directory import Directory
from latchstring.protocol.visit import MAX_VISIT

BLOCK: Final = 4096  # bytes: a file takes whole blocks
RESERVE_DAYS: Final = 3  # of publishing: below that no letter is taken
WARN_DAYS: Final = 14
FAR_DAYS: Final = 3650
KEEP_FREE: Final = 10**9  # bytes of the disk that attachments leave to letters and the log
_LEAF: Final = 34 + 32 + 1  # bytes: its entry, its hash, and the hashes above it (32/256 and less)
_STORED_LETTER: Final = 5 * 1024  # bytes of the database that a waiting letter takes
_DATABASE: Final = 16 * 1024 * 1024  # bytes: the write-ahead log, indexes and what else is in it
_NOTES: Final = 1500 + 300 + 1500  # bytes a member and day: transport key, signature, wrap


@dataclass(frozen=True, slots=True)
class Shape:
    """What the disk depends on. `tick` in seconds; `slots` of each page; `attachments`: bytes of room."""

    tick: int
    letters: int
    queue: int
    pages: int
    slots: int
    members: int
    desks: int
    attachments: int

    @classmethod
    def of(cls, directory: Directory, attachments: int) -> "Shape":
        """The shape of a door, with so many bytes of room for attachments (0: it takes none)."""
        policy = directory.policy
        members = sum(len(desk.members) for desk in directory.desks)
        room = attachments if policy.attachment else 0
        pages, desks = len(directory.pages), len(directory.desks)
        return cls(policy.tick, policy.letters, policy.queue, pages, policy.slots, members, desks, room)

    @property
    def page(self) -> int:
        """Bytes of a page."""
        return c.PAGE_RANDOM + self.slots * c.SLOT_SIZE

    @property
    def lasting(self) -> int:
        """Bytes a day that are kept for ever: manifests, the log's entries and hashes, sheets, key notes."""
        notes = self.members * _NOTES + self.desks * 1500
        leaves = c.TICKS_PER_DAY * (self.letters + 1) + c.SHEETS_PER_DAY + 3 * self.members + self.desks
        sheets = c.SHEETS_PER_DAY * blocks(self.pages * (self.page + 80) + 200)
        return c.TICKS_PER_DAY * BLOCK + leaves * _LEAF + sheets + blocks(notes)

    @property
    def packs(self) -> int:
        """Bytes a day of letters and filler, kept for `BODY_DAYS`."""
        return c.TICKS_PER_DAY * blocks(self.letters * c.LETTER_SIZE)

    @property
    def database(self) -> int:
        """Bytes of the database at its largest: a full queue, and the pages of all coming sheets."""
        return self.queue * _STORED_LETTER + (c.PAGES_AHEAD + 2) * self.pages * 2 * self.page + _DATABASE

    @property
    def reserve(self) -> int:
        """Bytes that publishing needs for `RESERVE_DAYS`, and for writing `/visit` beside the old one."""
        visit = min(MAX_VISIT, 2**20 + c.SHEETS_KEPT * self.pages * self.page)
        return RESERVE_DAYS * (self.lasting + self.packs) + 2 * visit


@dataclass(frozen=True, slots=True)
class Use:
    """What is there now, in bytes: free on the disk, of the database, of stored attachments; days of packs kept."""

    free: int
    database: int
    attachments: int
    pack_days: int


def blocks(size: int) -> int:
    """Bytes that a file takes on the disk."""
    return -(-size // BLOCK) * BLOCK


def room(shape: Shape, use: Use) -> int:
    """Bytes for publishing if the database and attachments were as full as they can be. Attachments stop at
    `KEEP_FREE`. A database that is larger already, by the notes of a member who posts without end, gives nothing back.
    """
    without = use.free - max(0, shape.database - use.database)
    return max(without - max(0, shape.attachments - use.attachments), min(without, KEEP_FREE))


def days_left(shape: Shape, use: Use) -> int:
    """Whole days until less than the reserve is left, at most `FAR_DAYS`."""
    left = room(shape, use) - shape.reserve
    if left <= 0:
        return 0
    growing = max(0, c.BODY_DAYS - use.pack_days)  # days until as many packs go as come
    day = 86_400 / (shape.tick * c.TICKS_PER_DAY)  # the door's days in one of the calendar's
    first = left / (shape.lasting + shape.packs)
    days = first if first <= growing else growing + (left - growing * (shape.lasting + shape.packs)) / shape.lasting
    return min(FAR_DAYS, int(days / day))


def takes_letters(shape: Shape, free: int) -> bool:
    """Is there more than the reserve on the disk, so that publishing goes on whatever is accepted?"""
    return free > shape.reserve
