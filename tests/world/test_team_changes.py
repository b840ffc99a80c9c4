# SPDX-License-Identifier: AGPL-3.0-or-later
"""New words, and a policy that ends quiet threads, in a desk's life (`life.py`): stories by hand, and broken ones that
are seen."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from latchstring.desk import retention, sync
from latchstring.desk.changes import Place, Settled, place_of
from latchstring.desk.deletion import Deleted
from latchstring.desk.letters import letters, threads
from latchstring.desk.opening import Opened
from latchstring.desk.retention import Quiet
from latchstring.desk.vault import Vault
from tests.world.life import KEEP_DAYS, Life, by_hand, until_told

# --- new words ---------------------------------------------------------------------------------------


def new_words() -> Life:
    """A story by hand, without its end: a source takes new words while a reply waits. One member says something of the
    thread before their machine has read of it, another after; letters come under both words, and whoever has the old
    ones would change them too."""
    life = by_hand()
    life.write("a")
    for which in (0, 1, 2):
        life.comes(which)
    life.works(0, "a", "reply")
    until_told(life, 0)
    life.changes("a")
    life.hours(6)
    life.comes(1)
    life.works(1, "a", "note")
    life.works(2, "a", "assign")
    life.old_words_are_used("a", 0, "change")
    life.write("a")
    life.old_words_are_used("a", 0, "write")
    return life


def test_words_are_changed() -> None:
    life = new_words()
    life.settle()
    desk, source = life.team[2], life.sources["a"]
    assert threads(desk.vault) == (desk.thread(source),)
    assert (desk.texts(), desk.texts(verified=False)) == (life.sent[:2], life.sent[2:])
    assert source.heard() == [reply.body.text for _, reply in life.written.values()]
    assert len(life.log.hands()) == 1
    life.teardown()


def good(vault: Vault, letter: Opened, batch: int) -> Place:
    """The broken variant: what comes under old words counts."""
    return replace(place_of(vault, letter, batch), stale=False)


@pytest.mark.parametrize(
    "broken",
    [
        "old words count",
        *(pytest.param(b, marks=pytest.mark.matrix) for b in ("nothing changes", "sealed to old keys")),
    ],
)
def test_a_change_that_is_followed_wrongly_is_seen(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if broken == "nothing changes":
        monkeypatch.setattr("latchstring.desk.keeping.settle_changes", lambda _vault: Settled())
    elif broken == "old words count":
        monkeypatch.setattr("latchstring.desk.letters.place_of", good)
    life = new_words()
    if broken == "sealed to old keys":
        old = life.changed["a"][0].old.keys().thread_keys
        monkeypatch.setattr("latchstring.desk.placing.thread_keys", lambda *_: old)
    with pytest.raises(AssertionError):
        life.teardown()
    if broken == "sealed to old keys":
        with pytest.raises(AssertionError):
            life.old_words_read_nothing_new()


# --- the policy --------------------------------------------------------------------------------------


def quiet_threads(life: Life) -> None:
    """A story by hand: of two threads one is marked to stay, and nobody opens the other for weeks. Then its source
    writes again."""
    life.write("a")
    life.write("b")
    for which in (0, 1, 2):
        life.comes(which)
    desk = life.team[0]
    life.open(desk, letters(desk.vault, desk.thread(life.sources["b"])))
    life.marks(0, "b", "keep")
    life.weeks(36)
    life.works(1, "a", "show")
    life.weeks(8)
    life.write("a")
    life.settle()


@pytest.mark.matrix
def test_quiet_threads_end() -> None:
    life = by_hand(keep_days=KEEP_DAYS)
    quiet_threads(life)
    life.end()
    thread = life.team[0].thread(life.sources["a"])
    assert [set(ended) for ended in life.quiet_ended.values()] == [{thread}] * 3


AS_IF: dict[str, Callable[[Quiet], Quiet]] = {
    "unopened": lambda quiet: replace(quiet, unopened=False),
    "kept": lambda quiet: replace(quiet, kept=False),
    "early": lambda quiet: replace(quiet, since=0),
}
"""Broken variants: threads are not what they are."""
find = retention.quiet_threads


@pytest.mark.parametrize(
    ("broken", "seen"),
    [
        ("unopened", "ended unopened"),
        pytest.param("never", None, marks=pytest.mark.matrix),
        pytest.param("kept", "ended though it was kept", marks=pytest.mark.matrix),
        pytest.param("early", "ended before its time", marks=pytest.mark.matrix),
        pytest.param("unwarned", "ended unwarned", marks=pytest.mark.matrix),
    ],
)
def test_a_policy_that_is_kept_wrongly_is_seen(broken: str, seen: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if broken == "never":
        monkeypatch.setattr(sync, "retain", lambda *_: (Deleted(), ()))
    elif broken == "unwarned":
        monkeypatch.setattr(Quiet, "goes_on", lambda self, days: self.since + days)
    else:
        as_if = AS_IF[broken]
        monkeypatch.setattr(retention, "quiet_threads", lambda *asked: tuple(map(as_if, find(*asked))))
    life = by_hand(keep_days=KEEP_DAYS)
    try:
        with pytest.raises(AssertionError, match=seen):
            quiet_threads(life)
    finally:
        life.end()
