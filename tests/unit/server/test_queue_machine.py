# SPDX-License-Identifier: AGPL-3.0-or-later
"""The queue as a state machine: letters in, batches closed, crashes at any write, restarts, standstills.

Whatever happens: every receipt's letter is in the log by the batch it names, once, older ones first, and a batch
never has another number of letters than the directory says.
"""

from contextlib import suppress

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from latchstring.log.checkpoint import open_checkpoint
from latchstring.server.accept import Refusal
from latchstring.store import letters
from latchstring.store.sql import StoreFailed
from tests.faults import Core, check_published


class Queue(RuleBasedStateMachine):
    @initialize()
    def found(self) -> None:
        self.core = Core.opened(batch=30, letters=2, queue=6)
        self.now = 31
        self.next = 1
        self.sent: dict[int, bytes] = {}

    @rule(count=st.integers(1, 4), again=st.booleans(), clock_off=st.sampled_from([0, 0, -4, 1]))
    def accept(self, count: int, again: bool, clock_off: int) -> None:
        numbers = list(range(self.next, self.next + count))
        if again and self.sent:
            numbers.append(min(self.sent))
        with suppress(StoreFailed):
            outcomes = self.core.send(self.now + clock_off, *numbers)
            self.next += count
            for number, outcome in zip(numbers, outcomes, strict=True):
                if isinstance(outcome, bytes):
                    assert self.sent.setdefault(number, outcome) == outcome
                else:
                    assert outcome is Refusal.FULL

    @rule(ticks=st.sampled_from([1, 1, 1, 2, 5, 40]))
    def tick(self, ticks: int) -> None:
        self.now += ticks
        with suppress(StoreFailed):
            self.core.close(self.now)

    @rule(batches=st.integers(1, 3))
    def clock_set_back(self, batches: int) -> None:
        with suppress(StoreFailed):
            assert self.core.close(self.core.batch - batches) == []

    @rule(write=st.integers(1, 14), stored=st.booleans())
    def will_fail(self, write: int, stored: bool) -> None:
        self.core.fuse.arm(write, stored)

    @rule()
    def crash(self) -> None:
        self.core.fuse.disarm()
        self.core.restart()
        self.core.publisher.start()

    @invariant()
    def nothing_is_counted_wrong(self) -> None:
        if hasattr(self, "core"):
            with self.core.sql.read() as connection:
                assert letters.waiting(connection) == len(letters.oldest(connection, 1000)) <= 6

    def teardown(self) -> None:
        if not hasattr(self, "core"):
            return
        self.crash()
        for _ in range(5):
            self.now += 1
            self.core.close(self.now)
        with self.core.sql.read() as connection:
            assert letters.waiting(connection) == 0
        check_published(self.core)
        key = self.core.keys.verifier(self.core.founding.directory.origin)
        sizes = [open_checkpoint(raw, key).size for raw in self.core.public.checkpoints]
        assert sizes == sorted(sizes)


TestQueue = Queue.TestCase
TestQueue.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
