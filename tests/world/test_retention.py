# SPDX-License-Identifier: AGPL-3.0-or-later
"""Threads go by the directory's policy when they have been quiet for long, and never unseen."""

from dataclasses import replace
from pathlib import Path

import pytest

from latchstring.desk import changes
from latchstring.desk.errors import DeskError, VaultError
from latchstring.desk.facts import At, Reader, apply_facts
from latchstring.desk.linking import link, linked, unlink
from latchstring.desk.outbox import waiting
from latchstring.desk.retention import WARN_DAYS, keep, quiet_threads
from latchstring.desk.shared import FACT_KINDS
from latchstring.desk.vault import Vault, open_vault
from latchstring.protocol.constants import TICKS_PER_DAY
from latchstring.protocol.memo import Fact, MemoBody
from tests.vaults import everything
from tests.world.world import CHEAP, VAULT_PASSPHRASE, Desk, Source, World, open_door

pytestmark = pytest.mark.usefixtures("short_sessions")

KEEP = 30


class Scene:
    """A door whose threads go after thirty quiet days; three threads, of which two were opened."""

    def __init__(self, world: World, desk: Desk) -> None:
        self.world, self.desk = world, desk
        self.anna, self.berta, self.cora = (Source(world, name) for name in ("anna", "berta", "cora"))

    def copy(self, folder: Path) -> "Scene":
        world = self.world.copy()
        return Scene(world, self.desk.copy(world, folder))

    def now(self) -> At:
        return At(self.world.batch, 4095, 4095)

    def to_day(self, day: int, every: int = 6) -> list[tuple[str, ...]]:
        """A session every so many days; what each warned of."""
        said = []
        while self.world.batch < day * TICKS_PER_DAY:
            next_day = self.world.batch // TICKS_PER_DAY + every
            self.world.close(min(day, next_day) * TICKS_PER_DAY)
            said.append(self.desk.sync().warnings)
        return said

    def threads(self) -> set[bytes]:
        return {q.thread for q in quiet_threads(self.desk.vault, self.world.policy)}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    world, desks = open_door(tmp_path_factory.mktemp("first"), letters=4, keep_days=KEEP)
    scene = Scene(world, desks["news"])
    for source in (scene.anna, scene.berta, scene.cora):
        source.write(f"a letter of {source.name}")
    world.close()
    scene.desk.sync()
    for source in (scene.anna, scene.berta):
        scene.desk.show(source)
    return scene


@pytest.fixture
def scene(first: Scene, tmp_path: Path) -> Scene:
    return first.copy(tmp_path)


def test_a_quiet_thread_is_warned_of_and_goes(scene: Scene) -> None:
    desk = scene.desk
    keep(desk.vault, desk.thread(scene.berta), True, scene.now())
    assert not [w for said in scene.to_day(KEEP - WARN_DAYS - 1) for w in said if "quiet" in w]
    warned = scene.to_day(KEEP - WARN_DAYS) + scene.to_day(KEEP - 1)
    assert any("quiet" in w for said in warned for w in said)
    assert scene.threads() == {desk.thread(s) for s in (scene.anna, scene.berta, scene.cora)}
    scene.to_day(KEEP)
    # one is marked to stay, one was never opened
    assert scene.threads() == {desk.thread(scene.berta), desk.thread(scene.cora)}
    assert b"a letter of anna" not in everything(desk)
    assert b"a letter of berta" in everything(desk)


def test_who_comes_back_late_is_warned_first(scene: Scene) -> None:
    scene.world.close(KEEP * TICKS_PER_DAY + 3 * TICKS_PER_DAY)
    assert any("quiet" in w for w in scene.desk.sync().warnings)
    assert len(scene.threads()) == 3
    scene.to_day(KEEP + 3 + WARN_DAYS - 1)
    assert len(scene.threads()) == 3
    scene.to_day(KEEP + 3 + WARN_DAYS)
    assert scene.threads() == {scene.desk.thread(scene.cora)}


def test_who_opens_a_letter_late_is_warned_first(scene: Scene) -> None:
    """Until then they were told that the thread stays."""
    thread = scene.desk.thread(scene.cora)
    scene.to_day(KEEP + 12)
    scene.desk.show(scene.cora)
    assert "will be deleted" in " ".join(scene.desk.sync().warnings)
    scene.to_day(KEEP + 12 + WARN_DAYS - 1)
    assert scene.threads() == {thread}
    scene.to_day(KEEP + 12 + WARN_DAYS)
    assert scene.threads() == set()


def test_a_reply_ends_the_quiet(scene: Scene) -> None:
    scene.to_day(KEEP - 2)
    scene.desk.answer(scene.anna, "are you well?")
    scene.to_day(KEEP + 10)
    assert scene.desk.thread(scene.anna) in scene.threads()
    scene.to_day(KEEP + KEEP)
    assert scene.desk.thread(scene.anna) not in scene.threads()


def test_a_policy_of_zero_days_deletes_nothing(scene: Scene) -> None:
    policy = replace(scene.world.policy, keep_days=0)
    scene.world.renew(policy=policy)
    scene.to_day(KEEP * 3)
    assert len(scene.threads()) == 3


