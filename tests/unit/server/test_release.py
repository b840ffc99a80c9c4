# SPDX-License-Identifier: AGPL-3.0-or-later
"""A publisher whose log has witnesses: what is published is what a quorum has cosigned, through lags, crashes and new
directories; batches close whatever the witnesses do; and it stays one log."""

from dataclasses import replace

import pytest

from latchstring.log.checkpoint import Checkpoint, open_checkpoint
from latchstring.log.cosignature import witnessed
from latchstring.log.verify import verify_log
from latchstring.protocol.visit import parse_visit
from latchstring.server.accept import accept_directory
from latchstring.server.check_witnesses import ask_witnesses
from latchstring.store import tip
from latchstring.store.sql import StoreError, StoreFailed
from tests.builders import Founding, found, successor
from tests.faults import Core, FaultyObjects, FaultySql, Fuse
from tests.witnessed import Network, cosign, names, with_witnesses


class Door:
    """A server's core and four witnesses, three of whom must cosign."""

    def __init__(self, founding: Founding | None = None, core: Core | None = None) -> None:
        made = founding or with_witnesses(found("door", ("news",), 10, letters=40, slots=1, queue=80), 4, 3)
        if core is None:
            core = Core.make(letters=40, queue=80)
            core.founding = made
            core.restart()
            core.publisher.start()
            core.post_directory(30)
        self.core = core
        self.network = Network(core.keys.verifier(made.directory.origin), 4)

    def close(self, batch: int) -> None:
        self.core.close(batch)

    def release(self, batch: int) -> bool:
        return self.network.release(self.core.publisher, self.core.at(batch) + 1)

    def both(self, batch: int) -> None:
        self.close(batch)
        assert self.release(batch)

    @property
    def published(self) -> Checkpoint:
        key = self.core.keys.verifier(self.core.founding.directory.origin)
        return open_checkpoint(self.core.public.get("checkpoint"), key)

    @property
    def size(self) -> int:
        with self.core.sql.read() as connection:
            at = tip.read(connection)
        assert at is not None
        return at.size

    def verify(self) -> None:
        """All that is published is one log, cosigned by a quorum, and /visit is of the same batch."""
        report = verify_log(self.core.public.get)
        assert report.ok, report.fault
        assert len(report.cosigned) >= report.quorum
        visit = parse_visit(self.core.public.get("visit"))
        assert visit.checkpoint == self.core.public.get("checkpoint")
        seen = [open_checkpoint(raw, self.network.key) for raw in self.core.public.checkpoints]
        assert [point.size for point in seen] == sorted(point.size for point in seen)


@pytest.fixture
def door() -> Door:
    return Door()


def test_nothing_is_published_before_a_quorum_has_cosigned(door: Door) -> None:
    door.network.down = set(names(2))
    door.close(30)
    assert not door.release(30)
    assert "checkpoint" not in door.core.public.files
    assert "visit" not in door.core.public.files
    door.network.down = set(names(1))
    assert door.release(30)
    assert len(witnessed(door.core.public.get("checkpoint"), door.core.founding.directory.witnesses)) == 3
    door.verify()


def test_batches_go_on_closing_and_what_is_published_lags(door: Door) -> None:
    door.both(30)
    before = door.core.public.get("visit")
    door.network.down = set(names(4))
    for batch in range(31, 60):
        door.close(batch)
        assert not door.release(batch)
    assert door.core.public.get("visit") == before
    assert door.size > 1000
    door.verify()  # partial tiles of the size that is published are still there
    door.network.down = set()
    assert door.release(59)
    assert door.published.size == door.size
    door.verify()
    full = {p.rpartition(".p/")[0] for p in door.core.public.files if ".p/" in p}
    assert not [p for p in full if p in door.core.public.files]  # and gone once it is over


def test_a_late_quorum_publishes_what_it_cosigned_and_never_goes_back(door: Door) -> None:
    door.both(30)
    door.close(31)
    late = door.core.publisher.candidate
    assert late is not None
    door.network.now = door.core.at(31)
    cosigned = door.network.gather(door.core.publisher, late)
    assert cosigned is not None
    door.close(32)
    assert door.core.publisher.release(late, cosigned)
    assert door.published.size == late.size < door.size
    door.verify()
    assert door.release(32)
    assert not door.core.publisher.release(late, cosigned)
    assert door.published.size == door.size
    door.verify()


def test_cosignatures_that_are_none_release_nothing(door: Door) -> None:
    door.close(30)
    waiting = door.core.publisher.candidate
    assert waiting is not None
    other = Checkpoint(door.network.key.name, 5, bytes(32)).sign(door.core.keys.log)
    for bad in (waiting.checkpoint, cosign(waiting.checkpoint, names(2), 1), cosign(other, names(4), 1), b""):
        assert not door.core.publisher.release(waiting, bad)
    assert "checkpoint" not in door.core.public.files


