# SPDX-License-Identifier: AGPL-3.0-or-later
"""Keys are made in time, in the order of the founding, and never twice."""

from dataclasses import replace

import pytest

from latchstring.desk.keyplan import EpochPlan, KeyPlan, KeysHeld, Known, plan_keys
from latchstring.protocol.entry import Kind
from latchstring.protocol.keystate import KeyState, next_state
from tests.builders import Founding, Stream, found, make_epoch

NOTHING = KeysHeld()


def plan(state: KeyState, held: KeysHeld) -> KeyPlan:
    """For a desk of one."""
    return plan_keys(state, max(0, state.batch), state.directory.desks[0], "news-1", held, Known())


@pytest.fixture
def founding() -> Founding:
    return found()


@pytest.fixture
def state(founding: Founding) -> KeyState:
    return next_state(KeyState(), 0, [(Kind.DIRECTORY, founding.signed)], founding.door)


def test_at_founding_transport_keys_come_first(state: KeyState) -> None:
    made = plan(state, NOTHING)
    assert made.transports == tuple(range(28))
    assert made.epochs == ()


def test_epochs_follow_once_the_transport_keys_are_logged(state: KeyState) -> None:
    keys = replace(NOTHING, transports=frozenset(range(28)))
    assert plan(state, keys).epochs == ()
    logged = replace(keys, logged=frozenset(range(28)))
    assert plan(state, logged).epochs == tuple(EpochPlan(day, 1) for day in range(15))


def test_what_waits_is_not_made_again(state: KeyState) -> None:
    held = replace(
        NOTHING,
        transports=frozenset(range(28)),
        logged=frozenset(range(28)),
        waiting=frozenset((1, day) for day in range(14)),
    )
    assert plan(state, held).epochs == (EpochPlan(14, 1),)


def test_a_note_that_is_logged_but_not_ours_to_open_is_outbid_before_it_is_fixed(
    founding: Founding, state: KeyState
) -> None:
    """As after a vault was put back from a copy: days not fixed get a higher version, fixed ones are lost."""
    random = Stream("k")
    near, near_notes = make_epoch(founding, "news", 3, random, v=4)
    far, far_notes = make_epoch(founding, "news", 12, random, v=4)
    after = next_state(state, 1, [*near_notes, *far_notes], founding.door)
    held = replace(NOTHING, transports=frozenset(range(28)), logged=frozenset(range(28)))
    made = plan(after, held)
    assert made.lost == (3,)
    assert EpochPlan(12, 5) in made.epochs
    assert EpochPlan(11, 1) in made.epochs
    ours = replace(held, epochs=frozenset({near.note.hash, far.note.hash}))
    made = plan(after, ours)
    assert made.lost == ()
    assert {p.day for p in made.epochs} == set(range(15)) - {3, 12}
