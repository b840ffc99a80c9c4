# SPDX-License-Identifier: AGPL-3.0-or-later
"""Logs that fork at will, and a witness that is killed at will: never two roots for one size, never a step back."""

import copy

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from latchstring.log.addcheckpoint import AddCheckpoint
from latchstring.log.checkpoint import parse_text
from latchstring.log.cosignature import cosignatures
from latchstring.log.errors import LogError
from latchstring.log.note import parse_note
from latchstring.witness import rule as rules
from tests.witnesses import Log, MemoryStates, cosigner, witness_for

SIZES = st.integers(0, 20)
FORKS = st.sampled_from([None, 0, 1, 5, 8, 16])


class Machine(RuleBasedStateMachine):
    """Everything that ever left the witness is collected; crashes cut before or after the write is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.states = MemoryStates()
        self.signed: list[tuple[int, bytes]] = []
        self.boot()

    def boot(self) -> None:
        self.witness = witness_for(Log(), states=self.states)

    def ask(self, raw: bytes, note: bytes) -> None:
        answer = self.witness.add_checkpoint(raw, 1)
        if answer.status != 200:
            return
        held = cosignatures(note + answer.body, cosigner("w1.example").keys)
        assert len(held) == 2
        checkpoint = parse_text(parse_note(note).text)
        self.signed.append((checkpoint.size, checkpoint.root))

    @rule(old=SIZES, new=SIZES, fork=FORKS)
    def honest_form(self, old: int, new: int, fork: int | None) -> None:
        log = Log(fork=fork)
        self.ask(log.ask(old, new), log.checkpoint(new).sign(log.seed))

    @rule(new=SIZES, fork=FORKS)
    def after_being_told_the_size(self, new: int, fork: int | None) -> None:
        log, old = Log(fork=fork), self.states.get(Log().origin).size
        self.ask(log.ask(old, new), log.checkpoint(new).sign(log.seed))

    @rule(new=SIZES, fork=FORKS, hashes=st.lists(st.binary(min_size=32, max_size=32), max_size=4))
    def with_any_proof(self, new: int, fork: int | None, hashes: list[bytes]) -> None:
        log, old = Log(fork=fork), self.states.get(Log().origin).size
        note = log.checkpoint(new).sign(log.seed)
        self.ask(AddCheckpoint(old, tuple(hashes), note).encode(), note)

    @rule(stored=st.booleans(), new=SIZES, fork=FORKS)
    def killed_at_the_write(self, stored: bool, new: int, fork: int | None) -> None:
        """The process ends at its write; the cosignature never leaves; a new one starts on what is on the disk."""
        self.states.fail, self.states.stored = True, stored
        before = len(self.signed)
        self.after_being_told_the_size(new, fork)
        assert len(self.signed) == before or not self.states.fail
        self.states = copy.deepcopy(self.states)
        self.states.fail = False
        self.boot()

    @invariant()
    def never_two_roots_at_one_size_nor_back(self) -> None:
        sizes = [size for size, _ in self.signed]
        assert sizes == sorted(sizes)
        assert len(dict(self.signed)) == len(set(self.signed))

    @invariant()
    def one_log(self) -> None:
        """All that was ever signed are sizes of one of the logs there are."""
        logs = [Log(fork=fork) for fork in (None, 0, 1, 5, 8, 16)]
        assert any(all(log.checkpoint(size).root == root for size, root in self.signed) for log in logs)


TestWitness = Machine.TestCase
TestWitness.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)


def _broken(patch: pytest.MonkeyPatch, how: str) -> None:
    if how == "proofs are believed":
        patch.setattr(rules, "verify_consistency", lambda *_: None)
    elif how == "signed before it is kept":

        def forgetful(states: MemoryStates, *_: object) -> None:
            states.fail = False  # acknowledged, and not on the disk

        patch.setattr(MemoryStates, "put", forgetful)


@pytest.mark.parametrize("how", ["proofs are believed", "signed before it is kept"])
def test_a_broken_witness_is_found(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    _broken(monkeypatch, how)
    with pytest.raises((AssertionError, LogError)):
        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=100, stateful_step_count=12, deadline=None, derandomize=True, phases=[Phase.generate]
            ),
        )
