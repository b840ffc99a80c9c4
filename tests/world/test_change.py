# SPDX-License-Identifier: AGPL-3.0-or-later
"""A source changes the passphrase: the thread goes on under the new words, at every desk that was told."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import pytest

from latchstring.client.transport import Response
from latchstring.desk import changes, follow
from latchstring.desk.changes import changes_of, former_ids, moved_to, settle_changes
from latchstring.desk.errors import VaultError
from latchstring.desk.facts import Reader, apply_facts
from latchstring.desk.letters import letters, threads
from latchstring.desk.replies import replies
from latchstring.desk.scrub import is_owed
from latchstring.desk.shared import FACT_KINDS
from latchstring.desk.timeline import find_thread
from latchstring.desk.vault import Vault, open_vault
from latchstring.protocol.constants import BODY_DAYS, TICKS_PER_DAY
from latchstring.protocol.memo import MemoBody
from latchstring.server.api import Request
from tests.builders import Stream
from tests.unit.desk import test_erasure as scan
from tests.world.world import CHEAP, VAULT_PASSPHRASE, Desk, Source, World, open_door


@dataclass
class Scene:
    """Desks with one thread each, a reply that waits, and the new words of its source."""

    world: World
    desks: dict[str, Desk]

    def __post_init__(self) -> None:
        self.desk = self.desks["news"]
        self.old, self.new = Source(self.world, "old"), Source(self.world, "new")
        self.old.random = Stream(f"ids at {self.world.batch}")

    def change(self, desk: str = "news") -> None:
        self.old.change(self.new, desk)
        self.world.close()
        self.desks[desk].sync()

    def copy(self, folder: Path) -> "Scene":
        """The same once more, to go its own way."""
        world = self.world.copy()
        return Scene(world, {name: desk.copy(world, folder) for name, desk in self.desks.items()})

    def another_machine(self, folder: Path) -> Desk:
        """With the same vault, at the same door."""
        folder.mkdir()
        there = self.desk.copy(self.world, folder)
        there.random = Stream("another machine")
        return there


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Made once: founding a door takes a second."""
    scene = Scene(*open_door(tmp_path_factory.mktemp("first"), "legal", "news"))
    for name in scene.desks:
        scene.old.write(f"hello {name}", name)
    scene.world.close()
    for name, desk in scene.desks.items():
        desk.sync()
        desk.show(scene.old)
        desk.answer(scene.old, f"answer of {name}")
        desk.sync()
    return scene


@pytest.fixture
def scene(first: Scene, tmp_path: Path) -> Scene:
    return first.copy(tmp_path)


def test_the_thread_goes_on_under_the_new_words_alone(scene: Scene) -> None:
    scene.change()
    desk, world = scene.desk, scene.world
    assert threads(desk.vault) == (desk.thread(scene.new),)
    world.close(36)
    assert (scene.old.heard(), scene.new.heard()) == ([], ["answer of news"])
    scene.new.write("it is me")
    world.close()
    assert desk.sync().tally.read == 1
    assert desk.texts() == ["hello news", "it is me"]
    desk.answer(scene.new, "welcome")
    desk.sync()
    world.close(72)
    assert (scene.old.heard(), scene.new.heard()) == ([], ["answer of news", "welcome"])


def test_a_reply_that_was_published_but_not_read_is_placed_anew_at_once(scene: Scene) -> None:
    world, desk = scene.world, scene.desk
    world.close(36)
    desk.sync()
    assert scene.old.heard() == ["answer of news"]
    scene.change()
    (reply,) = replies(desk.vault)
    assert (reply.published, reply.planned) == (0, 2)
    world.close(72)
    assert scene.new.heard() == ["answer of news"]
    assert scene.old.heard() == ["answer of news"]  # what was published stays, for whoever kept it too
    desk.sync()
    assert replies(desk.vault)[0].published == 1


def test_a_reply_that_was_read_is_not_placed_again(scene: Scene) -> None:
    world, desk = scene.world, scene.desk
    world.close(36)
    scene.old.write("thank you")
    world.close()
    desk.sync()
    scene.change()
    world.close(72)
    assert scene.new.heard() == []


