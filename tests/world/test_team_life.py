# SPDX-License-Identifier: AGPL-3.0-or-later
"""A desk's life as a state machine: three or five members with clocks apart, who come when they like and stay away for
up to five weeks, several at once too, sources who write, answers, notes and assignments, in any order. When all have
come by for some days every vault says the same, and nothing is lost or doubled; whose hands a thread is in, who opened
which letter and what was withdrawn is what the log says, read by somebody who looks at the packs alone.

Clocks differ by some minutes; one that is an hour off keeps its member out, in words, until it is set right. Vaults,
sessions, memos and the server's core are the real ones, in one process.
"""

import tempfile
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from latchstring.client.visit import ClockOff
from latchstring.desk import memos, placing
from latchstring.desk.errors import DeskError
from latchstring.desk.facts import Apply, Told
from latchstring.desk.letters import letters
from latchstring.desk.marks import add_note, assign, assignments, notes, readers
from latchstring.desk.progress import followed
from latchstring.desk.replies import Reply
from latchstring.desk.schedule import pace_of
from latchstring.desk.seen import own_gaps
from latchstring.desk.shared import FACT_KINDS
from latchstring.desk.shared_replies import shared_replies
from latchstring.desk.vault import Vault
from latchstring.desk.withdrawal import is_withdrawn, withdraw
from latchstring.protocol import constants as c
from latchstring.protocol.encoding import Fields
from latchstring.source.acts import read_thread
from tests.world.overhearing import Overheard
from tests.world.world import Desk, Source, TeamStage, open_team

NAMES = ("a", "b")
SKEWS = (0, 280, -290, 150, -60)  # seconds that members' clocks are ahead; beyond 300 a request is refused in words
SETTLED_DAYS = 30  # a turn to pass on lapses after seven days, and goes round after fourteen
STORY_DAYS = 5  # are enough for the stories by hand
WHOLE_DAYS = 4  # whoever followed the log so lately, and misses nothing, can pass it on
MEMO_TICKS = 18  # between a member's memos in the mean; 6 in truth, most of them with nothing to say
SHEETS_AHEAD = 6  # for which pages are made; 28 in truth, which is most of a session's work


@lru_cache(maxsize=2)
def _stage(members: int) -> tuple[tempfile.TemporaryDirectory[str], TeamStage]:
    """An open desk, made once in a run; its folder goes with the process."""
    folder = tempfile.TemporaryDirectory()
    return folder, TeamStage(*open_team(Path(folder.name), members, letters=4, queue=64))


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
    }


def all_threads(desk: Desk) -> tuple[bytes, ...]:
    """Of which there is a letter."""
    return tuple(sorted({x.thread for x in letters(desk.vault)}))


class Life(RuleBasedStateMachine):
    """`away`: until which batch a member does not come; `settled_days`: in how many all must be as it must be."""

    settled_days = SETTLED_DAYS

    @initialize(members=st.sampled_from([3, 3, 5]))
    def opened(self, members: int) -> None:
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(placing, "coming_sheets", lambda closed: range(closed + 1, closed + 1 + SHEETS_AHEAD))
        self.patch.setattr(memos, "pace_of", lambda d: replace(pace_of(d), mean=MEMO_TICKS * d.policy.tick))
        self.folder = tempfile.TemporaryDirectory()
        stage = _stage(members)[1].copy(Path(self.folder.name))
        self.world, self.team = stage.world, list(stage.team.values())
        for desk, skew in zip(self.team, SKEWS, strict=False):
            desk.memos, desk.skew = True, skew
            desk.sync()
        self.sources = {name: Source(self.world, name) for name in NAMES}
        self.sent: list[str] = []
        self.answers: dict[str, str] = {}  # text -> whose source
        self.written: list[Reply] = []
        self.noted: list[tuple[str, str, str]] = []  # whose source, text, author
        self.given: set[str] = set()  # whose source's thread was put into somebody's hands
        self.shown: set[tuple[bytes, bytes, str]] = set()  # thread, mark of a letter that was opened, by whom
        self.withdrawn: set[bytes] = set()  # replies
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
        desk, source = self.one(which), self.sources[name]
        if desk is None or not letters(desk.vault, desk.thread(source)):
            return
        self.number += 1
        thread = desk.thread(source)
        if what == "reply":
            text = f"answer {self.number}"
            self.written.append(desk.answer(source, text))
            self.answers[text] = name
        elif what == "note":
            add_note(desk.vault, thread, f"note {self.number}", self.world.now, desk.random)
            self.noted.append((name, f"note {self.number}", desk.member))
        elif what == "assign":
            assign(desk.vault, thread, self.team[self.number % len(self.team)].member)
            self.given.add(name)
        elif what == "show":
            desk.show(source)
            self.shown |= {(thread, x.mark, desk.member) for x in letters(desk.vault, thread)}
        elif known := [r.id for r in shared_replies(desk.vault, thread)]:
            reply = known[self.number % len(known)]
            withdraw(desk.vault, reply)
            self.withdrawn.add(reply)

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

    def lost(self, desk: Desk) -> list[str]:
        """What this member does not have, or has twice, of all that was written and done."""
        wrong = []
        if sorted(desk.texts()) != sorted(self.sent) or own_gaps(desk.vault):
            wrong.append("letters")
        if sorted(r.body.text for r in shared_replies(desk.vault)) != sorted(self.answers):
            wrong.append("answers")
        out = {r.id for r in shared_replies(desk.vault) if r.sheets}
        if {r.id for r in self.written} - self.withdrawn - out:
            wrong.append("where answers are")
        for name in NAMES:
            thread = desk.thread(self.sources[name])
            said = sorted((n.text, n.author) for n in notes(desk.vault, thread, desk.member))
            if said != sorted((text, author) for whose, text, author in self.noted if whose == name):
                wrong.append("notes")
            if (thread in assignments(desk.vault, desk.member)) is not (name in self.given):
                wrong.append("hands")
        by = {(t, mark, who) for t in all_threads(desk) for mark, m in readers(desk.vault, t).items() for who in m}
        if by != self.shown:
            wrong.append("marks")
        if {r.id for r in self.written if is_withdrawn(desk.vault, r.id)} != self.withdrawn:
            wrong.append("withdrawn")
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
        heard = {text: name for name in NAMES for text in self.lately(self.sources[name])}
        assert heard.items() <= self.answers.items()
        return self.answers.keys() - heard.keys() - {r.body.text for r in self.written if r.id in self.withdrawn}

    def as_the_log_says(self) -> None:
        """Of two who gave a thread to somebody the last in the log counts, whoever came by when."""
        hands, read, withdrawn = self.log.hands(), self.log.read(), self.log.withdrawn()
        for desk in self.team:
            said = assignments(desk.vault, desk.member)
            assert {t: (a.member, a.by) for t, a in said.items()} == hands, "not the last in the log"
            assert not any(a.pending for a in said.values())
        assert read == self.shown
        assert withdrawn == self.withdrawn

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


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=max(8, settings().max_examples // 30),
    stateful_step_count=30 if settings().max_examples > 1000 else 15,
    deadline=None,
)


