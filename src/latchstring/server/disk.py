# SPDX-License-Identifier: AGPL-3.0-or-later
"""What of a server's disk is in use, for the forecast."""

import shutil
from collections.abc import Callable
from pathlib import Path

from latchstring.protocol.constants import ATTACHMENT_CHUNK, BODY_DAYS, TICKS_PER_DAY
from latchstring.server.config import Config
from latchstring.server.forecast import Use
from latchstring.store import chunks
from latchstring.store.sql import Sql

Free = Callable[[Path], int]


def free_bytes(folder: Path) -> int:
    """Bytes that this program may still write where `folder` lies."""
    return shutil.disk_usage(folder).free


def used(config: Config, sql: Sql, newest: int | None, free: Free = free_bytes) -> Use:
    """What is in use now; `newest`: the newest batch. StoreFailed when the database does not answer."""
    with sql.read() as connection:
        stored = sum(chunks.held(connection)) - chunks.outstanding(connection)
    names = [config.database.name + end for end in ("", "-wal", "-shm")]
    database = sum(_allocated(config.database.with_name(name)) for name in names)
    return Use(free(config.data), database, stored * ATTACHMENT_CHUNK, _pack_days(config.private / "packs", newest))


def _allocated(file: Path) -> int:
    try:
        return file.stat().st_blocks * 512
    except OSError:
        return 0


def _pack_days(folder: Path, newest: int | None) -> int:
    """For how many days packs are there."""
    try:
        oldest = min((int(p.name) for p in folder.iterdir() if p.name.isdigit()), default=newest)
    except OSError:
        oldest = newest
    if newest is None or oldest is None:
        return 0
    return min(BODY_DAYS, (newest - oldest) // TICKS_PER_DAY)
