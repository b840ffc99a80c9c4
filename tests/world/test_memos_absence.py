# SPDX-License-Identifier: AGPL-3.0-or-later
"""Members who were away: what they missed is passed on to them, their replies are placed by another."""

from dataclasses import replace
from pathlib import Path

import pytest

from latchstring.client.visit import VerifiedVisit
from latchstring.desk import placing
from latchstring.desk.letters import letters
from latchstring.desk.marks import add_note, assign, assignments, notes
from latchstring.desk.outbox import waiting
from latchstring.desk.seen import own_gaps
from latchstring.desk.shared_replies import shared_replies
from latchstring.protocol import constants as c
from latchstring.source.acts import read_thread
from tests.world.world import Desk, Source, TeamStage, World, open_team

Team = tuple[World, dict[str, Desk]]
SHEETS_AHEAD = 6  # for which pages are made where many weeks pass; 28 in truth, which is most of a session's work


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


def since(visit: VerifiedVisit, last: int, source: Source) -> set[str | None]:
    """What a source reads in the sheets after the one of this number."""
    newer = replace(visit, sheets=tuple(sheet for sheet in visit.sheets if sheet.n > last))
    return {reply.text for reply in read_thread(newer, source.keys())}


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
    back = ben.sync()
    assert any("pass them on to you" in line for line in back.warnings)
    assert not any("write again" in line for line in back.warnings), "anna has read them"
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


@pytest.mark.matrix
def test_where_nobody_was_there_nobody_is_said_to_pass_on(opened: Team, tmp_path: Path) -> None:
    """Both are away for eleven weeks, and come back within days of each other: sources are asked to write again, and
    what was out, the other's too, is placed by the first who is back."""
    world, anna, ben = team_of(opened, tmp_path)
    source = Source(world, "source")
    source.write("before")
    rounds(world, anna, ben, count=2)
    for desk in (anna, ben):
        desk.answer(source, f"{desk.member} was here")
    rounds(world, anna, ben, count=3)
    start = world.batch
    for day in (1, *range(2, 78, 2)):
        world.close(start + 144 * day)
        if day == 8:
            source.write("nobody reads this", tell=False)
        if day in (30, 60):
            world.renew()
    for desk in (anna, ben):
        report = desk.sync()
        assert report.tally.lost
        assert any("asked to write again" in line for line in report.warnings), desk.member
        if desk is anna:  # of the days since she is back, ben can be told something
            assert not any("pass them on" in line for line in report.warnings)
            back = c.sheet_of(world.batch)
            rounds(world, anna, count=7)
            visit = source.look()
            assert since(visit, back, source) == {"news-1 was here", "news-2 was here"}
    assert "nobody reads this" not in anna.texts() + ben.texts()


def two_away(three: TeamStage) -> None:
    """Of three, anna and ben answer and leave for five weeks. clara comes every other day, but signs alone: after two
    weeks the desk is closed, and no page can be made. With anna back it opens, in some ticks; then a memo takes over
    what ben wrote, and the sheet after that has it, though ben is still away."""
    world, (anna, ben, clara) = three.world, three.team.values()
    for desk in (anna, ben, clara):
        desk.memos = True
        desk.sync()
    source = Source(world, "source")
    source.write("before")
    rounds(world, anna, ben, clara, count=2)
    for desk in (anna, ben):
        desk.answer(source, f"{desk.member} was here")
    rounds(world, anna, ben, clara, count=3)
    for day in range(0, 36, 2):
        if day == 20:
            world.renew()
        rounds(world, clara, count=1, ticks=2 * c.TICKS_PER_DAY)
    assert source.look().note("news") is None
    back = c.sheet_of(world.batch)
    rounds(world, anna, clara, count=12)
    assert since(source.look(), back, source) == {"news-1 was here", "news-2 was here"}


@pytest.fixture
def few_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placing, "coming_sheets", lambda closed: range(closed + 1, closed + 1 + SHEETS_AHEAD))


@pytest.mark.matrix
@pytest.mark.usefixtures("few_pages")
def test_of_two_who_were_away_the_first_who_is_back_opens_the_desk(three: TeamStage) -> None:
    two_away(three)


@pytest.mark.matrix
@pytest.mark.usefixtures("few_pages")
def test_where_nobody_takes_it_over_it_is_seen(three: TeamStage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latchstring.desk.sharing.take_over", lambda *_: 0)
    with pytest.raises(AssertionError):
        two_away(three)
