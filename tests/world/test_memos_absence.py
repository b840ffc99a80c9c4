# SPDX-License-Identifier: AGPL-3.0-or-later
"""Members who were away: what they missed is passed on to them, their replies are placed by another."""

from pathlib import Path

import pytest

from latchstring.desk.letters import letters
from latchstring.desk.marks import add_note, assign, assignments, notes
from latchstring.desk.outbox import waiting
from latchstring.desk.seen import own_gaps
from latchstring.desk.shared_replies import shared_replies
from tests.world.world import Desk, Source, World, open_team

Team = tuple[World, dict[str, Desk]]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Team:
    """A desk of two, opened once."""
    return open_team(tmp_path_factory.mktemp("team"), 2, letters=16, queue=288)


def team_of(opened: Team, folder: Path) -> tuple[World, Desk, Desk]:
    """A copy of it whose members send memos."""
    world = opened[0].copy()
    anna, ben = (desk.copy(world, folder) for desk in opened[1].values())
    for desk in (anna, ben):
        desk.memos = True
        desk.sync()
    return world, anna, ben


def rounds(world: World, *desks: Desk, count: int, ticks: int = 36) -> None:
    """Time passes; those who are there come in turn, then what they sent is logged."""
    for _ in range(count):
        world.close(world.batch + ticks)
        for desk in desks:
            desk.sync()
        world.close()


def test_who_was_away_for_five_weeks_is_passed_on_what_they_missed(opened: Team, tmp_path: Path) -> None:
    """Transport keys reach 28 days ahead; letters of the days after them were sealed to epochs that ben never held."""
    world, anna, ben = team_of(opened, tmp_path)
    old, new = Source(world, "old"), Source(world, "new")
    old.write("before")
    rounds(world, anna, ben, count=2)
    start = world.batch
    for day in (4, 8, 12, 16, 20, 24, 28, 30, 33, 35, 36):
        world.close(start + 144 * day)
        if day == 20:
            world.renew()
        if day in (30, 33):
            old.write(f"day {day}")
            new.write(f"new, day {day}")
            world.close()
        if day == 35:
            anna.sync()
            anna.show(new)
            anna.answer(new, "heard")
            assign(anna.vault, anna.thread(new), anna.member)
            add_note(anna.vault, anna.thread(old), "patience", world.now, anna.random)
        anna.sync()
    rounds(world, anna, count=1)
    texts = ["before", "day 30", "new, day 30", "day 33", "new, day 33"]
    assert sorted(anna.texts()) == sorted(texts)
    ben.sync()
    assert ben.texts() == ["before"]
    assert own_gaps(ben.vault)
    rounds(world, anna, ben, count=10)
    assert sorted(ben.texts()) == sorted(texts)
    assert {x.passed_on_by for x in letters(ben.vault) if x.body and x.body.text != "before"} == {anna.member}
    assert own_gaps(ben.vault) == ()
    thread = anna.thread(new)
    assert [r.body.text for r in shared_replies(ben.vault, thread)] == ["heard"]
    assert assignments(ben.vault, ben.member)[thread].member == anna.member
    assert [n.text for n in notes(ben.vault, anna.thread(old), ben.member)] == ["patience"]
    assert ben.texts().count("day 30") == 1
    told = len(waiting(anna.vault))
    rounds(world, anna, ben, count=2)
    assert len(waiting(anna.vault)) <= max(told, 2), "nothing is passed on twice"
