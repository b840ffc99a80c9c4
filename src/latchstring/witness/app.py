# SPDX-License-Identifier: AGPL-3.0-or-later
"""The HTTP side of a witness: one endpoint, one worker, one request at a time. It writes no record of requests."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from granian.constants import HTTPModes, Interfaces, Loops
from granian.server import Server

from latchstring.log.addcheckpoint import MAX_REQUEST
from latchstring.witness.config import check_files, load_config, load_keys
from latchstring.witness.rule import Answer, WitnessOfLogs, plain
from latchstring.witness.state import FolderStates
from latchstring.workers.parent import end_with_parent

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

CONFIG_VARIABLE: Final = "LATCHSTRING_WITNESS_CONFIG"
BODY_SECONDS: Final = 60.0
BROKEN: Final = plain(500, "Something went wrong at the witness, and nothing was signed. Ask again later.")


class _Gone(Exception):
    """The client hung up."""


class App:
    """The application around one witness."""

    def __init__(self, witness: WitnessOfLogs) -> None:
        self._witness = witness
        self._pool = ThreadPoolExecutor(1)  # looking at what was seen, keeping it and signing are one act

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http":
            try:
                answer = await self._answer(scope, receive)
            except _Gone:
                return
            except Exception:  # the last line: one calm sentence, and nothing signed
                answer = BROKEN
            await _send(answer, send)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        if scope["path"] != "/add-checkpoint":
            return plain(404, "There is nothing here. A log posts to /add-checkpoint.")
        if scope["method"] != "POST":
            return plain(405, "A log posts here.")
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _read(receive)
        except TimeoutError:
            return plain(408, "The request took too long to arrive. Send it again.")
        if body is None:
            return plain(413, "That is too long.")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._witness.add_checkpoint, body, int(time.time()))


async def _read(receive: Receive) -> bytes | None:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        body += message.get("body", b"")
        if len(body) > MAX_REQUEST:
            return None
        if not message.get("more_body", False):
            return bytes(body)


async def _send(answer: Answer, send: Send) -> None:
    headers = [
        (b"content-type", answer.kind.encode()),
        (b"content-length", str(len(answer.body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return


def load() -> App:
    """What the worker process calls: the application for the configuration that the parent named."""
    end_with_parent()
    config = load_config(Path(os.environ[CONFIG_VARIABLE]))
    states = FolderStates(config.states, time.sleep)
    return App(WitnessOfLogs(load_keys(config), config.by_origin, states))


def run_witness(config_path: Path, ready: Callable[[], None]) -> None:
    """Serve until SIGINT or SIGTERM. WitnessError when the configuration or the folder cannot be used."""
    config = load_config(config_path)
    check_files(config)
    FolderStates(config.states, time.sleep).close()  # say that another one is at work before any process starts
    os.environ[CONFIG_VARIABLE] = str(config_path.resolve())
    server = Server(
        "latchstring.witness.app:load",
        address=config.bind,
        port=config.port,
        interface=Interfaces.ASGI,
        workers=1,
        loop=Loops.auto,
        http=HTTPModes.http1,
        websockets=False,
        log_enabled=True,
        log_level="error",  # type: ignore[arg-type]  # the enumeration's value is accepted
        log_access=False,
        factory=True,
        respawn_failed_workers=True,
        workers_kill_timeout=10,
    )
    server.on_startup(ready)
    server.serve()
