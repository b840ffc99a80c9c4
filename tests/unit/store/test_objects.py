# SPDX-License-Identifier: AGPL-3.0-or-later
"""Files: whole and durable or not there, and never outside their folder."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchstring.store.objects import FolderObjects, MemoryObjects, NoObject, Objects, check_path
from latchstring.store.sql import StoreFailed

KINDS = pytest.mark.parametrize("make", [FolderObjects, lambda _: MemoryObjects()], ids=["folder", "memory"])
Make = Callable[[Path], Objects]


@KINDS
def test_what_is_put_is_got(make: Make, tmp_path: Path) -> None:
    files = make(tmp_path / "here")
    files.put("tile/0/x001/234.p/5", b"a")
    files.put("visit", b"b")
    files.put("visit", b"c")
    assert files.get("tile/0/x001/234.p/5") == b"a"
    assert files.get("visit") == b"c"
    assert sorted(files.paths("tile")) == ["tile/0/x001/234.p/5"]
    assert list(files.paths("manifests")) == []
    files.delete("visit")
    files.delete("visit")
    with pytest.raises(NoObject):
        files.get("visit")
    with pytest.raises(NoObject):
        files.get("tile")
    files.sweep()
    assert files.get("tile/0/x001/234.p/5") == b"a"


BAD = ["", "/", "/etc/passwd", "..", "../x", "a/../b", "a/./b", "./a", "a//b", "a/", "a\\b", "a\0b", "A", "é", "a\n",
       ".new-1", "a/.new-1", "-a", "x" * 201]  # fmt: skip


@KINDS
@pytest.mark.parametrize("path", BAD)
def test_paths_that_are_none(make: Make, path: str, tmp_path: Path) -> None:
    files = make(tmp_path / "here")
    for act in (files.get, files.delete, lambda p: files.put(p, b"")):
        with pytest.raises(NoObject):
            act(path)


@given(st.text())
def test_a_path_that_is_taken_stays_below_its_folder(path: str) -> None:
    try:
        check_path(path)
    except NoObject:
        return
    root = Path("/srv/files")
    assert Path(os.path.normpath(root / path)).is_relative_to(root)
    assert Path(os.path.normpath(root / path)) == root / path


def test_links_that_lead_out_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "file").write_bytes(b"secret")
    files = FolderObjects(tmp_path / "here")
    (tmp_path / "here" / "out").symlink_to(tmp_path / "secret")
    (tmp_path / "here" / "one").symlink_to(tmp_path / "secret" / "file")
    for path in ("out/file", "one"):
        for act in (files.get, files.delete, lambda p: files.put(p, b"changed")):
            with pytest.raises(NoObject):
                act(path)
    with pytest.raises(NoObject):
        files.put("out/new", b"x")
    assert (tmp_path / "secret" / "file").read_bytes() == b"secret"
    assert [p.name for p in (tmp_path / "secret").iterdir()] == ["file"]


def test_a_folder_that_is_itself_behind_a_link_works(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "here").symlink_to(tmp_path / "disk")
    files = FolderObjects(tmp_path / "here")
    files.put("a/b", b"x")
    assert files.get("a/b") == b"x"


def test_the_order_of_a_durable_put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folders that are new and those above; the file before it gets its name; then its folder."""
    files = FolderObjects(tmp_path / "here")
    seen: list[str] = []
    names: dict[int, str] = {}
    fsync, replace_, open_ = os.fsync, os.replace, os.open

    def opened(path: str | Path, flags: int, mode: int = 0o777) -> int:
        handle = open_(path, flags, mode)
        names[handle] = Path(path).name
        return handle

    def synced(handle: int) -> None:
        seen.append(f"sync {names.pop(handle, 'file')}")
        fsync(handle)

    def renamed(a: Path, b: Path) -> None:
        names.clear()
        seen.append(f"name {b.name}")
        replace_(a, b)

    monkeypatch.setattr(os, "open", opened)
    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    files.put("new/deep/file", b"x")
    assert set(seen[:2]) == {"sync new", "sync here"}
    assert seen[2:] == ["sync file", "name file", "sync deep"]
    seen.clear()
    names.clear()
    files.put("new/deep/file", b"y")
    assert seen == ["sync file", "name file", "sync deep"]


