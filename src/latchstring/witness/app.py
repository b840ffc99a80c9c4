# SPDX-License-Identifier: AGPL-3.0-or-later
"""The HTTP side of a witness: one endpoint, one worker, one request at a time. It writes no record of requests."""

import asyncio
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from granian.constants import HTTPModes, Interfaces, Loops
from granian.server import Server

from latchstring.log.addcheckpoint import MAX_REQUEST
from latchstring.witness.config import check_files, load_config, load_keys
from latchstring.witness.errors import WitnessError
from latchstring.witness.rule import Answer, WitnessOfLogs, plain
from latchstring.witness.state import FolderStates
from latchstring.workers.bodies import Gone, Receive, Scope, Send, lifespan, read_body
from latchstring.workers.edge import http1
from latchstring.workers.listening import CannotListen, need_free
from latchstring.workers.parent import end_with_parent
from latchstring.workers.slots import Slots

CONFIG_VARIABLE: Final = "LATCHSTRING_WITNESS_CONFIG"
CONNECTIONS: Final = 1024  # more wait with the system
BODIES: Final = 64  # on their way at one time, and as many that came whole: 7 MB each
BODY_SECONDS: Final = 60.0
SLOW: Final = plain(408, "The request took too long to arrive. Send it again.")
BUSY: Final = plain(503, "Too many logs ask at the same time. Ask again in a minute.")
BROKEN: Final = plain(500, "Something went wrong at the witness, and nothing was signed. Ask again later.")


class App:
    """The application around one witness."""

    def __init__(self, witness: WitnessOfLogs) -> None:
        self._witness = witness
        self._pool = ThreadPoolExecutor(1)  # looking at what was seen, keeping it and signing are one act
        self._bodies, self._waiting = Slots(BODIES, BODY_SECONDS), 0  # on their way, and come whole

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
        elif scope["type"] == "http":
            try:
                answer = await self._answer(scope, receive)
            except Gone:
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
            async with self._bodies.hold():  # the oldest gives way
                body = await read_body(receive, MAX_REQUEST)
        except TimeoutError:
            return SLOW
        if body is None:
            return plain(413, "That is too long.")
        if self._waiting >= BODIES:
            return BUSY
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, self._witness.add_checkpoint, body, int(time.time()))
        finally:
            self._waiting -= 1


async def _send(answer: Answer, send: Send) -> None:
    headers = [
        (b"content-type", answer.kind.encode()),
        (b"content-length", str(len(answer.body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


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
    try:
        need_free(config.bind, config.port, time.sleep)
    except CannotListen as taken:
        raise WitnessError(str(taken)) from None
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
        backpressure=CONNECTIONS,
        http1_settings=http1(),
        respawn_failed_workers=True,
        workers_kill_timeout=10,
    )
    server.on_startup(ready)
    server.serve()
