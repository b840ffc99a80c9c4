# SPDX-License-Identifier: AGPL-3.0-or-later
"""How a door's time ends: a directory that runs out, and a door that its organisation closes, as a source, a desk, the
operator and somebody who comes years later see it."""

from dataclasses import replace
from pathlib import Path

import pytest

from latchstring.client import visit as checks
from latchstring.client.visit import ClockOff, VisitRefused
from latchstring.log.verify import verify_log
from latchstring.protocol import keystate
from latchstring.protocol.attachment import Ask
from latchstring.protocol.closing import Closing
from latchstring.server.accept import Refusal, Refused, accept_directory
from latchstring.server.api import Request
from latchstring.source.acts import CannotWrite
from tests.builders import Stream, rotated, successor
from tests.faults import check_published
from tests.world.world import Desk, Source, World, open_door

CLOSING = Closing({"en": "Thank you. We have closed."}, ("https://example.org",))


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, Desk]:
    """Made once: founding a door takes a second."""
    world, desks = open_door(tmp_path_factory.mktemp("ending"))
    desk, source = desks["news"], Source(world, "a")
    source.write("a letter")
    world.close()
    desk.sync()
    desk.show(source)
    desk.answer(source, "the answer")
    desk.sync()
    return world, desk


@pytest.fixture
def answered(founded: tuple[World, Desk], tmp_path: Path) -> tuple[World, Desk, Source]:
    """A source has written, the answer lies in the desk's pages and is not published yet."""
    world = founded[0].copy()
    source = Source(world, "a")
    source.random = Stream("ids again")
    return world, founded[1].copy(world, tmp_path), source


# --- running out -----------------------------------------------------------------------------------


def test_members_are_told_from_half_of_its_time_with_what_to_run(answered: tuple[World, Desk, Source]) -> None:
    world, desk, _ = answered
    half = world.founding.directory.expires // 2
    for batch, said in ((half - 1, False), (half, True), (half + 1, True)):
        world.close(batch)
        reminders = [w for w in desk.sync().warnings if "latchstring org directory renew" in w]
        assert bool(reminders) == said
    assert "runs out in 44 days" in reminders[0]
    world.renew()
    world.close()
    assert not [w for w in desk.sync().warnings if "renew" in w]


def test_after_it_ran_out_everyone_reads_and_nobody_writes(answered: tuple[World, Desk, Source]) -> None:
    world, desk, source = answered
    expires = world.founding.directory.expires
    world.close(36, expires - 1)
    assert source.heard() == ["the answer"]
    world.close(expires)
    seen = source.look()
    assert seen.expired
    assert source.heard() == ["the answer"]
    with pytest.raises(CannotWrite, match="out of date"):
        source.write("too late")
    before = len(world.traffic)
    report = desk.sync()
    assert any("has run out" in warning for warning in report.warnings)
    assert {c.method for c in world.traffic[before:]} == {"GET"}, "a desk posts neither keys nor pages"
    world.renew()
    world.close()
    assert not source.look().expired


# --- closing -----------------------------------------------------------------------------------------


def test_a_closed_door_takes_no_letters_keeps_its_promises_and_is_read_on(
    answered: tuple[World, Desk, Source],
) -> None:
    world, desk, source = answered
    source.write("just before the end")
    old = source.look()
    world.renew(closed=CLOSING)
    world.close()
    assert source.look(old.pin).directory.closed == CLOSING
    with pytest.raises(CannotWrite, match="closed for good"):
        source.write("too late")
    report = desk.sync()
    assert any("closed this door for good" in w and "89 days" in w for w in report.warnings)
    assert not [w for w in report.warnings if "renew" in w]
    assert desk.texts() == ["a letter", "just before the end"], "what was accepted is in the log"
    desk.show(source)
    desk.answer(source, "a last answer")
    assert desk.sync().faults == ()
    world.close(36, 72)
    assert source.heard() == ["the answer", "a last answer"]
    check_published(world.core)
    assert verify_log(world.core.public.get, door=world.door).ok


