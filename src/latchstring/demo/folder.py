# SPDX-License-Identifier: AGPL-3.0-or-later
"""The demonstration's throw-away folder. Whoever runs holds a lock on a file in it, which the system frees however a
process ends; so the next demonstration finds what a killed one left, and removes it.

The folder for temporary files is everybody's: only a folder that is ours is touched, by its open handle, and no link
is followed.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

PREFIX: Final = "latchstring-demo-"
LOCK: Final = "running.lock"


@contextmanager
def throw_away() -> Iterator[Path]:
    """A new folder for this process; it is removed with all that is in it."""
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def sweep(where: Path) -> int:
    """Remove what demonstrations of ours left in `where` that run no more; how many folders are gone."""
    if not shutil.rmtree.avoids_symlink_attacks:
        return 0
    gone = 0
    parent = os.open(where, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for name in sorted(os.listdir(parent)):
            if name.startswith(PREFIX):
                with suppress(OSError):  # another's, a link, of somebody who runs, or going away under our hands
                    gone += _remove(parent, name)
    finally:
        os.close(parent)
    return gone


def _remove(parent: int, name: str) -> bool:
    """One folder, if nobody holds its lock; one without a lock is just being made, or none of ours. OSError."""
    folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    try:
        if os.fstat(folder).st_uid != os.getuid():
            return False
        lock = os.open(LOCK, os.O_RDWR | os.O_NOFOLLOW, dir_fd=folder)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for inside in os.listdir(folder):
                if inside != LOCK:  # the last: what could not be removed now is found by the next
                    _remove_inside(folder, inside)
            os.unlink(LOCK, dir_fd=folder)
        finally:
            os.close(lock)
    finally:
        os.close(folder)
    os.rmdir(name, dir_fd=parent)
    return True


def _remove_inside(folder: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=folder)  # a link itself, never what it leads to
    except IsADirectoryError:
        shutil.rmtree(name, dir_fd=folder)
