# SPDX-License-Identifier: AGPL-3.0-or-later
"""A member who was away for eleven weeks: longer than the server keeps letters, and than marks of deletions once were.
Meanwhile letters came and were deleted, a source changed its words, one member was removed and another came.

Back again, ben reads what the others read, and nothing that was deleted, told or seen before, is left in the vault's
file. The broken variants bring a deleted letter back, or lose letters.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from latchstring.desk import memos, placing, sharing
from latchstring.desk.deletion import delete_letters, delete_thread
from latchstring.desk.facts import At
from latchstring.desk.gone import again_gone
from latchstring.desk.keys import keys_held
from latchstring.desk.known import known_threads, mark_known
from latchstring.desk.letters import letters, mark_opened, threads
from latchstring.desk.linking import link, linked
from latchstring.desk.marks import add_note, again_marks, assign, assignments, notes, readers
from latchstring.desk.passing import Again
from latchstring.desk.presence import NoLongerHere
from latchstring.desk.replies import Reply, replies
from latchstring.desk.retention import keep
from latchstring.desk.schedule import pace_of
from latchstring.desk.secrets import due_before
from latchstring.desk.seen import own_gaps
from latchstring.desk.shared import AGAIN
from latchstring.desk.shared_replies import again_replies, shared_replies
from latchstring.desk.withdrawal import again_withdrawn, is_withdrawn, withdraw
from latchstring.protocol import constants as c
from latchstring.source.acts import read_thread
from tests.builders import Stream
from tests.vaults import everything
from tests.world.world import Desk, Source, World, open_team

AWAY_DAYS = 77
SHEETS_AHEAD = 6  # for which pages are made; 28 in truth, which is most of a session's work
MEMO_TICKS = 18  # between a member's memos in the mean; 6 in truth, most of them with nothing to say

LEDGER = "the ledger is under the third stair"
WHOLE = "a whole thread that goes"
UNSEEN = "came and went while ben was away"
PARTED = "clara deletes this before she leaves"


@dataclass
class Story:
    """anna stays, ben is away, clara is removed meanwhile, dora comes."""

    world: World
    anna: Desk
    ben: Desk
    clara: Desk
    dora: Desk
    sources: dict[str, Source]
    bens: dict[str, Reply]  # by text: what ben wrote before leaving
    left: int = 0  # ben's last batch

    def copy(self, folder: Path) -> "Story":
        """The same, to go its own way."""
        world = self.world.copy()
        anna, ben, clara, dora = (d.copy(world, folder) for d in (self.anna, self.ben, self.clara, self.dora))
        sources = {name: Source(world, name) for name in self.sources}
        for name, source in sources.items():
            source.random = Stream(f"later ids {name}")
        return Story(world, anna, ben, clara, dora, sources, self.bens, self.left)

    def thread(self, name: str) -> bytes:
        return self.anna.thread(self.sources[name])

    def delete(self, desk: Desk, *texts: str) -> None:
        ids = [x.msg_id for x in letters(desk.vault) if x.body and x.body.text in texts]
        assert len(ids) == len(texts)
        delete_letters(desk.vault, ids, self.world.batch)

    def write(self, name: str, *texts: str) -> None:
        for text in texts:
            self.sources[name].write(text, tell=False)
        self.world.close()

    def heard_since(self, name: str) -> set[str | None]:
        """What the sheets that came out after ben had left hold for a source."""
        visit = self.sources[name].look()
        newer = tuple(sheet for sheet in visit.sheets if sheet.n > c.sheet_of(self.left))
        return {r.text for r in read_thread(replace(visit, sheets=newer), self.sources[name].keys())}

    def rounds(self, *desks: Desk, count: int, ticks: int = c.TICKS_PER_SHEET) -> None:
        """Time passes; those who are there come in turn, then what they sent is logged."""
        for _ in range(count):
            self.world.close(self.world.batch + ticks)
            for desk in desks:
                assert desk.sync().faults == ()
            self.world.close()

    def days(self, upto: int, *desks: Desk) -> None:
        """Every other day all of these come by."""
        world = self.world
        while world.batch < upto * c.TICKS_PER_DAY:
            if world.founding.directory.expires < world.batch + 40 * c.TICKS_PER_DAY:
                world.renew()
            self.rounds(*desks, count=1, ticks=2 * c.TICKS_PER_DAY - 1)


def before(folder: Path) -> Story:
    """Day 0 to 2: letters that all have read, and two answers of ben that are out."""
    world, team = open_team(folder, 3, letters=8, queue=288)
    anna, ben, clara = team.values()
    names = ("kept", "whole", "moved", "new words", "short", "late")
    story = Story(world, anna, ben, clara, clara, {n: Source(world, n) for n in names}, {})
    for desk in team.values():
        desk.memos = True
        desk.sync()
    story.write("kept", "kept, day 0", LEDGER, PARTED)
    story.write("whole", WHOLE)
    story.write("moved", "moved, day 0")
    story.rounds(anna, ben, clara, count=3)
    for text, name in (("ben's answer", "kept"), ("ben's mistake", "kept"), ("ben's answer to all", "whole")):
        story.bens[text] = ben.answer(story.sources[name], text)
    story.rounds(anna, ben, clara, count=5)
    story.left = world.batch
    assert all(r.published for r in replies(ben.vault))
    assert {r.id for r in shared_replies(anna.vault)} == {r.id for r in story.bens.values()}
    return story


def meanwhile(story: Story, folder: Path) -> None:
    """What ben's machine does not run for, day 3 to 77."""
    world, anna, clara = story.world, story.anna, story.clara
    story.days(4, anna, clara)
    story.write("moved", "moved, day 4")
    story.days(6, anna, clara)
    delete_thread(anna.vault, story.thread("whole"), world.batch)
    story.delete(anna, LEDGER)
    story.delete(clara, PARTED)
    withdraw(anna.vault, story.bens["ben's mistake"].id)
    here = At(world.batch, 4095, 4095)
    keep(anna.vault, story.thread("kept"), True, here)
    link(anna.vault, story.thread("kept"), story.thread("moved"), here)
    mark_known(clara.vault, story.thread("kept"), True)
    mark_opened(clara.vault, tuple(x.number for x in letters(clara.vault, story.thread("kept"))))
    assign(clara.vault, story.thread("kept"), clara.member)
    add_note(clara.vault, story.thread("kept"), "said by clara", world.now, clara.random)
    story.days(12, anna, clara)
    story.sources["moved"].change(story.sources["new words"])
    world.close()
    story.days(30, anna, clara)
    story.write("short", UNSEEN)
    story.write("kept", "kept, day 30")
    story.days(34, anna, clara)
    clara.answer(story.sources["kept"], "clara's answer")
    story.days(38, anna, clara)
    delete_thread(anna.vault, story.thread("short"), world.batch)
    world.remove_member(clara.member)
    story.days(42, anna)
    world.add_member("news-4")
    world.close()
    story.dora = dora = Desk(world, folder, "news", "news-4")
    dora.memos = True
    story.days(64, anna, dora)
    story.write("late", "late, day 64")
    story.write("kept", "kept, day 64")
    story.write("new words", "new words, day 64")
    story.days(68, anna, dora)
    assign(anna.vault, story.thread("kept"), dora.member)
    anna.show(story.sources["late"])
    anna.answer(story.sources["late"], "anna's answer")
    story.days(AWAY_DAYS, anna, dora)


