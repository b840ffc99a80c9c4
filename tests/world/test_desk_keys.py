# SPDX-License-Identifier: AGPL-3.0-or-later
"""A desk's keys through founding, months, absence and a new gen."""

from dataclasses import replace
from pathlib import Path

import pytest

from latchstring.client.transport import NetworkFailed
from latchstring.desk.keys import keys_held, waiting_notes
from latchstring.desk.letters import letters
from latchstring.desk.secrets import epoch_secrets, transport_secrets
from latchstring.protocol.encoding import decode_cbor
from latchstring.protocol.entry import Kind
from latchstring.protocol.epoch import EpochNote, TransportNote, Wrap
from latchstring.protocol.hpke import OpenKey
from tests.desk_world import DeskAt, Source, World, open_desk


def test_three_sessions_open_a_desk(tmp_path: Path) -> None:
    world = World()
    at = DeskAt(world, tmp_path)
    world.close()
    first = at.sync()
    assert (first.posted, first.desk_open) == (28, False)
    assert {kind for kind, _ in waiting_notes(at.vault)} == {Kind.TRANSPORT}
    world.close()
    second = at.sync()
    assert (second.posted, second.desk_open) == (45, False)
    assert [kind for kind, _ in waiting_notes(at.vault)][:3] == [Kind.EPOCH, Kind.SIGNATURE, Kind.WRAP]
    world.close()
    third = at.sync()
    assert (third.posted, third.desk_open) == (0, True)
    assert third.placed.pages == 28
    assert waiting_notes(at.vault) == ()


def test_what_was_made_is_what_the_protocol_says(tmp_path: Path) -> None:
    world = World()
    at = open_desk(world, tmp_path)
    held = {s.note_hash: s for s in epoch_secrets(at.vault)}
    assert sorted(s.day for s in held.values()) == list(range(15))
    notes = [item for n in range(3) for item in logged(world, n)]
    transports = {t.day: t for t in (TransportNote.parse(raw) for kind, raw in notes if kind is Kind.TRANSPORT)}
    assert sorted(transports) == list(range(28))
    for kind, raw in notes:
        if kind is Kind.WRAP:
            wrap = Wrap.parse(raw)
            secret = held[wrap.note_hash]
            (key,) = transport_secrets(at.vault, secret.day)
            assert wrap.open(EpochNote.parse(secret.raw), OpenKey.from_secret(key)).secret == secret.secret
    assert len({s.secret for s in held.values()}) == 15


def logged(world: World, batch: int) -> list[tuple[Kind, bytes]]:
    try:
        items = decode_cbor(world.shelves.public.get(f"keynotes/{batch}"))
    except KeyError:
        return []
    assert isinstance(items, list)
    return [(Kind(kind), raw) for kind, raw in items]


@pytest.mark.usefixtures("short_sessions")
def test_months_pass_and_every_day_has_its_keys(tmp_path: Path) -> None:
    """A session a day for five weeks: the desk is never closed, and holds no more secrets than 14 days back."""
    world = World()
    at = open_desk(world, tmp_path)
    for day in range(1, 36):
        if day % 20 == 0:
            world.renew()
        world.close(144 * day, 144 * day + 70)
        report = at.sync()
        assert report.desk_open, day
        assert report.faults == ()
        assert report.warnings == ()
        held = keys_held(at.vault)
        assert min(held.transports) >= day - 13
        assert max(held.transports) == day + 27
        days = {s.day for s in epoch_secrets(at.vault)}
        assert days == set(range(max(0, day - 13), day + 14 + 1)) or days == set(range(max(0, day - 13), day + 14))
        assert at.vault.rows("SELECT count(*) FROM waiting_note")[0][0] <= 4


def test_a_desk_away_for_five_weeks_opens_again(tmp_path: Path) -> None:
    world = World()
    at = open_desk(world, tmp_path)
    source = Source(world, "a")
    world.close(36 * 8)
    world.write(source, "you are still there?")
    for day in range(3, 36):
        world.close(144 * day)
    report = at.sync()
    assert (report.tally.new, report.tally.unverified) == (1, 0)
    assert not report.desk_open
    assert report.erased  # after opening
    world.close()
    at.sync()
    world.close()
    assert at.sync().desk_open
    assert [x.body.text for x in letters(at.vault) if x.body] == ["you are still there?"]


def test_when_gen_rises_new_epochs_are_made_and_old_ones_waited_out(tmp_path: Path) -> None:
    world = World()
    at = open_desk(world, tmp_path)
    desk = world.founding.directory.desks[0]
    world.renew(desks=(replace(desk, gen=2),))
    world.close()
    assert not at.sync().desk_open
    world.close()
    report = at.sync()
    assert report.desk_open
    assert report.placed.pages == 28
    assert {s.gen for s in epoch_secrets(at.vault)} == {1, 2}


def _no_posting(_method: str, path: str) -> None:
    if path == "/v1/keynotes":
        raise NetworkFailed("cut")


def test_notes_of_an_older_gen_do_not_keep_new_ones_from_being_posted(tmp_path: Path) -> None:
    world = World()
    at = DeskAt(world, tmp_path)
    world.close()
    at.sync()
    world.close()
    at.transport.before_request = _no_posting
    with pytest.raises(NetworkFailed):
        at.sync()
    at.transport.before_request = lambda _method, _path: None
    assert any(kind is Kind.EPOCH for kind, _ in waiting_notes(at.vault))
    world.renew(desks=(replace(world.founding.directory.desks[0], gen=2),))
    world.close()
    at.sync()
    assert {EpochNote.parse(raw).gen for kind, raw in waiting_notes(at.vault) if kind is Kind.EPOCH} == {2}
    world.close()
    assert at.sync().desk_open
