# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every write of a session, in pairs: it fails and is not stored; it fails but is stored. And every request, cut
before the server heard and cut before the answer came. Whatever happened, later sessions lose nothing, double nothing,
and the source hears the answer.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from latchstring.client.transport import NetworkFailed
from latchstring.desk import placing
from latchstring.desk.errors import VaultError
from latchstring.desk.keys import waiting_notes
from latchstring.desk.letters import letters, threads
from latchstring.desk.replies import replies, write_reply
from latchstring.desk.secrets import epoch_secrets
from latchstring.desk.uploads import uploads
from latchstring.desk.vault import Vault
from tests.desk_world import DeskAt, Source, World, open_desk

SHEETS_AHEAD = 6  # for which pages are made; 28 in truth, one like the other


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


@dataclass
class Scene:
    """A desk with something of everything to do: a letter to open, a reply to place and one that the letter names as
    read, a page to audit, keys to make, keys to erase."""

    world: World
    at: DeskAt
    source: Source

    @classmethod
    def set(cls, folder: Path) -> "Scene":
        world = World()
        at = open_desk(world, folder)
        source = Source(world, "a")
        world.write(source, "first")
        world.close()
        at.sync()
        (thread,) = threads(at.vault)
        world.close(144 * 13 + 72)
        at.sync()
        world.close()
        at.sync()
        world.close()
        at.sync()
        first = write_reply(at.vault, thread, "first answer", world.now, at.random)
        at.sync()
        world.close(144 * 14 - 2)
        write_reply(at.vault, thread, "second answer", world.now, at.random)
        world.write(source, "second", read=(first.id,))
        world.close(144 * 14)
        return cls(world, at, source)

    def copy(self, folder: Path) -> "Scene":
        """The same once more, with a vault that fails on request."""
        world = self.world.copy()
        return Scene(world, self.at.copy(world, folder, Failing), Source(world, "a"))

    def check_the_end(self) -> None:
        """After two undisturbed sessions all is as if nothing had happened."""
        at, world = self.at, self.world
        at.sync()
        texts = [x.body.text for x in letters(at.vault) if x.body]
        assert Counter(texts) == Counter(["first", "second"])
        first, second = replies(at.vault)
        assert first.read is not None
        assert second.published or second.planned is not None
        assert all(s.day > 0 for s in epoch_secrets(at.vault))
        posted = set(waiting_notes(at.vault))
        for batch in (144 * 14 + 36, 144 * 14 + 72, 144 * 15):
            world.close(batch)
            report = at.sync()
            assert report.faults == ()
            assert report.desk_open
        assert not posted & set(waiting_notes(at.vault))  # the log holds them
        heard = Counter(o.body.text for o in self.source.replies(world) if o.body)
        assert heard["second answer"] >= 1
        days = Counter(s.day for s in epoch_secrets(at.vault))
        assert set(range(14, 28)) <= set(days)
        for versions in uploads(at.vault).values():
            assert sum(u.receipt is not None for u in versions) <= 1
        slots = at.vault.rows(
            "SELECT p.sheet, p.page, p.slot FROM placement p JOIN page_upload u"
            " ON (u.sheet, u.page, u.version) = (p.sheet, p.page, p.version) WHERE u.receipt IS NOT NULL"
        )
        assert len(slots) == len(set(slots))


@pytest.fixture(scope="module", autouse=True)
def fewer_pages() -> Iterator[None]:
    """See `SHEETS_AHEAD`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(placing, "coming_sheets", lambda closed: range(closed + 1, closed + 1 + SHEETS_AHEAD))
        yield


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Made once: it takes a second."""
    return Scene.set(tmp_path_factory.mktemp("first"))


@pytest.fixture
def scene(first: Scene, tmp_path: Path) -> Scene:
    return first.copy(tmp_path)


def commits_of_a_session(scene: Scene) -> int:
    vault = scene.at.vault
    assert isinstance(vault, Failing)
    vault.left = -1
    report = scene.at.sync()
    assert report.tally.new
    assert report.tally.read
    assert report.erased
    assert report.posted
    assert report.placed.replies == 1
    return -1 - vault.left


def test_the_scene_has_every_kind_of_write(scene: Scene) -> None:
    # the pin, a group of batches, an erasure, the audit, what is told of sheets and of the log, the keys, a page
    # version, the pages, their receipts
    assert commits_of_a_session(scene) == 9 + SHEETS_AHEAD


# receipts are alike: the first, one in the middle, the last two
COMMITS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 14]


@pytest.mark.parametrize("stored", [False, True], ids=["not-stored", "stored"])
@pytest.mark.parametrize("commit", COMMITS)
def test_a_write_that_fails(scene: Scene, commit: int, stored: bool) -> None:
    vault = scene.at.vault
    assert isinstance(vault, Failing)
    vault.left, vault.stored = commit, stored
    with pytest.raises(VaultError):
        scene.at.sync()
    assert vault.left == -1
    vault.close()
    scene.at.vault = scene.at.reopen()
    scene.check_the_end()


@pytest.mark.parametrize("after", [False, True], ids=["before-the-server-heard", "before-the-answer-came"])
@pytest.mark.parametrize("request_number", [0, 1, 2, 3, 4, 5, 6, 8, 10])
def test_a_request_that_is_cut(scene: Scene, request_number: int, after: bool) -> None:
    scene.at.transport.fail, scene.at.transport.after = request_number, after
    with pytest.raises(NetworkFailed):
        scene.at.sync()
    scene.at.transport.fail = None
    scene.check_the_end()
