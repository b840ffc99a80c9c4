# SPDX-License-Identifier: AGPL-3.0-or-later
"""close-batch: closing a batch with 10 million leaves in the log, against 10,000; SQLite and files on this disk."""

import hashlib
import os
import secrets
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from sqlalchemy import delete, insert

from bench.figure import Figure, Goal, number
from bench.world import BenchDoor, found_door
from latchstring.log.checkpoint import Checkpoint
from latchstring.log.tiles import TilePath, root_from_tiles
from latchstring.server.publisher import Publisher, Shelves
from latchstring.store import tables, tip
from latchstring.store.objects import NoObject, Objects

STARTED = 1_700_000_000
BATCH_LEAVES = 17


class MadeUp:
    """A folder in which every tile that was never written is there all the same, with made-up hashes."""

    def __init__(self, behind: Objects) -> None:
        self._behind = behind

    def put(self, path: str, data: bytes) -> None:
        self._behind.put(path, data)

    def get(self, path: str) -> bytes:
        try:
            return self._behind.get(path)
        except NoObject:
            tile = TilePath.parse(path)
            row = [hashlib.sha256(f"{path.split('.p/')[0]} {i}".encode()).digest() for i in range(tile.width)]
            return b"".join(row) if tile.level is not None else b"".join(b"\0\x20" + item for item in row)

    def delete(self, path: str) -> None:
        self._behind.delete(path)

    def paths(self, folder: str) -> Iterator[str]:
        yield from self._behind.paths(folder)

    def sweep(self) -> None:
        self._behind.sweep()


def _grown(door: BenchDoor, size: int) -> Publisher:
    """The door's publisher with a log of `size` leaves, all but the newest made up."""
    shelves = Shelves(MadeUp(door.shelves.public), door.shelves.private)
    intake = door.intake
    with intake.sql.write() as connection:
        old = tip.read(connection)
        assert old is not None
        root = root_from_tiles(size, shelves.public.get)
        checkpoint = Checkpoint(door.directory.origin, size, root).sign(intake.keys.log)
        tip.swap(connection, old, replace(old, size=size, root=root, checkpoint=checkpoint))
        connection.execute(delete(tables.batches))
        numbers = range(old.batch - 287, old.batch + 1)
        rows = [{"n": n, "first": size - (old.batch - n + 1) * BATCH_LEAVES} for n in numbers]
        connection.execute(insert(tables.batches), rows)
    shelves.public.put("checkpoint", checkpoint)
    publisher = Publisher(intake.sql, shelves, intake.keys, intake.door)
    publisher.start()
    return publisher


def _close(folder: Path, size: int, batches: int) -> float:
    """Seconds a batch, the median."""
    door = found_door(folder, STARTED)
    last = door.close_sheets(1, 21)
    publisher = _grown(door, size)
    taken = []
    for n in range(last + 1, last + 1 + batches):
        start = time.perf_counter()
        publisher.close(n, secrets.token_bytes)
        taken.append(time.perf_counter() - start)
    return sorted(taken)[len(taken) // 2]


def run(quick: bool) -> Figure:
    """In turn, so that a slow spell of the machine meets both."""
    batches = 10 if quick else 36
    small: list[float] = []
    large: list[float] = []
    for _ in range(1 if quick else 3):
        with tempfile.TemporaryDirectory() as a, tempfile.TemporaryDirectory() as b:
            small.append(_close(Path(a), 10_000, batches))
            large.append(_close(Path(b), 10_000_000, batches))
    least, most = min(small), min(large)
    return Figure(
        "close-batch: closing one batch",
        ("Leaves in the log", "ms", "against 10,000"),
        (("10,000", number(1000 * least), "1.0"), ("10,000,000", number(1000 * most), f"{most / least:.2f}")),
        (Goal("ratio", most / least, 2, False),),
        (
            f"Median of {batches} batches, the best of {len(small)} runs in turn; 84 sheets of 8 slots in /visit; "
            f"SQLite and files with fsync on this disk; load now {os.getloadavg()[0]:.1f}.",
        ),
    )
