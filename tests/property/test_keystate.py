# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which epoch is in force, as a state machine: notes and signatures in any order, late, repeated, by strangers, days
skipped, a member removed; beside it the rule of the protocol, worked out anew each time from all that was logged."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from latchstring.protocol.constants import NOTE_FIXED_DAYS_AHEAD, day_of, signatures_needed
from latchstring.protocol.directory import Desk, PageOwner, sign_directory
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.entry import Kind
from latchstring.protocol.epoch import EpochSignature, OpenEpoch
from latchstring.protocol.keystate import KeyState, Note, may_log_key_notes, next_state
from tests.builders import Founding, MemberKeys, Stream, found

MEMBERS = tuple(MemberKeys(f"m{i}", "news", bytes([i]) * 32, bytes([i + 9]) * 32) for i in range(1, 4))


def _founding() -> Founding:
    base = found("keystate")
    desk = Desk("news", 1, {"en": "News"}, {}, tuple(m.public for m in MEMBERS))
    directory = replace(base.directory, desks=(desk,), pages=(PageOwner("news", "m1"),))
    return replace(base, directory=directory, members=MEMBERS)


FOUNDING = _founding()
STRANGER = bytes([77]) * 32


@dataclass
class Logged:
    """An epoch note as the model sees it."""

    epoch: OpenEpoch
    signers: set[str]


class Epochs(RuleBasedStateMachine):
    """Three members, two signatures needed; then perhaps two, and one."""

    @initialize()
    def founded(self) -> None:
        self.founding = FOUNDING
        self.state = next_state(KeyState(), 0, [(Kind.DIRECTORY, FOUNDING.signed)], FOUNDING.door)
        self.batch = 0
        self.logged: list[Logged] = []
        self.fixed: dict[tuple[int, int], bytes] = {}
        self.waiting: list[Note] = []
        self.random = Stream("machine")

    @property
    def desk(self) -> Desk:
        return self.founding.directory.desks[0]

    @rule(ahead=st.integers(0, 9), v=st.integers(1, 3))
    def note(self, ahead: int, v: int) -> None:
        day = day_of(self.batch) + ahead
        epoch = OpenEpoch.make(self.random(32), FOUNDING.door, "news", self.desk.gen, v, day)
        self.waiting.append((Kind.EPOCH, epoch.note.raw))
        self.logged.append(Logged(epoch, set()))

    @precondition(lambda self: self.logged)
    @rule(which=st.integers(0, 50), member=st.integers(0, 2))
    def signature(self, which: int, member: int) -> None:
        logged = self.logged[which % len(self.logged)]
        signer = MEMBERS[member]
        if self.desk.member(signer.id) is None:
            return
        self.waiting.append(
            (Kind.SIGNATURE, EpochSignature.make(logged.epoch.note.hash, signer.id, signer.sign_seed).raw)
        )
        logged.signers.add(signer.id)

    @precondition(lambda self: self.logged)
    @rule()
    def forged(self) -> None:
        bad = EpochSignature.make(self.logged[-1].epoch.note.hash, "m1", STRANGER)
        with pytest.raises(ProtocolError):
            next_state(self.state, self.batch + 1, [(Kind.SIGNATURE, bad.raw)], FOUNDING.door)

    @precondition(lambda self: len(self.desk.members) > 1)
    @rule()
    def removed(self) -> None:
        """A member goes: gen rises, what was signed before is never named again."""
        self._close(1)
        old = self.founding.opened
        desk = replace(self.desk, gen=old.directory.seq + 1, members=self.desk.members[:-1])
        directory = replace(old.directory, seq=old.directory.seq + 1, previous=old.hash, desks=(desk,))
        self.founding = replace(self.founding, directory=directory)
        raw = sign_directory(directory, FOUNDING.root)
        self.batch += 1
        self.state = next_state(self.state, self.batch, [(Kind.DIRECTORY, raw)], FOUNDING.door)
        self.logged, self.waiting = [], []
        self._choose()

    @rule(ticks=st.sampled_from([1, 10, 143, 144, 145, 500]))
    def time(self, ticks: int) -> None:
        self._close(ticks)

    def _close(self, ticks: int) -> None:
        self.batch += ticks
        self.state = next_state(self.state, self.batch, self.waiting, FOUNDING.door)
        self.waiting = []
        self._choose()

    def _choose(self) -> None:
        """The rule, from all that was logged: once for each day and gen, the highest v, the first among equals."""
        today, desk = day_of(self.batch), self.desk
        for day in range(today, today + NOTE_FIXED_DAYS_AHEAD + 1):
            valid = [
                item.epoch.note
                for item in self.logged
                if item.epoch.note.day == day
                and len(item.signers & {m.id for m in desk.members}) >= signatures_needed(len(desk.members))
            ]
            if valid and (desk.gen, day) not in self.fixed:
                best = max(note.v for note in valid)
                self.fixed[desk.gen, day] = next(note.hash for note in valid if note.v == best)

    @invariant()
    def named_is_what_the_rule_gives(self) -> None:
        if self.waiting:
            return
        chosen = self.fixed.get((self.desk.gen, day_of(self.batch)))
        assert self.state.named(self.batch) == (() if chosen is None else (("news", chosen),))
        assert {(gen, day): note for (_, gen, day), note in self.state.fixed.items()} == self.fixed

    @invariant()
    def notes_are_released_at_a_day_s_start_unless_the_desk_is_closed(self) -> None:
        is_open = bool(self.state.named(self.batch + 1))
        new_day = day_of(self.batch + 1) > day_of(self.state.batch)
        assert may_log_key_notes(self.state, self.batch + 1, False) == (new_day or not is_open)


TestEpochs = Epochs.TestCase
TestEpochs.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)


def test_a_rule_that_prefers_the_last_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The broken variant: the lowest v instead of the highest."""
    machine = Epochs()
    machine.founded()
    for v in (1, 2):
        machine.note(3, v)
        for member in (0, 1):
            machine.signature(len(machine.logged) - 1, member)
    machine.time(1)
    machine.named_is_what_the_rule_gives()
    monkeypatch.setattr("latchstring.protocol.keystate.min", max, raising=False)
    broken = Epochs()
    broken.founded()
    for v in (1, 2):
        broken.note(3, v)
        for member in (0, 1):
            broken.signature(len(broken.logged) - 1, member)
    broken.time(1)
    with pytest.raises(AssertionError):
        broken.named_is_what_the_rule_gives()
