# SPDX-License-Identifier: AGPL-3.0-or-later
"""A file that is there whole or not at all, however its writing ends."""

import errno
import fcntl
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NoReturn

import pytest

from latchstring.client.newfile import ALL, new_file

KILLED = """
import os, signal, sys
from pathlib import Path
from latchstring.client.newfile import new_file
with new_file(Path(sys.argv[1])) as file:
    file.write(b"half of a secret" * 1000)
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def refused(*_: object, **__: object) -> NoReturn:
    raise OSError(errno.EPERM, "no")


def test_it_has_no_name_before_it_is_whole_and_is_its_owner_s_alone(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        with new_file(tmp_path / "a") as file:
            file.write(b"whole")
            file.flush()
            (beside,) = tmp_path.iterdir()
            assert beside.name != "a"
            assert beside.stat().st_mode & 0o777 == 0o600
        with new_file(tmp_path / "open", mode=ALL) as file:
            file.write(b"for all")
    finally:
        os.umask(old)
    assert (tmp_path / "a").read_bytes() == b"whole"
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "open").stat().st_mode & 0o777 == 0o666
    assert names(tmp_path) == ["a", "open"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "full"), ValueError()])
@pytest.mark.parametrize("over", [False, True])
def test_what_is_cut_short_leaves_what_was_there(tmp_path: Path, error: BaseException, over: bool) -> None:
    if over:
        (tmp_path / "a").write_bytes(b"before")

    def cut_short() -> None:
        with new_file(tmp_path / "a", over=over) as file:
            file.write(b"half")
            raise error

    with pytest.raises(type(error)):
        cut_short()
    assert names(tmp_path) == (["a"] if over else [])
    assert not over or (tmp_path / "a").read_bytes() == b"before"


@pytest.mark.parametrize("links", [True, False])
def test_nothing_is_written_over_even_if_it_comes_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    """`links`: a memory stick's file system has none."""
    if not links:
        monkeypatch.setattr(os, "link", refused)
    with new_file(tmp_path / "a") as file:
        file.write(b"first")
    (tmp_path / "dangling").symlink_to(tmp_path / "elsewhere")
    for name in ("a", "dangling"):
        with pytest.raises(FileExistsError), new_file(tmp_path / name):
            raise AssertionError("the block was entered")
    with pytest.raises(FileExistsError), new_file(tmp_path / "b") as file:
        (tmp_path / "b").write_bytes(b"another's")
    assert (tmp_path / "b").read_bytes() == b"another's"
    assert (tmp_path / "a").read_bytes() == b"first"
    with new_file(tmp_path / "a", over=True) as file:
        file.write(b"second")
    assert (tmp_path / "a").read_bytes() == b"second"
    assert names(tmp_path) == ["a", "b", "dangling"]


def test_what_a_killed_program_left_goes_with_the_next_file_and_no_other_s_does(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "a")], check=False)
    assert done.returncode < 0
    (left,) = tmp_path.iterdir()
    assert left.name != "a"
    (tmp_path / ".latchstring-mine.part").touch()
    with new_file(tmp_path / "a") as one:
        assert not left.exists()
        with new_file(tmp_path / "b") as other:
            other.write(b"b")
        one.write(b"a")
    assert names(tmp_path) == [".latchstring-mine.part", "a", "b"]


def test_a_pipe_of_such_a_name_holds_nobody_up_and_stays(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".latchstring-0123456789abcdef.part")
    with new_file(tmp_path / "a") as file:
        file.write(b"whole")
    assert names(tmp_path) == [".latchstring-0123456789abcdef.part", "a"]


def test_what_another_command_takes_for_a_leftover_before_it_is_locked_is_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, threads = fcntl.flock, list[threading.Thread]()

    def late(handle: int, how: int) -> None:
        monkeypatch.undo()
        (part,) = tmp_path.iterdir()
        other = os.open(part, os.O_RDWR)
        lock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)

        def remove() -> None:
            time.sleep(0.05)  # whoever does not wait for the lock would go on with this part
            part.unlink()
            os.close(other)

        threads.append(threading.Thread(target=remove))
        threads[0].start()
        lock(handle, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with new_file(tmp_path / "a") as file:
        threads[0].join()
        file.write(b"whole")
    assert (tmp_path / "a").read_bytes() == b"whole"
    assert names(tmp_path) == ["a"]


def test_a_disk_that_takes_nothing_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", refused)
    with pytest.raises(OSError, match="no"), new_file(tmp_path / "a") as file:
        file.write(b"whole")
    assert names(tmp_path) == []
