# SPDX-License-Identifier: AGPL-3.0-or-later
"""A thread goes while its source writes on: what each member of the desk holds then.

By a member's word all come to the same, whatever each had seen. By the policy every machine ends it by itself: there
they may differ, as `docs/decisions/0018` says, and no further.
"""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from latchstring.desk import changes
from latchstring.desk.changes import former_ids
from latchstring.desk.deletion import delete_thread
from latchstring.desk.facts import At
from latchstring.desk.known import known_threads, mark_known
from latchstring.desk.letters import letters, threads
from latchstring.desk.linking import link, unlink
from latchstring.desk.marks import add_note, assign, assignments, notes
from latchstring.desk.retention import WARN_DAYS, keep
from latchstring.protocol.constants import BODY_DAYS, TICKS_PER_DAY
from tests.world.life import Life, by_hand, until_told
from tests.world.settling import kept, links, told, untold
from tests.world.world import Desk, Source

KEEP = 30


@pytest.fixture
def life(monkeypatch: pytest.MonkeyPatch) -> Iterator[Life]:
    """Three members; what holds at the end each test says itself."""
    made = by_hand()
    monkeypatch.setattr(made, "settle", lambda: None)
    yield made
    made.teardown()


def share(life: Life) -> None:
    """All come by until what they did is in the log, and each has heard of it."""
    while True:
        life.close(36)
        for desk in life.team:
            life.visit(desk)
        life.close()
        if not any(untold(desk) for desk in life.team):
            return


def now(life: Life) -> At:
    return At(life.world.batch, 4095, 4095)


def to_day(life: Life, *days: int) -> None:
    """All come by on these days."""
    for day in days:
        life.close(day * TICKS_PER_DAY - life.world.batch)
        for desk in life.team:
            life.visit(desk)


def said_of(desk: Desk, thread: bytes) -> tuple[str | None, bool, int]:
    """In whose hands it is, whether it is known; how many notes."""
    given = assignments(desk.vault, desk.member).get(thread)
    known = thread in known_threads(desk.vault)
    return given.member if given else None, known, len(notes(desk.vault, thread, desk.member))


# --- new words -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("writes", "broken"), [(False, False), (True, False), (True, True)], ids=["silent", "writes again", "broken"]
)
def test_a_thread_is_deleted_by_one_who_has_not_seen_that_its_words_were_changed(
    life: Life, monkeypatch: pytest.MonkeyPatch, writes: bool, broken: bool
) -> None:
    """The others have followed the change and said things of the thread under its new id; `writes`: letters came under
    the new words and the old ones too. Whoever has the old words opens no thread with them, on any machine. `broken`: a
    change of a thread that is not there is nothing."""
    if broken:
        monkeypatch.setattr(changes, "_was_deleted_first", lambda *_: False)
    anna, ben, clara = life.team
    old, new = life.sources["a"], Source(life.world, "new words")
    old.write("hello")
    share(life)
    old.change(new)
    for _ in range(4):
        life.close()  # behind memos that wait: its batch comes before the thief's letter's
    if writes:
        new.write("it is me")
        old.write("a thief's", tell=False)
        life.close()
    ben.sync()
    life.close()
    assign(ben.vault, ben.thread(new), clara.member)
    mark_known(ben.vault, ben.thread(new), True)
    until_told(life, 1)
    delete_thread(anna.vault, anna.thread(old), life.world.batch)
    share(life)
    old.write("a thief's again", tell=False)
    share(life)
    views = [told(desk) for desk in life.team]
    if broken:
        assert views[0] != views[1]
        assert "a thief's" in anna.texts()
        return
    assert views[0] == views[1] == views[2]
    for desk in life.team:
        assert desk.texts() == ["it is me"] * writes
        assert desk.texts(verified=False) == ["a thief's"] * writes + ["a thief's again"]
        assert assignments(desk.vault, desk.member) == {}
        assert known_threads(desk.vault) == ()


@pytest.mark.parametrize("when", ["before the first letter", "before the thief's", "after the thief's"])
def test_where_the_thread_has_gone_its_old_words_lead_nowhere_else_than_for_the_others(life: Life, when: str) -> None:
    """anna's machine follows a change of words, or deletes the thread, and has nothing of it for a while: the same
    letters come to the same as on machines that always had something."""
    anna, ben, clara = life.team
    old, new = life.sources["a"], Source(life.world, "new words")
    old.write("hello")
    share(life)
    if when == "before the first letter":
        delete_thread(anna.vault, anna.thread(old), life.world.batch)
    old.change(new)
    for _ in range(4):
        life.close()  # behind memos that wait
    anna.sync()
    if when == "before the first letter":
        new.write("it is me")
        life.close()
    else:
        share(life)
        if when == "before the thief's":
            delete_thread(anna.vault, anna.thread(new), life.world.batch)
    old.write("a thief's", tell=False)
    life.close()
    ben.sync()
    if when == "after the thief's":
        delete_thread(anna.vault, anna.thread(new), life.world.batch)
    share(life)
    old.write("a thief's again", tell=False)
    share(life)
    assert told(anna) == told(ben) == told(clara)
    for desk in life.team:
        assert desk.texts() == ["it is me"] * (when == "before the first letter")
        assert desk.texts(verified=False) == ["a thief's", "a thief's again"]
    new.write("back again")
    share(life)
    assert told(anna) == told(ben) == told(clara)


