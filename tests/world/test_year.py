# SPDX-License-Identifier: AGPL-3.0-or-later
"""Replies that wait a year for their source, and what the desk is told when nobody came.

The months in which a desk comes and places the reply again and again are written into its vault; the copy that the
source finds is made, published and read in earnest.
"""

from pathlib import Path

import pytest

from latchstring.desk.replies import Reply, replies
from latchstring.desk.timeline import Stage, stage_of
from latchstring.protocol import constants as c
from tests.world.world import Desk, Source, World, open_door

MONTH = 30 * c.SHEETS_PER_DAY


def talk(folder: Path) -> tuple[World, Desk, Source]:
    """A desk whose answer to a first letter came out in sheet 1."""
    world, desks = open_door(folder)
    desk, source = desks["news"], Source(world, "anna")
    source.write("I shall be away for long")
    world.close()
    desk.sync()
    desk.show(source)
    desk.answer(source, "we shall be here")
    desk.sync()
    world.close(c.TICKS_PER_SHEET)
    desk.sync()
    return world, desk, source


def placed_until(desk: Desk, sheet: int, copies: tuple[int, ...] = (0,)) -> Reply:
    """As if it had been placed again at the earliest each time, up to this sheet. `copies`: how many sheets after its
    own each copy of it came out."""
    (reply,) = replies(desk.vault)
    with desk.vault.transaction():
        for again in range(1 + c.REPLACE_FROM_SHEETS, sheet + 1, c.REPLACE_FROM_SHEETS):
            for copy in copies:
                desk.vault.do(
                    "INSERT INTO placement (sheet, page, version, slot, reply, published) VALUES (?, 0, 1, 0, ?, 1)",
                    again + copy,
                    reply.id,
                )
    (reply,) = replies(desk.vault)
    return reply


def come_back(world: World, desk: Desk, sheet: int) -> None:
    """The desk is there when this sheet closes, with a new directory and keys for the coming days."""
    world.close(sheet * c.TICKS_PER_SHEET)
    world.renew()
    world.close()
    for _ in range(3):
        desk.sync()
        world.close()
    desk.sync()


@pytest.mark.parametrize("months", [3, 6, 11])
def test_a_source_who_comes_back_after_months_finds_the_answer(tmp_path: Path, months: int) -> None:
    world, desk, source = talk(tmp_path)
    reply = placed_until(desk, months * MONTH - 30)
    assert reply.wants_a_place
    assert reply.last is not None
    come_back(world, desk, reply.last + 40)
    (reply,) = replies(desk.vault)
    assert reply.planned is not None
    world.close(reply.planned * c.TICKS_PER_SHEET)
    assert abs(reply.planned - months * MONTH) < MONTH
    (found,) = source.read()
    assert (found.text, len(found.acks)) == ("we shall be here", 1)


def test_placed_as_early_as_can_be_it_is_in_sight_for_a_year() -> None:
    """And as late as can be, with no day between two copies."""
    last = 1 + (c.MAX_PLACINGS - 1) * c.REPLACE_FROM_SHEETS
    assert last + c.SHEETS_KEPT >= 365 * c.SHEETS_PER_DAY
    assert c.REPLACE_TO_SHEETS <= c.SHEETS_KEPT


@pytest.mark.parametrize("copies", [(0, 2), (1, 3), (0, 1, 2, 3), (3,)], ids=["two", "later two", "all", "one"])
def test_a_door_that_skips_sheets_takes_no_month_off_the_year(tmp_path: Path, copies: tuple[int, ...]) -> None:
    """Each reply lies in four sheets in a row there, and two of them come out at a door that skips every second one:
    as the count of sheets was, its year was over after six months."""
    _, desk, _ = talk(tmp_path)
    reply = placed_until(desk, (c.MAX_PLACINGS - 1) * c.REPLACE_FROM_SHEETS, copies)
    assert (reply.published, reply.wants_a_place) == (c.MAX_PLACINGS - 1, True)
    assert reply.last is not None
    assert reply.last + c.SHEETS_KEPT > 350 * c.SHEETS_PER_DAY


def test_after_a_year_the_desk_is_told_that_nobody_read_it(tmp_path: Path) -> None:
    world, desk, source = talk(tmp_path)
    reply = placed_until(desk, 1 + (c.MAX_PLACINGS - 1) * c.REPLACE_FROM_SHEETS)
    assert (reply.published, reply.wants_a_place) == (c.MAX_PLACINGS, False)
    assert reply.last is not None
    come_back(world, desk, reply.last + c.SHEETS_KEPT)
    (reply,) = replies(desk.vault)
    assert reply.planned is None
    assert stage_of(reply, world.policy).stage is Stage.UNREAD
    source.write("I was away", tell=False)  # a letter still opens the way to write again
    world.close()
    desk.sync()
    assert desk.texts() == ["I shall be away for long", "I was away"]
