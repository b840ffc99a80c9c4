# SPDX-License-Identifier: AGPL-3.0-or-later
"""Disks that are really full, really read-only, or that tore what was written: the server goes on with everything that
it acknowledged, or refuses in words; it never forks.
"""

import os
import random
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from latchstring.store.sql import StoreError
from tests.chaos.examine import Outcome
from tests.chaos.traps import DIED, Trap
from tests.chaos.writes import Site, in_child, work

_ROOM = "4m"  # of the small disk; a site takes a fifth of it
REFUSED = 3  # exit status of a child that said why
LEFT = (0, 4, 12, 24, 40, 64, 100, 160)  # KiB left on a full disk


@dataclass
class Tally:
    """Rounds by kind, refusals to start among them, and what could not be tried as it should be, with the reason."""

    rounds: dict[str, int] = field(default_factory=dict)
    refused: int = 0
    reasons: list[str] = field(default_factory=list)
    left: Outcome = field(default_factory=Outcome)

    def add(self, kind: str, left: Outcome, refused: bool = False) -> None:
        self.rounds[kind] = self.rounds.get(kind, 0) + 1
        self.refused += refused
        self.left += left

    def reason(self, text: str) -> None:
        if text not in self.reasons:
            self.reasons.append(text)


def mounts(folder: Path) -> str | None:
    """None when this process may mount a small disk; else why not."""
    try:
        with small_disk(folder):
            return None
    except (OSError, subprocess.CalledProcessError) as error:
        said = error.stderr.decode().strip() if isinstance(error, subprocess.CalledProcessError) else str(error)
        return said or "mount failed"


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of its own at `folder`, gone afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    _run("mount", "-t", "tmpfs", "-o", f"size={_ROOM}", "tmpfs", str(folder))
    try:
        yield folder
    finally:
        _run("umount", "-l", str(folder))


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Within, nothing below `folder` can be written, by root neither."""
    _run("mount", "--bind", str(folder), str(folder))
    try:
        _run("mount", "-o", "remount,ro,bind", str(folder))
        yield
    finally:
        _run("umount", "-l", str(folder))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)  # the system's mount


def fill(folder: Path, kib_left: int) -> Path:
    """A file that takes all but so many KiB of the disk."""
    free = shutil.disk_usage(folder).free - kib_left * 1024
    filler = folder / "filler"
    with filler.open("wb") as out:
        if free > 0:
            os.posix_fallocate(out.fileno(), 0, free)
    return filler


def go_on(site: Site, batches: tuple[int, ...]) -> tuple[Outcome, bool]:
    """A new process on what lies there: what is left, and did it refuse in words?"""
    status = quietly(lambda: work(site, Trap(0), batches, 200))
    if status == REFUSED:
        return Outcome(), True
    left = site.examine()
    return (replace(left, faults=(*left.faults, "the server did not come back")) if status else left), False


def quietly(act: Callable[[], None]) -> int:
    """`in_child`, with a refusal in words told from a failure, and nothing printed."""

    def acting() -> None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            act()
        except StoreError:
            os._exit(REFUSED)

    return in_child(acting)


def full_disk(base: Site, folder: Path, kib_left: int, batches: tuple[int, ...], after: tuple[int, ...]) -> Outcome:
    """The disk is full in the middle of the work, for good; then somebody makes room."""
    with small_disk(folder / "disk") as disk:
        site = base.copy(disk / "site", folder / "kept")
        filler = fill(disk, kib_left)
        status = quietly(lambda: work(site, Trap(0), batches, 100))
        filler.unlink()
        left, refused = go_on(site, after)
        shutil.rmtree(folder / "kept")
        site_faults: tuple[str, ...] = () if status in (0, REFUSED) else ("a full disk ended the server without words",)
        if refused:
            site_faults += ("refused after a full disk",)
        return replace(left, faults=left.faults + site_faults)


def full_by_limit(base: Site, folder: Path, kib_left: int, batches: tuple[int, ...], after: tuple[int, ...]) -> Outcome:
    """As `full_disk`, where nothing can be mounted: no file may grow beyond the database and so much."""
    site = base.copy(folder / "site")
    most = max(p.stat().st_size for p in site.folder.iterdir() if p.is_file()) + kib_left * 1024

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        work(site, Trap(0), batches, 100)

    try:
        quietly(limited)
        left, refused = go_on(site, after)
        return replace(left, faults=(*left.faults, "refused after a full disk")) if refused else left
    finally:
        shutil.rmtree(site.folder)


def unwritable(base: Site, folder: Path, part: str, batches: tuple[int, ...], after: tuple[int, ...]) -> Outcome:
    """`part` of the server's folder ("" for all of it) cannot be written while it works; then it can."""
    site = base.copy(folder / "site", folder / "kept")
    try:
        with read_only(site.folder / part):
            status = quietly(lambda: work(site, Trap(0), batches, 100))
        left, refused = go_on(site, after)
        faults = left.faults
        if status != REFUSED:
            faults += ("a read-only folder was not said in words",)
        if refused:
            faults += ("refused after a read-only folder",)
        return replace(left, faults=faults)
    finally:
        shutil.rmtree(site.folder)
        shutil.rmtree(folder / "kept")