def by_hand() -> Life:
    """Three members, for a story."""
    life = Life()
    life.settled_days = STORY_DAYS
    life.opened(members=3)
    return life


def five_weeks_away() -> None:
    """A story by hand: one is away for five weeks, letters come meanwhile, two answer the same one."""
    life = by_hand()
    life.write("a")
    life.comes(1)
    life.leaves(0, 36)
    life.weeks(36)
    life.comes_with_a_wrong_clock(0, 3600)
    life.write("b")
    life.comes(1)
    life.comes(2)
    for which in (1, 2):
        life.works(which, "b", "reply")
    life.works(2, "a", "note")
    life.works(1, "a", "assign")
    life.teardown()


def two_are_away() -> None:
    """A story by hand: two are away, each for weeks in which the other leaves or is back, and the third stays."""
    life = by_hand()
    life.write("a")
    for which in (0, 1, 2):
        life.comes(which)
    life.works(0, "a", "reply")
    life.works(1, "a", "reply")
    life.hours(36)
    for which in (0, 1, 2):
        life.comes(which)
    life.leaves(0, 36)
    life.weeks(16)
    life.write("b")
    life.comes(0)  # the first of those who are there
    life.works(0, "b", "reply")
    life.comes(1)
    life.leaves(0, 36)
    life.weeks(36)
    assert [desk.member for desk in life.here()] == ["news-1", "news-2", "news-3"]
    life.works(2, "a", "note")
    life.teardown()


def two_hands() -> None:
    """A story by hand: two members give the same thread to different ones; who spoke first is logged last."""
    life = by_hand()
    life.write("a")
    for which in (0, 1):
        life.comes(which)
    life.works(0, "a", "assign")
    life.works(1, "a", "assign")
    life.works(1, "a", "show")
    life.works(1, "a", "reply")
    life.hours(36)
    life.comes(1)
    life.hours(36)
    life.comes(1)
    life.comes(0)
    life.works(0, "a", "withdraw")
    assert life.withdrawn
    life.teardown()


def test_the_last_in_the_log_has_the_thread_in_hand() -> None:
    two_hands()


def first_holds(vault: Vault, told: Told, fields: Fields) -> None:
    """As if the first word about a thread counted: all machines agree, and on the wrong one."""
    thread, to = fields.raw("thread"), fields.take("to")
    row = (thread, to if isinstance(to, str) else None, told.by, told.at.number)
    vault.do("INSERT OR IGNORE INTO assignment (thread, member, by, at) VALUES (?, ?, ?, ?)", *row)


def nothing(_vault: Vault, _told: Told, _fields: Fields) -> None:
    """As if the kind meant nothing."""


@pytest.mark.parametrize(
    ("kind", "instead"), [("assign", first_holds), ("assign", nothing), ("read", nothing), ("withdraw", nothing)]
)
def test_a_word_that_is_taken_in_wrongly_is_seen(kind: str, instead: Apply, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FACT_KINDS, kind, instead)
    with pytest.raises(AssertionError, match="not the last in the log" if instead is first_holds else None):
        two_hands()


def test_five_weeks_away() -> None:
    five_weeks_away()


def test_two_are_away() -> None:
    two_are_away()


def test_where_nobody_passes_on_what_somebody_missed_it_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latchstring.desk.sharing.pass_on", lambda *_: 0)
    with pytest.raises(AssertionError):
        five_weeks_away()


def test_where_memos_are_not_taken_in_it_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latchstring.desk.keeping.first_time", lambda *_: False)
    life = by_hand()
    life.write("a")
    life.comes(1)
    life.works(1, "a", "note")
    with pytest.raises(AssertionError):
        life.teardown()
