# SPDX-License-Identifier: AGPL-3.0-or-later
"""A root rotation as a source and a desk live through it: the door stays the same, and so does everything in it."""

from pathlib import Path

import pytest

from latchstring.desk.progress import decode_state, encode_state, followed
from latchstring.desk.vault import open_vault
from latchstring.log.verify import verify_log
from latchstring.protocol.encoding import ProtocolError, decode_cbor, encode_cbor
from latchstring.protocol.root_note import RootChain
from tests.faults import check_published
from tests.world.world import CHEAP, VAULT_PASSPHRASE, Source, open_door


def test_nothing_changes_for_who_comes_and_a_reply_crosses_the_rotation(tmp_path: Path) -> None:
    world, desks = open_door(tmp_path)
    desk, source = desks["news"], Source(world, "a")
    source.write("before")
    world.close()
    desk.sync()
    desk.show(source)
    desk.answer(source, "placed before, published after")
    desk.sync()
    pin = source.look().pin
    door = world.door
    for name in ("first", "second"):
        world.rotate(f"roots {name}")
        world.close()
        assert desk.sync().faults == ()
    world.close(36)
    seen = source.look(pin)
    assert (seen.roots.number, seen.directory.seq, seen.directory.door) == (2, 3, door)
    assert source.heard() == ["placed before, published after"]
    source.write("after")
    world.close()
    assert desk.sync().faults == ()
    assert desk.texts() == ["before", "after"]
    check_published(world.core)
    report = verify_log(world.core.public.get, door=door)
    assert (report.fault, report.rotations) == (None, 2)


def test_a_desk_that_was_away_follows_the_rotations_later_and_keeps_them(tmp_path: Path) -> None:
    world, desks = open_door(tmp_path)
    desk = desks["news"]
    for batch in (36, 72):
        world.rotate(f"roots {batch}")
        world.close(batch)
    desk.sync()
    state = followed(desk.vault).state
    assert state.roots == world.founding.roots
    desk.vault = open_vault(desk.path, VAULT_PASSPHRASE, CHEAP)
    world.renew()
    world.close()
    assert desk.sync().faults == ()


def test_a_state_that_was_kept_comes_back_and_one_of_a_version_before_does_too(tmp_path: Path) -> None:
    world, desks = open_door(tmp_path)
    desk = desks["news"]
    old = followed(desk.vault).state
    world.rotate()
    world.close()
    desk.sync()
    state = followed(desk.vault).state
    assert decode_state(encode_state(state), world.door) == state
    whole = decode_cbor(encode_state(old))
    assert isinstance(whole, dict)
    del whole["roots"]
    assert decode_state(encode_cbor(whole), world.door).roots == RootChain(world.door)
    whole = decode_cbor(encode_state(state))
    assert isinstance(whole, dict)
    for roots in ([], [b"x"], ["x"], [*world.founding.rotations] * 2):
        with pytest.raises(ProtocolError):
            decode_state(encode_cbor({**whole, "roots": roots}), world.door)
