# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where a process is killed, or its disk is full: between any two changes of what lies on the disk."""

import errno
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from latchstring.store.sql import Sql, StoreFailed

DIED = -signal.SIGKILL


@dataclass
class Trap:
    """What happens at moment `at` (0: never): the process is killed; or (`full`: at how many) this change and the next
    fail as on a full disk. A moment is just before each sync, rename and removal of a file, and just before and after
    each commit.
    """

    at: int
    full: int = 0
    count: int = 0

    def moment(self, failure: Exception | None = None) -> None:
        """`failure`: what a full disk does here."""
        self.count += 1
        if self.full:
            if failure is not None and self.at <= self.count < self.at + self.full:
                raise failure
        elif self.count == self.at:
            os.kill(os.getpid(), signal.SIGKILL)


class TrapSql(Sql):
    """Transactions with a moment just before and just after the commit."""

    def __init__(self, inner: Sql, trap: Trap) -> None:
        super().__init__(inner._engine)
        self._trap = trap

    @contextmanager
    def write(self) -> Iterator[Connection]:
        with super().write() as connection:
            yield connection
            self._trap.moment(StoreFailed("the disk is full"))
        self._trap.moment()


def trap_files(trap: Trap, named: Callable[[Path], None] = lambda _path: None) -> None:
    """From now on every change of a file in this process, which ends with it, is a moment: `FolderObjects`, backups and
    snapshots sync, rename and remove. `named`: told of each file that got its name.
    """
    fsync, rename, unlink = os.fsync, os.replace, os.unlink

    def moment() -> None:
        trap.moment(OSError(errno.ENOSPC, "the disk is full"))

    def synced(handle: int) -> None:
        moment()
        fsync(handle)

    def renamed(source: Path, target: Path) -> None:
        moment()
        rename(source, target)
        named(Path(target))

    def unlinked(path: Path, **how: int) -> None:
        moment()
        unlink(path, **how)

    os.fsync, os.replace, os.unlink = synced, renamed, unlinked  # type: ignore[assignment]
