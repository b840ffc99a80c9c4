# SPDX-License-Identifier: AGPL-3.0-or-later
"""A witness's HTTP side without sockets: what arrives and what waits is bounded, and nobody slow keeps a log out."""

import asyncio
import threading
from collections.abc import MutableMapping
from typing import Any

from latchstring.log.addcheckpoint import MAX_REQUEST
from latchstring.witness.app import BODIES, App
from latchstring.witness.rule import Answer, WitnessOfLogs
from tests.witnesses import Log, MemoryStates, cosigner

LOG = Log()
Message = MutableMapping[str, Any]


class Asking:
    """One request; its body comes when it is told to."""

    def __init__(self, app: App) -> None:
        self.parts: asyncio.Queue[Message] = asyncio.Queue()
        self.sent: list[Message] = []
        scope = {"type": "http", "method": "POST", "path": "/add-checkpoint"}
        self.task = asyncio.create_task(app(scope, self.parts.get, self._send))

    async def _send(self, message: Message) -> None:
        self.sent.append(message)

    def body(self, body: bytes, last: bool = True) -> None:
        self.parts.put_nowait({"type": "http.request", "body": body, "more_body": not last})

    async def status(self) -> int:
        await self.task
        return int(self.sent[0]["status"])


def witness() -> WitnessOfLogs:
    return WitnessOfLogs(cosigner("w"), {LOG.origin: LOG.key}, MemoryStates())


async def slow(app: App, many: int) -> list[Asking]:
    """Requests that began and do not end."""
    found = [Asking(app) for _ in range(many)]
    for asking in found:
        asking.body(b"old 0\n", last=False)
        await asyncio.sleep(0)
    await asyncio.sleep(0.01)
    return found


def test_bodies_that_do_not_end_give_way_to_a_log() -> None:
    async def scene() -> None:
        app = App(witness())
        held = await slow(app, BODIES + 3)
        assert sum(asking.task.done() for asking in held) == 3
        assert [await asking.status() for asking in held[:3]] == [408] * 3
        log = Asking(app)
        log.body(LOG.ask(0, 5))
        assert await log.status() == 200
        assert await held[3].status() == 408, "the oldest gave way"
        for asking in held[4:]:
            asking.parts.put_nowait({"type": "http.disconnect"})
        await asyncio.gather(*(asking.task for asking in held[4:]))
        assert all(not asking.sent for asking in held[4:])

    asyncio.run(scene())


def test_what_came_whole_and_waits_is_bounded() -> None:
    disk = threading.Event()

    class Stuck(WitnessOfLogs):
        """Its disk answers when it is told to."""

        def add_checkpoint(self, raw: bytes, now: int) -> Answer:
            disk.wait(30)
            return super().add_checkpoint(raw, now)

    async def scene() -> None:
        app = App(Stuck(cosigner("w"), {LOG.origin: LOG.key}, MemoryStates()))
        waiting = []
        for _ in range(BODIES + 2):
            waiting.append(Asking(app))
            waiting[-1].body(LOG.ask(0, 5))
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        assert [asking.task.done() for asking in waiting] == [False] * BODIES + [True] * 2
        disk.set()
        statuses = [await asking.status() for asking in waiting]
        assert statuses == [200] + [409] * (BODIES - 1) + [503] * 2
        again = Asking(app)
        again.body(LOG.ask(5, 9))
        assert await again.status() == 200, "those who were refused left no mark"

    asyncio.run(scene())


def test_a_body_that_is_too_long_is_not_read_to_its_end() -> None:
    async def scene() -> None:
        asking = Asking(App(witness()))
        for _ in range(10):
            asking.body(bytes(MAX_REQUEST), last=False)
        assert await asking.status() == 413
        assert asking.parts.qsize() == 8

    asyncio.run(scene())
