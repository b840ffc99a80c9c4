# SPDX-License-Identifier: AGPL-3.0-or-later
"""P5: what is published of letters and replies has the same shape at every tick, whatever happens.

| Attacker | Holds                                          | Tries                                                  |
|----------|------------------------------------------------|--------------------------------------------------------|
| outsider | names and sizes of all published files after   | to see that letters came, how many waited, that        |
|          | every tick                                     | somebody answered, or when a member was at work        |
| member   | besides those, the packs' sizes                | the same of another desk                               |

Whole doors are run side by side: with nothing, with one letter, with a full queue, with answers and more sessions.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from latchstring.protocol import constants as c
from latchstring.server.api import Request
from latchstring.server.batch import Random
from tests.world.world import Desk, Source, World, open_door

BATCHES = (*range(3, 12), 36, 72, 100, 108, *range(143, 153), 160, 180, 216, 252, 287, 288, 289, 300)
Shape = list[dict[str, int]]


def shape_of(folder: Path, happens: Callable[[World, Desk, int], None]) -> Shape:
    """Sizes of all files after each of `BATCHES`; the desk comes once a day, and `happens` besides."""
    world, desks = open_door(folder, queue=16)
    desk = desks["news"]
    seen: Shape = []
    for batch in BATCHES:
        happens(world, desk, batch)
        world.close(batch)
        if batch in (150, 289):
            desk.sync()
        files = {**world.core.public.files, **world.core.private.files}
        seen.append({path: len(body) for path, body in sorted(files.items())})
    return seen


def nothing(_world: World, _desk: Desk, _batch: int) -> None:
    pass


def one_letter(world: World, _desk: Desk, batch: int) -> None:
    if batch == 5:
        Source(world, "a").write("one letter")


def full_queue(world: World, _desk: Desk, batch: int) -> None:
    """Until the server says that it is full."""
    source = Source(world, str(batch))
    if batch in (4, 144):
        while True:
            source.random(1)
            note = source.look().note("news")
            assert note is not None
            letter = note.seal_key.seal(bytes(c.LETTER_PLAIN), b"")
            if world.answer(Request("POST", "/v1/letters", body=letter)).status != 201:
                break


def answers_and_sessions(world: World, desk: Desk, batch: int) -> None:
    """Letters and answers, and a member who comes at odd times besides."""
    source = Source(world, "a")
    if batch in (4, 152):
        source.write(f"letter {batch}", tell=False)
    if batch in (9, 36, 108, 147, 151, 160, 252, 287):
        desk.sync()
        if batch != 9:
            desk.show(source)
            for number in range(3):
                desk.answer(source, f"answer {batch} {number}")
            desk.sync()


BUSY = (one_letter, full_queue, answers_and_sessions)


@pytest.mark.parametrize("happens", BUSY)
def test_every_tick_looks_the_same(tmp_path: Path, happens: Callable[[World, Desk, int], None]) -> None:
    quiet = shape_of(tmp_path / "quiet", nothing)
    assert shape_of(tmp_path / "busy", happens) == quiet
    notes = {int(path.split("/")[1]) for path in quiet[-1] if path.startswith("keynotes/")}
    assert notes == {0, 1, 2, 288}  # the founding, and a day's first tick


def only_real_letters(patch: pytest.MonkeyPatch) -> None:
    def without_fillers(items: Sequence[bytes], _random: Random) -> list[bytes]:
        return [item for item in items if item]

    patch.setattr("latchstring.server.batch.filler_letter", lambda *_: b"")
    patch.setattr("latchstring.server.batch.shuffled", without_fillers)


def all_that_wait(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("latchstring.store.letters.due", lambda *_: 1_000_000)


def notes_at_once(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("latchstring.server.publisher.may_log_key_notes", lambda *_: True)


@pytest.mark.parametrize(
    ("weaken", "happens"),
    [(only_real_letters, one_letter), (all_that_wait, full_queue), (notes_at_once, answers_and_sessions)],
)
def test_each_shortcut_would_be_seen(
    tmp_path: Path,
    weaken: Callable[[pytest.MonkeyPatch], None],
    happens: Callable[[World, Desk, int], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Batches of real letters alone, of all that wait, key notes as they come."""
    weaken(monkeypatch)
    assert shape_of(tmp_path / "quiet", nothing) != shape_of(tmp_path / "busy", happens)


def test_real_letters_and_fillers_lie_in_no_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which of a batch's leaves are letters: a sender who knows one leaf learns nothing of the others'."""

    def places(folder: Path) -> set[int]:
        world, _ = open_door(folder, letters=8, queue=8)
        found = set()
        for number in range(12):
            source = Source(world, "a")
            source.random(number + 1)
            leaf = source.write(f"letter {number}", tell=False).leaf
            world.close()
            visit = source.look()
            found.add(visit.entries.index(leaf) - (visit.manifest.first - visit.entries_start))
        return found

    assert len(places(tmp_path / "shuffled")) > 3
    monkeypatch.setattr("latchstring.server.batch.shuffled", lambda items, _random: list(items))
    assert places(tmp_path / "in order") == {0}
