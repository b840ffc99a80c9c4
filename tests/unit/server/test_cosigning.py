# SPDX-License-Identifier: AGPL-3.0-or-later
"""Rounds of asking: nobody who is slow or dead keeps anything waiting; what a quorum has signed comes out once."""

import threading
from collections.abc import Callable, Iterator

import pytest

from latchstring.server.asking import NoAnswer
from latchstring.server.candidate import Candidate
from latchstring.server.cosigning import ROUND_SECONDS, Cosigning
from tests.builders import found
from tests.unit.server.test_asking import LOG, NOW, candidate, prove
from tests.witnessed import Network, names, with_witnesses

FOUR = with_witnesses(found("asked", tick=600), 4, 3).directory


def four(size: int) -> Candidate:
    made = candidate(size)
    return Candidate(size, made.visit, FOUR)


class Slow:
    """Witnesses of which some answer only once they are let go."""

    def __init__(self, *held: str) -> None:
        self.network = Network(LOG.key, 4, now=NOW)
        self.gates = {name: threading.Event() for name in held}
        self.answered = threading.Semaphore(0)
        self.time = 0.0
        self.rounds = Cosigning(self.post, prove, lambda: NOW, lambda: self.time)

    def post(self, address: str, body: bytes) -> tuple[int, bytes]:
        name = address.removeprefix("http://")
        if name in self.gates:
            assert self.gates[name].wait(60)
        return self.network.post(address, body)

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait for threads, not for time."""
        for _ in range(6000):
            if holds():
                return
            threading.Event().wait(0.01)
        raise AssertionError("it never came to that")

    def told(self) -> set[str]:
        this = self.rounds._round
        return set(this.told) if this else set()


@pytest.fixture
def made() -> Iterator[Callable[..., Slow]]:
    all_of_them: list[Slow] = []

    def make(*held: str) -> Slow:
        all_of_them.append(Slow(*held))
        return all_of_them[-1]

    yield make
    for slow in all_of_them:
        for gate in slow.gates.values():
            gate.set()


def test_everybody_answers(made: Callable[..., Slow]) -> None:
    slow = made()
    wanted = four(9)
    assert slow.rounds.step(wanted) is None
    slow.until(lambda: slow.told() == set(names(4)))
    done = slow.rounds.step(wanted)
    assert done is not None
    assert done[0] is wanted
    assert wanted.holds(done[1])
    assert all(not told.trouble for told in slow.rounds.last.values())
    assert slow.rounds.step(None) is None
    assert not slow.rounds.busy


def test_a_quorum_waits_a_moment_for_the_others_and_no_longer(made: Callable[..., Slow]) -> None:
    slow = made("w2.example")
    wanted = four(9)
    slow.rounds.step(wanted)
    slow.until(lambda: len(slow.told()) == 3)
    slow.time = 1.9
    assert slow.rounds.step(wanted) is None
    slow.time = 2.1
    done = slow.rounds.step(wanted)
    assert done is not None
    assert wanted.holds(done[1])
    assert "in time" in slow.rounds.last["w2.example"].trouble


def test_one_who_hangs_is_not_asked_twice_and_the_others_go_on(made: Callable[..., Slow]) -> None:
    slow = made("w2.example")
    for size in (9, 12, 15):
        wanted = four(size)
        slow.rounds.step(wanted)
        slow.until(lambda: len(slow.told() - {"w2.example"}) == 3)
        slow.time += 5
        done = slow.rounds.step(wanted)
        assert done is not None
        assert wanted.holds(done[1])
    assert slow.network.asked.count("w2.example") == 0
    assert threading.active_count() < 8
    slow.gates["w2.example"].set()
    slow.until(lambda: not slow.rounds._busy)
    slow.rounds.step(four(20))
    slow.until(lambda: slow.told() == set(names(4)))
    assert slow.rounds.step(four(20)) is not None


def test_without_a_quorum_the_round_ends_and_comes_again(made: Callable[..., Slow]) -> None:
    slow = made("w1.example", "w2.example")
    wanted = four(9)
    slow.rounds.step(wanted)
    slow.until(lambda: len(slow.told()) == 2)
    slow.time = ROUND_SECONDS - 1
    assert slow.rounds.step(wanted) is None
    assert slow.rounds.busy
    slow.time = ROUND_SECONDS + 1
    assert slow.rounds.step(wanted) is None
    assert not slow.rounds.busy
    for gate in slow.gates.values():
        gate.set()
    slow.until(lambda: not slow.rounds._busy)
    slow.rounds.step(wanted)
    slow.until(lambda: slow.told() == set(names(4)))
    done = slow.rounds.step(wanted)
    assert done is not None
    assert wanted.holds(done[1])


def test_the_same_is_not_asked_without_pause_and_a_newer_one_at_once(made: Callable[..., Slow]) -> None:
    slow = made()
    slow.network.down = {"w1.example", "w2.example"}
    wanted, newer = four(9), four(12)
    slow.rounds.step(wanted)
    slow.until(lambda: slow.told() == set(names(4)))
    assert slow.rounds.step(wanted) is None
    assert slow.rounds.last["w1.example"].trouble == "does not answer"
    slow.time += 1
    slow.rounds.step(wanted)
    assert not slow.rounds.busy
    slow.rounds.step(newer)
    assert slow.rounds.busy
    slow.until(lambda: slow.told() == set(names(4)))
    slow.rounds.step(newer)
    slow.time += 30
    slow.rounds.step(newer)
    assert slow.rounds.busy


def test_whatever_goes_wrong_in_asking_is_heard_of(made: Callable[..., Slow]) -> None:
    slow = made()

    def broken(_old: int, _wanted: Candidate) -> list[bytes]:
        raise RuntimeError("on purpose")

    rounds = Cosigning(slow.post, broken, lambda: NOW, lambda: 0.0)
    rounds.step(four(9))
    slow.until(lambda: rounds._round is not None and len(rounds._round.told) == 4)
    assert rounds.step(four(9)) is None
    assert rounds.last["w1.example"].trouble == "could not be asked"
    assert NoAnswer is not None