# --- torn files ------------------------------------------------------------------------------------


def torn_tail(file: Path, chance: random.Random) -> None:
    """What a write that was under way when the power went may leave behind what was made durable."""
    with file.open("ab") as out:
        out.write(chance.choice([b"", bytes(4096), chance.randbytes(5000), chance.randbytes(24)]))


def lied(file: Path, chance: random.Random) -> None:
    """What a disk that lies about what it made durable may do: the end is missing, or zeros."""
    raw = file.read_bytes()
    at = chance.randrange(len(raw)) if raw else 0
    file.write_bytes(raw[:at] + (bytes(len(raw) - at) if chance.random() < 0.5 else b""))


def torn_by_power(base: Site, folder: Path, chance: random.Random, at: int, after: tuple[int, ...]) -> Outcome:
    """Killed at a write; then the write-ahead log has a torn end, and temporary files are cut. All must hold."""
    site = base.copy(folder / "site")
    try:
        in_child(lambda: work(site, Trap(at), (35, 36), 100))
        wal = site.folder / "db-wal"
        if wal.exists():
            torn_tail(wal, chance)
        (site.folder / "public" / ".new-torn").write_bytes(chance.randbytes(100))
        left, refused = go_on(site, after)
        return replace(left, faults=(*left.faults, "refused after a torn end")) if refused else left
    finally:
        shutil.rmtree(site.folder)


def torn_by_a_liar(
    base: Site, folder: Path, chance: random.Random, name: str, after: tuple[int, ...]
) -> tuple[Outcome, bool]:
    """A file under its final name is cut or zeros: the server goes on or refuses, and never forks. What was lost then
    the disk lost; so letters are not counted.
    """
    site = base.copy(folder / "site")
    try:
        status = in_child(lambda: work(site, Trap(chance.randrange(3, 80)), (35, 36), 100))
        found = sorted(p for p in site.folder.rglob(name) if p.is_file() and p.stat().st_size)
        if found:
            lied(found[-1], chance)
        before = site.forks()
        refused = quietly(lambda: work(site, Trap(0), after, 200))
        forks = site.forks()
        faults: tuple[str, ...] = () if status in (0, DIED) else ("the server failed before it was killed",)
        if refused not in (0, REFUSED):
            faults += (f"a torn {name} ended the server without words",)
        return Outcome(forks=forks or before, faults=faults), refused == REFUSED
    finally:
        shutil.rmtree(site.folder)


TORN = ("db-wal", "db", "checkpoint", "visit", "[0-9]*", "manifests/3[0-9]", "packs/3[0-9]", "sheets/*", "keynotes/3*")


def jumping(chance: random.Random, length: int = 12) -> tuple[int, ...]:
    """Batches that a clock shows which is set forward by up to a day and back by up to some hours, again and again."""
    at, out = 35, []
    for _ in range(length):
        at = max(1, at + chance.choice([1, 1, 2, -6, -30, 6, 36, 144, -1]))
        out.append(at)
    return tuple(out)
