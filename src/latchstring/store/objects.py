# SPDX-License-Identifier: AGPL-3.0-or-later
"""Published files: a folder, or a dictionary in memory.

A file that `put` has written is whole and durable when it returns: temporary name, fsync, rename, fsync of the
folder. Readers see the old bytes or the new, never a part.
"""

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from latchstring.store.sql import StoreFailed

_PATH: Final = re.compile(r"[a-z0-9][a-z0-9._-]*(?:/[a-z0-9][a-z0-9._-]*)*\Z", re.ASCII)
_TEMPORARY: Final = ".new-"


class NoObject(KeyError):
    """There is no file of that name."""


class Objects(Protocol):
    """Named files."""

    def put(self, path: str, data: bytes) -> None:
        """Write or replace; durable when it returns. StoreFailed when it is not."""

    def get(self, path: str) -> bytes:
        """The bytes; NoObject when there are none."""

    def delete(self, path: str) -> None:
        """Remove a file; nothing happens when it is not there."""

    def paths(self, folder: str) -> Iterator[str]:
        """Every file below a folder, in no order; of all folders for ""."""

    def sweep(self) -> None:
        """Remove what a crash left half written. For the one who writes, before the first `put`. StoreFailed when the
        disk does not let go of it."""


def check_path(path: str) -> str:
    """`path` itself when it is a plain relative one; NoObject otherwise."""
    if len(path) > 200 or not _PATH.match(path):
        raise NoObject("no such file")
    return path


class FolderObjects:
    """Files below one folder of this machine."""

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self._root = root.resolve()

    def file(self, path: str) -> Path:
        """Where a file lies; NoObject when a link on the way leads out of the folder."""
        target = self._root / check_path(path)
        if not Path(os.path.realpath(target)).is_relative_to(self._root):
            raise NoObject("no such file")
        return target

    def put(self, path: str, data: bytes) -> None:
        target = self.file(path)
        temporary = target.with_name(f"{_TEMPORARY}{secrets.token_hex(8)}")
        missing = [p for p in (target.parent, *target.parent.parents) if not p.exists()]  # the deepest first
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            for folder in missing:
                sync_folder(folder.parent)
            with open(temporary, "xb") as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
            os.replace(temporary, target)
            sync_folder(target.parent)
        except OSError as error:
            with suppress(OSError):  # a disk that takes nothing removes nothing
                temporary.unlink(missing_ok=True)
                for folder in missing:  # else the next put would find it, and not know that it may not be durable
                    folder.rmdir()
            raise StoreFailed("the disk did not take a file") from error

    def get(self, path: str) -> bytes:
        try:
            return self.file(path).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise NoObject("no such file") from None
        except OSError as error:
            raise StoreFailed("the disk did not give a file") from error

    def delete(self, path: str) -> None:
        try:
            target = self.file(path)
            target.unlink(missing_ok=True)
            if target.parent != self._root and target.parent.is_dir() and not any(target.parent.iterdir()):
                target.parent.rmdir()
        except OSError as error:
            raise StoreFailed("the disk did not remove a file") from error

    def paths(self, folder: str) -> Iterator[str]:
        base = self.file(folder) if folder else self._root
        for found in base.rglob("*") if base.is_dir() else ():
            if found.is_file() and not found.name.startswith("."):
                yield found.relative_to(self._root).as_posix()

    def sweep(self) -> None:
        try:
            for left in self._root.rglob(f"{_TEMPORARY}*"):
                left.unlink(missing_ok=True)
        except OSError as error:
            raise StoreFailed("the disk did not remove a file") from error


def sync_folder(folder: Path) -> None:
    """Make a folder's names durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class MemoryObjects:
    """Files in a dictionary, for tests and the world in one process."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def put(self, path: str, data: bytes) -> None:
        self.files[check_path(path)] = data

    def get(self, path: str) -> bytes:
        try:
            return self.files[check_path(path)]
        except KeyError:
            raise NoObject("no such file") from None

    def delete(self, path: str) -> None:
        self.files.pop(check_path(path), None)

    def paths(self, folder: str) -> Iterator[str]:
        yield from [p for p in self.files if not folder or p.startswith(check_path(folder) + "/")]

    def sweep(self) -> None:
        pass  # a dictionary holds nothing half written