def kept(desk: Desk, thread: bytes) -> bool:
    """Is it marked to be kept?"""
    return bool(desk.vault.rows("SELECT 1 FROM kept WHERE thread = ? AND is_on", thread))


def told(desk: Desk, left_out: frozenset[bytes]) -> dict[str, object]:
    """What a member reads about the desk, as their vault has it, less some threads."""
    found = [t for t in sorted(threads(desk.vault)) if t not in left_out]
    given = assignments(desk.vault, desk.member)
    return {
        "letters": [sorted((x.msg_id, x.verified, x.acked) for x in letters(desk.vault, t)) for t in found],
        "replies": sorted((r.id, r.author, r.sheets, r.body.text) for r in shared_replies(desk.vault)),
        "withdrawn": sorted(r.id for r in shared_replies(desk.vault) if is_withdrawn(desk.vault, r.id)),
        "notes": [[(n.text, n.author) for n in notes(desk.vault, t, desk.member)] for t in found],
        "hands": [(given[t].member, given[t].by) if t in given else None for t in found],
        "said of threads": [(t in known_threads(desk.vault), linked(desk.vault, t), kept(desk, t)) for t in found],
        "read": [sorted((m, sorted(who)) for m, who in readers(desk.vault, t).items()) for t in found],
    }


def comes_back(story: Story) -> None:
    """ben's first session, then some days with the others."""
    report = story.ben.sync()
    assert report.faults == ()
    assert report.tally.new == 0, "no letter can be opened any more: those who were there pass them on"
    assert sum("pass them on to you" in line for line in report.warnings) == 2, "too old, and without keys"
    assert not any("write again" in line for line in report.warnings), "their sources would be asked for nothing"
    today = c.day_of(story.world.batch)
    due = due_before(today, c.DEFAULT_ERASE_DAYS)
    assert {day for (day,) in story.ben.vault.rows("SELECT day FROM secret")} <= set(range(due, today + 29))
    assert min(keys_held(story.ben.vault).transports) == today
    assert own_gaps(story.ben.vault)
    for _ in range(20):
        story.rounds(story.anna, story.dora, story.ben, count=1)
        if not own_gaps(story.ben.vault):
            break
    story.rounds(story.anna, story.dora, story.ben, count=2)


