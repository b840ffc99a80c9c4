# SPDX-License-Identifier: AGPL-3.0-or-later
"""Several workers and the publisher on one SQLite file and one folder, all at once."""

import threading
from pathlib import Path

from latchstring.protocol.receipt import open_receipt
from latchstring.server.accept import DirectoryCache, Intake, accept_letters
from latchstring.server.publisher import Publisher, Shelves
from latchstring.store import letters
from latchstring.store.objects import FolderObjects
from latchstring.store.sql import open_sqlite
from tests.builders import Stream
from tests.faults import Core, FaultyObjects, FaultySql, Fuse, check_published, letter


def test_workers_and_publisher_at_once(tmp_path: Path) -> None:
    core = Core.make(letters=4, queue=400)
    fuse = Fuse()
    core.sql = FaultySql(open_sqlite(tmp_path / "db"), fuse)
    core.shelves = Shelves(FolderObjects(tmp_path / "public"), FolderObjects(tmp_path / "private"))
    core.restart()
    core.publisher.start()
    core.post_directory(30)
    core.close(30)
    answers: list[dict[int, bytes]] = [{} for _ in range(3)]

    def worker(mine: dict[int, bytes]) -> None:
        """Everyone posts the same letters, in groups of five."""
        intake = Intake(open_sqlite(tmp_path / "db"), core.keys, core.founding.door)
        cache = DirectoryCache()
        for start in range(0, 100, 5):
            numbers = range(start, start + 5)
            outcomes = accept_letters(intake, cache, [letter(i) for i in numbers], core.at(30))
            mine.update((i, o) for i, o in zip(numbers, outcomes, strict=True) if isinstance(o, bytes))
        intake.sql.close()

    threads = [threading.Thread(target=worker, args=(mine,)) for mine in answers]
    for thread in threads:
        thread.start()
    batch = 30
    while any(thread.is_alive() for thread in threads) or _waiting(core):
        batch += 1
        core.close(batch)
    for thread in threads:
        thread.join()
    assert len(answers[0]) == 100
    assert answers[0] == answers[1] == answers[2], "one letter, one receipt"
    closed = core.batch
    packs = b"".join(core.shelves.private.get(f"packs/{n}") for n in range(30, closed + 1))
    bodies = [packs[i : i + 4096] for i in range(0, len(packs), 4096)]
    assert all(bodies.count(letter(i)) == 1 for i in range(100))
    assert max(open_receipt(raw, core.keys.receipt_public).publish_by for raw in answers[0].values()) > 32

    memory = Shelves(_copy(tmp_path / "public"), _copy(tmp_path / "private"))
    twin = Core(core.founding, fuse, core.sql, memory, Stream("twin"))
    twin.publisher = Publisher(core.sql, memory, core.keys, core.founding.door)
    twin.publisher.start()
    check_published(twin)


def _waiting(core: Core) -> int:
    with core.sql.read() as connection:
        return letters.waiting(connection)


def _copy(root: Path) -> FaultyObjects:
    files = FaultyObjects(Fuse())
    files.files = {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}
    return files
