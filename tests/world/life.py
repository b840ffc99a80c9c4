# SPDX-License-Identifier: AGPL-3.0-or-later
"""A desk's life as a state machine: three or five members with clocks apart, who come when they like and stay away for
up to five weeks, several at once too, sources who write, and all that members do to threads, in any order. When all
have come by for some days every vault says the same, nothing is lost or doubled, and what was deleted is gone; whose
hands a thread is in, what it is marked as, who opened which letter and what was withdrawn is what the log says, read by
somebody who looks at the packs alone.

Clocks differ by some minutes; one that is an hour off keeps its member out, in words, until it is set right. Vaults,
sessions, memos and the server's core are the real ones, in one process; only lists of knocks are left out.
"""

import tempfile
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Final

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from latchstring.client.visit import ClockOff
from latchstring.desk import memos, placing, sync
from latchstring.desk.deletion import delete_letters, delete_thread
from latchstring.desk.errors import DeskError
from latchstring.desk.facts import At
from latchstring.desk.gone import mark_of
from latchstring.desk.known import known_threads, mark_known
from latchstring.desk.letters import Letter, letters
from latchstring.desk.linking import link, linked, unlink
from latchstring.desk.marks import add_note, assign, assignments, notes, readers
from latchstring.desk.outbox import waiting
from latchstring.desk.progress import followed
from latchstring.desk.replies import Reply, replies
from latchstring.desk.retention import keep
from latchstring.desk.schedule import pace_of
from latchstring.desk.seen import own_gaps
from latchstring.desk.shared_replies import shared_replies
from latchstring.desk.withdrawal import is_withdrawn, withdraw
from latchstring.protocol import constants as c
from latchstring.protocol import epoch
from latchstring.protocol.epoch import EpochNote
from latchstring.protocol.primitives import ed25519_verify
from latchstring.source.acts import read_thread
from tests.files import scratch
from tests.world.overhearing import Overheard
from tests.world.world import Desk, Source, TeamStage, open_team

NAMES = ("a", "b")
SKEWS = (0, 280, -290, 150, -60)  # seconds that members' clocks are ahead; beyond 300 a request is refused in words
SETTLED_DAYS = 30  # a turn to pass on lapses after seven days, and goes round after fourteen
STORY_DAYS = 2  # are enough for a story by hand in which nobody is away
WHOLE_DAYS = 4  # whoever followed the log so lately, and misses nothing, can pass it on
MEMO_TICKS = 18  # between a member's memos in the mean; 6 in truth, most of them with nothing to say
SHEETS_AHEAD = 6  # for which pages are made; 28 in truth, which is most of a session's work
ACTS: Final = ("assign", "delete", "forget", "keep", "known", "link", "note", "read", "reply", "withdraw")
"""Kinds of facts by which a human's act is told."""


@lru_cache(maxsize=2)
def _stage(members: int) -> tuple[tempfile.TemporaryDirectory[str], TeamStage]:
    """An open desk, made once in a run; its folder goes with the process."""
    folder = scratch()
    return folder, TeamStage(*open_team(Path(folder.name), members, letters=4, queue=64))


_verified_once = lru_cache(maxsize=1 << 14)(ed25519_verify)  # every /visit has the same weeks' signatures again
_parsed_once = lru_cache(maxsize=1 << 12)(EpochNote.parse)


def told(desk: Desk) -> dict[str, object]:
    """What a member reads about the desk, as their vault has it."""
    threads = all_threads(desk)
    given = assignments(desk.vault, desk.member)
    return {
        "letters": sorted((x.thread, x.msg_id, x.verified, x.acked) for x in letters(desk.vault)),
        "replies": sorted((r.id, r.author, r.sheets, r.body.text) for r in shared_replies(desk.vault)),
        "notes": [[(n.text, n.author) for n in notes(desk.vault, t, desk.member)] for t in threads],
        "hands": [(given[t].member, given[t].by) if t in given else None for t in threads],
        "read": [sorted((m, sorted(who)) for m, who in readers(desk.vault, t).items()) for t in threads],
        "linked": [linked(desk.vault, t) for t in threads],
        "known": known_threads(desk.vault),
        "kept": kept(desk),
    }


