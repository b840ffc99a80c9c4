# SPDX-License-Identifier: AGPL-3.0-or-later
"""Keys are made in time, in the order of the founding, and never twice."""

from dataclasses import dataclass, replace

import pytest

from latchstring.desk.keyplan import EpochPlan, KeyPlan, KeysHeld, Known, plan_keys, position
from latchstring.protocol.entry import Kind
from latchstring.protocol.epoch import EpochSignature, OpenEpoch
from latchstring.protocol.keystate import KeyState, Note, next_state
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


# --- several members ---------------------------------------------------------------------------------

DAYS = frozenset(range(28))
ALL = KeysHeld(transports=DAYS, logged=DAYS)


@dataclass(frozen=True)
class Team:
    """A desk of three, each with transport keys for 28 days, logged one after the other in batch 0."""

    founding: Founding
    state: KeyState
    known: Known
    batch: int = 0

    @classmethod
    def of(cls, each: int = 3) -> "Team":
        founding = found(each=each)
        state = next_state(KeyState(), 0, [(Kind.DIRECTORY, founding.signed)], founding.door)
        keys = {(m.id, day): position(0, i) for i, m in enumerate(founding.members) for day in DAYS}
        return cls(founding, state, Known(keys))

    def plan(self, member: str, held: KeysHeld = ALL, known: Known | None = None) -> KeyPlan:
        return plan_keys(self.state, self.batch, self.state.directory.desks[0], member, held, known or self.known)

    def then(self, batch: int, *notes: Note) -> "Team":
        return replace(self, batch=batch, state=next_state(self.state, batch, notes, self.founding.door))

    def epoch(self, day: int, v: int = 1, seed: int = 1) -> OpenEpoch:
        return OpenEpoch.make(bytes([seed]) * 32, self.founding.door, "news", 1, v, day)

    def signed(self, epoch: OpenEpoch, *members: str) -> list[Note]:
        keys = [self.founding.keys_of(m) for m in members]
        made = [EpochSignature.make(epoch.note.hash, k.id, k.sign_seed).raw for k in keys]
        return [(Kind.EPOCH, epoch.note.raw), *((Kind.SIGNATURE, raw) for raw in made)]


def test_at_founding_who_came_first_makes_the_notes_and_others_wait_a_tick_each() -> None:
    team = Team.of()
    assert [p.day for p in team.plan("news-1").epochs] == list(range(15))
    assert team.plan("news-2").epochs == ()
    assert len(replace(team, batch=1).plan("news-2").epochs) == 15
    assert team.plan("news-3").epochs == replace(team, batch=1).plan("news-3").epochs == ()
    assert len(replace(team, batch=2).plan("news-3").epochs) == 15


def test_who_opened_a_note_signs_it_once_and_makes_none() -> None:
    team = Team.of()
    epoch = team.epoch(0)
    after = team.then(1, *team.signed(epoch, "news-1"))
    holds = replace(ALL, epochs=frozenset({epoch.note.hash}))
    plan = after.plan("news-2", holds)
    assert plan.signatures == (epoch.note.hash,)
    assert 0 not in {p.day for p in plan.epochs}
    assert after.plan("news-2", replace(holds, signing=frozenset({epoch.note.hash}))).signatures == ()
    assert after.then(2, *team.signed(epoch, "news-2")[1:]).plan("news-2", holds).signatures == ()


def test_nobody_signs_what_they_did_not_open() -> None:
    team = Team.of()
    epoch = team.epoch(0)
    assert team.then(1, *team.signed(epoch, "news-1")).plan("news-2").signatures == ()


def test_a_flood_of_notes_is_not_signed() -> None:
    team = Team.of()
    epochs = [team.epoch(0, v, v) for v in range(1, 40)]
    after = team.then(1, *(note for e in epochs for note in team.signed(e, "news-1")))
    plan = after.plan("news-2", replace(ALL, epochs=frozenset(e.note.hash for e in epochs)))
    assert len(plan.signatures) == 3


