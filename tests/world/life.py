# SPDX-License-Identifier: AGPL-3.0-or-later
"""A desk's life as a state machine: three or five members with clocks apart, who come when they like and stay away for
up to five weeks, several at once too, sources who write and change their words, and all that members do to threads, in
any order; under a policy that ends quiet threads, or none. What holds when all have come by for some days says
`settling.py`: every vault says the same, nothing is lost or doubled, what was deleted is gone.

Clocks differ by some minutes; one that is an hour off keeps its member out, in words, until it is set right. A change
of words reaches every member while they can open it: whoever cannot goes on under the old words, as
`tests/world/test_long_absence.py` plays. Vaults, sessions, memos and the server's core are the real ones, in one
process; only lists of knocks are left out.
"""

import tempfile
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from latchstring.client.visit import ClockOff
from latchstring.desk import memos, placing, retention, sync
from latchstring.desk.deletion import delete_letters, delete_thread
from latchstring.desk.errors import DeskError
from latchstring.desk.facts import At
from latchstring.desk.gone import mark_of
from latchstring.desk.known import known_threads, mark_known
from latchstring.desk.letters import Letter, letters
from latchstring.desk.linking import link, linked, unlink
from latchstring.desk.marks import add_note, assign, notes
from latchstring.desk.outbox import waiting
from latchstring.desk.progress import followed
from latchstring.desk.replies import replies, write_reply
from latchstring.desk.retention import keep
from latchstring.desk.schedule import pace_of
from latchstring.desk.seen import own_gaps
from latchstring.desk.shared_replies import shared_replies
from latchstring.desk.withdrawal import withdraw
from latchstring.protocol import constants as c
from latchstring.protocol import epoch
from latchstring.protocol.epoch import EpochNote
from latchstring.protocol.primitives import ed25519_verify
from tests.files import scratch
from tests.world.overhearing import Overheard
from tests.world.settling import Changed, Noted, Settling, all_threads, kept, untold
from tests.world.world import Desk, Source, TeamStage, open_team

NAMES = ("a", "b")
SKEWS = (0, 280, -290, 150, -60)  # seconds that members' clocks are ahead; beyond 300 a request is refused in words
STORY_DAYS = 2  # are enough for a story by hand in which nobody is away
WHOLE_DAYS = 4  # whoever followed the log so lately, and misses nothing, can pass it on
CHANGE_DAYS = 2  # in which every member reads a change of words
KEEP_DAYS = 30  # the shortest that a policy may say
OPENED_DAYS = 20  # away for so long, a member can open all that came meanwhile
MEMO_TICKS = 18  # between a member's memos in the mean; 6 in truth, most of them with nothing to say
SHEETS_AHEAD = 6  # for which pages are made; 28 in truth, which is most of a session's work


@lru_cache(maxsize=2)
def _stage(members: int) -> tuple[tempfile.TemporaryDirectory[str], TeamStage]:
    """An open desk, made once in a run; its folder goes with the process."""
    folder = scratch()
    return folder, TeamStage(*open_team(Path(folder.name), members, letters=4, queue=64))


_verified_once = lru_cache(maxsize=1 << 14)(ed25519_verify)  # every /visit has the same weeks' signatures again
_parsed_once = lru_cache(maxsize=1 << 12)(EpochNote.parse)


