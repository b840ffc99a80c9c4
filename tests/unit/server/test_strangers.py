# SPDX-License-Identifier: AGPL-3.0-or-later
"""Long bodies from anyone: never more memory than is set aside, and slow senders keep no quick one out."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from latchstring.server import strangers as module
from latchstring.server.api import TOO_LONG, Answer
from latchstring.server.strangers import CROWDED, SLOW, Strangers
from latchstring.workers.bodies import Gone

MOST, LIMIT, PART = 1000, 400, 100
DONE = Answer(201, b"taken")


class Sender:
    """Sends parts when it is told to."""

    def __init__(self) -> None:
        self.parts: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def send(self, size: int = PART, last: bool = False) -> None:
        self.parts.put_nowait({"type": "http.request", "body": bytes(size), "more_body": not last})

    async def receive(self) -> dict[str, Any]:
        return await self.parts.get()


async def taken(body: bytes) -> Answer:
    return Answer(201, str(len(body)).encode())


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def slow_ones(strangers: Strangers, count: int, parts: int) -> list["asyncio.Task[Answer]"]:
    """Senders that sent so many parts and then nothing more."""
    tasks = []
    for _ in range(count):
        sender = Sender()
        for _ in range(parts):
            sender.send()
        tasks.append(asyncio.create_task(strangers.take(sender.receive, LIMIT, taken)))
    return tasks


async def quick(strangers: Strangers, size: int) -> Answer:
    sender = Sender()
    sender.send(size, last=True)
    return await strangers.take(sender.receive, LIMIT, taken)


def run(test: Callable[[], Any]) -> None:
    asyncio.run(test())


def test_many_slow_ones_keep_no_quick_one_out_and_take_no_more_than_there_is() -> None:
    async def story() -> None:
        strangers = Strangers(MOST)
        tasks = slow_ones(strangers, 40, 3)
        await settle()
        assert strangers.held <= MOST
        given_up = [task for task in tasks if task.done()]
        assert len(given_up) >= 30
        assert all(task.result() == SLOW for task in given_up)
        assert tasks[-1] not in given_up  # the oldest go first
        for _ in range(5):
            assert await quick(strangers, 350) == Answer(201, b"350")
            assert strangers.held <= MOST
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert strangers.held == 0

    run(story)


def test_without_giving_up_the_oldest_the_quick_one_would_be_kept_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def first_come(self: Strangers, more: int, _mine: asyncio.Timeout) -> bool:
        return self.held + more <= self._most

    monkeypatch.setattr(Strangers, "_make_room", first_come)

    async def story() -> None:
        strangers = Strangers(MOST)
        tasks = slow_ones(strangers, 10, 1)
        await settle()
        assert await quick(strangers, 350) == CROWDED
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    run(story)


def test_what_is_being_answered_counts_until_it_is() -> None:
    async def story() -> None:
        strangers, go = Strangers(MOST), asyncio.Event()

        async def later(_body: bytes) -> Answer:
            await go.wait()
            return DONE

        tasks = []
        for _ in range(3):
            sender = Sender()
            sender.send(LIMIT, last=True)
            tasks.append(asyncio.create_task(strangers.take(sender.receive, LIMIT, later)))
        await settle()
        assert strangers.held == 2 * LIMIT
        assert [task.result() for task in tasks if task.done()] == [CROWDED]
        go.set()
        assert [await task for task in tasks].count(DONE) == 2
        assert strangers.held == 0

    run(story)


def test_too_long_too_slow_and_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        strangers = Strangers(MOST)
        assert await quick(strangers, LIMIT) == Answer(201, b"400")
        assert await quick(strangers, LIMIT + 1) == TOO_LONG
        sender = Sender()
        sender.parts.put_nowait({"type": "http.disconnect"})
        with pytest.raises(Gone):
            await strangers.take(sender.receive, LIMIT, taken)
        monkeypatch.setattr(module, "BODY_SECONDS", 0.01)
        sender = Sender()
        sender.send()
        assert await strangers.take(sender.receive, LIMIT, taken) == SLOW
        assert strangers.held == 0
        assert strangers._arriving == {}

    run(story)