def test_a_page_of_before_that_comes_out_does_not_count(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The session that follows the change is cut before it sends pages: the old one is published."""
    world, desk = scene.world, scene.desk
    with monkeypatch.context() as cut:
        cut.setattr("latchstring.desk.sync.place", stop)
        with pytest.raises(KeyboardInterrupt):
            scene.change()
    world.close(36)
    assert scene.old.heard() == ["answer of news"]
    desk.sync()
    (reply,) = replies(desk.vault)
    assert (reply.published, reply.planned) == (0, 2)
    world.close(72)
    assert scene.new.heard() == ["answer of news"]


def test_a_letter_under_the_old_words_of_a_later_batch_is_outside(scene: Scene) -> None:
    world, desk = scene.world, scene.desk
    scene.old.change(scene.new)
    scene.old.write("sent just before")  # the order within a batch is random
    world.close()
    desk.sync()
    scene.old.write("who is this?")
    world.close()
    report = desk.sync()
    assert (report.tally.new, report.tally.unverified) == (1, 1)
    assert desk.texts() == ["hello news", "sent just before"]
    (late,) = [x for x in letters(desk.vault) if not x.verified]
    assert (late.stale, late.thread) == (True, desk.thread(scene.new))
    assert desk.vault.rows("SELECT count(*) FROM thread") == [(1,)]


def test_what_others_called_the_thread_still_finds_it_for_a_while(scene: Scene) -> None:
    old = scene.desk.thread(scene.old)
    scene.change()
    desk, world = scene.desk, scene.world
    assert find_thread(desk.vault, old.hex()[:8]).id == desk.thread(scene.new)
    assert len(changes_of(desk.vault, desk.thread(scene.new))) == 1
    day = BODY_DAYS + 2
    for at in (13, 26, BODY_DAYS):
        world.close(at * TICKS_PER_DAY)
        desk.sync()
    assert former_ids(desk.vault, desk.thread(scene.new)) == (old,)
    world.close(day * TICKS_PER_DAY)
    desk.sync()
    assert former_ids(desk.vault, desk.thread(scene.new)) == ()
    assert moved_to(desk.vault, old) is None
    assert old not in everything(desk)
    assert len(changes_of(desk.vault, desk.thread(scene.new))) == 1


def test_twice_changed_is_changed_to_the_last(scene: Scene) -> None:
    third = Source(scene.world, "third")
    scene.old.change(scene.new)
    scene.new.change(third)
    scene.world.close()
    scene.desk.sync()
    # of two in one batch the order of the log decides; the second one may come first and name an unknown thread
    scene.new.change(third)
    scene.world.close()
    scene.desk.sync()
    assert threads(scene.desk.vault) == (scene.desk.thread(third),)
    scene.world.close(36)
    assert third.heard() == ["answer of news"]
    scene.old.write("from the first words")
    scene.world.close()
    scene.desk.sync()
    assert [x.stale for x in letters(scene.desk.vault, scene.desk.thread(third))] == [False, True]


def test_sent_again_it_is_followed_once(scene: Scene) -> None:
    world, desk = scene.world, scene.desk
    scene.change()
    for _ in range(2):
        scene.old.change(scene.new)  # other bytes, the same keys
    world.close()
    tally = desk.sync().tally
    assert (tally.changed, tally.unchanged, tally.repeated) == (0, 0, 2)
    scene.old.wire.fates = ["pass", "cut", "pass"]
    scene.old.change(scene.new)  # an answer got lost: the same bytes again
    world.close()
    assert desk.sync().tally.repeated == 1
    world.close(36)
    assert scene.new.heard() == ["answer of news"]


def test_a_letter_under_the_new_words_may_be_there_first(scene: Scene) -> None:
    world, desk = scene.world, scene.desk
    scene.new.write("I am early")
    world.close()
    desk.sync()
    desk.answer(scene.new, "who are you?")
    desk.sync()
    scene.change()
    assert threads(desk.vault) == (desk.thread(scene.new),)
    assert [x.body.text for x in letters(desk.vault, desk.thread(scene.new)) if x.body] == ["hello news", "I am early"]
    world.close(36)
    world.close(72)
    assert sorted(scene.new.heard()) == ["answer of news", "who are you?"]


def test_one_desk_told_and_the_other_not(scene: Scene) -> None:
    """Each desk knows another thread; telling the second later is the same act again."""
    scene.change("news")
    scene.desks["legal"].sync()
    scene.world.close(36)
    assert scene.new.heard("news") == ["answer of news"]
    assert (scene.new.heard("legal"), scene.old.heard("legal")) == ([], ["answer of legal"])
    scene.change("legal")
    scene.world.close(72)
    assert scene.new.heard("legal") == ["answer of legal"]


def test_a_change_of_a_thread_that_is_not_there_is_ignored(scene: Scene) -> None:
    stranger = Source(scene.world, "stranger")
    stranger.change(scene.new)
    scene.world.close()
    tally = scene.desk.sync().tally
    assert (tally.changed, tally.unchanged) == (0, 1)
    assert scene.desk.vault.rows("SELECT id FROM thread") == [(scene.desk.thread(scene.old),)]
    assert scene.desk.vault.rows("SELECT count(*) FROM pending_change") == [(0,)]


def test_a_change_that_comes_days_late_is_not_followed(scene: Scene) -> None:
    world, desk = scene.world, scene.desk
    scene.old.wire.fates = ["pass", "late", "late", "late", "late"]
    with pytest.raises(Exception, match="not sure"):
        scene.old.change(scene.new)
    world.close(4 * TICKS_PER_DAY)
    world.deliver_late()
    world.close()
    tally = desk.sync().tally
    assert (tally.changed, tally.unchanged) == (0, 1)
    assert threads(desk.vault) == (desk.thread(scene.old),)


def test_a_change_waits_for_letters_that_the_server_owes(scene: Scene, tmp_path: Path) -> None:
    """The server keeps the earlier of two changes from one machine: both machines come to the same."""
    world, there = scene.world, scene.another_machine(tmp_path / "there")
    second = Source(world, "second")
    scene.old.change(scene.new)
    world.close()
    held = world.batch
    scene.old.change(second)
    scene.old.write("between")
    world.close()

    def keep(request: Request, answer: Response) -> Response:
        return replace(answer, status=404, body=b"") if request.path == f"/v1/packs/{held}" else answer

    there.wire.meddle = keep
    assert scene.desk.sync().tally.unchanged == 1
    waits = there.sync().tally
    assert (waits.changed, waits.missing) == (0, (held,))
    assert threads(there.vault) == (there.thread(scene.old),)
    there.wire.meddle = lambda _request, answer: answer
    late = there.sync().tally
    assert (late.changed, late.unchanged) == (1, 1)
    for desk in (scene.desk, there):
        assert threads(desk.vault) == (desk.thread(scene.new),)
        assert [(x.verified, x.stale) for x in letters(desk.vault)] == [(True, False), (False, True)]


def test_no_member_can_change_a_thread_for_its_source(scene: Scene, tmp_path: Path) -> None:
    """Whoever holds the desk's keys can make a memo in any member's name, and the MACs of a thread, but not c0."""
    world, there = scene.world, scene.another_machine(tmp_path / "there")
    mine = scene.new.keys().thread_keys
    forged = {"kind": "changed", "thread": there.thread(scene.old), "batch": world.batch}
    forged |= {"seal": mine.seal_key.raw, "dh": mine.dh, "psk": mine.psk}
    moves = {**forged, "kind": "thread"}
    reader = Reader(world.door, "news", "news-1")
    with there.vault.transaction():
        apply_facts(there.vault, FACT_KINDS, reader, MemoBody("news-2", (forged, moves)), world.batch, 0)
        assert settle_changes(there.vault).done == 0
    assert threads(there.vault) == (there.thread(scene.old),)


def everything(desk: Desk) -> bytes:
    """All that lies in a vault's file and journal, decrypted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "PASSPHRASE", VAULT_PASSPHRASE)
        journal = desk.path.with_name(desk.path.name + "-journal")
        return scan.vault_bytes(desk.path) + (scan.journal_bytes(desk.path) if journal.exists() else b"")


def old_key_bytes(scene: Scene) -> list[bytes]:
    keys = scene.old.keys().thread_keys
    return [keys.psk, keys.dh, keys.seal_key.raw[:24], keys.seal_key.raw[600:624], keys.seal_key.raw[-24:]]


def test_the_old_keys_are_nowhere_in_the_vault(scene: Scene) -> None:
    assert all(part in everything(scene.desk) for part in old_key_bytes(scene))
    scene.change()
    found = everything(scene.desk)
    assert not any(part in found for part in (*old_key_bytes(scene), scene.old.keys().c0))
    assert scene.new.keys().psk in found


def test_old_keys_that_are_deleted_but_not_erased_are_seen(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broken variant: SQLite need not overwrite, and nothing is written anew."""
    scene.desk.vault._db.execute("PRAGMA secure_delete = OFF")
    monkeypatch.setattr(changes, "owe", lambda _vault: None)
    scene.change()
    assert any(part in everything(scene.desk) for part in old_key_bytes(scene))


def test_a_journal_that_is_not_wiped_is_seen(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other broken variant: the journal keeps images of the pages that held the keys."""
    monkeypatch.setattr(Vault, "wipe_journal", lambda _vault: None)
    monkeypatch.setattr(changes, "owe", lambda _vault: None)
    monkeypatch.setattr("latchstring.desk.sync.audit", stop)  # before later writes come over it
    scene.old.change(scene.new)
    scene.world.close()
    with pytest.raises(KeyboardInterrupt):
        scene.desk.sync()
    assert any(part in everything(scene.desk) for part in old_key_bytes(scene))


def stop(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def fall(*_: object) -> NoReturn:
    raise KeyError


def test_old_keys_go_even_when_the_session_fails_later(scene: Scene) -> None:
    """A group of batches with the change is stored; then the server is gone."""
    scene.change()
    world, desk = scene.world, scene.desk
    scene.new.change(Source(world, "third"))
    world.close()
    with pytest.MonkeyPatch.context() as cut:
        cut.setattr(follow, "GROUP", 1)
        world.close()
        last = f"/v1/packs/{world.batch}"
        desk.wire.meddle = lambda request, answer: fall() if request.path == last else answer
        cut.setattr("latchstring.desk.sync.failing_since", lambda _vault, today: today)
        with pytest.raises(KeyError):
            desk.sync()
    assert threads(desk.vault) == (desk.thread(Source(world, "third")),)
    assert not is_owed(desk.vault)
    assert scene.new.keys().psk not in everything(desk)


class Failing(Vault):
    """The `left`-th commit from now fails, before or after it is stored."""

    left = -1
    stored = False

    def _commit(self) -> None:
        now = self.left == 0
        self.left -= 1
        if now and not self.stored:
            raise VaultError("The disk with the vault is full.", "")
        super()._commit()
        if now:
            raise VaultError("The answer of the disk was lost.", "")


@pytest.mark.parametrize("stored", [False, True], ids=["not-stored", "stored"])
@pytest.mark.parametrize("commit", [1, 2, 3, 6])
def test_a_session_whose_write_fails_follows_the_change_once(scene: Scene, commit: int, stored: bool) -> None:
    """The batch with the change, the erasure of its traces, the audit, the pages."""
    desk, world = scene.desk, scene.world
    scene.old.change(scene.new)
    world.close()
    desk.vault.__class__ = Failing
    assert isinstance(desk.vault, Failing)
    desk.vault.left, desk.vault.stored = commit, stored
    with pytest.raises(VaultError):
        desk.sync()
    desk.vault.close()
    desk.vault = open_vault(desk.path, VAULT_PASSPHRASE, CHEAP)
    desk.sync()
    assert threads(desk.vault) == (desk.thread(scene.new),)
    found = everything(desk)
    assert not any(part in found for part in old_key_bytes(scene))
    world.close(36)
    assert (scene.old.heard(), scene.new.heard()) == ([], ["answer of news"])
