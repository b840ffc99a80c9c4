# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a killed demonstration left is removed by the next, and nothing else is."""

import fcntl
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from latchstring.demo.folder import LOCK, PREFIX, sweep, throw_away

HOLDER = """
import sys, time
from latchstring.demo.folder import throw_away
with throw_away() as folder:
    (folder / "server").mkdir()
    (folder / "server" / "keys").write_text("secret")
    (folder / "root.key").write_text("secret")
    print(folder, flush=True)
    time.sleep(60)
"""


@contextmanager
def demonstration(where: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A process that holds such a folder in `where`."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER], env={**os.environ, "TMPDIR": str(where)}, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield process, Path(process.stdout.readline().strip())
    finally:
        process.kill()
        process.communicate()


def left_by_a_killed_one(where: Path) -> Path:
    with demonstration(where) as (process, folder):
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert (folder / "root.key").exists()
    return folder


def test_what_a_killed_demonstration_left_is_gone(tmp_path: Path) -> None:
    folder = left_by_a_killed_one(tmp_path)
    with demonstration(tmp_path) as (_, running):
        assert sweep(tmp_path) == 1
        assert not folder.exists()
        assert (running / "root.key").exists(), "of one that runs"
        assert sweep(tmp_path) == 0
    assert sweep(tmp_path) == 1
    assert list(tmp_path.iterdir()) == []


def test_without_a_look_at_the_lock_it_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    with pytest.raises(AssertionError):
        test_what_a_killed_demonstration_left_is_gone(tmp_path)


def test_one_that_ends_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with throw_away() as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        assert sweep(tmp_path) == 0
    assert list(tmp_path.iterdir()) == []


def test_no_link_is_followed(tmp_path: Path) -> None:
    """Neither in the place of the folder, nor of the lock, nor inside."""
    where, dear = tmp_path / "tmp", tmp_path / "dear"
    where.mkdir()
    (dear / "below").mkdir(parents=True)
    (dear / "letter").write_text("keep me")
    (dear / LOCK).write_text("")
    folder = left_by_a_killed_one(where)
    (folder / "to a folder").symlink_to(dear, target_is_directory=True)
    (folder / "to a file").symlink_to(dear / "letter")
    (folder / "server" / "deeper").symlink_to(dear, target_is_directory=True)
    (where / f"{PREFIX}link").symlink_to(dear, target_is_directory=True)
    locked_elsewhere = where / f"{PREFIX}lock"
    locked_elsewhere.mkdir()
    (locked_elsewhere / LOCK).symlink_to(dear / LOCK)
    assert sweep(where) == 1
    assert not folder.exists()
    assert sorted(p.name for p in where.iterdir()) == [f"{PREFIX}link", f"{PREFIX}lock"]
    assert sorted(p.name for p in dear.iterdir()) == ["below", "letter", LOCK]


def test_what_is_not_a_demonstration_s_stays(tmp_path: Path) -> None:
    """One that is just being made has no lock yet; a file of that name; a folder of another name."""
    (tmp_path / f"{PREFIX}young").mkdir()
    (tmp_path / f"{PREFIX}file").write_text("")
    other = tmp_path / "other"
    other.mkdir()
    (other / LOCK).write_text("")
    assert sweep(tmp_path) == 0
    assert len(list(tmp_path.iterdir())) == 3


def test_another_user_s_folder_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = left_by_a_killed_one(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "getuid", lambda: folder.stat().st_uid + 1)
        assert sweep(tmp_path) == 0
    assert (folder / "root.key").exists()
    assert sweep(tmp_path) == 1
