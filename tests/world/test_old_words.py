# SPDX-License-Identifier: AGPL-3.0-or-later
"""Letters under words that were changed, 35 days long: whatever the server held back of them, and when it hands it out,
they come to the same. And what is left of a deleted thread for so long keeps no session from going on."""

from dataclasses import replace
from pathlib import Path

import pytest

from latchstring.client.transport import Response
from latchstring.desk import changes, keeping, sync
from latchstring.desk.changes import forget_old_ids, former_ids
from latchstring.desk.deletion import delete_thread
from latchstring.desk.errors import DeskError, ServerFault
from latchstring.desk.letters import letters
from latchstring.desk.replies import replies
from latchstring.protocol.constants import BODY_DAYS, LONE_ERASE_DAYS, TICKS_PER_DAY
from latchstring.server.api import Request
from tests.builders import Stream
from tests.world.world import Desk, Source, World, open_door

READ_TO = 30  # days after the change; the last of the 35 is to come


class Scene:
    """A thread whose words were changed on day 0, and one of somebody else."""

    def __init__(self, world: World, desk: Desk) -> None:
        self.world, self.desk = world, desk
        self.old, self.new, self.other = (Source(world, name) for name in ("old", "new", "other"))
        for source in (self.old, self.other):
            source.random = Stream(f"ids of {source.name} at {world.batch}")

    def to(self, day: int) -> None:
        self.world.close(day * TICKS_PER_DAY)

    def comes(self, source: Source, text: str) -> None:
        source.write(text, tell=False)
        self.world.close()

    def held_back(self, path: str) -> None:
        """From now on the server hands out nothing whose path begins so."""

        def keep(request: Request, answer: Response) -> Response:
            return replace(answer, status=404, body=b"") if request.path.startswith(path) else answer

        self.desk.wire.meddle = keep

    def handed_out(self) -> None:
        self.desk.wire.meddle = lambda _request, answer: answer

    def remembers(self) -> bool:
        return former_ids(self.desk.vault, self.desk.thread(self.new)) == (self.desk.thread(self.old),)

    def views(self, source: Source) -> list[tuple[bool, bool]]:
        """Of each letter in this thread: is it verified, came it under words that had been changed?"""
        return [(x.verified, x.stale) for x in letters(self.desk.vault, self.desk.thread(source))]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    world, desks = open_door(tmp_path_factory.mktemp("first"), letters=4)
    made = Scene(world, desks["news"])
    made.comes(made.old, "hello")
    made.comes(made.other, "and I")
    made.desk.sync()
    made.old.change(made.new)
    world.close()
    for day in (1, 12, 24, READ_TO):
        made.desk.sync()
        made.to(day)
    made.desk.sync()
    assert made.remembers()
    return made


@pytest.fixture
def scene(first: Scene, tmp_path: Path) -> Scene:
    world = first.world.copy()
    return Scene(world, first.desk.copy(world, tmp_path))


STALE, GOOD = (False, True), (True, False)


@pytest.mark.parametrize("broken", [False, True])
def test_a_letter_that_is_handed_out_late_is_what_it_was(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    """Whoever has the old words writes on day 34; the server keeps that from this machine until day 37. `broken`: what
    is owed does not count."""
    if broken:
        monkeypatch.setattr(changes, "first_owed", lambda _vault: None)
    scene.to(34)
    scene.comes(scene.old, "a thief's")
    scene.held_back(f"/v1/packs/{scene.world.batch}")
    scene.desk.sync()
    scene.to(37)
    scene.desk.sync()
    assert scene.remembers() is not broken
    scene.handed_out()
    scene.desk.sync()
    assert not scene.remembers()
    assert scene.views(scene.new) == ([GOOD] if broken else [GOOD, STALE])
    assert scene.views(scene.old) == ([GOOD] if broken else [])


@pytest.mark.parametrize("broken", [False, True])
def test_what_comes_after_the_35_days_opens_a_thread_though_letters_of_before_are_owed(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    """`broken`: the id stays for as long as anything is owed."""
    if broken:
        monkeypatch.setattr(keeping, "forget_outlived", lambda *_: None)
    scene.to(34)
    scene.comes(scene.other, "somebody else's")
    scene.held_back(f"/v1/packs/{scene.world.batch}")
    scene.desk.sync()
    scene.to(37)
    scene.comes(scene.old, "back again")
    scene.desk.sync()
    assert scene.views(scene.old) == ([] if broken else [GOOD])
    scene.handed_out()
    scene.desk.sync()
    assert scene.views(scene.other) == [GOOD, GOOD]


def fails(scene: Scene, *days: int) -> None:
    """Sessions that get no manifest, on these days."""
    scene.held_back("/manifests/")
    for day in days:
        scene.to(day)
        with pytest.raises(ServerFault):
            scene.desk.sync()


@pytest.mark.parametrize("broken", [False, True])
def test_what_was_not_read_for_a_week_is_what_it_was(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    """Sessions fail from day 31 to day 38, and keys that are due go; then the letters of day 34 are read. `broken`: old
    ids go by the day, however far the log was read."""
    if broken:
        monkeypatch.setattr(sync, "forget_old_ids", lambda vault, _read_to, due: forget_old_ids(vault, 38, due))
    fails(scene, 31)
    scene.to(34)
    scene.comes(scene.old, "a thief's")
    fails(scene, 38)
    scene.handed_out()
    scene.desk.sync()
    assert not scene.remembers()
    assert scene.views(scene.new) == ([GOOD] if broken else [GOOD, STALE])


def test_a_server_that_fails_for_good_does_not_keep_old_ids_alive(scene: Scene) -> None:
    """They go with the keys that could open the last letter under them; what is owed does not keep them either."""
    scene.to(34)
    scene.comes(scene.old, "a thief's")
    scene.held_back(f"/v1/packs/{scene.world.batch}")
    scene.desk.sync()
    last = BODY_DAYS + LONE_ERASE_DAYS
    fails(scene, 36, last - 1)
    assert scene.remembers()
    fails(scene, last)
    assert not scene.remembers()


def test_no_reply_is_written_in_a_deleted_thread_whose_keys_are_still_here(scene: Scene) -> None:
    desk = scene.desk
    delete_thread(desk.vault, desk.thread(scene.new), scene.world.batch)
    desk.sync()
    assert desk.vault.rows("SELECT 1 FROM thread WHERE id = ?", desk.thread(scene.new))
    with pytest.raises(DeskError, match="There is no such thread"):
        desk.answer(scene.new, "too late")
    assert replies(desk.vault) == ()


def test_a_reply_in_a_deleted_thread_keeps_no_session_from_going_on(scene: Scene) -> None:
    """An earlier version took one in."""
    vault, thread = scene.desk.vault, scene.desk.thread(scene.new)
    delete_thread(vault, thread, scene.world.batch)
    with vault.transaction():
        vault.do("INSERT INTO reply (id, thread, cbor, written) VALUES (?, ?, ?, 5)", b"r" * 16, thread, b"")
    scene.to(BODY_DAYS + 1)
    scene.desk.sync()
    assert replies(vault) == ()
    assert vault.rows("SELECT id FROM thread UNION SELECT thread FROM moved_thread") == [
        (scene.desk.thread(scene.other),)
    ]