@pytest.mark.parametrize("broken", [False, True])
def test_words_that_are_changed_when_the_thread_has_gone_count_no_more(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    """The change came a batch after this machine ended the thread. `broken`: it is nothing then."""
    if broken:
        monkeypatch.setattr(changes, "_was_deleted_first", lambda *_: False)
    scene.to_day(KEEP - WARN_DAYS)
    scene.to_day(KEEP)
    assert scene.desk.thread(scene.anna) not in scene.threads()
    scene.anna.change(Source(scene.world, "new words"))
    scene.world.close()
    scene.anna.write("whoever has the old words", tell=False)
    scene.world.close()
    scene.desk.sync()
    assert ("whoever has the old words" in scene.desk.texts()) is broken


def test_a_mark_taken_away_lets_it_go(scene: Scene) -> None:
    thread = scene.desk.thread(scene.anna)
    keep(scene.desk.vault, thread, True, scene.now())
    scene.to_day(KEEP + 12)
    assert thread in scene.threads()
    keep(scene.desk.vault, thread, False, scene.now())
    scene.to_day(KEEP + 12 + WARN_DAYS + 6)
    assert thread not in scene.threads()


def facts_to(scene: Scene, there: Desk, facts: tuple[Fact, ...], batch: int) -> tuple[int, int]:
    reader = Reader(scene.world.door, "news", "news-1")
    with there.vault.transaction():
        taken = apply_facts(there.vault, FACT_KINDS, reader, MemoBody("news-1", facts), batch, 0)
    return taken.applied, taken.malformed


def test_of_what_members_say_the_last_word_in_the_log_counts(scene: Scene) -> None:
    """In whatever order it is heard."""
    vault, thread = scene.desk.vault, scene.desk.thread(scene.anna)
    other = scene.desk.thread(scene.berta)
    stay, go = ({"kind": "keep", "thread": thread, "on": on} for on in (True, False))
    tie, part = ({"kind": "link", "a": thread, "b": other, "on": on} for on in (True, False))
    assert facts_to(scene, scene.desk, (go, part), 50) == (2, 0)
    assert facts_to(scene, scene.desk, (stay, tie), 40) == (2, 0)
    assert not next(q.kept for q in quiet_threads(vault, scene.world.policy) if q.thread == thread)
    assert linked(vault, thread) == ()
    assert facts_to(scene, scene.desk, (stay, tie), 60) == (2, 0)
    assert next(q.kept for q in quiet_threads(vault, scene.world.policy) if q.thread == thread)
    assert linked(vault, thread) == (other,)
    bad = (
        {"kind": "keep", "thread": thread[:31], "on": True},
        {"kind": "keep", "thread": thread, "on": 1},
        {"kind": "link", "a": thread, "b": thread, "on": True},
        {"kind": "link", "a": thread, "b": other},
    )
    assert facts_to(scene, scene.desk, bad, 70) == (0, 4)


# --- links ---------------------------------------------------------------------------------------


def test_linked_threads_are_a_group_and_a_thread_can_leave_it(scene: Scene) -> None:
    vault, now = scene.desk.vault, scene.now()
    a, b, c = (scene.desk.thread(s) for s in (scene.anna, scene.berta, scene.cora))
    link(vault, a, b, now)
    link(vault, b, c, now)
    assert linked(vault, a) == tuple(sorted((b, c)))
    with pytest.raises(DeskError, match="linked already"):
        link(vault, c, a, now)
    with pytest.raises(DeskError, match="one and the same"):
        link(vault, a, a, now)
    assert unlink(vault, b, now) == 2
    assert linked(vault, a) == linked(vault, b) == linked(vault, c) == ()
    with pytest.raises(DeskError, match="not linked"):
        unlink(vault, b, now)
    assert [w.fact["on"] for w in waiting(vault, "link")] == [True, True, False, False]


def test_a_link_goes_along_when_the_words_are_changed_and_ends_with_the_thread(scene: Scene) -> None:
    desk, new = scene.desk, Source(scene.world, "new words")
    link(desk.vault, desk.thread(scene.anna), desk.thread(scene.berta), scene.now())
    scene.anna.change(new)
    scene.world.close()
    desk.sync()
    assert linked(desk.vault, desk.thread(scene.berta)) == (desk.thread(new),)
    assert linked(desk.vault, desk.thread(new)) == (desk.thread(scene.berta),)
    keep(desk.vault, desk.thread(scene.berta), True, scene.now())
    scene.desk.show(new)
    scene.to_day(KEEP + 6)
    assert linked(desk.vault, desk.thread(scene.berta)) == ()
    assert desk.thread(new) not in everything(desk)


class Failing(Vault):
    """The next commit fails, before or after it is stored."""

    stored = False

    def _commit(self) -> None:
        if self.stored:
            super()._commit()
        raise VaultError("The disk with the vault is full.", "")


@pytest.mark.parametrize("stored", [False, True], ids=["not-stored", "stored"])
def test_marks_and_links_whose_write_fails_are_whole_or_nothing(scene: Scene, stored: bool) -> None:
    desk = scene.desk
    a, b = desk.thread(scene.anna), desk.thread(scene.berta)
    desk.vault.__class__ = Failing
    assert isinstance(desk.vault, Failing)
    desk.vault.stored = stored
    with pytest.raises(VaultError):
        keep(desk.vault, a, True, scene.now())
    with pytest.raises(VaultError):
        link(desk.vault, a, b, scene.now())
    desk.vault.close()
    desk.vault = open_vault(desk.path, VAULT_PASSPHRASE, CHEAP)
    assert bool(linked(desk.vault, a)) is stored
    assert next(q.kept for q in quiet_threads(desk.vault, scene.world.policy) if q.thread == a) is stored
    assert [w.kind for w in waiting(desk.vault) if w.kind in ("keep", "link")] == ["keep", "link"] * stored
