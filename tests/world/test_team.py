# SPDX-License-Identifier: AGPL-3.0-or-later
"""Desks of several members: founding, weeks, coming and going, absence, each at their own time."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from latchstring.desk.errors import DeskError
from latchstring.desk.keys import keys_held
from latchstring.desk.presence import NoLongerHere
from latchstring.desk.progress import followed
from latchstring.desk.secrets import epoch_secrets
from latchstring.desk.sync import SyncReport, synchronise
from latchstring.desk.unopened import unopened
from latchstring.protocol.constants import day_of
from latchstring.protocol.encoding import lp
from latchstring.protocol.epoch import OpenEpoch, TransportNote, Wrap
from tests.builders import successor
from tests.world.world import Desk, Source, TeamStage, World, open_team

pytestmark = pytest.mark.usefixtures("short_sessions")


def reads_ahead(world: World, desk: Desk) -> set[int]:
    """Days from today on whose fixed note the member holds."""
    held = {s.note_hash for s in epoch_secrets(desk.vault)}
    today = day_of(world.batch)
    fixed = world.core.publisher._memory.state.fixed
    return {day for (name, _, day), note in fixed.items() if name == desk.name and day >= today and note in held}


def test_a_desk_of_three_opens_at_the_fourth_batch(tmp_path: Path) -> None:
    world = World(each=3)
    team = [Desk(world, tmp_path, "news", f"news-{n}") for n in (1, 2, 3)]
    was_open = []
    for batch in range(5):
        world.close(batch)
        was_open.append(all([desk.sync().desk_open for desk in team]))
    assert was_open == [False, False, False, True, True]
    for desk in team:
        assert reads_ahead(world, desk) == set(range(8))


def test_members_who_come_on_different_days_read_everything(three: TeamStage) -> None:
    """Each every third day, for 18 days: one note a day, nobody reads late, keys are erased after seven days."""
    world, team = three.world, three.team
    source = Source(world, "a")
    for day in range(1, 19):
        world.close(144 * day)
        if day == 9:
            world.renew()
        source.write(f"day {day}")
        world.close()
        desk = [*team.values()][day % 3]
        report = desk.sync()
        assert (report.desk_open, report.faults, report.warnings) == (True, (), ())
        assert min(keys_held(desk.vault).transports) == max(0, day - 6)
        assert reads_ahead(world, desk) == set(range(day, day + 8))
        notes = [e.note for e in world.core.publisher._memory.state.epochs.values() if e.note.day > 15]
        assert len({n.day for n in notes}) == len(notes), "one note a day"
    world.close()
    for desk in team.values():
        desk.sync()
        assert desk.texts() == [f"day {day}" for day in range(1, 19)]


def stale(desk: Desk) -> set[bytes]:
    return {s.note_hash for s in epoch_secrets(desk.vault)}


def test_a_member_away_for_three_weeks_finds_every_letter(three: TeamStage) -> None:
    """Keys were logged 28 days ahead, so that others wrapped to them: what came is opened first, keys die after."""
    world, team = three.world, three.team
    source = Source(world, "a")
    one, two, away = team.values()
    for day in range(1, 22):
        world.close(144 * day)
        source.write(f"day {day}")
        (one if day % 2 else two).sync()
    world.close()
    report = away.sync()
    assert (report.faults, report.unopened, report.tally.new) == ((), (), 21)
    assert report.erased == tuple(range(15))
    assert [line[:18] for line in report.warnings] == [
        "The keys of day 28"
    ]  # fixed today; their keys ended the day before
    assert away.texts() == [f"day {day}" for day in range(1, 22)]


def test_a_member_away_for_longer_gets_keys_again_and_is_told_what_they_missed(three: TeamStage) -> None:
    world, team = three.world, three.team
    source = Source(world, "a")
    one, two, away = team.values()
    for day in range(1, 32):
        if day == 20:
            world.renew()
        world.close(144 * day)
        if day >= 26:
            source.write(f"day {day}")
        (one if day % 2 else two).sync()
    report = away.sync()
    assert away.texts() == ["day 26", "day 27"]
    assert report.unopened == (28, 29, 30, 31)
    assert any("could not be opened" in line for line in report.warnings)
    assert {u.day for u in unopened(away.vault)} == {28, 29, 30, 31}
    for day in (32, 33):
        world.close(144 * day)
        source.write(f"day {day}")
        for desk in (one, two, away):
            desk.sync()
    world.close(144 * 34)
    report = away.sync()
    assert reads_ahead(world, away) == set(range(34, 42))
    # keys for the day of the return and the next came late: the letters were fetched once more
    assert away.texts() == ["day 26", "day 27", "day 31", "day 32", "day 33"]
    assert report.unopened == (28, 29, 30)
    assert report.warnings == ()


def test_somebody_new_reads_after_two_days(tmp_path: Path) -> None:
    world, team = open_team(tmp_path, 2)
    source = Source(world, "a")
    source.write("before their time")
    world.add_member("news-3")
    world.close(144)
    new = Desk(world, tmp_path, "news", "news-3")
    report = new.sync()
    assert (report.posted, report.tally.lost, report.unopened) == (28, (), (0, 1))
    for desk in team.values():
        assert desk.sync().desk_open  # two of three have to sign now, and both did when they were two
    world.close()
    for desk in (*team.values(), new):
        assert desk.sync().desk_open
    source.write("and after")
    for batch in (288, 432):
        world.close(batch)
        for desk in (*team.values(), new):
            assert desk.sync().faults == ()
    assert new.texts() == ["and after"]
    assert reads_ahead(world, new) == set(range(3, 11))


class Liar:
    """A member's program that seals what it hands to others wrongly."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, liar: Desk, make: Callable[[OpenEpoch, TransportNote], Wrap]):
        real = Wrap.make

        def bad(epoch: OpenEpoch, transport: TransportNote) -> Wrap:
            return make(epoch, transport) if self.on and transport.member != liar.member else real(epoch, transport)

        self.on, self.liar = False, liar
        monkeypatch.setattr("latchstring.desk.keys.Wrap.make", bad)

    def sync(self) -> SyncReport:
        self.on = True
        try:
            return self.liar.sync()
        finally:
            self.on = False


