# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who may publish: one process a machine, and the next one at once when it was killed."""

import fcntl
import os
import time
from pathlib import Path

import pytest

from latchstring.protocol.directory import Policy
from latchstring.server import run as module
from latchstring.server.publisher import Publisher
from latchstring.server.run import LEASE_SECONDS, become_publisher, lock_store, publish
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


class Quiet(Publisher):
    """A publisher whose newest batch is 0, and what it was told to close."""

    def __init__(self) -> None:
        self.closed: list[int] = []

    def policy(self) -> Policy:
        return Policy(tick=600, started=1_000_000)

    def last_batch(self) -> int:
        return self.closed[-1] if self.closed else 0

    def run_due(self, now: int, random: object) -> list[int]:
        self.closed.append(self.policy().batch_at(now))
        return self.closed[-1:]


def published(monkeypatch: pytest.MonkeyPatch, days: list[float], sure: bool) -> tuple[list[int], list[str]]:
    """Rounds of publishing on these days by the machine's clock; which batches were closed, and what was said."""
    publisher, said, left = Quiet(), list[str](), list(days)
    sql = open_sqlite(None)

    class Clock:
        def time(self) -> float:
            return 1_000_000 + 86_400 * (left or [0])[0]

        def sleep(self, _seconds: float) -> None:
            if left:
                left.pop(0)

    monkeypatch.setattr(module, "time", Clock())
    publish(publisher, sql, "me", lambda: not left, said.append, lambda _now: None, None, sure)
    sql.close()
    return publisher.closed, said


def test_a_clock_that_jumped_years_ahead_closes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    closed, said = published(monkeypatch, [1, 1000, 1000, 2], sure=False)
    assert closed == [144, 288], "the batches of the true days, once the clock is set"
    assert len(said) == 1
    assert "Set the clock" in said[0]


def test_the_operator_knows_that_the_clock_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    closed, said = published(monkeypatch, [40, 1000, 1000, 41], sure=True)
    assert closed == [40 * 144, 41 * 144], "for once: the next jump is doubted again"
    assert len(said) == 1


def test_without_the_doubt_a_wrong_clock_would_shut_the_door(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_DAYS_AWAY", 10**9)
    closed, _ = published(monkeypatch, [1, 1000, 1000], sure=False)
    assert 1000 * 144 in closed
