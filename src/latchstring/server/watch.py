# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the publisher tells its operator between batches: a disk that fills, and the file of metrics."""

from collections.abc import Callable
from pathlib import Path

from latchstring.server.accept import current_directory
from latchstring.server.disk import Free, free_bytes, used
from latchstring.server.forecast import WARN_DAYS, Shape, days_left, takes_letters
from latchstring.server.metrics import Metrics, write_metrics
from latchstring.server.setup import Parts
from latchstring.store import tip
from latchstring.store.objects import NoObject
from latchstring.store.sql import StoreFailed

_WORDS = {
    0: "The disk of the data folder has room again.",
    1: "The disk of the data folder has room for {days} more days. Make room.",
    2: "The disk of the data folder is nearly full: letters are refused, so that what was taken can be published. "
    "Make room.",
}


class Watch:
    """Looks once a tick. Each thing is said once, until it changes."""

    def __init__(self, parts: Parts, file: Path, say: Callable[[str], None], free: Free = free_bytes) -> None:
        self._parts, self._file, self._say, self._free = parts, file, say, free
        self._batch: int | None = None
        self._level = 0
        self._size = 0  # of the log, when it was looked at last
        self._failed = False

    def look(self, now: int) -> None:
        """Say what changed and write the metrics, when a batch has closed since the last time, or should have.

        Never raises: monitoring holds nobody up.
        """
        try:
            self._look(now)
            self._failed = False
        except (StoreFailed, OSError) as failed:
            if not self._failed:
                self._say(f"Metrics wait: {failed}.")
            self._failed = True

    def _look(self, now: int) -> None:
        parts = self._parts
        with parts.sql.read() as connection:
            signed = current_directory(connection, parts.config.door, in_log=True)
            at = tip.read(connection)
        if signed is None or at is None:
            return
        directory, policy = signed.directory, signed.directory.policy
        present = policy.batch_at(now)
        if self._batch == max(present, at.batch):
            return
        shape = Shape.of(directory, parts.config.attachment_room)
        use = used(parts.config, parts.sql, at.batch, self._free)
        days, takes = days_left(shape, use), takes_letters(shape, use.free)
        self._tell(2 if not takes else 1 if days < WARN_DAYS else 0, days)
        self._batch = max(present, at.batch)
        write_metrics(
            self._file,
            Metrics(
                newest_batch=at.batch,
                newest_closed=policy.closes_at(at.batch),
                ticks_behind=max(0, present - at.batch),
                held_back=self._published() < self._size,
                expires=policy.closes_at(directory.expires),
                disk_days=days,
            ),
        )
        self._size = at.size

    def _published(self) -> int:
        """Leaves of the log as everybody sees it."""
        try:
            lines = self._parts.public.get("checkpoint").split(b"\n", 2)
            return int(lines[1])
        except (NoObject, IndexError, ValueError):
            return 0

    def _tell(self, level: int, days: int) -> None:
        if level != self._level:
            self._say(_WORDS[level].format(days=days))
        self._level = level
