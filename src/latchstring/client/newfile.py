# SPDX-License-Identifier: AGPL-3.0-or-later
"""A file that is there whole or not at all: however its writing ends, nothing half written bears its name.

Until it is whole it lies beside its place, under a name of its own, and is locked: what a killed program left there is
known by its free lock, and is removed when the next file is written in the same folder.
"""

import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

OWNER: Final = 0o600
ALL: Final = 0o666
"""As open to others as the person's own settings have it (umask)."""

_PART: Final = re.compile(r"\.latchstring-[0-9a-f]{16}\.part\Z", re.ASCII)


@contextmanager
def new_file(path: Path, over: bool = False, mode: int = OWNER) -> Iterator[BinaryIO]:
    """What the block writes becomes the file when the block has ended well, durably. FileExistsError when there is
    something of that name (`over`: it is replaced), OSError when the disk does not take it; nothing is left then.
    """
    if not over and os.path.lexists(path):
        raise FileExistsError(path.name)
    _sweep(path.parent)
    part, handle = _new_part(path.parent, mode)
    try:
        with os.fdopen(handle, "wb") as target:
            yield target
            target.flush()
            os.fsync(handle)
            _name(part, path, over)
    finally:
        with suppress(OSError):  # a disk that takes nothing removes nothing
            part.unlink(missing_ok=True)
    with suppress(OSError):  # the file is there and whole; a crash of the machine might still take its name
        _sync(path.parent)


def _new_part(folder: Path, mode: int) -> tuple[Path, int]:
    """A new file in the folder, open for writing, locked where the disk has locks."""
    while True:
        part = folder / f".latchstring-{secrets.token_hex(8)}.part"
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with suppress(OSError):  # a disk without locks: then nobody takes it for a leftover either
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.path.lexists(part):
            return part, handle
        os.close(handle)  # before it was locked another command took it for a leftover


def _name(part: Path, path: Path, over: bool) -> None:
    if not over:
        try:
            os.link(part, path)
            return
        except FileExistsError:
            raise
        except OSError:  # a disk without links, such as many a memory stick
            if os.path.lexists(path):
                raise FileExistsError(path.name) from None
    os.replace(part, path)


def _sweep(folder: Path) -> None:
    """Remove what killed programs left: files that have such a name and that nobody holds."""
    with suppress(OSError):
        for left in [e.path for e in os.scandir(folder) if _PART.match(e.name) and e.is_file(follow_symlinks=False)]:
            with suppress(OSError):
                # for writing too, or a network's disk locks nothing; a pipe of that name must hold nobody up
                handle = os.open(left, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    os.unlink(left)
                finally:
                    os.close(handle)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