@pytest.mark.parametrize("stored", [False, True], ids=["not stored", "stored"])
@pytest.mark.parametrize("write", range(1, 5))
@pytest.mark.parametrize("restart", [False, True])
def test_every_write_of_a_release(door: Door, write: int, stored: bool, restart: bool) -> None:
    """Checkpoint, /visit, tiles that go: whichever fails, the next release puts it right."""
    for batch in range(30, 36):
        door.close(batch)
    assert door.release(35)
    door.close(36)
    door.core.fuse.arm(write, stored)
    try:
        assert door.release(36)
    except StoreFailed:
        pass
    door.core.fuse.disarm()
    if restart:
        door.core.restart()
        door.core.publisher.start()
    door.close(37)
    assert door.release(37)
    door.verify()


@pytest.mark.parametrize("released", [False, True])
def test_a_crash_between_closing_and_cosigning(door: Door, released: bool) -> None:
    """The witnesses may know a size that was never published: the same one is asked for again."""
    door.both(30)
    door.close(31)
    if released:
        door.network.gather(door.core.publisher)
    door.core.restart()
    door.core.publisher.start()
    assert door.published.size < door.size
    assert door.release(31)
    assert door.published.size == door.size
    door.both(32)
    door.verify()


def test_a_crash_before_anything_was_published(door: Door) -> None:
    door.close(30)
    door.core.restart()
    door.core.publisher.start()
    assert door.release(30)
    door.verify()


def test_a_start_looks_at_what_lags(door: Door) -> None:
    """A published checkpoint of another log, signed by this very key, is not taken for a beginning of this one."""
    door.both(30)
    door.close(31)
    size = door.published.size
    door.core.public.files["checkpoint"] = Checkpoint(door.network.key.name, size, bytes(32)).sign(door.core.keys.log)
    door.core.restart()
    with pytest.raises(StoreError, match="not a beginning"):
        door.core.publisher.start()


def test_a_database_from_a_backup_is_stopped_by_the_witnesses(door: Door) -> None:
    """Nothing published is left to see it by, and the log's key would sign a fork: the witnesses do not."""
    door.both(30)
    old = door.core.copy()
    for batch in range(31, 34):
        door.both(batch)
    del old.public.files["checkpoint"], old.public.files["visit"]
    old.restart()
    old.publisher.start()
    old.send(31, 7)
    restored = Door(core=old)
    restored.network = door.network
    restored.close(40)
    assert not restored.release(40)
    assert "checkpoint" not in old.public.files


def test_witnesses_come_and_go_with_the_directory() -> None:
    core = Core.make(letters=2)
    core.publisher.start()
    core.post_directory(30)
    core.close(30)
    alone = core.founding
    door = Door(alone, core)
    assert core.publisher.candidate is None
    assert door.published.size == door.size

    core.founding = successor(with_witnesses(alone, 4, 3))
    core.founding = replace(core.founding, directory=replace(core.founding.directory, previous=alone.opened.hash))
    accept_directory(core.intake, core.founding.signed, core.at(31))
    door.close(31)
    assert door.published.size < door.size
    assert door.release(31)
    door.verify()

    core.founding = successor(core.founding, witnesses=(), quorum=0)
    accept_directory(core.intake, core.founding.signed, core.at(32))
    door.close(32)
    assert core.publisher.candidate is None
    assert door.published.size == door.size
    core.restart()
    core.publisher.start()


def test_check_says_what_the_witnesses_say(door: Door) -> None:
    def said() -> list[tuple[bool, str]]:
        with door.core.sql.read() as connection:
            at = tip.read(connection)
        assert at is not None
        found = ask_witnesses(at, door.core.founding.directory, door.core.public, door.network.post)
        return [(f.ok, f.text) for f in found]

    import time

    door.close(30)
    door.network.now = int(time.time())
    door.network.down = set(names(2))
    first = said()
    assert first[:2] == [(False, f"Witness '{name}' does not answer.") for name in names(2)]
    assert first[2:4] == [(True, f"Witness '{name}' cosigns.") for name in ("w3.example", "w4.example")]
    assert (first[4][0], first[5][0]) == (False, False)
    door.network.down = set(names(1))
    assert said()[-2][0]
    door.release(30)
    door.network.now = int(time.time())
    assert "newest batch, cosigned by 3" in said()[-1][1]
    door.close(31)
    assert "waits" in said()[-1][1]


def test_a_door_without_witnesses_asks_nobody() -> None:
    core = Core.opened()
    assert core.publisher.candidate is None
    assert isinstance(core.sql, FaultySql)
    assert isinstance(core.public, FaultyObjects)
    assert isinstance(core.fuse, Fuse)
