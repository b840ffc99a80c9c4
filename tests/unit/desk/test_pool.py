# SPDX-License-Identifier: AGPL-3.0-or-later
"""Worker processes: results in order, and a word at once when one is killed, whatever it was doing."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from unittest.mock import patch

import pytest

from latchstring.desk.pool import Pool, WorkerDied

BIG = 300_000  # bytes: more than a pipe holds, so that a kill may come in the middle of one


def start(secret: bytes) -> Callable[[bytes], bytes]:
    return lambda task: secret + task[::-1]


@pytest.fixture
def pool() -> Iterator[Pool[bytes, bytes]]:
    made: Pool[bytes, bytes] = Pool(2, start, b"secret")
    yield made
    made.close()


def test_results_come_in_the_order_of_the_tasks(pool: Pool[bytes, bytes]) -> None:
    tasks = [bytes([n]) * (BIG if n % 3 == 0 else 5) + b"." for n in range(20)]
    assert pool.map(tasks) == [b"secret" + task[::-1] for task in tasks]
    assert pool.map([]) == []
    assert pool.map([b"ab"]) == [b"secretba"]
    assert list(pool.stream(tasks)) == pool.map(tasks)
    assert list(pool.stream([])) == []


def test_results_stream_while_workers_go_on(pool: Pool[bytes, bytes]) -> None:
    """Nobody waits for the last one before the first is there; and a worker killed meanwhile is said."""
    tasks = [bytes([n]) * BIG for n in range(40)]
    coming = pool.stream(tasks)
    assert next(coming) == b"secret" + tasks[0]
    for pid in pool.pids:
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(WorkerDied):
        list(coming)


def test_a_stream_that_is_given_up_ends_with_the_pool(pool: Pool[bytes, bytes]) -> None:
    died: list[object] = []
    others = set(threading.enumerate())  # of tests before this one, too
    with patch.object(threading, "excepthook", died.append):
        coming = pool.stream([bytes(BIG)] * 40)
        next(coming)
        started = set(threading.enumerate()) - others
        assert started
        workers = pool.pids
        del coming
        pool.close()
        assert not any(thread.is_alive() for thread in started), "a pipe is closed under who still uses it"
    for pid in workers:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert not died


def outcome(pool: Pool[bytes, bytes], tasks: list[bytes]) -> str:
    """What a map came to, in a thread, so that one which never ends is seen."""
    said: list[str] = []

    def ask() -> None:
        try:
            pool.map(tasks)
            said.append("done")
        except WorkerDied:
            said.append("said")

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(60)
    return said[0] if said else "it hangs"


@pytest.mark.parametrize("who", [(0,), (1,), (0, 1)])
def test_a_worker_killed_before_its_task_is_said(pool: Pool[bytes, bytes], who: tuple[int, ...]) -> None:
    for number in who:
        os.kill(pool.pids[number], signal.SIGKILL)
    assert outcome(pool, [bytes(BIG)] * 8) == "said"


def test_a_worker_that_is_stopped_in_the_middle_of_a_task_and_then_killed_is_said(pool: Pool[bytes, bytes]) -> None:
    """Stopped, it reads no further: the sender waits in the middle of a task when the kill comes."""
    pool.map([b"ready"] * 4)
    victim = pool.pids[0]
    os.kill(victim, signal.SIGSTOP)
    threading.Timer(0.5, os.kill, (victim, signal.SIGKILL)).start()
    assert outcome(pool, [bytes(BIG)] * 8) == "said"


def test_a_worker_killed_while_it_starts_is_said() -> None:
    made: Pool[bytes, bytes] = Pool(2, start, b"")
    os.kill(made.pids[1], signal.SIGKILL)
    assert outcome(made, [bytes(BIG)] * 8) == "said"
    made.close()


def test_closing_ends_the_processes(pool: Pool[bytes, bytes]) -> None:
    pool.map([b"x"])
    pids = pool.pids
    pool.close()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