def test_a_valid_note_is_never_outbid_by_others() -> None:
    """No storm of versions: it is theirs, they hand it on."""
    team = Team.of()
    after = team.then(1, *team.signed(team.epoch(12), "news-1", "news-3"))
    assert 12 not in {p.day for p in replace(after, batch=6).plan("news-2").epochs}


def test_while_the_desk_is_open_turns_go_round_by_day() -> None:
    """A note that has become due is one member's to make, a day later another's too, after three days anybody's."""
    team = Team.of()
    days = [team.epoch(day, 1, day + 1) for day in range(3)]
    after = team.then(1, *(note for e in days for note in team.signed(e, "news-1", "news-2")))
    due = {m: {p.day for p in after.plan(m).epochs} for m in ("news-1", "news-2", "news-3")}
    assert all(set(range(3, 11)) <= days for days in due.values())  # late already: anybody
    assert [sum(day in days for days in due.values()) for day in (14, 13, 12, 11)] == [1, 2, 2, 3]
    for day in (15, 16):  # 14 days before each
        due = {m: {p.day for p in after.then(day * 144 - 2016).plan(m).epochs} for m in due}
        assert sum(day in days for days in due.values()) == 1


def test_a_key_that_came_later_gets_a_wrap_from_those_who_hold_the_epoch() -> None:
    team = Team.of()
    epoch = team.epoch(0)
    after = team.then(1, *team.signed(epoch, "news-1", "news-2"))
    holds = replace(ALL, epochs=frozenset({epoch.note.hash}))
    early = Known(
        {k: v for k, v in team.known.transports.items() if k[0] != "news-3"},
        {(epoch.note.hash, m): position(1, 1) for m in ("news-1", "news-2")},
    )
    assert after.plan("news-1", holds, early).wraps == ()
    late = replace(early, transports={**early.transports, ("news-3", 0): position(1, 9)})
    assert after.plan("news-1", holds, late).wraps == after.plan("news-2", holds, late).wraps
    assert after.plan("news-1", holds, late).wraps == ((epoch.note.hash, "news-3"),)
    waits = replace(holds, wrapping=frozenset({(epoch.note.hash, "news-3")}))
    assert after.plan("news-1", waits, late).wraps == ()
    done = replace(late, wraps={**late.wraps, (epoch.note.hash, "news-3"): position(2, 0)})
    assert after.plan("news-1", holds, done).wraps == ()
    assert after.plan("news-3", ALL, late).wraps == ()  # who does not hold it hands on nothing


def test_who_was_given_a_wrap_in_vain_asks_anew_and_is_given_another() -> None:
    team = Team.of()
    epoch = team.epoch(0)
    after = team.then(1, *team.signed(epoch, "news-1", "news-2"))
    given = replace(team.known, wraps={(epoch.note.hash, f"news-{n}"): position(1, n) for n in (1, 2, 3)})
    plan = after.plan("news-3", ALL, given)
    assert (plan.transports, plan.lost) == ((0,), (0,))
    waits = replace(ALL, logged=DAYS - {0})
    assert after.plan("news-3", waits, given).transports == ()  # the new key is on its way
    holds = replace(ALL, epochs=frozenset({epoch.note.hash}))
    assert after.plan("news-1", holds, given).wraps == ()
    asked = replace(given, transports={**given.transports, ("news-3", 0): position(1, 9)})
    assert after.plan("news-1", holds, asked).wraps == ((epoch.note.hash, "news-3"),)


def test_of_many_holders_two_hand_it_on_at_once_and_two_more_each_day() -> None:
    team = Team.of(16)
    epoch = team.epoch(3)
    names = [m.id for m in team.founding.members]
    after = team.then(1, *team.signed(epoch, *names[:15]))
    holds = replace(ALL, epochs=frozenset({epoch.note.hash}))
    known = replace(team.known, wraps={(epoch.note.hash, m): position(1, 1) for m in names[:15]})
    by_day = [sum(bool(replace(after, batch=b).plan(m, holds, known).wraps) for m in names[:15]) for b in (1, 145, 289)]
    assert by_day == [2, 4, 6]
