# SPDX-License-Identifier: AGPL-3.0-or-later
"""What must hold of a desk's life (`life.py`) when all have come by for some days: what each vault says against what
was done, against the other vaults, and against the log, read by somebody who looks at the packs alone.

Where the policy ends quiet threads, each machine ends them by itself, and members may differ on threads that some of
them have ended (`docs/decisions/0018`): of those everybody has the letters that came since; of all others everything is
the same; and all is the same again when everything has been quiet for as long once more.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from latchstring.desk import retention
from latchstring.desk.deletion import Deleted, delete_thread
from latchstring.desk.gone import mark_of
from latchstring.desk.known import known_threads
from latchstring.desk.letters import Letter, letters, mark_opened
from latchstring.desk.marks import assignments, notes, readers
from latchstring.desk.outbox import waiting
from latchstring.desk.progress import followed
from latchstring.desk.replies import Reply
from latchstring.desk.seen import own_gaps
from latchstring.desk.shared_replies import shared_replies
from latchstring.desk.vault import Vault
from latchstring.desk.withdrawal import is_withdrawn
from latchstring.protocol import constants as c
from latchstring.source.acts import read_thread
from tests.world.overhearing import Overheard
from tests.world.world import Desk, Source, World

SETTLED_DAYS = 30  # a turn to pass on lapses after seven days, and goes round after fourteen
QUIET_DAYS = (12, 12, 8)  # between sessions at the end: in the second all are warned, in the third all goes
ACTS = frozenset({"assign", "delete", "forget", "keep", "known", "link", "note", "read", "reply", "withdraw"})
"""Kinds of facts by which a human's act is told."""


def all_threads(desk: Desk) -> tuple[bytes, ...]:
    """Of which there is a letter."""
    return tuple(sorted({x.thread for x in letters(desk.vault)}))


def kept(desk: Desk) -> set[bytes]:
    """Threads marked to stay."""
    return {thread for (thread,) in desk.vault.rows("SELECT thread FROM kept WHERE is_on")}


def links(desk: Desk) -> set[frozenset[bytes]]:
    """Pairs of threads held to be of one source."""
    return {frozenset(pair) for pair in desk.vault.rows("SELECT thread, other_thread FROM linked WHERE is_on")}


def untold(desk: Desk) -> bool:
    """Did they do something that the log does not hold yet?"""
    return any(item.kind in ACTS for item in waiting(desk.vault))


def told(desk: Desk, but: frozenset[bytes] = frozenset()) -> dict[str, object]:
    """What a member reads about the desk, as their vault has it; nothing of the threads in `but`."""
    vault = desk.vault
    threads = [t for t in all_threads(desk) if t not in but]
    given = assignments(vault, desk.member)
    return {
        "letters": sorted(
            (x.thread, x.msg_id, x.verified, x.stale, x.acked) for x in letters(vault) if x.thread not in but
        ),
        "replies": sorted(
            (r.thread, r.id, r.author, r.sheets, r.body.text) for r in shared_replies(vault) if r.thread not in but
        ),
        "notes": [[(n.text, n.author) for n in notes(vault, t, desk.member)] for t in threads],
        "hands": {t: (a.member, a.by) for t, a in given.items() if t not in but},
        "read": [sorted((m, sorted(who)) for m, who in readers(vault, t).items()) for t in threads],
        "linked": {pair for pair in links(desk) if not pair & but},
        "known": set(known_threads(vault)) - but,
        "kept": kept(desk) - but,
    }


@dataclass(frozen=True)
class Noted:
    """A note that somebody made. `name`: whose source it is about."""

    name: str
    text: str
    author: str
    id: bytes = field(repr=False)


@dataclass
class Changed:
    """A change of words. `to_all`: the batch in which every member had followed the log past it."""

    old: Source
    asked: int
    to_all: int | None = None


