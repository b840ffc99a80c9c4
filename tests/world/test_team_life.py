# SPDX-License-Identifier: AGPL-3.0-or-later
"""A desk's life (`life.py`): whatever happens in whatever order, stories by hand, and broken ones that are seen."""

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize

from latchstring.desk import deletion
from latchstring.desk.facts import Apply, Told
from latchstring.desk.shared import FACT_KINDS
from latchstring.desk.shared_replies import shared_replies
from latchstring.desk.vault import Vault
from latchstring.protocol.encoding import Fields
from tests.world.life import KEEP_DAYS, NAMES, Life, by_hand, until_told

AWAY_DAYS = 5  # are enough when somebody was away for weeks


class Begun(Life):
    """As it is played at random: everybody has read something, so that there is something to do from the first step."""

    @initialize(members=st.sampled_from([3, 3, 5]), keep_days=st.sampled_from([0, 0, KEEP_DAYS]))
    def opened(self, members: int, keep_days: int) -> None:
        super().opened(members=members, keep_days=keep_days)
        for name in NAMES:
            self.write(name=name)
        for which in range(members):
            self.comes(which=which)


TestLife = Begun.TestCase
TestLife.settings = settings(
    max_examples=max(3, settings().max_examples // 30),
    stateful_step_count=30 if settings().max_examples > 1000 else 12,
    deadline=None,
)


def five_weeks_away() -> None:
    """A story by hand: one is away for five weeks, letters come meanwhile, two answer the same one."""
    life = by_hand(AWAY_DAYS)
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
    life = by_hand(AWAY_DAYS)
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


@pytest.mark.matrix  # eleven weeks play in every run (`test_long_absence.py`)
def test_five_weeks_away() -> None:
    five_weeks_away()


@pytest.mark.matrix
def test_two_are_away() -> None:
    two_are_away()


@pytest.mark.matrix
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


# --- deletions ---------------------------------------------------------------------------------------


def deleted_while_the_source_writes(owed: bool) -> Life:
    """A story by hand, without its end: one deletes a thread of which much was said. The source has written again
    meanwhile, and another has answered that. `owed`: the server does not hand that letter to the third until it has
    handed out all the rest."""
    life = by_hand()
    life.write("a")
    life.write("b")
    for which in (0, 1, 2):
        life.comes(which)
    for what in ("assign", "note", "reply", "show"):
        life.works(1, "a", what)
    for what in ("known", "keep", "link"):
        life.marks(1, "a", what)
    until_told(life, 1)
    for which in (0, 2):
        life.comes(which)
    assert life.log.hands()
    assert life.log.links()
    life.write("a")
    third, pack = life.team[2].wire, f"/v1/packs/{life.world.batch}"
    if owed:
        third.meddle = lambda q, answer: replace(answer, status=404) if q.path == pack else answer
    life.comes(1)
    for what in ("reply", "note"):
        life.works(1, "a", what)
    until_told(life, 1)
    life.deletes(0, "a", whole=True)
    until_told(life, 0)
    assert bool(life.team[2].sync().faults) is owed
    third.meddle = lambda _q, answer: answer
    return life


@pytest.mark.parametrize("owed", [False, True])
def test_a_thread_is_deleted_by_one_who_has_not_seen_its_newest_letter(owed: bool) -> None:
    """That letter stays for everybody, with what was said of it; what was said before is over."""
    life = deleted_while_the_source_writes(owed)
    life.settle()
    desk, (_, last) = life.team[0], [*life.written.values()][-1]
    assert sorted(desk.texts()) == [life.sent[1], life.sent[2]]
    assert [r.id for r in shared_replies(desk.vault)] == [last.id]
    assert (life.log.hands(), life.log.marked("known", "known"), life.log.links()) == ({}, set(), set())
    life.teardown()


def all_that_is_held(vault: Vault, thread: bytes, batch: int) -> int:
    """The broken variant: whoever has no letter of the thread drops what was said of the newer one too."""
    deletion._unsay(vault, thread)
    return forget(vault, thread, batch)


forget = deletion._forget


@pytest.mark.parametrize(
    "broken", ["held", *(pytest.param(kind, marks=pytest.mark.matrix) for kind in ("forget", "delete"))]
)
def test_a_deletion_that_is_taken_in_wrongly_is_seen(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if broken == "held":
        monkeypatch.setattr(deletion, "_forget", all_that_is_held)
    else:
        monkeypatch.setitem(FACT_KINDS, broken, nothing)
    life = deleted_while_the_source_writes(owed=True)
    with pytest.raises(AssertionError):
        life.teardown()


class Undone(Exception):
    """Ends a transaction that leaves nothing."""


def test_a_word_that_one_vault_does_not_have_is_seen() -> None:
    """Of each kind: when one of three lacks it, the log says otherwise."""
    life = by_hand()
    life.write("a")
    life.write("b")
    life.comes(1)
    for what in ("assign", "show"):
        life.works(1, "a", what)
    for what in ("known", "keep", "link"):
        life.marks(1, "a", what)
    life.settle()
    life.as_the_log_says()
    vault = life.team[2].vault
    for table in ("assignment", "letter_read", "known", "kept", "linked"):
        with suppress(Undone), vault.transaction():
            assert vault.do(f"DELETE FROM {table}")  # noqa: S608  # own names
            with pytest.raises(AssertionError):
                life.as_the_log_says()
            raise Undone
    life.teardown()
