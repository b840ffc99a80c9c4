# SPDX-License-Identifier: AGPL-3.0-or-later
"""A server's core on a real disk, in a child process that is killed (SIGKILL) between two changes of what lies there:
before and after each sync, rename, removal and commit. Then a new process goes on from what it finds.
"""

import os
import shutil
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

from latchstring.log.checkpoint import open_checkpoint
from latchstring.log.errors import LogError
from latchstring.log.tiles import entry_range
from latchstring.log.tree import leaf_hashes, root_of
from latchstring.protocol import constants as c
from latchstring.server.accept import DirectoryCache, Intake, accept_directory, accept_key_notes, accept_letters
from latchstring.server.keys import ServerKeys
from latchstring.server.publisher import Publisher, Shelves
from latchstring.store.objects import FolderObjects
from latchstring.store.sql import StoreError, StoreFailed, open_sqlite
from tests.builders import Founding, found
from tests.chaos import beside
from tests.chaos.examine import Outcome, examine
from tests.chaos.traps import DIED, Trap, TrapSql, trap_files
from tests.faults import letter

TRIES = 60
T = TypeVar("T")
Also = Literal["", "directory", "notes", "beside", "drop"]


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
    later: bytes  # notes for the next day
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

    @property
    def acknowledged(self) -> Path:
        return (self.kept or self.folder) / "acknowledged"

    def acknowledge(self, what: str) -> None:
        """Somebody was told that it is kept."""
        note(self.acknowledged, what.encode())

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


def work(site: Site, trap: Trap, batches: tuple[int, ...], first: int, also: Also = "") -> None:
    """Start, then for each batch: take two letters, numbered from `first` on, and close it. `also`: before the first
    batch the directory is posted, or the first key notes; or what `beside` sends or drops. A failed write is tried
    again, as clients do.
    """
    sql = TrapSql(open_sqlite(site.folder / "db"), trap)
    public, private = (FolderObjects(site.folder / name) for name in ("public", "private"))

    def named(path: Path) -> None:
        if path.name == "checkpoint":
            note(site.seen, path.read_bytes())

    trap_files(trap, named)
    publisher = Publisher(sql, Shelves(public, private), site.keys, site.founding.door)
    intake, cache = Intake(sql, site.keys, site.founding.door), DirectoryCache()
    again(publisher.start)
    beside.put_right(sql, private)
    for i, batch in enumerate(batches):
        now = site.at(batch) - 1
        bodies = [letter(first + 2 * i), letter(first + 2 * i + 1)]
        match also if i == 0 else "":
            case "directory":
                again(partial(accept_directory, intake, site.founding.signed, now))
            case "notes":
                again(partial(accept_key_notes, intake, "news-1", site.notes, now))
            case "beside":
                beside.take(intake, private, site.later, now, again, site.acknowledge)
            case "drop":
                again(partial(beside.drop, sql, private, batch))
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


def empty(folder: Path) -> Site:
    """A server of which nothing was founded yet."""
    folder.mkdir(parents=True)
    founding = found("chaos", ("news",), 10, letters=2, slots=1, queue=8)
    today = c.day_of(30)
    return Site(folder, founding, beside.notes_of(founding, today), beside.notes_of(founding, today + 1))


def template(folder: Path) -> Site:
    """A server with a directory, an open desk and some batches: 30 to 34, so that batch 36 closes a sheet."""
    site = empty(folder)
    go_on(site, (30,), 0, "directory")
    go_on(site, (31,), 2, "notes")
    go_on(site, (32, 33, 34), 4)
    return site


def go_on(site: Site, batches: tuple[int, ...], first: int, also: Also = "") -> None:
    """Work undisturbed. StoreError when that fails."""
    if in_child(partial(work, site, Trap(0), batches, first, also)):
        raise StoreError("the server does not work even when nothing happens to it")


@dataclass(frozen=True)
class Scene:
    """The work in which a server is killed, and with which it goes on afterwards. `also`, `again`: see `work`."""

    base: Site
    batches: tuple[int, ...]
    after: tuple[int, ...]
    also: Also = ""
    again: Also = ""


def scenes(folder: Path, base: Site) -> tuple[Scene, ...]:
    """The founding; two batches with a sheet and everything that clients send; a day's turn, after which all that was
    sent long ago is dropped."""
    turn = base.copy(folder / "turn")
    go_on(turn, (35, 36, 142, 143), 8, "beside")
    return (
        Scene(empty(folder / "empty"), (30,), (31, 32), "directory", "directory"),
        Scene(base, (35, 36), (37, 38, 39, 40), "beside"),
        Scene(turn, (144,), (145, 146, 147, 148, 149), "drop", "drop"),
    )


def moments(scene: Scene, folder: Path) -> int:
    """How many there are in that work when nothing happens."""
    site, trap = scene.base.copy(folder), Trap(0)

    def counting() -> None:
        work(site, trap, scene.batches, 100, scene.also)
        note(site.folder / "moments", b"%d" % trap.count)

    try:
        if in_child(counting):
            raise StoreError("the server does not work even when nothing happens to it")
        return int(noted(site.folder / "moments")[0])
    finally:
        shutil.rmtree(folder)


def one(scene: Scene, folder: Path, trap: Trap) -> tuple[bool, Outcome]:
    """One round: work until the trap, leave a torn file, go on in a new process. Did it die, and what is left?"""
    site = scene.base.copy(folder)
    try:
        status = in_child(lambda: work(site, trap, scene.batches, 100, scene.also))
        (site.folder / "public" / "tile").mkdir(parents=True, exist_ok=True)
        (site.folder / "public" / "tile" / ".new-torn").write_bytes(b"half of a ti")
        (site.folder / "private").mkdir(exist_ok=True)
        (site.folder / "private" / ".new-torn").write_bytes(b"")
        faults: tuple[str, ...] = () if status in (0, DIED) else ("the server failed before it was killed",)
        if in_child(lambda: work(site, Trap(0), scene.after, 200, scene.again)):
            faults += ("the server did not come back",)
        left = site.examine()
        if scene.again == "drop":
            faults += ("an attachment was kept too long",) if beside.kept_too_long(site.folder) else ()
        else:
            known = {what.decode() for what in noted(site.acknowledged)}
            left = replace(left, lost=left.lost + beside.lost(site.folder, known))
        if any(site.folder.rglob(".new-*")):
            faults += ("half-written files were left",)
        return status == DIED, replace(left, faults=left.faults + faults)
    finally:
        shutil.rmtree(folder)
