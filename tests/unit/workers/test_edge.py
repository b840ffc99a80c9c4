# SPDX-License-Identifier: AGPL-3.0-or-later
"""What stands before every application, in this process. On real sockets: `tests/integration/test_edge.py`."""

import os
import socket
from pathlib import Path

from latchstring.workers.edge import end_unread


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_sockets_get_the_time_and_nothing_stays_open_that_was_not(tmp_path: Path) -> None:
    """A copy of a database's file would keep its room on the disk after it was removed."""
    with (tmp_path / "a").open("wb"), socket.socket() as line, socket.socket(socket.AF_UNIX):
        before = open_files()
        end_unread(7)
        assert open_files() == before
        assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 7000
