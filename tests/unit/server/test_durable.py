# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is answered is durable first: every file that is written is synced before the answer, and so is the name.

For files of ours `os.fsync` is watched in this process; for the database, which SQLite syncs by itself, the setting
that makes it do so at every commit, and what its files hold when the answer comes.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from latchstring.server.accept import DirectoryCache, accept_letters
from latchstring.server.backup import take_backup
from latchstring.store import letters
from latchstring.store.objects import FolderObjects
from latchstring.store.sql import open_sqlite
from tests.builders import Stream
from tests.faults import letter
from tests.sites import ServerSite, no_step


class Disk:
    """Which files, as they are named in the end, and which folders were synced and not written since."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.synced: set[tuple[int, int]] = set()  # device and inode
        self.folders: set[Path] = set()
        fsync, replace = os.fsync, os.replace

        def watched(handle: int) -> None:
            fsync(handle)
            about = os.fstat(handle)
            self.synced.add((about.st_dev, about.st_ino))
            self.folders.discard(Path(os.readlink(f"/proc/self/fd/{handle}")))

        def renamed(source: str | Path, target: str | Path) -> None:
            about = os.stat(source)
            assert (about.st_dev, about.st_ino) in self.synced, f"{target} got its name before its bytes were durable"
            replace(source, target)
            self.folders.add(Path(target).resolve().parent)

        patch.setattr(os, "fsync", watched)
        patch.setattr(os, "replace", renamed)

    def holds(self, *files: Path) -> None:
        for file in files:
            about = file.stat()
            assert (about.st_dev, about.st_ino) in self.synced, f"{file} is not durable"
        assert self.folders == set(), "names that are not durable"


@pytest.fixture
def site(tmp_path: Path) -> ServerSite:
    return ServerSite.opened(tmp_path / "data")


def test_every_published_file_is_durable_when_its_batch_is_done(
    site: ServerSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {p for p in site.config.data.rglob("*") if p.is_file()}
    with site.parts() as parts:
        publisher = parts.publisher()
        publisher.start()
        disk = Disk(monkeypatch)
        publisher.run_due(site.at(36), Stream("durable"))
        new = {p for p in (site.published, site.config.private) for p in p.rglob("*") if p.is_file()} - before
        assert len(new) > 8
        disk.holds(*new, site.published / "checkpoint", site.published / "visit")


def test_a_backup_is_durable_when_it_is_said_to_be_done(
    site: ServerSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    take_backup(site.config, tmp_path / "backup", True, no_step)
    disk.holds(*(p for p in (tmp_path / "backup").rglob("*") if p.is_file() and p.name != ".lock"))


def test_a_file_named_before_it_is_synced_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(monkeypatch)
    shelf = FolderObjects(tmp_path)
    shelf.put("good", b"data")
    disk.holds(tmp_path / "good")
    monkeypatch.setattr(os, "fsync", lambda _handle: None)  # the broken variant
    with pytest.raises(AssertionError, match="before its bytes were durable"):
        shelf.put("bad", b"data")


def power_cut(site: ServerSite, tmp_path: Path) -> int:
    """The machine loses power: only what is in the files counts, not what processes hold. Letters that wait then."""
    folder = tmp_path / f"after {len(list(tmp_path.iterdir()))}"
    folder.mkdir()
    for end in ("", "-wal"):
        if (file := site.config.database.with_name(site.config.database.name + end)).exists():
            shutil.copy(file, folder / file.name)
    sql = open_sqlite(folder / site.config.database.name)
    with sql.read() as connection:
        count = letters.waiting(connection)
    sql.close()
    return count


def test_letters_are_in_the_file_and_synced_when_the_receipt_comes(site: ServerSite, tmp_path: Path) -> None:
    before = power_cut(site, tmp_path)
    with site.parts() as parts:
        with parts.sql.read() as connection:
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2  # FULL: synced at every commit
        cache = DirectoryCache()
        for number in range(50, 55):
            (answer,) = accept_letters(parts.intake, cache, [letter(number)], site.at(33))
            assert isinstance(answer, bytes)
            assert power_cut(site, tmp_path) == before + number - 49


def traced(act: Callable[[], object], patch: pytest.MonkeyPatch) -> list[str]:
    """What was done to files and folders, in order."""
    done: list[str] = []
    fsync, replace = os.fsync, os.replace

    def synced(handle: int) -> None:
        done.append("sync")
        fsync(handle)

    def renamed(source: Path, target: Path) -> None:
        done.append("rename")
        replace(source, target)

    patch.setattr(os, "fsync", synced)
    patch.setattr(os, "replace", renamed)
    act()
    return done


def test_the_order_is_sync_rename_sync_of_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = FolderObjects(tmp_path)
    assert traced(lambda: shelf.put("file", b"data"), monkeypatch) == ["sync", "rename", "sync"]
    monkeypatch.undo()
    # the two folders in theirs first
    expected = ["sync", "sync", "sync", "rename", "sync"]
    assert traced(lambda: shelf.put("new/folder/file", b"data"), monkeypatch) == expected
