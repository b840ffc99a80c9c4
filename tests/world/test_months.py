# SPDX-License-Identifier: AGPL-3.0-or-later
"""Months in seconds: letters and answers while desks come daily, weekly or late, clocks are wrong and servers fail."""

from contextlib import suppress
from pathlib import Path

import pytest

from latchstring.client.transport import NetworkFailed
from latchstring.client.visit import ClockOff
from latchstring.desk.errors import DeskError
from latchstring.desk.letters import letters
from latchstring.desk.replies import replies
from latchstring.desk.secrets import epoch_secrets
from latchstring.log.verify import verify_log
from latchstring.protocol import constants as c
from latchstring.source.acts import CannotWrite
from tests.faults import check_published
from tests.world.world import Desk, Fate, Source, World, open_door

DAY = c.TICKS_PER_DAY
SHEET = c.TICKS_PER_SHEET


def to_day(world: World, day: int, *, minus: int = 0) -> None:
    """Every sheet on the way closes, and the first batch of `day`; `minus` ticks before that, when given."""
    goal = day * DAY - minus
    for batch in range((world.batch // SHEET + 1) * SHEET, goal, SHEET):
        world.close(batch)
    world.close(goal)


def settle(world: World) -> None:
    """Everything that was published holds together, by two checks that know nothing of each other."""
    check_published(world.core, packs=False)
    report = verify_log(world.core.public.get, door=world.door)
    assert report.ok, report.fault
    assert report.newest == world.batch


@pytest.mark.matrix
def test_a_letter_and_an_answer_every_week_for_three_months(tmp_path: Path) -> None:
    """The desk comes daily for two weeks, then weekly, and in the third month is away for three weeks.

    Nothing is said wrong, nothing comes twice, the keys go on time, and the directory is renewed on the way.
    """
    world, desks = open_door(tmp_path)
    desk, source, stranger = desks["news"], Source(world, "a"), Source(world, "stranger")
    visits = [*range(1, 15), 16, 23, 30, 37, 44, 51, 58, 65, 86, 87, 93]
    written: list[str] = []
    answered: list[str] = []
    heard: set[str] = set()
    for day in range(1, 94):
        if day in (40, 80):
            world.renew()
        to_day(world, day)
        if day % 7 == 1:
            if source.look().note("news") is None:
                with pytest.raises(CannotWrite, match="no letters just now"):
                    source.write("not now")
            else:
                written.append(f"letter of day {day}")
                source.write(written[-1])
        world.close()
        if day in visits:
            report = desk.sync()
            assert report.faults == ()
            assert desk.texts() == written
            assert desk.texts(verified=False) == []
            held = {secret.day for secret in epoch_secrets(desk.vault)}
            assert min(held, default=day) >= day - 13, "a key is kept past its day"
            if day % 7 in (2, 3):
                desk.show(source)
                answered.append(f"answer of day {day}")
                desk.answer(source, answered[-1])
                desk.sync()
        if day % 4 == 0:
            heard |= set(source.heard())
            assert stranger.heard() == []
    to_day(world, 95)
    desk.sync()
    to_day(world, 96)
    heard |= set(source.heard())
    assert heard == set(answered)
    assert len(written) >= 12
    assert len(answered) >= 10
    settle(world)


def test_epochs_are_there_on_time_and_gone_on_time(tmp_path: Path) -> None:
    """Coming once a day: the desk is never closed, and holds keys from 13 days back to 14 days ahead."""
    world, desks = open_door(tmp_path)
    desk = desks["news"]
    for day in range(1, 22):
        to_day(world, day)
        assert world.batch == day * DAY
        assert Source(world, "a").look().note("news") is not None
        report = desk.sync()
        days = sorted(secret.day for secret in epoch_secrets(desk.vault))
        assert days[0] == max(0, day - 13)
        assert days[-1] >= day + c.EPOCH_DAYS_AHEAD - 1
        assert report.erased == ((day - 14,) if day >= 14 else ())
    settle(world)


def test_a_source_away_for_five_weeks_finds_the_answer(tmp_path: Path) -> None:
    """The first copy has left /visit by then; the desk has placed it again, and stops when it is read."""
    world, desks = open_door(tmp_path)
    desk, source = desks["news"], Source(world, "a")
    source.write("I shall be away")
    world.close()
    desk.sync()
    desk.show(source)
    reply = desk.answer(source, "we shall be here")
    desk.sync()
    for day in range(1, 36):
        to_day(world, day)
        if day % 7 == 0:
            desk.sync()
    (found,) = source.read()
    assert (found.text, found.id) == ("we shall be here", reply.id)
    assert len(found.acks) == 1
    assert replies(desk.vault)[0].published >= 2
    source.write("back again")
    world.close()
    assert desk.sync().tally.read == 1
    planned = replies(desk.vault)[0]
    assert not planned.wants_a_place
    for day in range(36, 36 + 22):
        to_day(world, day)
        if day % 7 == 0:
            desk.sync()
    assert source.heard() == []
    assert replies(desk.vault)[0].published == planned.published
    settle(world)


def test_a_desk_three_weeks_late_opens_what_it_can_and_says_the_rest(tmp_path: Path) -> None:
    """Letters stop by themselves once the desk's keys run out; those that came before are all opened."""
    world, desks = open_door(tmp_path)
    desk, source = desks["news"], Source(world, "a")
    sent = []
    for day in range(1, 22):
        to_day(world, day)
        if source.look().note("news") is not None:
            sent.append(f"day {day}")
            source.write(sent[-1])
        else:
            with pytest.raises(CannotWrite):
                source.write("closed")
        world.close()
    assert len(sent) == 14
    report = desk.sync()
    assert desk.texts() == sent
    assert (report.tally.new, report.tally.unverified, report.faults) == (14, 0, ())
    assert not report.desk_open
    assert len(report.erased) == 8
    for _ in range(2):
        world.close()
        report = desk.sync()
    assert report.desk_open
    source.write("you are back")
    world.close()
    desk.sync()
    assert desk.texts()[-1] == "you are back"
    settle(world)


def test_a_letter_in_the_last_hour_of_its_epoch_and_a_desk_a_fortnight_late(tmp_path: Path) -> None:
    """The worst case that still holds: sealed on day 1, logged just within the 72 h, opened on day 14."""
    world, desks = open_door(tmp_path)
    desk, source = desks["news"], Source(world, "a")
    desk.sync()
    to_day(world, 1)
    visit = source.look()
    source.write("sealed on day 1")
    assert visit.manifest.n == DAY
    world.close(DAY + c.EPOCH_LETTER_TICKS - 1)
    to_day(world, 14, minus=1)
    report = desk.sync()
    assert desk.texts() == ["sealed on day 1"]
    assert report.tally.unverified == 0


@pytest.mark.parametrize("skew", [3600, -3600])
def test_a_desk_whose_clock_is_an_hour_off_is_told_so_and_loses_nothing(tmp_path: Path, skew: int) -> None:
    world, desks = open_door(tmp_path)
    desk, source = desks["news"], Source(world, "a")
    source.write("on time")
    world.close()
    desk.skew = skew
    with pytest.raises((ClockOff, DeskError), match="date and time"):
        desk.sync()
    assert letters(desk.vault) == ()
    desk.skew = 0
    assert desk.sync().faults == ()
    assert desk.texts() == ["on time"]


def test_a_desk_whose_clock_is_two_minutes_off_notices_nothing(tmp_path: Path) -> None:
    world, desks = open_door(tmp_path)
    desk, source = desks["news"], Source(world, "a")
    for skew in (120, -120):
        desk.skew = skew
        source.write(f"clock {skew}")
        world.close()
        assert desk.sync().faults == ()
    assert desk.texts() == ["clock 120", "clock -120"]


def test_a_server_down_for_days_catches_up_and_keeps_its_promises(tmp_path: Path) -> None:
    world, desks = open_door(tmp_path, queue=28)
    desk, source = desks["news"], Source(world, "a")
    sent = []
    for number in range(7):  # more than two batches hold
        sent.append(f"letter {number}")
        source.write(sent[-1])
    world.up = False
    world.pass_time(5 * DAY)
    with pytest.raises(NetworkFailed):
        source.heard()
    with pytest.raises(NetworkFailed):
        desk.sync()
    world.start()
    first = world.batch
    closed = world.tick()
    assert closed[:2] == [first + 1, first + 2]
    assert len(closed) == 17  # a full queue's fourteen, the two that a promise adds, and the present one
    assert closed[-1] == world.policy.batch_at(world.now)
    desk.sync()
    assert sorted(desk.texts()) == sorted(sent)
    world.tick()
    assert desk.sync().faults == ()
    settle(world)


def test_two_desks_do_not_see_each_others_letters(tmp_path: Path) -> None:
    world, desks = open_door(tmp_path, "legal", "news")
    source = Source(world, "a")
    source.write("to the news desk", "news")
    source.write("to the lawyers", "legal")
    world.close()
    for desk in desks.values():
        desk.sync()
    assert desks["news"].texts() == ["to the news desk"]
    assert desks["legal"].texts() == ["to the lawyers"]
    assert desks["news"].thread(source) != desks["legal"].thread(source)
    for name, desk in desks.items():
        desk.answer(source, f"from {name}")
        desk.sync()
    world.close(SHEET)
    assert source.heard("news") == ["from news"]
    assert source.heard("legal") == ["from legal"]
    settle(world)


@pytest.mark.matrix
def test_a_renewed_directory_is_in_force_at_once_and_an_expired_one_stops_writing_only(tmp_path: Path) -> None:
    world, desks = open_door(tmp_path)
    desk, source = desks["news"], Source(world, "a")
    source.write("in time")
    world.close()
    desk.sync()
    desk.answer(source, "heard")
    desk.sync()
    expires = world.founding.directory.expires
    for day in range(1, expires // DAY):
        to_day(world, day)
        if day % 7 == 0:
            desk.sync()
    world.close(expires)
    assert source.heard() == ["heard"]
    with pytest.raises(CannotWrite, match="out of date"):
        source.write("too late")
    report = desk.sync()
    assert any("has run out" in warning for warning in report.warnings)
    world.renew()
    world.close()
    assert source.look().directory.seq == 2
    assert desk.sync().faults == ()
    settle(world)


def test_what_is_sent_twice_or_late_comes_once(tmp_path: Path) -> None:
    world, desks = open_door(tmp_path)
    desk, source = desks["news"], Source(world, "a")
    source.wire.fates = ["pass", "twice"]
    source.write("delivered twice")
    source.wire.fates = ["pass", "cut", "drop", "pass"]
    source.write("the answer was lost, then the repeat")
    source.wire.fates = ["pass", "late", "late", "pass"]
    source.write("two copies are on their way still")
    world.close()
    world.deliver_late()
    world.close()
    world.close()
    report = desk.sync()
    assert report.tally.repeated == 0  # the server knows the same bytes again
    assert sorted(desk.texts()) == sorted(
        ["delivered twice", "the answer was lost, then the repeat", "two copies are on their way still"]
    )
    settle(world)


def test_a_session_cut_at_any_request_is_finished_by_the_next(tmp_path: Path) -> None:
    """Dropped before, cut after, doubled: wherever the line fails, the vault ends up the same."""
    world, desks = open_door(tmp_path)
    desk, source = desks["news"], Source(world, "a")
    places = [0, 1, 2, 3, 4, 5, 8, 13, 20, 29, 30, 31, 32]  # of the requests of a session
    for number, place in enumerate(places):
        source.write(f"letter {number}")
        world.close()
        fate: Fate = ("drop", "cut")[number % 2]
        desk.wire.fates = [*list[Fate](["pass"] * place), fate]
        with suppress(NetworkFailed):
            desk.sync()
        desk.wire.fates = list[Fate](["twice"] * 100)
        assert desk.sync().faults == ()
        desk.wire.fates = []
    assert desk.texts() == [f"letter {number}" for number in range(len(places))]
    settle(world)


def test_a_desk_that_never_comes_leaves_the_log_in_order(tmp_path: Path) -> None:
    world = World()
    Desk(world, tmp_path)
    for day in range(20):
        world.close(day * DAY + 1)
    assert Source(world, "a").look().note("news") is None
    settle(world)