class Life(Settling, RuleBasedStateMachine):
    """What happens; what holds is in `Settling`."""

    @initialize(members=st.sampled_from([3, 3, 5]), keep_days=st.sampled_from([0, 0, KEEP_DAYS]))
    def opened(self, members: int, keep_days: int) -> None:
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(placing, "coming_sheets", lambda closed: range(closed + 1, closed + 1 + SHEETS_AHEAD))
        self.patch.setattr(sync, "post_lists", lambda *_: ())  # of knocks: a sixth of a session's work
        self.patch.setattr(epoch, "ed25519_verify", _verified_once)
        self.patch.setattr(EpochNote, "parse", _parsed_once)
        self.patch.setattr(memos, "pace_of", lambda d: replace(pace_of(d), mean=MEMO_TICKS * d.policy.tick))
        self.patch.setattr(retention, "delete_thread", self.ends)
        self.folder = scratch()
        stage = _stage(members)[1].copy(Path(self.folder.name))
        self.world, self.team = stage.world, list(stage.team.values())
        self.sources = {name: Source(self.world, name) for name in NAMES}
        self.changed = {name: [] for name in NAMES}
        self.sent, self.written, self.noted = [], {}, []
        self.given, self.shown, self.withdrawn = set(), set(), set()
        self.deleted, self.ended = set(), set()
        self.quiet_ended = {desk.member: {} for desk in self.team}
        self.warned = {desk.member: [] for desk in self.team}
        self.log, self.away, self.number = Overheard(), {}, 0
        if keep_days:
            self.world.renew(policy=replace(self.world.policy, keep_days=keep_days))
        for desk, skew in zip(self.team, SKEWS, strict=False):
            desk.memos, desk.skew = True, skew
            self.visit(desk)

    def teardown(self) -> None:
        if not hasattr(self, "team"):
            return
        try:
            self.settle()
        finally:
            self.end()

    def end(self) -> None:
        """Nothing of it stays, whatever it came to."""
        self.patch.undo()
        for desk in self.team:
            desk.vault.close()
        self.folder.cleanup()

    # --- time ----------------------------------------------------------------------------------------

    def close(self, ticks: int = 1) -> None:
        if self.world.founding.directory.expires < self.world.batch + 40 * c.TICKS_PER_DAY:
            self.world.renew()
        self.read_changes(self.world.batch + ticks - CHANGE_DAYS * c.TICKS_PER_DAY)
        self.world.close(self.world.batch + ticks)
        self.log.hear(self.world, self.team)

    def read_changes(self, asked: int) -> None:
        """Whoever has not read a change that was asked for before this batch comes by."""
        while any(w.to_all is None and w.asked < asked for changes in self.changed.values() for w in changes):
            self.world.close()
            self.log.hear(self.world, self.team)
            for desk in self.team:
                self.visit(desk)

    def here(self) -> list[Desk]:
        return [d for d in self.team if self.away.get(d.member, -1) < self.world.batch]

    def one(self, which: int) -> Desk | None:
        here = self.here()
        return here[which % len(here)] if here else None

    def whole(self, desk: Desk) -> bool:
        """Has this member all that there is, as of some days ago?"""
        lately = self.world.batch - WHOLE_DAYS * c.TICKS_PER_DAY
        return followed(desk.vault).batch >= lately and not own_gaps(desk.vault)

    @rule(ticks=st.sampled_from([1, 6, 36, 36, 144]))
    def hours(self, ticks: int) -> None:
        self.close(ticks)

    @rule(which=st.integers(0, 4), days=st.sampled_from([4, 8, 20, 36]))
    def leaves(self, which: int, days: int) -> None:
        """One member more is away. Somebody stays who misses nothing: what nobody reads for five weeks is lost."""
        gone = self.one(which)
        if gone and any(self.whole(desk) for desk in self.here() if desk is not gone):
            if self.world.policy.keep_days:
                days = min(days, OPENED_DAYS)
            self.read_changes(self.world.batch + 1)
            self.away[gone.member] = self.world.batch + days * c.TICKS_PER_DAY

    @rule(days=st.sampled_from([4, 8, 16, 36]))
    def weeks(self, days: int) -> None:
        """Every other day one of those who are there comes by, in turn."""
        for turn in range(days // 2):
            self.close(2 * c.TICKS_PER_DAY)
            here = self.here()
            self.visit(here[turn % len(here)])
            self.close()

    @rule(which=st.integers(0, 4))
    def comes(self, which: int) -> None:
        desk = self.one(which)
        if desk:
            self.visit(desk)
            self.close()

    @rule(which=st.integers(0, 4), skew=st.sampled_from([3600, -3600]))
    def comes_with_a_wrong_clock(self, which: int, skew: int) -> None:
        """An hour off: told in words, and nothing is lost by it."""
        desk = self.one(which)
        if desk:
            right, desk.skew = desk.skew, skew
            with pytest.raises((ClockOff, DeskError), match="date and time"):
                desk.sync()
            desk.skew = right

    # --- sources -------------------------------------------------------------------------------------

    def send(self, source: Source, whose: str) -> None:
        if source.look().note("news") is None:
            return  # closed: too few came by
        self.number += 1
        text = f"letter {self.number} of {whose}"
        source.write(text)
        self.sent.append(text)
        self.close()

    @rule(name=st.sampled_from(NAMES))
    def write(self, name: str) -> None:
        self.send(self.sources[name], name)

    @rule(name=st.sampled_from(NAMES))
    def changes(self, name: str) -> None:
        """A source takes new words, while every member can read of it."""
        old = self.sources[name]
        known = any(desk.thread(old) in all_threads(desk) for desk in self.team)
        ended = any(desk.thread(old) in self.differing() for desk in self.team)
        if not known or ended or not all(self.whole(desk) for desk in self.team) or old.look().note("news") is None:
            return
        self.number += 1
        self.sources[name] = Source(self.world, f"{name} {self.number}")
        old.change(self.sources[name])
        self.changed[name].append(Changed(old, self.world.batch))
        self.close()

    @rule(name=st.sampled_from(NAMES), which=st.integers(0, 2), what=st.sampled_from(["write", "write", "change"]))
    def old_words_are_used(self, name: str, which: int, what: str) -> None:
        """Whoever has words that were changed writes under them, or would change them too."""
        if not self.changed[name]:
            return
        thief = self.changed[name][which % len(self.changed[name])].old
        if what == "write":
            self.send(thief, f"whoever has words of {name}")
        elif thief.look().note("news") is not None:
            thief.change(Source(self.world, f"a thief {self.number}"))
            self.close()

    # --- members -------------------------------------------------------------------------------------

    def at(self, which: int, name: str) -> tuple[Desk, bytes, tuple[Letter, ...]] | None:
        """One of those who are there, a source's thread, and the letters of it that they have; None without any. Who
        has not read of a change has it under the words of before."""
        desk = self.one(which)
        words = [self.sources[name], *(w.old for w in reversed(self.changed[name]) if w.to_all is None)]
        for thread in [desk.thread(source) for source in words] if desk else []:
            assert desk is not None
            if held := letters(desk.vault, thread):
                return desk, thread, held
        return None

    @rule(
        which=st.integers(0, 4),
        name=st.sampled_from(NAMES),
        what=st.sampled_from(["reply", "note", "assign", "assign", "show", "withdraw"]),
    )
    def works(self, which: int, name: str, what: str) -> None:
        found = self.at(which, name)
        if found is None:
            return
        desk, thread, held = found
        self.number += 1
        if what == "reply":
            reply = write_reply(desk.vault, thread, f"answer {self.number}", self.world.now, desk.random)
            self.written[reply.id] = (name, reply)
        elif what == "note":
            add_note(desk.vault, thread, f"note {self.number}", self.world.now, desk.random)
            note = waiting(desk.vault, "note")[-1].fact["id"]
            assert isinstance(note, bytes)
            self.noted.append(Noted(name, f"note {self.number}", desk.member, note))
        elif what == "assign":
            assign(desk.vault, thread, self.team[self.number % len(self.team)].member)
            self.given.add(name)
        elif what == "show":
            self.open(desk, held)
        elif known := [r.id for r in shared_replies(desk.vault, thread)]:
            taken_back = known[self.number % len(known)]
            withdraw(desk.vault, taken_back)
            self.withdrawn.add(taken_back)

    @rule(which=st.integers(0, 4), name=st.sampled_from(NAMES), what=st.sampled_from(["known", "keep", "link"]))
    def marks(self, which: int, name: str, what: str) -> None:
        """On, or off when it is on."""
        found = self.at(which, name)
        if found is None:
            return
        desk, thread, _ = found
        now = At(followed(desk.vault).batch, 4095, 4095)
        if what == "known":
            mark_known(desk.vault, thread, thread not in known_threads(desk.vault))
        elif what == "keep":
            keep(desk.vault, thread, thread not in kept(desk), now)
        elif linked(desk.vault, thread):
            unlink(desk.vault, thread, now)
        elif others := [t for t in all_threads(desk) if t != thread]:
            link(desk.vault, thread, others[0], now)

    @rule(which=st.integers(0, 4), name=st.sampled_from(NAMES), whole=st.booleans())
    def deletes(self, which: int, name: str, whole: bool) -> None:
        """What this member has of a thread, or its newest letter alone."""
        found = self.at(which, name)
        if found is None:
            return
        desk, thread, held = found
        going = held if whole else held[-1:]
        self.deleted |= {mark_of(x.msg_id) for x in going}
        if len(going) == len(held):
            ids = [r.id for r in shared_replies(desk.vault, thread)] + [r.id for r in replies(desk.vault, thread)]
            ids += [n.id for n in notes(desk.vault, thread, desk.member)]
            unsent = {item.fact["id"] for item in waiting(desk.vault, "note") if item.memo is None} & {*ids}
            self.noted = [n for n in self.noted if n.id not in unsent]  # nobody ever hears of these
            self.deleted |= {mark_of(i) for i in ids if i not in unsent}
            self.ended.add(name)
        batch = followed(desk.vault).batch
        if whole:
            delete_thread(desk.vault, thread, batch)
        else:
            delete_letters(desk.vault, [x.msg_id for x in going], batch)

    # --- what always holds ---------------------------------------------------------------------------

    @invariant()
    def nothing_twice(self) -> None:
        for desk in getattr(self, "team", ()):
            texts = desk.texts() + desk.texts(verified=False)
            assert len(texts) == len(set(texts))
            assert set(texts) <= set(self.sent)


def by_hand(settled_days: int = STORY_DAYS, keep_days: int = 0) -> Life:
    """Three members, for a story."""
    life = Life()
    life.settled_days = settled_days
    life.opened(members=3, keep_days=keep_days)
    return life


def until_told(life: Life, which: int) -> None:
    """This member alone comes by, until the log holds what they did."""
    while untold(life.team[which]):
        life.hours(12)
        life.comes(which)