def all_threads(desk: Desk) -> tuple[bytes, ...]:
    """Of which there is a letter."""
    return tuple(sorted({x.thread for x in letters(desk.vault)}))


def kept(desk: Desk) -> set[bytes]:
    """Threads marked to stay."""
    return {thread for (thread,) in desk.vault.rows("SELECT thread FROM kept WHERE is_on")}


@dataclass(frozen=True)
class Noted:
    """A note that somebody made. `name`: whose source it is about."""

    name: str
    text: str
    author: str
    id: bytes = field(repr=False)


class Life(RuleBasedStateMachine):
    """`away`: until which batch a member does not come; `settled_days`: in how many all must be as it must be."""

    settled_days = SETTLED_DAYS

    @initialize(members=st.sampled_from([3, 3, 5]))
    def opened(self, members: int) -> None:
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(placing, "coming_sheets", lambda closed: range(closed + 1, closed + 1 + SHEETS_AHEAD))
        self.patch.setattr(sync, "post_lists", lambda *_: ())  # of knocks: a sixth of a session's work
        self.patch.setattr(epoch, "ed25519_verify", _verified_once)
        self.patch.setattr(EpochNote, "parse", _parsed_once)
        self.patch.setattr(memos, "pace_of", lambda d: replace(pace_of(d), mean=MEMO_TICKS * d.policy.tick))
        self.folder = scratch()
        stage = _stage(members)[1].copy(Path(self.folder.name))
        self.world, self.team = stage.world, list(stage.team.values())
        for desk, skew in zip(self.team, SKEWS, strict=False):
            desk.memos, desk.skew = True, skew
            desk.sync()
        self.sources = {name: Source(self.world, name) for name in NAMES}
        self.sent: list[str] = []
        self.written: dict[bytes, tuple[str, Reply]] = {}  # by id: whose source, what
        self.noted: list[Noted] = []
        self.given: set[str] = set()  # whose source's thread was put into somebody's hands
        self.shown: set[tuple[bytes, bytes, str]] = set()  # thread, mark of a letter that was opened, by whom
        self.withdrawn: set[bytes] = set()  # replies
        self.deleted: dict[bytes, str | None] = {}  # by mark of what was deleted: a letter's text
        self.ended: set[str] = set()  # whose source's thread was deleted whole
        self.log = Overheard()
        self.away: dict[str, int] = {}
        self.number = 0

    def teardown(self) -> None:
        if not hasattr(self, "team"):
            return
        try:
            self.settle()
        finally:
            self.patch.undo()
            for desk in self.team:
                desk.vault.close()
            self.folder.cleanup()

    # --- what happens --------------------------------------------------------------------------------

    def here(self) -> list[Desk]:
        return [d for d in self.team if self.away.get(d.member, -1) < self.world.batch]

    def close(self, ticks: int = 1) -> None:
        if self.world.founding.directory.expires < self.world.batch + 40 * c.TICKS_PER_DAY:
            self.world.renew()
        self.world.close(self.world.batch + ticks)
        self.log.hear(self.world, self.team)

    def one(self, which: int) -> Desk | None:
        here = self.here()
        return here[which % len(here)] if here else None

    def at(self, which: int, name: str) -> tuple[Desk, bytes, tuple[Letter, ...]] | None:
        """One of those who are there, a source's thread, and the letters of it that they have; None without any."""
        desk = self.one(which)
        thread = desk.thread(self.sources[name]) if desk else b""
        held = letters(desk.vault, thread) if desk else ()
        return (desk, thread, held) if desk and held else None

    @rule(name=st.sampled_from(NAMES))
    def write(self, name: str) -> None:
        if self.sources[name].look().note("news") is None:
            return  # closed: too few came by
        self.number += 1
        text = f"letter {self.number} of {name}"
        self.sources[name].write(text)
        self.sent.append(text)
        self.close()

    @rule(which=st.integers(0, 4))
    def comes(self, which: int) -> None:
        desk = self.one(which)
        if desk:
            assert desk.sync().faults == ()
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
            reply = desk.answer(self.sources[name], f"answer {self.number}")
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
            desk.show(self.sources[name])
            self.shown |= {(thread, x.mark, desk.member) for x in held}
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
        self.deleted |= {mark_of(x.msg_id): x.body.text for x in going if x.body}
        if len(going) == len(held):
            ids = [r.id for r in shared_replies(desk.vault, thread)] + [r.id for r in replies(desk.vault, thread)]
            ids += [n.id for n in notes(desk.vault, thread, desk.member)]
            self.deleted |= {mark_of(i): None for i in ids}
            self.ended.add(name)
        batch = followed(desk.vault).batch
        if whole:
            delete_thread(desk.vault, thread, batch)
        else:
            delete_letters(desk.vault, [x.msg_id for x in going], batch)

    @rule(ticks=st.sampled_from([1, 6, 36, 36, 144]))
    def hours(self, ticks: int) -> None:
        self.close(ticks)

    def whole(self, desk: Desk) -> bool:
        """Has this member all that there is, as of some days ago?"""
        lately = self.world.batch - WHOLE_DAYS * c.TICKS_PER_DAY
        return followed(desk.vault).batch >= lately and not own_gaps(desk.vault)

    @rule(which=st.integers(0, 4), days=st.sampled_from([4, 8, 20, 36]))
    def leaves(self, which: int, days: int) -> None:
        """One member more is away. Somebody stays who misses nothing: what nobody reads for five weeks is lost."""
        gone = self.one(which)
        if gone and any(self.whole(desk) for desk in self.here() if desk is not gone):
            self.away[gone.member] = self.world.batch + days * c.TICKS_PER_DAY

    @rule(days=st.sampled_from([4, 8, 16, 36]))
    def weeks(self, days: int) -> None:
        """Every other day one of those who are there comes by, in turn."""
        for turn in range(days // 2):
            self.close(2 * c.TICKS_PER_DAY)
            here = self.here()
            here[turn % len(here)].sync()
            self.close()

    # --- what holds ----------------------------------------------------------------------------------

    @invariant()
    def nothing_twice(self) -> None:
        for desk in getattr(self, "team", ()):
            texts = desk.texts()
            assert len(texts) == len(set(texts))
            assert set(texts) <= set(self.sent)

    def stays(self, name: str, id: bytes) -> bool:
        """Must a reply or note about this source be there? What was said of a thread that was deleted whole goes by
        its deletion, or by the word of whoever finds it without a letter."""
        return mark_of(id) not in (self.log.gone() if name in self.ended else self.deleted)

    def lost(self, desk: Desk) -> list[str]:
        """What this member does not have, or has twice, of all that was written and done; and what is there still,
        though it was deleted."""
        wrong = []
        if sorted(desk.texts()) != sorted(set(self.sent) - set(self.deleted.values())) or own_gaps(desk.vault):
            wrong.append("letters")
        answers = {i for i, (name, _) in self.written.items() if self.stays(name, i)}
        if {r.id for r in shared_replies(desk.vault)} != answers:
            wrong.append("answers")
        out = {r.id for r in shared_replies(desk.vault) if r.sheets}
        if answers - self.withdrawn - out:
            wrong.append("where answers are")
        for name in NAMES:
            thread = desk.thread(self.sources[name])
            said = sorted((n.text, n.author) for n in notes(desk.vault, thread, desk.member))
            if said != sorted((n.text, n.author) for n in self.noted if n.name == name and self.stays(name, n.id)):
                wrong.append("notes")
            if name not in self.ended and (thread in assignments(desk.vault, desk.member)) is not (name in self.given):
                wrong.append("hands")
        by = {(t, mark, who) for t in all_threads(desk) for mark, m in readers(desk.vault, t).items() for who in m}
        there = {(x.thread, x.mark) for x in letters(desk.vault)}
        if not {opened for opened in self.shown if opened[:2] in there} <= by <= self.shown:
            wrong.append("marks")
        if {i for i in self.written if is_withdrawn(desk.vault, i)} != self.withdrawn:
            wrong.append("withdrawn")
        if untold(desk):
            wrong.append("told")
        return wrong

    def settle(self) -> None:
        """Everybody comes by several times a day, until all is as it must be."""
        self.away = {}
        for _ in range(2 * self.settled_days):
            for _sheet in range(2):
                self.close(c.TICKS_PER_SHEET)
            for desk in self.team:
                assert desk.sync().faults == ()
            self.close()
            views = [told(desk) for desk in self.team]
            same = all(view == views[0] for view in views) and not any(self.lost(desk) for desk in self.team)
            if same and not self.unheard():
                break
        assert {desk.member: self.lost(desk) for desk in self.team} == {desk.member: [] for desk in self.team}
        for view in views[1:]:
            assert view == views[0]
        self.as_the_log_says()
        assert self.unheard() == set()
        self.stays_withdrawn()

    def lately(self, source: Source) -> list[str]:
        """What a source reads in the sheets of the last 21 days."""
        visit, oldest = source.look(), c.sheet_of(self.world.batch) - c.SHEETS_KEPT
        visit = replace(visit, sheets=tuple(sheet for sheet in visit.sheets if sheet.n > oldest))
        return [reply.text for reply in read_thread(visit, source.keys()) if reply.text is not None]

    def unheard(self) -> set[str]:
        """Answers that no sheet of the last 21 days holds for their source, though nobody took them back. (Where days
        are passed over, as here, `/visit` has the sheets of a longer time.)"""
        heard = {(name, text) for name in NAMES for text in self.lately(self.sources[name])}
        assert heard <= {(name, reply.body.text) for name, reply in self.written.values()}
        return {
            reply.body.text
            for i, (name, reply) in self.written.items()
            if i not in self.withdrawn and self.stays(name, i) and (name, reply.body.text) not in heard
        }

    def as_the_log_says(self) -> None:
        """Of two who gave a thread to somebody the last in the log counts, whoever came by when; what was said of a
        thread before it was deleted whole does not."""
        hands, read, withdrawn = self.log.hands(), self.log.read(), self.log.withdrawn()
        for desk in self.team:
            said = assignments(desk.vault, desk.member)
            assert {t: (a.member, a.by) for t, a in said.items()} == hands, "not the last in the log"
            assert not any(a.pending for a in said.values())
            assert set(known_threads(desk.vault)) == self.log.marked("known", "known")
            assert kept(desk) == self.log.marked("keep", "on")
            pairs = desk.vault.rows("SELECT thread, other_thread FROM linked WHERE is_on")
            assert {frozenset(pair) for pair in pairs} == self.log.links()
            by = desk.vault.rows("SELECT thread, mark, member FROM letter_read")
            assert set(by) == read
        assert withdrawn == self.withdrawn
        assert self.deleted.keys() <= self.log.gone()

    def stays_withdrawn(self) -> None:
        """Everybody has heard of it: no sheet from now on has a copy that was not there."""
        if not self.withdrawn:
            return
        before = {r.id: r.sheets for r in shared_replies(self.team[0].vault) if r.id in self.withdrawn}
        for _ in range(2):
            self.close(c.TICKS_PER_SHEET)
            for desk in self.team:
                desk.sync()
            self.close()
        assert {r.id: r.sheets for r in shared_replies(self.team[0].vault) if r.id in self.withdrawn} == before


def by_hand(settled_days: int = STORY_DAYS) -> Life:
    """Three members, for a story."""
    life = Life()
    life.settled_days = settled_days
    life.opened(members=3)
    return life


def untold(desk: Desk) -> bool:
    """Did they do something that the log does not hold yet?"""
    return any(item.kind in ACTS for item in waiting(desk.vault))


def until_told(life: Life, which: int) -> None:
    """This member alone comes by, until the log holds what they did."""
    while untold(life.team[which]):
        life.hours(12)
        life.comes(which)
