# SPDX-License-Identifier: AGPL-3.0-or-later
"""A server's core on a real disk, in a child process that dies (`os._exit`) at its write number k: just before the
write is kept, or just after. Then a new process goes on from what lies there.
"""

import os
import shutil
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection

from latchstring.log.checkpoint import open_checkpoint
from latchstring.log.errors import LogError
from latchstring.log.tiles import entry_range
from latchstring.log.tree import leaf_hashes, root_of
from latchstring.protocol import constants as c
from latchstring.server.accept import DirectoryCache, Intake, accept_directory, accept_key_notes, accept_letters
from latchstring.server.keys import ServerKeys
from latchstring.server.publisher import Publisher, Shelves
from latchstring.store.objects import FolderObjects
from latchstring.store.sql import Sql, StoreError, StoreFailed, open_sqlite
from tests.builders import Founding, Stream, found, make_epoch
from tests.chaos.examine import Outcome, examine
from tests.faults import cbor_notes, letter

DIED = 77
TRIES = 60
T = TypeVar("T")


@dataclass
class Trap:
    """What happens at write `at`: the process ends, or (`full`: how many) this write and the next fail: a full disk."""

    at: int
    stored: bool
    full: int = 0
    count: int = 0

    def before(self) -> None:
        self.count += 1
        if self.full and self.at <= self.count < self.at + self.full:
            raise StoreFailed("the disk is full")
        if not self.full and self.count == self.at and not self.stored:
            os._exit(DIED)

    def after(self) -> None:
        if not self.full and self.count == self.at and self.stored:
            os._exit(DIED)


class TrapSql(Sql):
    """Transactions with the trap just before and just after the commit."""

    def __init__(self, inner: Sql, trap: Trap) -> None:
        super().__init__(inner._engine)
        self._trap = trap

    @contextmanager
    def write(self) -> Iterator[Connection]:
        with super().write() as connection:
            yield connection
            self._trap.before()
        self._trap.after()


class TrapObjects(FolderObjects):
    """Files with the trap around every change; what was ever a checkpoint is noted in a file beside."""

    def __init__(self, root: Path, trap: Trap, seen: Path) -> None:
        super().__init__(root)
        self._trap, self._seen = trap, seen

    def put(self, path: str, data: bytes) -> None:
        self._trap.before()
        super().put(path, data)
        if path == "checkpoint":
            note(self._seen, data)
        self._trap.after()

    def delete(self, path: str) -> None:
        self._trap.before()
        super().delete(path)
        self._trap.after()


def note(file: Path, data: bytes) -> None:
    """Append one line; whole or not at all, since it is one write."""
    with file.open("ab", buffering=0) as out:
        out.write(data.hex().encode() + b"\n")


def noted(file: Path) -> list[bytes]:
    """Everything noted."""
    return [bytes.fromhex(line) for line in file.read_text().split()] if file.exists() else []


@dataclass(frozen=True)
class Site:
    """One server's folder. `kept`: where its clients keep what they hold, when not beside it."""

    folder: Path
    founding: Founding
    notes: bytes
    kept: Path | None = None

    @property
    def keys(self) -> ServerKeys:
        return ServerKeys(self.founding.log_seed, self.founding.receipt_seed, self.founding.request_seed)

    @property
    def receipts(self) -> Path:
        return (self.kept or self.folder) / "receipts"

    @property
    def seen(self) -> Path:
        return (self.kept or self.folder) / "seen"

    def at(self, batch: int) -> int:
        return self.founding.directory.policy.closes_at(batch)

    def copy(self, folder: Path, kept: Path | None = None) -> "Site":
        shutil.copytree(self.folder, folder)
        other = replace(self, folder=folder, kept=kept)
        if kept is not None:
            kept.mkdir(parents=True, exist_ok=True)
            for name in ("receipts", "seen"):
                shutil.move(folder / name, kept / name)
        return other

    def forks(self) -> int:
        """Checkpoints that were shown and are not of one log, also when files of it are damaged."""
        key = self.keys.verifier(self.founding.directory.origin)
        seen = {open_checkpoint(raw, key) for raw in noted(self.seen)}
        twice = len(seen) - len({checkpoint.size for checkpoint in seen})
        newest = max(seen, key=lambda checkpoint: checkpoint.size)
        try:
            public = FolderObjects(self.folder / "public")
            hashes = leaf_hashes(entry_range(0, newest.size, newest.size, public.get))
        except (LogError, KeyError):
            return twice
        if root_of(hashes) != newest.root:
            return twice
        return sum(root_of(hashes[: checkpoint.size]) != checkpoint.root for checkpoint in seen)

    def examine(self) -> Outcome:
        public, private = FolderObjects(self.folder / "public"), FolderObjects(self.folder / "private")
        key = self.keys.verifier(self.founding.directory.origin)
        kept, seen = noted(self.receipts), noted(self.seen)
        return examine(public.get, private.get, kept, seen, key, self.keys.receipt_public)


