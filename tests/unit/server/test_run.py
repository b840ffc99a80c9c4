# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who may publish: one process a machine, and the next one at once when it was killed."""

import fcntl
import os
import time
from pathlib import Path

import pytest

from latchstring.server.run import LEASE_SECONDS, become_publisher, lock_store
from latchstring.store import guard
from latchstring.store.sql import StoreError, open_sqlite


def never(_seconds: float) -> None:
    raise AssertionError("it waited")


def test_a_killed_publisher_is_followed_at_once(tmp_path: Path) -> None:
    sql = open_sqlite(tmp_path / "db")
    with sql.write() as connection:
        guard.take_lease(connection, "the one that was killed", int(time.time()), LEASE_SECONDS)
    become_publisher(tmp_path, sql, "the next", never)
    with sql.read() as connection:
        found = guard.holder(connection)
    assert found is not None
    assert found[0] == "the next"
    sql.close()


def test_a_living_publisher_is_waited_for_and_then_said(tmp_path: Path) -> None:
    handle = os.open(tmp_path / "publisher.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(handle, fcntl.LOCK_EX)
    waits: list[float] = []
    with pytest.raises(StoreError, match="Another publisher"):
        lock_store(tmp_path / "publisher.lock", waits.append)
    assert sum(waits) == pytest.approx(LEASE_SECONDS)
    os.close(handle)


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be written"):
        lock_store(tmp_path / "missing" / "publisher.lock", never)
