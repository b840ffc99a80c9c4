# SPDX-License-Identifier: AGPL-3.0-or-later
"""Real processes: one that starts others is killed, and they end by themselves."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any

import pytest

from latchstring.workers import parent


def child(line: Any, watched: bool, deaf: bool) -> None:
    """Says its number, and lives for a minute. `deaf`: SIGTERM does nothing to it."""
    if deaf:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        parent.GRACE_SECONDS = 0.1  # type: ignore[misc]
    if watched:
        parent.end_with_parent()
    line.send(os.getpid())
    time.sleep(60)


def middle(line: Any, how: str, watched: bool, deaf: bool) -> None:
    make = get_context("fork").Process if how == "fork" else get_context("spawn").Process
    for _ in range(2):
        make(target=child, args=(line, watched, deaf)).start()
    time.sleep(60)


@contextmanager
def orphans(how: str, watched: bool = True, deaf: bool = False) -> Iterator[Any]:
    """Two processes whose parent was just killed: the end of a pipe that says so when both have ended."""
    context = get_context("spawn")
    ours, theirs = context.Pipe(False)
    process = context.Process(target=middle, args=(theirs, how, watched, deaf))
    process.start()
    theirs.close()
    numbers = [ours.recv() for _ in range(2)]
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    try:
        yield ours
    finally:
        for number in numbers if not watched else ():
            os.kill(number, signal.SIGKILL)


@pytest.mark.parametrize("how", ["fork", "spawn"])
@pytest.mark.parametrize("deaf", [False, True])
def test_children_end_when_their_parent_was_killed(how: str, deaf: bool) -> None:
    with orphans(how, deaf=deaf) as line:
        assert line.poll(20)
        with pytest.raises(EOFError):
            line.recv()


def test_without_the_watch_they_would_live_on() -> None:
    with orphans("fork", watched=False) as line:
        assert not line.poll(4 * parent.EVERY_SECONDS)


def test_a_process_that_nobody_made_so_is_left_alone() -> None:
    parent.end_with_parent()
