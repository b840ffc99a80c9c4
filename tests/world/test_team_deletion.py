# SPDX-License-Identifier: AGPL-3.0-or-later
"""A thread goes while its source writes on: what each member of the desk holds then.

By a member's word all come to the same, whatever each had seen. By the policy every machine ends it by itself: there
they may differ, as `docs/decisions/0018` says, and no further.
"""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from latchstring.desk import changes
from latchstring.desk.deletion import delete_thread
from latchstring.desk.facts import At
from latchstring.desk.known import known_threads, mark_known
from latchstring.desk.linking import link
from latchstring.desk.marks import add_note, assign, assignments, notes
from latchstring.desk.retention import WARN_DAYS, keep
from latchstring.protocol.constants import TICKS_PER_DAY
from tests.world.life import Life, by_hand, told, until_told, untold
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
            assert desk.sync().faults == ()
        life.close()
        if not any(untold(desk) for desk in life.team):
            return


def now(life: Life) -> At:
    return At(life.world.batch, 4095, 4095)


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


# --- the policy ------------------------------------------------------------------------------------


def to_day(life: Life, *days: int) -> None:
    """All come by on these days."""
    for day in days:
        life.close(day * TICKS_PER_DAY - life.world.batch)
        for desk in life.team:
            desk.sync()


def said_of(desk: Desk, thread: bytes) -> tuple[str | None, bool, int]:
    """In whose hands it is, whether it is known; how many notes."""
    given = assignments(desk.vault, desk.member).get(thread)
    known = thread in known_threads(desk.vault)
    return given.member if given else None, known, len(notes(desk.vault, thread, desk.member))


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
    for which in (source, other):
        ben.show(which)
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
    assert anna.sync().deleted == 2

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
    anna.show(source)
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
