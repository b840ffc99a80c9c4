# SPDX-License-Identifier: AGPL-3.0-or-later
"""The server's own lines in a file that cannot grow without end: what its processes write to standard output and
error, with the time, in a few files of a fixed size. Nothing in them is about requests.
"""

import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final

from latchstring.store.sql import StoreError

MAX_BYTES: Final = 1024 * 1024
FILES_KEPT: Final = 4  # beside the newest
_LINE: Final = 2000  # characters


class Log(RotatingFileHandler):
    """Counts the lines that could not be written. It never says so where lines come from: it would wait for itself."""

    lost = 0

    def handleError(self, record: logging.LogRecord) -> None:
        """Called for each of them."""
        self.lost += 1

    def line(self, text: str) -> None:
        """Write it, and before it how many could not be written since the last one that could."""
        lost, self.lost = self.lost, 0
        if lost:
            self._put(f"The log could not be written: up to {lost} lines are missing here.")
            lost, self.lost = lost if self.lost else 0, 0
        self._put(text)
        self.lost += lost

    def _put(self, text: str) -> None:
        self.handle(logging.makeLogRecord({"msg": text[:_LINE]}))


def open_log(file: Path, max_bytes: int = MAX_BYTES) -> Log:
    """For its owner alone. StoreError when it cannot be written."""
    os.umask(0o077)
    try:
        handler = Log(file, maxBytes=max_bytes, backupCount=FILES_KEPT, encoding="utf-8")
    except OSError:
        raise StoreError("The log file cannot be written: check its folder and who owns it.") from None
    form = logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%dT%H:%M:%SZ")
    form.converter = time.gmtime
    handler.setFormatter(form)
    return handler


@contextmanager
def output_to(file: Path) -> Iterator[None]:
    """Within, what this process and those that it starts write goes to the file, line by line."""
    handler = open_log(file)
    reading, writing = os.pipe()
    _flush()
    kept = [(number, os.dup(number)) for number in (1, 2)]
    for number, _ in kept:
        os.dup2(writing, number)
    os.close(writing)
    thread = threading.Thread(target=_copy, args=(reading, handler), daemon=True)
    thread.start()
    try:
        yield
    finally:
        _flush()
        for number, old in kept:
            os.dup2(old, number)
            os.close(old)
        thread.join(5)  # until the last process that could write has ended


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()


def _copy(reading: int, log: Log) -> None:
    with os.fdopen(reading, "r", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            log.line(line.rstrip("\n"))
    with suppress(OSError):  # what could not be written before
        log.close()
