# SPDX-License-Identifier: AGPL-3.0-or-later
"""A copy of the database as one transaction sees it, taken while others write (SQLite's online backup)."""

import os
import sqlite3
from pathlib import Path
from typing import Final
from urllib.parse import quote

from latchstring.store import steps
from latchstring.store.objects import sync_folder
from latchstring.store.sql import Sql, StoreError, StoreFailed, open_passing

_DAMAGED = "The database is damaged or not Latchstring's."
_DISK: Final = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_CANTOPEN")
"""How SQLite's names of what a disk refuses begin."""


def take(source: Path, target: Path) -> None:
    """Copy `source` to the new file `target`, one file that needs no other beside it; durable when this returns.

    StoreError when there is no database at `source`, StoreFailed when it could not be read or written now.
    """
    if not source.is_file():
        raise StoreError("There is no database here.")
    try:
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise StoreFailed("the database could not be copied") from error
    try:
        old, new = _open(source, "ro"), sqlite3.connect(target)
        try:
            old.backup(new)
            new.execute("PRAGMA journal_mode=DELETE")  # as a copy of a write-ahead database it would ask for a log
        finally:
            new.close()
            old.close()
        handle = os.open(target, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        sync_folder(target.parent)
    except (OSError, sqlite3.Error) as error:
        target.unlink(missing_ok=True)
        raise StoreFailed("the database could not be copied") from error


def load(file: Path) -> Sql:
    """A copy of the whole database that is gone when it is closed, brought to this program's version; the file is not
    touched. The copy lies on the disk: a database grows with the years, a machine's memory does not.

    StoreError when it is damaged, another program's, or a newer program's; StoreFailed when the disk does not take it.
    """
    return _copied(file, "ro&immutable=1")


def is_older(file: Path) -> bool:
    """Did an earlier version of this program write the database? False as well when nobody can tell."""
    try:
        found = _open(file, "ro")
        try:
            rows = found.execute("SELECT version FROM schema").fetchall()
        finally:
            found.close()
    except sqlite3.Error:
        return False
    return len(rows) == 1 and 1 <= rows[0][0] < len(steps.STEPS)


def look(file: Path) -> Sql:
    """As `load`, while others write."""
    return _copied(file, "ro")


def _copied(file: Path, mode: str) -> Sql:
    copy, whole = open_passing(), False
    try:
        old, target = _open(file, mode), copy.driver()
        try:
            if old.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
                raise StoreError(_DAMAGED)
            whole = True
            old.backup(target)
        finally:
            old.close()
        copy.upgrade()
    except (sqlite3.Error, StoreError) as error:
        copy.close()
        if whole and _of_the_disk(error):
            raise StoreFailed("the disk of temporary files has no room for a copy of the database, or fails") from error
        if isinstance(error, StoreError):
            raise
        raise StoreError(_DAMAGED) from error
    return copy


def _of_the_disk(error: BaseException | None) -> bool:
    """Did a disk refuse it? What SQLite said is at the end of the chain of causes."""
    while error is not None and not isinstance(error, sqlite3.Error):
        error = error.__cause__
    return getattr(error, "sqlite_errorname", "").startswith(_DISK)


def _open(file: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(file))}?mode={mode}", uri=True, timeout=30)
