# SPDX-License-Identifier: AGPL-3.0-or-later
"""Everything at once in any order: letters, answers, sessions, crashes of the server, a network that fails.

What always holds: a letter that was acknowledged is in the vault exactly once, in the batch that was promised or
before; a letter whose sender was not sure is there at most once; every answer is read by its source as long as it is
placed, and by nobody else; all that was ever published is one log without a flaw.
"""

from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from latchstring.client.transport import NetworkFailed
from latchstring.client.visit import ClockOff
from latchstring.desk.letters import letters
from latchstring.desk.replies import replies
from latchstring.protocol import constants as c
from latchstring.source.acts import CannotWrite, Sent
from latchstring.store.sql import StoreFailed
from tests.faults import check_published
from tests.files import scratch
from tests.world.world import Fate, Source, open_door

FATES = st.lists(st.sampled_from(["pass", "pass", "drop", "cut", "twice", "late"]), max_size=4)
NAMES = ("a", "b", "c")


class Months(RuleBasedStateMachine):
    """Rules take the parts of one world."""

    @initialize()
    def found(self) -> None:
        self.folder = scratch()
        self.world, desks = open_door(Path(self.folder.name), queue=4)
        self.desk = desks["news"]
        self.sources = {name: Source(self.world, name) for name in NAMES}
        self.taken: dict[str, Sent] = {}  # by text: acknowledged to its sender
        self.unsure: set[str] = set()
        self.answers: dict[bytes, tuple[str, str]] = {}  # reply id -> whose, what
        self.number = 0

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        world = self.world
        world.core.fuse.disarm()
        world.start()
        world.deliver_late()
        world.tick(6)
        self.sync([])
        self.in_vault()
        for sent in self.taken.values():
            assert sent.publish_by <= world.batch
        assert set(self.taken) <= set(self.desk.texts())
        world.close((world.batch // c.TICKS_PER_SHEET + 1) * c.TICKS_PER_SHEET)
        self.sync([])
        self.readable()
        check_published(world.core)
        self.desk.vault.close()
        self.folder.cleanup()

    @rule(name=st.sampled_from(NAMES), fates=FATES)
    def write(self, name: str, fates: list[Fate]) -> None:
        self.number += 1
        text = f"letter {self.number} of {name}"
        source = self.sources[name]
        source.wire.fates = list(fates)
        try:
            self.taken[text] = source.write(text)
        except (CannotWrite, NetworkFailed, ClockOff):
            self.unsure.add(text)
        source.wire.fates = []

    @rule(fates=FATES)
    def sync(self, fates: list[Fate]) -> None:
        self.desk.wire.fates = list(fates)
        try:
            report = self.desk.sync()
            assert report.faults == ()
        except (NetworkFailed, ClockOff):
            pass
        self.desk.wire.fates = []

    @rule(name=st.sampled_from(NAMES))
    def answer(self, name: str) -> None:
        source = self.sources[name]
        if not letters(self.desk.vault, self.desk.thread(source)):
            return
        self.number += 1
        self.desk.show(source)
        text = f"answer {self.number}"
        self.answers[self.desk.answer(source, text).id] = (name, text)

    @rule()
    def readable(self) -> None:
        """Whatever of our answers lies in a sheet of /visit is read by its source; nobody reads anything else."""
        if not self.world.up:
            return
        out = {sheet for sheet in range(self.world.batch // c.TICKS_PER_SHEET + 1)}
        due = {r.id for r in replies(self.desk.vault) if r.last in out and r.last > max(out) - c.SHEETS_KEPT}
        for name, source in self.sources.items():
            try:
                heard = {(r.id, r.text) for r in source.read()}
            except ClockOff:
                return
            own = {(i, text) for i, (whose, text) in self.answers.items() if whose == name}
            assert heard <= own
            assert {i for i, _ in own} & due <= {i for i, _ in heard}

    @rule(ticks=st.integers(1, 5))
    def ticks(self, ticks: int) -> None:
        if self.world.up:
            self.world.tick(ticks)

    @rule(sheets=st.integers(1, 6))
    def hours(self, sheets: int) -> None:
        """Some sheets close, one batch each."""
        for _ in range(sheets if self.world.up else 0):
            self.world.pass_time(c.TICKS_PER_SHEET - 1)
            self.world.tick()

    @rule(n=st.integers(1, 40), stored=st.booleans())
    def crash_while_closing(self, n: int, stored: bool) -> None:
        """The n-th write from here fails; a new process takes over."""
        if not self.world.up:
            return
        self.world.core.fuse.arm(n, stored)
        try:
            self.world.tick()
        except StoreFailed:
            pass
        self.world.core.fuse.disarm()
        self.world.start()

    @rule(n=st.integers(1, 3), stored=st.booleans(), name=st.sampled_from(NAMES))
    def store_fails_on_a_letter(self, n: int, stored: bool, name: str) -> None:
        self.world.core.fuse.arm(n, stored)
        self.write(name, [])
        self.world.core.fuse.disarm()

    @rule(ticks=st.integers(1, 100))
    def away(self, ticks: int) -> None:
        """The server stands still."""
        self.world.up = False
        self.world.pass_time(ticks)

    @rule()
    def restart(self) -> None:
        if not self.world.up:
            self.world.start()
            self.world.tick()

    @invariant()
    def in_vault(self) -> None:
        """Nothing twice, nothing that nobody wrote."""
        if hasattr(self, "world"):
            texts = self.desk.texts()
            assert len(texts) == len(set(texts))
            assert set(texts) <= set(self.taken) | self.unsure


TestMonths = Months.TestCase
TestMonths.settings = settings(
    max_examples=max(5, settings().max_examples // 20), stateful_step_count=25, deadline=None
)