def noise(epoch: OpenEpoch, transport: TransportNote) -> Wrap:
    return Wrap(epoch.note.hash, transport.member, bytes(1168))


def another_secret(epoch: OpenEpoch, transport: TransportNote) -> Wrap:
    info = lp("wrap", epoch.note.hash, transport.member)
    return Wrap(epoch.note.hash, transport.member, transport.key.seal(bytes(32), info))


@pytest.mark.parametrize("make", [noise, another_secret])
def test_a_wrap_that_does_not_hold_is_reported_never_signed_and_made_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[OpenEpoch, TransportNote], Wrap]
) -> None:
    """The first at a founding seals wrongly to both others: they make keys of their own, and the desk opens."""
    world = World(each=3)
    team = [Desk(world, tmp_path, "news", f"news-{n}") for n in (1, 2, 3)]
    liar = Liar(monkeypatch, team[0], make)
    said: list[str] = []
    for batch in range(8):
        world.close(batch)
        liar.sync()
        for desk in team[1:]:
            report = desk.sync()
            assert report.faults == ()
            said += report.warnings
    assert any("sealed wrongly" in line for line in said)
    state = world.core.publisher._memory.state
    held = {desk.member: stale(desk) for desk in team}
    for epoch in state.epochs.values():
        for member in epoch.signatures:
            assert epoch.note.hash in held[member], "signed without having it"
    assert world.core.publisher._memory.state.named(world.batch)
    for desk in team[1:]:
        assert reads_ahead(world, desk) == set(range(8))


def test_at_a_desk_of_two_one_who_lies_reads_alone_and_the_other_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is stated: one signature is enough there, so the note counts, and the other's program says so."""
    world = World(each=2)
    team = [Desk(world, tmp_path, "news", f"news-{n}") for n in (1, 2)]
    liar, other = Liar(monkeypatch, team[0], noise), team[1]
    said: list[str] = []
    for batch in range(6):
        world.close(batch)
        liar.sync()
        said += other.sync().warnings
    assert any("sealed wrongly" in line and "tell the organisation" in line for line in said)
    Source(world, "a").write("for one alone")
    world.close()
    liar.sync()
    other.sync()
    assert (team[0].texts(), other.texts()) == (["for one alone"], [])


