# SPDX-License-Identifier: AGPL-3.0-or-later
"""Members of one desk share what they do by memos through the log: each at their own time, with everything in between
that a server and a network can do."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from latchstring.desk.letters import letters
from latchstring.desk.marks import add_note, assign, assignments, notes, readers
from latchstring.desk.outbox import waiting
from latchstring.desk.promises import sealings
from latchstring.desk.shared_replies import shared_replies
from tests.world.world import Desk, Fate, Source, Wire, World, open_team

pytestmark = pytest.mark.usefixtures("short_sessions")

Team = dict[str, Desk]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, Team]:
    """A desk of three, opened once for all tests of this module: that takes longest."""
    return open_team(tmp_path_factory.mktemp("team"), 3, letters=4, queue=72)


def team_of(opened: tuple[World, Team], folder: Path) -> tuple[World, Team]:
    """A copy of it whose members send memos."""
    world = opened[0].copy()
    team = {name: desk.copy(world, folder) for name, desk in opened[1].items()}
    for desk in team.values():
        desk.memos = True
        desk.sync()  # draws when the first memo is due
    return world, team


def rounds(world: World, desks: list[Desk], count: int = 6, ticks: int = 36) -> None:
    """Time passes; everybody comes in turn, then the batches with what they sent close."""
    for _ in range(count):
        world.close(world.batch + ticks)
        for desk in desks:
            desk.sync()
        world.close()
    for desk in desks:
        desk.sync()


def shared_state(desk: Desk) -> list[object]:
    """All that the members of a desk share, as one vault has it."""
    tables = ("shared_reply", "placed_by", "turn", "assignment", "note", "letter_read", "member_seen", "filled")
    rows = [desk.vault.rows(f"SELECT * FROM {table} ORDER BY 1, 2, 3") for table in tables]  # noqa: S608  # own names
    return [
        rows,
        [(x.thread, x.msg_id, x.verified, x.acked) for x in sorted(letters(desk.vault), key=lambda x: x.msg_id)],
    ]


def test_what_one_member_does_the_others_see(opened: tuple[World, Team], tmp_path: Path) -> None:
    world, team = team_of(opened, tmp_path)
    anna, ben, _ = team.values()
    source = Source(world, "a")
    source.write("hello")
    world.close()
    anna.sync()
    ben.sync()
    thread = anna.thread(source)
    anna.show(source)
    written = anna.answer(source, "thank you")
    assign(anna.vault, thread, ben.member)
    add_note(anna.vault, thread, "ask about the date", world.now, anna.random)

    mine = assignments(anna.vault, anna.member)[thread]
    assert (mine.member, mine.pending) == (ben.member, True)
    assert [n.pending for n in notes(anna.vault, thread, anna.member)] == [True]
    assert assignments(ben.vault, ben.member) == {}

    rounds(world, [anna, ben], 3)
    for desk in (anna, ben):
        got = assignments(desk.vault, desk.member)[thread]
        assert (got.member, got.by, got.pending) == (ben.member, anna.member, False)
        assert [(n.text, n.author, n.pending) for n in notes(desk.vault, thread, desk.member)] == [
            ("ask about the date", anna.member, False)
        ]
        (reply,) = shared_replies(desk.vault)
        assert (reply.id, reply.author, reply.body.text) == (written.id, anna.member, "thank you")
        assert len(reply.sheets) == 1
        (letter,) = letters(desk.vault)
        assert letter.acked, "acknowledged by anna's reply, for everybody"
        assert readers(desk.vault, thread)[letter.mark] == (anna.member,)
    assert waiting(anna.vault) == () or {w.kind for w in waiting(anna.vault)} <= {"seen"}
    assert shared_state(anna) == shared_state(ben)
    assert source.heard() == ["thank you"]


def test_a_memo_whose_epoch_ran_out_before_it_was_logged_is_sealed_anew(
    opened: tuple[World, Team], tmp_path: Path
) -> None:
    """Nobody takes the late one in; the same memo sealed to a live epoch is."""
    world, team = team_of(opened, tmp_path)
    anna, ben, _ = team.values()
    source = Source(world, "a")
    source.write("hello")
    world.close()
    anna.sync()
    add_note(anna.vault, anna.thread(source), "late", world.now, anna.random)
    sent: list[bytes] = []
    for _ in range(20):
        world.close(world.batch + 6)
        anna.sync()
        carrying = {w.memo for w in waiting(anna.vault, "note")} - {None}
        if carrying:
            sent = [s.msg_id for s in sealings(anna.vault) if s.msg_id in carrying]
            break
    assert len(sent) == 1
    world.close(world.batch + 4 * 144)  # the server stood still: the memo is logged too late
    ben.sync()
    anna.sync()
    assert [w.memo for w in waiting(anna.vault, "note")] == sent
    assert notes(ben.vault, anna.thread(source), ben.member) == ()
    rounds(world, [anna, ben], 3)
    assert [n.text for n in notes(ben.vault, anna.thread(source), ben.member)] == ["late"]
    assert waiting(anna.vault, "note") == ()


@pytest.mark.parametrize("fate", ["drop", "cut", "twice"])
def test_a_memo_on_a_bad_line_is_shared_once(opened: tuple[World, Team], tmp_path: Path, fate: Fate) -> None:
    """Lost before the server heard: the same bytes go out again. Cut after it took them: the log says so first."""
    world, team = team_of(opened, tmp_path)
    anna, ben, _ = team.values()
    add_note(anna.vault, bytes(32), "once", world.now, anna.random)
    bad = [fate]

    @contextmanager
    def fresh() -> Iterator[Wire]:
        wire = Wire(world, "memo on a bad line")
        wire.fates = ["pass", *bad]  # /visit, then the memo
        bad.clear()
        yield wire

    anna.fresh = fresh  # type: ignore[method-assign]  # the line of this one member
    world.close(world.batch + 30)
    report = anna.sync()
    assert (report.memos.stopped is None) is (fate == "twice")
    assert len(waiting(anna.vault, "note")) == 1
    for _ in range(4):
        world.close(world.batch + 12)
        assert anna.sync().faults == ()
        ben.sync()
    assert [n.text for n in notes(ben.vault, bytes(32), ben.member)] == ["once"]
    assert waiting(anna.vault, "note") == ()
    posted = [c.body for c in world.traffic if c.path == "/v1/letters" and c.who == "memo on a bad line"]
    again = {body for body in posted if posted.count(body) > 1}
    assert len(again) == int(fate == "drop"), "the very same bytes"