def test_when_old_words_open_a_new_thread_does_not_depend_on_who_comes_by_when(life: Life) -> None:
    """35 days after the change nothing leads from them to the thread. anna's machine runs on that day before a letter
    under them comes, ben's and clara's after."""
    anna, ben, clara = life.team
    old, new = life.sources["a"], Source(life.world, "new words")
    old.write("hello")
    share(life)
    old.change(new)
    share(life)
    to_day(life, 8, 16, 24, 32)
    life.close((BODY_DAYS + 2) * TICKS_PER_DAY - life.world.batch)
    life.visit(anna)
    assert former_ids(anna.vault, anna.thread(new)) == ()
    old.write("hello again", tell=False)
    share(life)
    assert told(anna) == told(ben) == told(clara)
    for desk in life.team:
        assert desk.texts() == ["hello", "hello again"]
        assert set(threads(desk.vault)) == {desk.thread(new), desk.thread(old)}


@pytest.mark.parametrize("broken", [False, True])
def test_of_words_under_both_ids_the_last_in_the_log_counts_where_the_change_waited(
    life: Life, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    """The server owes anna the letters of a batch before the change: until they come, the thread has its old id on her
    machine, and she says things of it after ben, who says them under the new one. `broken`: what is there under the new
    id stays, whatever was said later."""
    if broken:
        monkeypatch.setattr(changes, "_SAID_LAST", ())
    anna, ben, clara = life.team
    old, new, other = life.sources["a"], Source(life.world, "new words"), life.sources["b"]
    old.write("hello")
    other.write("and I")
    share(life)
    pack = f"/v1/packs/{life.world.batch + 1}"
    life.close()
    anna.wire.meddle = lambda q, answer: replace(answer, status=404) if q.path == pack else answer
    old.change(new)
    for _ in range(4):
        life.close()
    ben.sync()
    assign(ben.vault, ben.thread(new), clara.member)
    mark_known(ben.vault, ben.thread(new), False)
    keep(ben.vault, ben.thread(new), False, now(life))
    link(ben.vault, ben.thread(new), ben.thread(other), now(life))
    until_told(life, 1)
    anna.sync()
    assign(anna.vault, anna.thread(old), anna.member)
    mark_known(anna.vault, anna.thread(old), True)
    keep(anna.vault, anna.thread(old), True, now(life))
    link(anna.vault, anna.thread(old), anna.thread(other), now(life))
    unlink(anna.vault, anna.thread(old), now(life))
    while untold(anna):
        life.close(12)
        anna.sync()
    anna.wire.meddle = lambda _q, answer: answer
    share(life)
    assert told(ben) == told(clara)
    assert (told(anna) == told(ben)) is not broken
    assert said_of(ben, ben.thread(new)) == (anna.member, True, 0)
    assert kept(ben) == {ben.thread(new)}
    assert links(ben) == set()


# --- the policy ------------------------------------------------------------------------------------


def test_where_one_machine_ends_threads_by_the_policy_before_others(life: Life) -> None:
    """Two threads are quiet for as long as the policy says; on that day anna's program runs first. Then the source of
    one writes again, and ben marks the other to stay. anna has what came since, the others have all: of the one until
    it has been quiet once more, of the other until somebody deletes it."""
    (anna, ben, clara), (source, other) = life.team, life.sources.values()
    life.world.renew(policy=replace(life.world.policy, keep_days=KEEP))
    source.write("hello")
    other.write("and I")
    share(life)
    one, two = ben.thread(source), ben.thread(other)
    life.open(ben, letters(ben.vault))
    assign(ben.vault, one, clara.member)
    mark_known(ben.vault, one, True)
    add_note(ben.vault, one, "she is a nurse", life.world.now, ben.random)
    link(ben.vault, one, two, now(life))
    share(life)
    assert told(anna) == told(ben) == told(clara)
    assert said_of(anna, one) == (clara.member, True, 1)
    to_day(life, 8, 16, KEEP - WARN_DAYS, KEEP - 1)
    assert len(anna.texts()) == len(ben.texts()) == 2
    life.close(KEEP * TICKS_PER_DAY - life.world.batch)
    life.visit(anna)
    assert anna.texts() == []

    source.write("I am back")
    keep(ben.vault, two, True, now(life))
    until_told(life, 1)  # before clara comes, whose program would end it too
    share(life)
    assert anna.texts() == ["I am back"]
    assert said_of(anna, one) == (None, False, 0)
    assert told(ben) == told(clara)
    assert sorted(ben.texts()) == ["I am back", "and I", "hello"]
    assert said_of(ben, one) == (clara.member, True, 1)

    assign(clara.vault, one, anna.member)  # what is said from now on is shared
    life.open(anna, letters(anna.vault, one))
    share(life)
    assert [said_of(desk, one)[0] for desk in life.team] == [anna.member] * 3

    quiet = KEEP + life.world.batch // TICKS_PER_DAY
    to_day(life, 38, 46, quiet - WARN_DAYS, quiet)
    assert anna.texts() == []
    assert told(ben) == told(clara)
    assert ben.texts() == ["and I"]
    delete_thread(ben.vault, two, life.world.batch)
    share(life)
    assert told(anna) == told(ben) == told(clara)
    assert ben.texts() == []