def test_who_is_removed_is_told_calmly_keeps_what_they_had_and_cannot_reply(three: TeamStage) -> None:
    world, team = three.world, three.team
    source = Source(world, "a")
    source.write("for all of you")
    world.close()
    one, two, gone = team.values()
    for desk in team.values():
        desk.sync()
    world.remove_member("news-3")
    world.close(144 * 8)
    opened = epoch_secrets(gone.vault)
    with pytest.raises(NoLongerHere) as told:
        gone.sync()
    assert "stays readable" in told.value.next
    assert gone.texts() == ["for all of you"]
    assert min(s.day for s in opened) == 0
    assert min(s.day for s in epoch_secrets(gone.vault)) == 2  # nothing more can be fetched first
    with pytest.raises(NoLongerHere):
        gone.answer(source, "I am still here")
    for _ in range(3):
        one.sync()
        two.sync()
        world.close()
    assert one.sync().desk_open
    source.write("and for those who are left")
    world.close()
    for desk in (one, two):
        desk.sync()
        assert desk.texts() == ["for all of you", "and for those who are left"]


def test_keys_made_before_a_removal_open_a_desk_of_two_in_its_batch(tmp_path: Path) -> None:
    world, team = open_team(tmp_path, 2)
    one = team["news-1"]
    changes = {**world.without("news-2"), "expires": 90 * 144}
    coming = successor(world.founding, **changes).opened
    synchronise(one.vault, one.wire, world.is_door, one.clock, one.random, coming=coming)
    one.sync()  # an ordinary session between does not drop them
    world.renew(**changes)
    world.close()
    named = world.core.publisher._memory.state.named(world.batch)
    assert {note for _, note in named} <= stale(one)
    assert one.sync().desk_open
    assert reads_ahead(world, one) == set(range(8))


def test_keys_for_a_directory_that_does_not_follow_are_not_made(tmp_path: Path) -> None:
    world, team = open_team(tmp_path, 2)
    one, two = team.values()
    coming = successor(successor(world.founding), **world.without("news-2")).opened
    with pytest.raises(DeskError, match="does not follow"):
        synchronise(one.vault, one.wire, world.is_door, one.clock, one.random, coming=coming)
    follows = successor(world.founding, **world.without("news-2")).opened
    with pytest.raises(NoLongerHere):
        synchronise(two.vault, two.wire, world.is_door, two.clock, two.random, coming=follows)
    assert two.sync().faults == ()


def test_whoever_comes_back_with_the_same_keys_is_here_again(three: TeamStage) -> None:
    world, team = three.world, three.team
    gone = team["news-3"]
    before = world.founding.directory
    world.remove_member("news-3")
    world.close()
    with pytest.raises(NoLongerHere):
        gone.sync()
    desk = before.desks[0]
    world.renew(desks=(replace(desk, gen=before.seq + 1),), pages=before.pages)
    world.close()
    assert gone.sync().faults == ()


def test_somebody_new_at_an_old_door_does_not_begin_at_its_founding(
    three: TeamStage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An old door is one of four sheets here, one a day; the first of them is 17 days old."""
    monkeypatch.setattr("latchstring.desk.beginning.SHEETS_KEPT", 4)
    world, team = three.world, dict(three.team)
    for day in range(1, 18):
        world.close(144 * day)
        if day % 6 == 5:
            for desk in team.values():
                desk.sync()
    world.add_member("news-4")
    world.close()
    new = Desk(world, tmp_path, "news", "news-4")
    before = len(world.traffic)
    assert new.sync().faults == ()
    asked = {crossing.path for crossing in world.traffic[before:]}
    assert "/manifests/144" in asked
    assert not asked & {f"/manifests/{n}" for n in range(5)}
    assert not asked & {"/v1/packs/144"}
    team["news-4"] = new
    source = Source(world, "a")
    for day in (18, 19, 20):
        world.close(144 * day)
        source.write(f"day {day}")
        for desk in team.values():
            report = desk.sync()
            assert report.faults == ()
            assert report.desk_open
    assert new.texts() == ["day 18", "day 19"]
    state = followed(new.vault).state
    assert (state.since, state.knows_from) == (144, 17)
    assert reads_ahead(world, new) == set(range(20, 28))