def holds(story: Story) -> None:
    """What ben must see, and must not."""
    anna, ben, world = story.anna, story.ben, story.world
    moved = {story.thread("moved"), story.thread("new words")}
    assert told(ben, frozenset(moved)) == told(story.dora, frozenset(moved)) == told(anna, frozenset(moved))
    stays = ["kept, day 0", "kept, day 30", "kept, day 64", "late, day 64", "moved, day 0", "moved, day 4"]
    for desk in (anna, ben, story.dora):
        assert sorted(desk.texts()) == [*stays, "new words, day 64"], desk.member
    # the change itself ben could not open: what came meanwhile stands under the new words, on another's word
    by_thread = {x.body.text: (x.thread, x.passed_on_by) for x in letters(ben.vault) if x.body}
    assert by_thread["moved, day 0"] == (story.thread("moved"), None)
    for text in ("moved, day 4", "new words, day 64"):
        thread, by = by_thread[text]
        assert thread == story.thread("new words")
        assert by in {anna.member, story.dora.member}
    for desk in (anna, ben, story.dora):
        found = everything(desk)
        for gone in (LEDGER, WHOLE, UNSEEN, PARTED):
            assert gone.encode() not in found, f"{gone!r} at {desk.member}"
        for name in ("whole", "short"):
            keys = story.sources[name].keys().thread_keys
            assert not any(part in found for part in (keys.psk, keys.dh, story.thread(name))), (name, desk.member)
    (withdrawn,) = [r for r in shared_replies(ben.vault) if is_withdrawn(ben.vault, r.id)]
    assert withdrawn.body.text == "ben's mistake"
    assert max(withdrawn.sheets) < c.sheet_of(7 * c.TICKS_PER_DAY), "placed again, though it was withdrawn"
    # what ben and clara wrote and nobody named as read was placed again by those who were there
    assert story.heard_since("kept") == {"ben's answer", "clara's answer"}
    assert story.heard_since("whole") == set(), "placed again, though its thread is deleted"
    story.write("kept", "good to have you back")
    story.rounds(anna, story.dora, ben, count=1)
    assert {x.passed_on_by for x in letters(ben.vault) if x.body and x.body.text == "good to have you back"} == {None}
    before_removal = 38 * c.TICKS_PER_DAY
    with pytest.raises(NoLongerHere):
        story.clara.sync()
    assert all(x.batch <= before_removal for x in letters(story.clara.vault)), "clara reads on"
    assert world.batch > 78 * c.TICKS_PER_DAY


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The eleven weeks, once. Fewer pages and memos than in truth: those are most of a session's work."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(placing, "coming_sheets", lambda closed: range(closed + 1, closed + 1 + SHEETS_AHEAD))
        patch.setattr(memos, "pace_of", lambda d: replace(pace_of(d), mean=MEMO_TICKS * d.policy.tick))
        patch.setattr("latchstring.desk.sync.post_lists", lambda *_: ())  # of knocks, which nobody here needs
        folder = tmp_path_factory.mktemp("lived")
        story = before(folder)
        meanwhile(story, folder)
        yield story


def test_eleven_weeks_away(lived: Story, tmp_path: Path) -> None:
    assert LEDGER.encode() in everything(lived.ben), "ben's machine did not run: it holds what the others deleted"
    story = lived.copy(tmp_path)
    comes_back(story)
    holds(story)


@pytest.mark.matrix
def test_where_marks_go_after_ten_weeks_it_is_seen(lived: Story, tmp_path: Path) -> None:
    """Decision 18: as it was before."""
    story = lived.copy(tmp_path)
    for desk in (story.anna, story.dora):
        with desk.vault.transaction():
            desk.vault.do("DELETE FROM gone WHERE batch < ?", story.world.batch - 70 * c.TICKS_PER_DAY)
    comes_back(story)
    with pytest.raises(AssertionError):
        holds(story)


@pytest.mark.parametrize(
    "left_out",
    [pytest.param(a, marks=pytest.mark.matrix) for a in (again_marks, again_gone, again_withdrawn, again_replies)],
    ids=lambda again: again.__name__,
)
def test_where_something_is_not_told_again_it_is_seen(
    lived: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left_out: Again
) -> None:
    story = lived.copy(tmp_path)
    monkeypatch.setattr(sharing, "AGAIN", tuple(again for again in AGAIN if again is not left_out))
    comes_back(story)
    with pytest.raises(AssertionError):
        holds(story)


@pytest.mark.matrix
def test_where_what_was_out_is_placed_before_the_others_are_heard_it_is_seen(
    lived: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("latchstring.desk.sync.is_catching_up", lambda *_: False)
    story = lived.copy(tmp_path)
    comes_back(story)
    with pytest.raises(AssertionError, match="placed again"):
        holds(story)


def test_a_machine_that_does_not_erase_is_seen(lived: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latchstring.desk.sync.erase_before", lambda *_: ())
    with pytest.raises(AssertionError):
        comes_back(lived.copy(tmp_path))
