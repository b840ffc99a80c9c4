# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who signs for a door, as a state machine: directories and rotations by the keys in force, by keys that were
replaced, by strangers, repeated, by rotations made long before. Only what the holder of the newest keys does counts,
and nothing once the door is closed."""

from dataclasses import replace
from functools import lru_cache

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from latchstring.protocol.closing import Closing
from latchstring.protocol.directory import Directory, encode_directory, open_directory
from latchstring.protocol.encoding import ProtocolError, lp
from latchstring.protocol.entry import Kind
from latchstring.protocol.keystate import KeyState, Note, next_state
from latchstring.protocol.root import RootKeys
from latchstring.protocol.root_note import RootChain, RootNote, rotate
from tests.builders import Stream, found

FOUNDING = found("root machine")
FIRST = FOUNDING.signed


@lru_cache(maxsize=64)
def keys(number: int) -> RootKeys:
    """Number 0 founded the door; the others are whoever's."""
    if number == 0:
        return FOUNDING.root
    random = Stream(f"roots {number}")
    return RootKeys(random(32), random(32))


class Roots(RuleBasedStateMachine):
    """`holders`: the numbers of the keys that were in force, in their order."""

    @initialize()
    def founded(self) -> None:
        self.state = next_state(KeyState(), 0, [(Kind.DIRECTORY, FIRST)], FOUNDING.door)
        self.batch, self.made = 0, 0
        self.holders = [0]
        self.rotations: list[tuple[int, int, bytes]] = []  # made by, after how many rotations, bytes
        self.counted = 1
        self.closed = False

    def _roots(self) -> RootChain:
        assert self.state.roots is not None
        return self.state.roots

    def _next(self) -> Directory:
        assert self.state.current is not None
        old = self.state.current
        return replace(old.directory, seq=old.directory.seq + 1, previous=old.hash)

    def _signed(self, who: int, directory: Directory | None = None) -> bytes:
        """By whoever's keys, whether they may or not."""
        public, body = keys(who).public(), encode_directory(directory or self._next())
        signature = keys(who).sign(lp("directory", body))
        return lp("directory-signed", body, public.ed25519, public.mldsa, signature.ed25519, signature.mldsa)

    def _log(self, notes: list[Note], counts: bool) -> bool:
        """Whether it counts: nothing does once the door is closed."""
        self.batch += 1
        if counts and not self.closed:
            self.state = next_state(self.state, self.batch, notes, FOUNDING.door)
            self.counted += 1
            return True
        with pytest.raises(ProtocolError):
            next_state(self.state, self.batch, notes, FOUNDING.door)
        return False

    @precondition(lambda self: self.counted > 3)
    @rule(again=st.booleans())
    def closing(self, again: bool) -> None:
        """By the keys in force; another time it is refused, like all else."""
        if not self.closed or again:
            closed = replace(self._next(), closed=Closing({"en": "Closed."}))
            self._log([(Kind.DIRECTORY, self._signed(self.holders[-1], closed))], True)
            self.closed = True

    @rule(back=st.integers(0, 4))
    def directory_by_a_holder(self, back: int) -> None:
        """Of now (0) or of the past."""
        who = self.holders[max(0, len(self.holders) - 1 - back)]
        self._log([(Kind.DIRECTORY, self._signed(who))], who == self.holders[-1])

    @rule()
    def directory_by_a_stranger(self) -> None:
        self._log([(Kind.DIRECTORY, self._signed(999))], False)

    @rule()
    def rotation(self) -> None:
        """A note by the keys in force, kept aside: a rotation to come, or a spare."""
        self.made += 1
        note = rotate(self._roots(), keys(self.holders[-1]), keys(self.made))
        self.rotations.append((self.made, len(self.holders) - 1, note))

    @rule(which=st.integers(0, 20), signer=st.sampled_from(["new", "old", "nobody", "stranger"]))
    def rotation_is_logged(self, which: int, signer: str) -> None:
        """With a directory by its new keys, by those before, by a stranger, or with none."""
        if not self.rotations:
            return
        new, after, raw = self.rotations[which % len(self.rotations)]
        notes: list[Note] = [(Kind.ROOT, raw)]
        if signer != "nobody":
            who = {"new": new, "old": self.holders[-1], "stranger": 998}[signer]
            notes.append((Kind.DIRECTORY, self._signed(who)))
        if self._log(notes, signer == "new" and after == len(self.holders) - 1):
            self.holders.append(new)

    @rule()
    def rotation_by_keys_of_the_past(self) -> None:
        """As if they were in force: the chain cut where they were."""
        if len(self.holders) < 2:
            return
        chain = RootChain(FOUNDING.door, self._roots().notes[:-1])
        theirs = rotate(chain, keys(self.holders[-2]), keys(997))
        self._log([(Kind.ROOT, theirs), (Kind.DIRECTORY, self._signed(997))], False)

    @invariant()
    def the_holder_signs_and_nobody_else_does(self) -> None:
        assert not self.state.rotating
        assert self._roots().in_force(keys(self.holders[-1]).public())
        assert [self._roots().number_of(keys(who).public()) for who in self.holders] == [*range(len(self.holders))]
        assert self.state.directory.seq == self.counted
        assert self.state.current is not None
        assert open_directory(self.state.current.raw, self._roots()).root == len(self.holders) - 1


TestRoots = Roots.TestCase
TestRoots.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)


def _two_holders() -> Roots:
    machine = Roots()
    machine.founded()
    machine.rotation()
    machine.rotation_is_logged(0, "new")
    return machine


def test_a_state_that_let_keys_of_the_past_sign_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The broken variants: one check less, and a rule of the machine fails."""
    machine = _two_holders()
    assert len(machine.holders) == 2
    machine.directory_by_a_holder(1)
    # old keys that still count as the newest
    monkeypatch.setattr(RootChain, "number_of", lambda self, _keys: self.number)
    with pytest.raises(pytest.fail.Exception):
        machine.directory_by_a_holder(1)


def test_a_chain_that_took_any_number_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = _two_holders()
    real = RootChain.then

    def then(self: RootChain, raw: bytes) -> RootChain:
        note = replace(RootNote.parse(raw), number=self.number + 1)
        return RootChain(self.door, (*self.notes, note)) if self.notes else real(self, raw)

    machine.rotation_by_keys_of_the_past()
    monkeypatch.setattr(RootChain, "then", then)
    with pytest.raises(pytest.fail.Exception):
        machine.rotation_by_keys_of_the_past()


def test_a_closing_that_something_follows_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = _two_holders()
    for _ in range(2):
        machine.directory_by_a_holder(0)
    machine.closing(False)
    machine.directory_by_a_holder(0)
    monkeypatch.setattr("latchstring.protocol.keystate.check_successor", lambda *_: None)
    with pytest.raises(pytest.fail.Exception):
        machine.directory_by_a_holder(0)
