# SPDX-License-Identifier: AGPL-3.0-or-later
"""A door that names witnesses: letters and answers as ever; late witnesses make everything late and lose nothing."""

from pathlib import Path

import pytest

from latchstring.client.visit import ClockOff
from latchstring.log.receipts import Verdict, judge
from latchstring.log.verify import examine
from tests.witnessed import Network, names
from tests.witnesses import as_named, cosigner
from tests.world.world import Desk, Source, World, open_door


class Scene:
    """The organisation has named four witnesses, three of whom must cosign, in its second directory."""

    def __init__(self, folder: Path) -> None:
        self.world, desks = open_door(folder, letters=2, queue=200)
        self.desk: Desk = desks["news"]
        self.source = Source(self.world, "a")
        key = self.world.core.keys.verifier(self.world.founding.directory.origin)
        self.network = Network(key, 4)
        self.world.renew(witnesses=tuple(as_named(cosigner(name)) for name in names(4)), quorum=3)
        self.close()

    def close(self, *batches: int) -> bool:
        """Close these batches, each time asking the witnesses; was the last one published?"""
        world: World = self.world
        done = False
        for batch in batches or (world.batch + 1,):
            world.close(batch)
            done = self.network.release(world.core.publisher, world.now)
        return done

    @property
    def published(self) -> int:
        return self.source.look().manifest.n


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_letters_and_answers_as_ever(scene: Scene) -> None:
    assert [w.name for w in scene.source.look().cosigned] == names(4)
    scene.source.write("before the answer")
    scene.close()
    assert scene.desk.sync().faults == ()
    assert scene.desk.texts() == ["before the answer"]
    scene.desk.answer(scene.source, "we read you")
    scene.desk.sync()
    scene.network.down = {"w3.example"}
    scene.close(36)
    assert scene.source.heard() == ["we read you"]
    assert len(scene.source.look().cosigned) == 3


def test_late_witnesses_make_it_late_and_lose_nothing(scene: Scene) -> None:
    before = scene.published
    scene.network.down = set(names(2))
    receipts = []
    for i in range(8):
        receipts.append(scene.source.write(f"letter {i}").receipt_raw)
        assert not scene.close()
        assert scene.desk.sync().faults == ()
    assert scene.published == before
    assert scene.desk.texts() == []
    scene.network.down = set()
    assert scene.close()
    assert scene.desk.sync().faults == ()
    assert sorted(scene.desk.texts()) == [f"letter {i}" for i in range(8)]
    log = examine(scene.world.core.public.get, scene.network.key, scene.world.door)
    assert {judge(raw, log).verdict for raw in receipts} == {Verdict.KEPT}


def test_a_restart_in_between(scene: Scene) -> None:
    scene.network.down = set(names(4))
    scene.source.write("while they sleep")
    scene.close()
    scene.world.start()
    scene.close()
    scene.world.start()
    scene.network.down = set()
    assert scene.network.release(scene.world.core.publisher, scene.world.now)
    assert scene.published == scene.world.batch
    scene.desk.sync()
    assert scene.desk.texts() == ["while they sleep"]


def test_after_a_day_without_a_quorum_the_door_is_closed_until_there_is_one(scene: Scene) -> None:
    """Nobody is shown what no quorum has seen; nobody is told that they are attacked."""
    scene.network.down = set(names(2))
    start = scene.world.batch
    scene.close(*range(start + 1, start + 160, 10))
    with pytest.raises(ClockOff):
        scene.source.look()
    with pytest.raises(ClockOff):
        scene.desk.sync()
    scene.network.down = set()
    scene.close()
    assert scene.published == scene.world.batch
    assert scene.desk.sync().faults == ()


def test_other_witnesses_count_from_the_batch_of_their_directory(scene: Scene) -> None:
    """The organisation leaves two that do not answer any more and names others."""
    scene.network.down = set(names(2))
    scene.close()
    assert scene.published < scene.world.batch
    scene.world.renew(witnesses=tuple(as_named(cosigner(name)) for name in ("w3.example", "w4.example")), quorum=2)
    assert scene.close()
    assert [w.name for w in scene.source.look().cosigned] == ["w3.example", "w4.example"]
    assert scene.desk.sync().faults == ()