class Settling:
    """`away`: until which batch a member does not come; `settled_days`: in how many all must be as it must be."""

    settled_days = SETTLED_DAYS
    world: World
    team: list[Desk]
    sources: dict[str, Source]  # by name, with the words of now
    changed: dict[str, list[Changed]]  # the words of before, oldest first
    sent: list[str]  # texts of letters
    written: dict[bytes, tuple[str, Reply]]  # by id: whose source, what
    noted: list[Noted]
    given: set[str]  # whose source's thread was put into somebody's hands
    shown: set[tuple[bytes, str]]  # mark of a letter that was opened, by whom
    withdrawn: set[bytes]  # replies
    deleted: set[bytes]  # marks of what was deleted
    ended: set[str]  # whose source's thread was deleted whole
    quiet_ended: dict[str, dict[bytes, int]]  # by member: threads that their machine ended by the policy, and when
    warned: dict[str, list[int]]  # by member: days on which they were told that threads will go
    log: Overheard
    away: dict[str, int]

    def close(self, ticks: int = 1) -> None:
        raise NotImplementedError

    def open(self, desk: Desk, held: Sequence[Letter]) -> None:
        """A human opens these letters."""
        mark_opened(desk.vault, tuple(x.number for x in held))
        self.shown |= {(x.mark, desk.member) for x in held}

    def visit(self, desk: Desk) -> None:
        """One session, in which nothing is amiss."""
        report = desk.sync()
        assert report.faults == ()
        if any("quiet for long and will" in said for said in report.warnings):
            self.warned[desk.member].append(c.day_of(self.world.batch))
        logged = {change.old: change.batch for change in self.log.changes}
        for change in (w for changes in self.changed.values() for w in changes if w.to_all is None):
            batch = logged.get(desk.thread(change.old))
            if batch is not None and all(followed(d.vault).batch >= batch for d in self.team):
                change.to_all = self.world.batch

    # --- the policy ----------------------------------------------------------------------------------

    def ends(self, vault: Vault, thread: bytes, batch: int, *, told: bool) -> Deleted:
        """A machine ends a thread by itself: never before its time, unopened, kept or unwarned."""
        (desk,) = (d for d in self.team if d.vault is vault)
        held, today = letters(vault, thread), c.day_of(batch)
        before = self.quiet_ended[desk.member].get(thread, -1)
        since = max(*(x.batch for x in held), self.log.newest_reply(thread))
        assert today >= c.day_of(since) + self.world.policy.keep_days, "ended before its time"
        assert {x.mark for x in held} <= {mark for mark, _ in self.shown}, "ended unopened"
        assert before >= 0 or thread not in self.log.marked("keep", "on"), "ended though it was kept"
        assert any(day <= today - retention.WARN_DAYS for day in self.warned[desk.member]), "ended unwarned"
        self.quiet_ended[desk.member][thread] = batch
        return delete_thread(vault, thread, batch, told=told)

    def differing(self) -> frozenset[bytes]:
        """Threads on which members may differ, by all their ids: those that some machine has ended by the policy."""
        found = {thread for ended in self.quiet_ended.values() for thread in ended}
        now = {self.log.now(thread, 0) for thread in found}
        ids = found | {i for change in self.log.changes for i in (change.old, change.new)}
        return frozenset(i for i in ids if self.log.now(i, 0) in now)

    # --- what was done -------------------------------------------------------------------------------

    def stays(self, name: str, id: bytes) -> bool:
        """Must a reply or note about this source be there? What was said of a thread that was deleted whole goes by
        its deletion, or by the word of whoever finds it without a letter."""
        return mark_of(id) not in (self.log.gone() if name in self.ended else self.deleted)

    def answers(self, but: frozenset[bytes]) -> set[bytes]:
        """Replies that must be there."""
        return {
            i
            for i, (name, reply) in self.written.items()
            if self.stays(name, i) and reply.thread not in but and self.log.now(reply.thread, 0) not in but
        }

    def lost(self, desk: Desk) -> list[str]:
        """What this member does not have, or has twice, of all that was written and done; and what is there still,
        though it was deleted."""
        wrong, but = list[str](), self.differing()
        left = self.log.left(self.quiet_ended[desk.member])
        for verified in (True, False):
            texts = sorted(x.body.text for x in left if self.log.is_stale(x) is not verified)
            if sorted(desk.texts(verified)) != texts:
                wrong.append("letters" if verified else "letters under old words")
        if {x.body.text for x in self.log.letters} != set(self.sent) or own_gaps(desk.vault):
            wrong.append("what was sent")
        answers = self.answers(but)
        there = [r for r in shared_replies(desk.vault) if r.thread not in but]
        if {r.id for r in there} != answers:
            wrong.append("answers")
        if answers - self.withdrawn - self.log.read_by_sources() - {r.id for r in there if r.sheets}:
            wrong.append("where answers are")
        for name, source in self.sources.items():
            thread = desk.thread(source)
            if thread in but:
                continue
            said = sorted((n.text, n.author) for n in notes(desk.vault, thread, desk.member))
            if said != sorted((n.text, n.author) for n in self.noted if n.name == name and self.stays(name, n.id)):
                wrong.append("notes")
            if name not in self.ended and (thread in assignments(desk.vault, desk.member)) is not (name in self.given):
                wrong.append("hands")
        held = {x.mark for x in letters(desk.vault) if x.thread not in but}
        by = {(m, who) for t in all_threads(desk) for m, whose in readers(desk.vault, t).items() for who in whose}
        if not {opened for opened in self.shown if opened[0] in held} <= by <= self.shown:
            wrong.append("marks")
        if {i for i in answers if is_withdrawn(desk.vault, i)} != self.withdrawn & answers:
            wrong.append("withdrawn")
        if untold(desk):
            wrong.append("told")
        return wrong

    # --- what sources read ---------------------------------------------------------------------------

    def lately(self, source: Source, after: int = -1) -> list[str]:
        """What a source reads in the sheets of the last 21 days, of those that came out after this batch."""
        visit, oldest = source.look(), max(c.sheet_of(self.world.batch) - c.SHEETS_KEPT, c.sheet_of(after))
        visit = replace(visit, sheets=tuple(sheet for sheet in visit.sheets if sheet.n > oldest))
        return [reply.text for reply in read_thread(visit, source.keys()) if reply.text is not None]

    def unheard(self) -> set[str]:
        """Answers that no sheet of the last 21 days holds for their source, though nobody took them back and no letter
        says that they were read. (Where days are passed over, as here, `/visit` has the sheets of a longer time.)"""
        heard = {(name, text) for name, source in self.sources.items() for text in self.lately(source)}
        assert heard <= {(name, reply.body.text) for name, reply in self.written.values()}
        waits = self.answers(self.differing()) - self.withdrawn - self.log.read_by_sources()
        said = {(self.written[i][0], self.written[i][1].body.text) for i in waits}
        return {text for name, text in said if (name, text) not in heard}

    def old_words_read_nothing_new(self) -> None:
        """Since all have followed a change, nothing is sealed to the words of before."""
        for changes in self.changed.values():
            for change in changes:
                if change.to_all is not None:
                    assert self.lately(change.old, change.to_all) == []

    # --- the log -------------------------------------------------------------------------------------

    def as_the_log_says(self) -> None:
        """Of two who gave a thread to somebody the last in the log counts, whoever came by when; what was said of a
        thread before it was deleted whole does not."""
        but, log = self.differing(), self.log
        hands = {t: said for t, said in log.hands().items() if t not in but}
        read = {said for said in log.read() if said[0] not in but}
        pairs = {pair for pair in log.links() if not pair & but}
        said_notes = {said for said in log.notes() if said[0] not in but}
        for desk in self.team:
            given = {t: a for t, a in assignments(desk.vault, desk.member).items() if t not in but}
            assert {t: (a.member, a.by) for t, a in given.items()} == hands, "not the last in the log"
            assert not any(a.pending for a in given.values())
            assert set(known_threads(desk.vault)) - but == log.marked("known", "known") - but
            assert kept(desk) - but == log.marked("keep", "on") - but
            assert {pair for pair in links(desk) if not pair & but} == pairs
            by = desk.vault.rows("SELECT thread, mark, member FROM letter_read")
            assert {row for row in by if row[0] not in but} == read
            rows = desk.vault.rows("SELECT thread, text, author FROM note")
            assert {row for row in rows if row[0] not in but} == said_notes
        assert log.withdrawn() == self.withdrawn
        assert self.deleted <= set(log.gone())

    # --- the end -------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Everybody comes by several times a day, until all is as it must be."""
        self.away = {}
        for _ in range(2 * self.settled_days):
            for _sheet in range(2):
                self.close(c.TICKS_PER_SHEET)
            for desk in self.team:
                self.visit(desk)
            self.close()
            views = [told(desk, self.differing()) for desk in self.team]
            same = all(view == views[0] for view in views) and not any(self.lost(desk) for desk in self.team)
            if same and not self.unheard():
                break
        assert {desk.member: self.lost(desk) for desk in self.team} == {desk.member: [] for desk in self.team}
        for view in views[1:]:
            assert view == views[0]
        self.as_the_log_says()
        assert self.unheard() == set()
        self.stays_withdrawn()
        self.old_words_read_nothing_new()
        if self.world.policy.keep_days:
            self.all_goes()

    def stays_withdrawn(self) -> None:
        """Everybody has heard of it: no sheet from now on has a copy that was not there."""
        if not self.withdrawn:
            return
        before = {r.id: r.sheets for r in shared_replies(self.team[0].vault) if r.id in self.withdrawn}
        for _ in range(2):
            self.close(c.TICKS_PER_SHEET)
            for desk in self.team:
                self.visit(desk)
            self.close()
        assert {r.id: r.sheets for r in shared_replies(self.team[0].vault) if r.id in self.withdrawn} == before

    def all_goes(self) -> None:
        """All is opened, and quiet for as long as the policy says: nothing stays but what is kept. That, a member who
        has all of it deletes. Then no vault has anything."""
        for desk in self.team:
            self.open(desk, letters(desk.vault))
        self.until_all_is_told()
        for days in QUIET_DAYS:
            self.close(days * c.TICKS_PER_DAY)
            for desk in self.team:
                self.visit(desk)
        assert {desk.member: self.lost(desk) for desk in self.team} == {desk.member: [] for desk in self.team}
        for desk in self.team:
            assert set(all_threads(desk)) <= kept(desk)
        for thread in sorted({t for desk in self.team for t in all_threads(desk)}):
            most = max(self.team, key=lambda d: len(letters(d.vault, thread)))
            delete_thread(most.vault, thread, followed(most.vault).batch)
        self.until_all_is_told()
        nothing = told(self.team[0], frozenset(all_threads(self.team[0])))
        for desk in self.team:
            assert told(desk) == nothing

    def until_all_is_told(self) -> None:
        """All come by until the log holds what each did, and each has heard of it."""
        while True:
            waits = any(untold(desk) for desk in self.team)
            self.close(c.TICKS_PER_SHEET)
            for desk in self.team:
                self.visit(desk)
            if not waits:
                return
