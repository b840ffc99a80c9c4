# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which reply goes into which sheet, and the pages made of it. Pure: the vault and the server are elsewhere.

Every session makes all pages of the coming sheets anew, so that what the server gets has one shape whatever a desk has
to say. A reply that was never published goes into the earliest sheet with a free slot and stays there; one that was is
placed again 57 to 84 sheets after its last sheet, and makes room for new ones. Where the door has skipped sheets, each
reply lies in up to four in a row.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from latchstring.protocol import constants as c
from latchstring.protocol.directory import Directory
from latchstring.protocol.epoch import OpenEpoch
from latchstring.protocol.hpke import OpenKey
from latchstring.protocol.pair import pair_of_desk
from latchstring.protocol.primitives import x25519_public
from latchstring.protocol.reply import Place, ReplyBody, seal_reply
from latchstring.protocol.source_keys import ThreadKeys

Random = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Wanting:
    """A reply that wants a place. `last`: the newest sheet that held it, None for a new one; `planned`: the sheet for
    which an earlier session placed it; `order`: of writing.
    """

    id: bytes = field(repr=False)
    order: int
    last: int | None
    planned: int | None


@dataclass(frozen=True, slots=True)
class Blank:
    """A page of a coming sheet that is ours to fill."""

    sheet: int
    page: int
    slots: int


@dataclass(frozen=True, slots=True)
class Content:
    """What a reply seals: to whom, under which id, what."""

    id: bytes = field(repr=False)
    keys: ThreadKeys = field(repr=False)
    body: ReplyBody = field(repr=False)


def coming_sheets(closed: int) -> range:
    """The 28 sheets after the last closed one."""
    return range(closed + 1, closed + 1 + c.PAGES_AHEAD)


def own_pages(directory: Directory, desk: str, member: str) -> tuple[int, ...]:
    """Numbers of the pages that the directory gives to the member."""
    return tuple(i for i, owner in enumerate(directory.pages) if (owner.desk, owner.member) == (desk, member))


def choose_sheets(wanting: Sequence[Wanting], room: Mapping[int, int]) -> dict[bytes, int]:
    """A sheet for each reply that gets one, by id. `room`: free slots of each coming sheet.

    New replies come first: those placed before keep their sheet, the others take the earliest with room. Then those
    published before, longest ago first, from 57 sheets after their last one; past 84 they are late but not lost.
    """
    left = dict(sorted(room.items()))
    chosen: dict[bytes, int] = {}

    def take(reply: Wanting, first: int) -> None:
        kept = reply.planned is not None and reply.planned >= first and left.get(reply.planned, 0) > 0
        sheet = reply.planned if kept else next((s for s, free in left.items() if s >= first and free > 0), None)
        if sheet is not None:
            chosen[reply.id] = sheet
            left[sheet] -= 1

    new = sorted((w for w in wanting if w.last is None), key=lambda w: w.order)
    for reply in (*(w for w in new if w.planned in left), *(w for w in new if w.planned not in left)):
        take(reply, 0)
    again = sorted(((w.last, w.order, w) for w in wanting if w.last is not None), key=lambda item: item[:2])
    for last, _, reply in again:
        take(reply, last + c.REPLACE_FROM_SHEETS)
    return chosen


def is_due(reply: Wanting, sheets: Sequence[int]) -> bool:
    """Does it go into one of these sheets if there is room? What was published lately does not yet."""
    return reply.last is None or reply.last + c.REPLACE_FROM_SHEETS <= max(sheets, default=-1)


def skips_sheets(numbers: Sequence[int]) -> bool:
    """Did the door lately pass over a sheet, by the numbers of those that are out, in rising order? A day's standstill
    makes it so, and a server that would rather not show what was placed for the next one."""
    return any(after != before + 1 for before, after in pairwise(numbers[-c.PAGES_AHEAD :]))


COPIES: Final = c.VISIT_FRESH_TICKS // c.TICKS_PER_SHEET  # in a row, at a door that skips sheets: four


def placings(sheets: Sequence[int]) -> int:
    """How often a reply was placed, by the sheets that hold it, in rising order: copies in a row are one placing, or a
    door that skips every second sheet would use up a reply's year in half of it."""
    firsts = list[int]()
    for sheet in sheets:
        if not firsts or sheet - firsts[-1] >= COPIES:
            firsts.append(sheet)
    return len(firsts)


def add_copies(chosen: Mapping[bytes, int], room: Mapping[int, int]) -> list[tuple[bytes, int]]:
    """`chosen`, and each reply once more in those of the three sheets after its own that have room left.

    A door that skips sheets and is still believed closes a batch within a day (`VISIT_FRESH_TICKS`): one of four sheets
    in a row comes out.
    """
    left = dict(room)
    for sheet in chosen.values():
        left[sheet] -= 1
    placed = list(chosen.items())
    for further in range(1, COPIES):
        for reply, first in chosen.items():
            if left.get(first + further, 0) > 0:
                left[first + further] -= 1
                placed.append((reply, first + further))
    return placed


def choose_slots(
    chosen: Collection[tuple[bytes, int]], blanks: Sequence[Blank], random: Random
) -> dict[tuple[int, int], dict[int, bytes]]:
    """Random free slots: for each (sheet, page) of `blanks` which reply (id) lies in which slot. `chosen`: replies and
    their sheets."""
    filled: dict[tuple[int, int], dict[int, bytes]] = {(b.sheet, b.page): {} for b in blanks}
    for sheet in sorted({sheet for _, sheet in chosen}):
        free = [(b.page, slot) for b in blanks if b.sheet == sheet for slot in range(b.slots)]
        for reply in sorted(r for r, s in chosen if s == sheet):
            # 8 random bytes leave no bias worth the name
            page, slot = free.pop(int.from_bytes(random(8), "big") % len(free))
            filled[(sheet, page)][slot] = reply
    return filled


def make_page(blank: Blank, epoch: OpenEpoch, filled: Mapping[int, Content], random: Random) -> bytes:
    """The page's bytes: 16 random ones, then for each slot a reply, or one to nobody.

    Both take the same steps, so that the time before a page is sent does not tell how many replies it holds.
    """
    r = random(c.PAGE_RANDOM)
    slots = []
    for number in range(blank.slots):
        nobody = to_nobody(random)  # made for every slot, used for those without a reply
        content = filled.get(number, nobody)
        place = Place(blank.sheet, blank.page, r, number)
        slots.append(seal_reply(pair_of_desk(epoch, content.keys), place, content.id, content.body))
    return r + b"".join(slots)


def to_nobody(random: Random) -> Content:
    """An empty reply to a source that does not exist: its keys are thrown away."""
    seal_key = OpenKey.from_secret(random(c.SYM_KEY)).seal_key()
    return Content(random(c.REPLY_ID), ThreadKeys(seal_key, x25519_public(random(32)), random(32)), ReplyBody(""))