def work(site: Site, trap: Trap, batches: tuple[int, ...], first: int) -> None:
    """Start, then for each batch: take two letters and close it. A failed write is tried again, as clients do."""
    sql = TrapSql(open_sqlite(site.folder / "db"), trap)
    public, private = (TrapObjects(site.folder / name, trap, site.seen) for name in ("public", "private"))
    publisher = Publisher(sql, Shelves(public, private), site.keys, site.founding.door)
    intake, cache = Intake(sql, site.keys, site.founding.door), DirectoryCache()
    again(publisher.start)
    for i, batch in enumerate(batches):
        now = site.at(batch) - 1
        bodies = [letter(first + 2 * i), letter(first + 2 * i + 1)]
        if first == 0:
            again(partial(accept_directory, intake, site.founding.signed, now))
        elif first == 2:
            again(partial(accept_key_notes, intake, "news-1", site.notes, now))
        for outcome in again(partial(accept_letters, intake, cache, bodies, now)):
            if isinstance(outcome, bytes):
                note(site.receipts, outcome)
        again(partial(publisher.run_due, site.at(batch), os.urandom))
    sql.close()


def again(act: Callable[[], T]) -> T:
    """Once more while the disk is full."""
    for _ in range(TRIES):
        try:
            return act()
        except StoreFailed:
            continue
    raise StoreError("the disk stays full")


def in_child(act: Callable[[], None]) -> int:
    """Run in a process of its own; its exit status: 0, DIED, or 1 for anything else."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        try:
            act()
            os._exit(0)
        except StoreError as error:
            print(f"refused to go on: {error}", file=sys.stderr, flush=True)
        except BaseException:
            traceback.print_exc()
        os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def template(folder: Path) -> Site:
    """A server with a directory, an open desk and some batches: 30 to 34, so that batch 36 closes a sheet."""
    folder.mkdir(parents=True)
    founding = found("chaos", ("news",), 10, letters=2, slots=1, queue=8)
    _, posted = make_epoch(founding, "news", c.day_of(30), Stream("chaos epoch"))
    site = Site(folder, founding, cbor_notes(posted))
    for first, batches in ((0, (30,)), (2, (31,)), (4, (32, 33, 34))):
        status = in_child(partial(work, site, Trap(0, False), batches, first))
        if status:
            raise StoreError("the server did not found")
    return site


def one(base: Site, folder: Path, trap: Trap, batches: tuple[int, ...], after: tuple[int, ...]) -> tuple[bool, Outcome]:
    """One round: work until the trap, leave a torn file, go on in a new process. Did it die, and what is left?"""
    site = base.copy(folder)
    try:
        status = in_child(lambda: work(site, trap, batches, 100))
        (site.folder / "public" / "tile").mkdir(exist_ok=True)
        (site.folder / "public" / "tile" / ".new-torn").write_bytes(b"half of a ti")
        (site.folder / "private" / ".new-torn").write_bytes(b"")
        faults: tuple[str, ...] = () if status in (0, DIED) else ("the server failed before it was killed",)
        if in_child(lambda: work(site, Trap(0, False), after, 200)):
            faults += ("the server did not come back",)
        left = site.examine()
        torn = [p.name for p in site.folder.rglob(".new-*")]
        if torn:
            faults += ("half-written files were left",)
        return status == DIED, replace(left, faults=left.faults + faults)
    finally:
        shutil.rmtree(folder)