def test_a_letter_sealed_before_the_end_is_refused_in_words_and_not_kept(
    answered: tuple[World, Desk, Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, desk, source = answered
    stale = world.core.public.get("visit")
    world.renew(closed=CLOSING)
    world.close()
    source.wire.meddle = lambda request, answer: replace(answer, body=stale) if request.path == "/visit" else answer
    with pytest.raises(CannotWrite, match=r"was not taken. This door is closed for good"):
        source.write("by an old copy")
    world.close()
    desk.sync()
    assert desk.texts() == ["a letter"]


def test_what_it_says_stays_true_when_the_server_has_gone(answered: tuple[World, Desk, Source]) -> None:
    """The last files on any web server: an open door's would be too old, a closed one's are read years later."""
    world, _, source = answered
    world.close(36)
    still_open = world.copy()
    later = Source(still_open, "a")
    world.renew(closed=CLOSING)
    world.close()
    for gone in (world, still_open):
        gone.pass_time(5 * 365 * 144)
    with pytest.raises(ClockOff):
        later.look()
    seen = source.look()
    assert seen.directory.closed == CLOSING
    assert seen.expired
    assert source.heard() == ["the answer"]


def test_a_clock_that_is_behind_is_said_all_the_same(answered: tuple[World, Desk, Source]) -> None:
    world, _, source = answered
    world.renew(closed=CLOSING)
    world.close()
    world.pass_time(-1000)
    with pytest.raises(ClockOff):
        source.look()


@pytest.mark.parametrize("how", ["reopened", "reworded", "rotated"])
def test_nothing_is_signed_after_it_by_anybody(answered: tuple[World, Desk, Source], how: str) -> None:
    """Whoever finds the root keys: the server takes nothing, and a log in which it did verifies for nobody."""
    world, desk, source = answered
    world.renew(closed=CLOSING)
    world.close()
    world.close(36)  # its sheet names the closing
    pin = source.look().pin
    last = world.founding
    after = {
        "reopened": successor(last, closed=None, expires=world.batch + 144),
        "reworded": successor(last, closed=replace(CLOSING, instead=("http://mallory.example",))),
        "rotated": rotated(last, closed=None, expires=world.batch + 144),
    }[how]
    with pytest.raises(Refused) as caught:
        accept_directory(world.core.intake, after.posted, world.now)
    assert caught.value.why is Refusal.NOT_NEXT

    with pytest.MonkeyPatch.context() as patch:  # a server that plays along with the finder
        patch.setattr("latchstring.server.accept.check_successor", lambda *_: None)
        patch.setattr(keystate, "check_successor", lambda *_: None)
        accept_directory(world.core.intake, after.posted, world.now)
        world.close()
    with pytest.raises(VisitRefused) as refused:
        source.look()
    assert refused.value.reason == "a directory after the closing of its door"
    with pytest.raises(VisitRefused):
        source.look(replace(pin, closed=False))
    with pytest.raises(VisitRefused):
        desk.sync()
    report = verify_log(world.core.public.get, door=world.door)
    assert report.fault is not None
    assert "after the closing" in report.fault
    with pytest.MonkeyPatch.context() as patch:  # a client without the rule believes it
        patch.setattr(checks, "_follows", lambda *_: None)
        patch.setattr(checks, "check_successor", lambda *_: None)
        patch.setattr(checks, "_after_closing", lambda *_: None)
        assert source.look(pin).directory.seq == last.directory.seq + 1


def test_a_pin_remembers_that_it_was_closed(answered: tuple[World, Desk, Source]) -> None:
    """Three weeks later the last directory before may have gone from /visit; the pin still knows."""
    world, _, source = answered
    world.renew(closed=CLOSING)
    world.close()
    pin = source.look().pin
    assert pin.closed
    assert type(pin).parse(pin.encode()) == pin
    assert not replace(pin, closed=False).closed
    with pytest.raises(VisitRefused) as refused:
        source.look(replace(pin, seq=pin.seq - 1))
    assert refused.value.reason == "a directory after the closing of its door"


def test_members_send_no_memos_to_a_closed_door(answered: tuple[World, Desk, Source]) -> None:
    world, desk, _ = answered
    desk.memos = True
    desk.sync()
    world.renew(closed=CLOSING)
    world.close()
    before = len(world.traffic)
    for _ in range(3):
        world.close(world.batch + 36)
        assert desk.sync().faults == ()
    assert not [c for c in world.traffic[before:] if c.path == "/v1/letters"]


def test_nothing_is_attached_at_a_closed_door(answered: tuple[World, Desk, Source]) -> None:
    world, _, _ = answered
    ask = Ask(bytes(range(32)), 1).encode()
    world.renew(closed=CLOSING)
    world.close()
    answer = world.answer(Request("POST", "/v1/attachments", body=ask))
    assert (answer.status, b"closed for good" in answer.body) == (410, True)