@pytest.mark.parametrize("where", ["fsync", "replace"])
def test_a_put_that_fails_leaves_the_old_bytes_and_no_rest(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = FolderObjects(tmp_path / "here")
    files.put("a/b", b"old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, where, full)
        with pytest.raises(StoreFailed):
            files.put("a/b", b"new")
    assert files.get("a/b") == b"old"
    assert [p.name for p in (tmp_path / "here" / "a").iterdir()] == ["b"]
    files.put("a/b", b"new")
    assert files.get("a/b") == b"new"


def test_a_put_that_fails_after_it_is_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder's sync fails: the caller must not count on it, and may repeat."""
    files = FolderObjects(tmp_path / "here")
    files.put("a/b", b"old")
    calls = []
    fsync = os.fsync

    def second_fails(handle: int) -> None:
        calls.append(handle)
        if len(calls) == 2:
            raise OSError(errno.EIO, "Input/output error")
        fsync(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", second_fails)
        with pytest.raises(StoreFailed):
            files.put("a/b", b"new")
    assert files.get("a/b") == b"new"
    files.put("a/b", b"new")
    assert files.get("a/b") == b"new"


@pytest.mark.parametrize("call", [1, 2, 3])
def test_a_folder_that_a_failed_put_made_is_made_durable_by_the_next(
    call: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = FolderObjects(tmp_path / "here")
    synced: list[int] = []
    fsync = os.fsync

    def fails(handle: int) -> None:
        synced.append(handle)
        if len(synced) == call:
            raise OSError(errno.EIO, "Input/output error")
        fsync(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fails)
        with pytest.raises(StoreFailed):
            files.put("new/b", b"x")
    if call < 3:  # not under its name: the folder is gone as well
        assert not (tmp_path / "here" / "new").exists()
    again = len(synced)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fails)
        files.put("new/b", b"x")
    assert len(synced) - again == (3 if call < 3 else 2)
    assert files.get("new/b") == b"x"


def test_a_disk_that_can_no_longer_be_written_fails_as_one_that_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing can be removed there either."""
    files = FolderObjects(tmp_path / "here")

    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("builtins.open", refused)
    monkeypatch.setattr(Path, "unlink", refused)
    with pytest.raises(StoreFailed):
        files.put("a", b"new")


def test_leftovers_of_a_crash_are_swept(tmp_path: Path) -> None:
    files = FolderObjects(tmp_path / "here")
    files.put("a/b", b"x")
    (tmp_path / "here" / "a" / ".new-0123").write_bytes(b"half")
    (tmp_path / "here" / ".new-4567").write_bytes(b"half")
    assert sorted(files.paths("a")) == ["a/b"]
    FolderObjects(tmp_path / "here").sweep()
    assert [p.name for p in (tmp_path / "here").rglob("*")] == ["a", "b"]


def test_a_disk_that_does_not_let_go_of_leftovers_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = FolderObjects(tmp_path / "here")
    (tmp_path / "here" / ".new-4567").write_bytes(b"half")

    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "unlink", refused)
    with pytest.raises(StoreFailed):
        files.sweep()


def test_an_emptied_folder_goes(tmp_path: Path) -> None:
    files = FolderObjects(tmp_path / "here")
    files.put("tile/0/000.p/1", b"x")
    files.put("tile/0/000.p/2", b"x")
    files.delete("tile/0/000.p/1")
    assert files.get("tile/0/000.p/2") == b"x"
    files.delete("tile/0/000.p/2")
    assert not (tmp_path / "here" / "tile" / "0" / "000.p").exists()
