# SPDX-License-Identifier: AGPL-3.0-or-later
"""A door moves to new addresses: who came before, who comes by the old one, and who comes by the new."""

from dataclasses import replace
from pathlib import Path

import pytest

from latchstring.client.visit import ClockOff
from latchstring.client.ways import Ways
from latchstring.desk.addresses import learned, ways
from tests.world.world import Source, open_door

OLD, NEW = "http://door.example", "http://new.onion"


def test_a_desk_learns_where_its_door_is_and_a_mirror_leads_on(tmp_path: Path) -> None:
    world, desks = open_door(tmp_path)
    desk, source = desks["news"], Source(world, "a")
    assert learned(desk.vault) == world.founding.directory.addresses
    world.renew(addresses=(OLD, NEW))  # announced while both answer
    world.close()
    mirrored = world.core.public.get("visit")
    assert [w for w in desk.sync().warnings if "addresses have changed" in w and NEW in w]
    assert not [w for w in desk.sync().warnings if "addresses have changed" in w]
    assert learned(desk.vault) == (OLD, NEW)
    world.renew(addresses=(NEW,))  # moved
    world.close()
    desk.sync()
    assert next(iter(ways(desk.vault, hidden=True))) == NEW
    assert list(ways(desk.vault, hidden=False)) == [OLD]

    world.close(world.batch + 200)  # the old address goes on serving what it had
    source.wire.meddle = lambda request, answer: replace(answer, body=mirrored) if request.path == "/visit" else answer
    tried = Ways([OLD], hidden=True)
    with pytest.raises(ClockOff) as old:
        source.look()
    assert list(tried) == [OLD]
    tried.name(old.value.addresses)
    assert list(tried) == [NEW]


def test_what_names_addresses_is_checked_before_anybody_is_led_there(tmp_path: Path) -> None:
    """A mirror that changes the directory leads nobody anywhere: the signatures are looked at before the clock."""
    world, _ = open_door(tmp_path)
    source = Source(world, "a")
    raw = world.core.public.get("visit")
    world.pass_time(1000)
    spoiled = raw.replace(b"http://127.0.0.1:8400", b"http://mallory.onion1")
    assert spoiled != raw
    source.wire.meddle = lambda request, answer: replace(answer, body=spoiled) if request.path == "/visit" else answer
    with pytest.raises(Exception, match="cannot be trusted"):
        source.look()
    source.wire.meddle = lambda _request, answer: answer
    with pytest.raises(ClockOff) as off:
        source.look()
    assert off.value.addresses == ("http://127.0.0.1:8400",)
