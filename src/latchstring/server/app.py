# SPDX-License-Identifier: AGPL-3.0-or-later
"""The HTTP side: a plain ASGI application around `Api`. It writes no record of requests.

Letters that arrive at the same time go into one transaction, each answered once it is durable.
"""

import asyncio
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

from latchstring.protocol.constants import LETTER_SIZE
from latchstring.protocol.knock import HEADER, Knock, read_header
from latchstring.server.api import NOT_FOUND, TOO_LONG, Answer, Api, Request, body_limit, is_chunk, plain
from latchstring.server.config import load_config
from latchstring.server.setup import Parts, open_parts
from latchstring.server.strangers import BODY_SECONDS, SLOW, Strangers
from latchstring.store.objects import FolderObjects, NoObject
from latchstring.workers.bodies import Application, Gone, Receive, Scope, Send, lifespan, read_body
from latchstring.workers.edge import guarded
from latchstring.workers.headers import BARE, strictly
from latchstring.workers.parent import end_with_parent
from latchstring.workers.slots import Slots

CONFIG_VARIABLE: Final = "LATCHSTRING_SERVER_CONFIG"
SEND_SECONDS: Final = 1800.0  # /visit at little more than a kilobyte a second
BODIES: Final = 1024  # short bodies that a worker takes in at one time: 4 MiB
LARGE_BODIES: Final = 64  # of members: 64 MiB
DOWNLOADS: Final = 512  # published files that a worker sends at one time, some 350 KB of memory each
GROUP: Final = 512  # letters in one transaction
CHUNK: Final = 64 * 1024
STRANGERS: Final = 8 * 1024 * 1024  # bytes of bodies that are long and from anyone
UPLOADS: Final = 128  # chunks of attachments that a worker takes in at one time: 32 MiB
BUSY: Final = plain(503, "Too many attachments arrive at the same time. Send the same again in a few minutes.")
BROKEN: Final = plain(500, "Something went wrong on the server. Send the same again: it is never taken twice.")


class LetterDesk:
    """Gathers letters that wait at the same moment into one transaction."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._waiting: list[tuple[bytes, Knock | None, asyncio.Future[Answer]]] = []
        self._busy = False
        self._pool = ThreadPoolExecutor(1)

    async def take(self, body: bytes, knock: Knock | None) -> Answer:
        """The answer, once the letter is durable or refused."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((body, knock, future))
        if not self._busy:
            self._busy = True
            self._task = asyncio.create_task(self._work())
        return await future

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                group, self._waiting = self._waiting[:GROUP], self._waiting[GROUP:]
                try:
                    bodies, knocks = [body for body, _, _ in group], [knock for _, knock, _ in group]
                    answers = await loop.run_in_executor(
                        self._pool, self._api.letters, bodies, int(time.time()), knocks
                    )
                except Exception:  # whatever it was, nobody may be left waiting, and nothing was acknowledged
                    answers = [BROKEN] * len(group)
                for (_, _, future), answer in zip(group, answers, strict=True):
                    if not future.done():
                        future.set_result(answer)
        finally:
            self._busy = False


class App:
    """One worker's application."""

    def __init__(self, parts: Parts) -> None:
        self._api = Api(parts.intake, parts.shelves)
        self._public: FolderObjects = parts.public
        self._letters = LetterDesk(self._api)
        self._pool = ThreadPoolExecutor(4)
        self._storing = 0  # chunks that came whole and are not stored yet
        self._bodies = Slots(BODIES, BODY_SECONDS)
        self._chunks = Slots(UPLOADS, BODY_SECONDS)
        self._large = Slots(LARGE_BODIES, BODY_SECONDS)
        self._downloads = Slots(DOWNLOADS, SEND_SECONDS)
        self._strangers = Strangers(STRANGERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
        elif scope["type"] == "http":
            try:
                answer = await self._answer(scope, receive)
            except Gone:
                return
            except Exception:  # the last line: a stranger gets one calm sentence, and no trace of what it was
                answer = BROKEN
            await self._send(answer, scope["method"] == "HEAD", strictly(scope, send))

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        method, path = scope["method"], scope["path"]
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        request = Request(method, path, scope["query_string"].decode("latin-1"), headers)
        authority = headers.get("host", "")
        loop = asyncio.get_running_loop()
        if body_limit(method, path) > LETTER_SIZE:  # nobody but members may fill our memory
            refused = await loop.run_in_executor(
                self._pool, self._api.refused_unread, request, authority, int(time.time())
            )
            if refused is not None:
                return refused
        if is_chunk(path) and method == "PUT":
            return await self._upload(request, receive, authority)
        if (method, path) == ("POST", "/v1/directory"):  # long, and from anyone
            return await self._strangers.take(
                receive, body_limit(method, path), partial(self._later, request, authority)
            )
        limit = body_limit(method, path)
        body = await _in_time(receive, limit, self._large if limit > LETTER_SIZE else self._bodies)
        if isinstance(body, Answer):
            return body
        if body is None:
            return TOO_LONG
        if (method, path) == ("POST", "/v1/letters"):
            return await self._letters.take(body, read_header(headers.get(HEADER)))
        if not path.startswith("/v1/"):
            return self._api.handle(replace(request, body=body), authority, 0)  # published files: no store, no clock
        return await self._later(request, authority, body)

    async def _later(self, request: Request, authority: str, body: bytes) -> Answer:
        """The answer to a request with its body."""
        loop, whole = asyncio.get_running_loop(), replace(request, body=body)
        return await loop.run_in_executor(self._pool, self._api.handle, whole, authority, int(time.time()))

    async def _upload(self, request: Request, receive: Receive, authority: str) -> Answer:
        """A chunk, whose body is held in memory: only so many at one time; the one that has taken longest gives way."""
        while self._chunks.taken + self._storing >= UPLOADS:
            if not self._chunks.give_way():
                return BUSY  # all came whole, and the disk is behind
        body = await _in_time(receive, body_limit(request.method, request.path), self._chunks)
        if isinstance(body, Answer):
            return body
        if body is None:
            return TOO_LONG
        self._storing += 1
        try:
            return await self._later(request, authority, body)
        finally:
            self._storing -= 1

    async def _send(self, answer: Answer, head: bool, send: Send) -> None:
        if answer.file is None:
            await _start(answer, len(answer.body), send)
            await send({"type": "http.response.body", "body": b"" if head else answer.body})
            return
        try:
            file = open(self._public.file(answer.file), "rb")  # noqa: SIM115  # closed below, after the answer began
        except (NoObject, OSError):
            await self._send(NOT_FOUND, head, send)
            return
        with file:
            try:
                async with self._downloads.hold():
                    await self._send_file(answer, file, head, send)
            except TimeoutError:
                return  # broken off: the body is shorter than its length says

    async def _send_file(self, answer: Answer, file: BinaryIO, head: bool, send: Send) -> None:
        left = 0 if head else os.fstat(file.fileno()).st_size
        await _start(answer, os.fstat(file.fileno()).st_size, send)
        while left:
            chunk = file.read(min(CHUNK, left))
            if not chunk:
                raise Gone  # cut short on disk: break off rather than send something else
            left -= len(chunk)
            await send({"type": "http.response.body", "body": chunk, "more_body": left > 0})
        if head:
            await send({"type": "http.response.body", "body": b""})


async def _start(answer: Answer, length: int, send: Send) -> None:
    headers = [
        (b"content-type", answer.kind.encode()),
        (b"content-length", str(length).encode()),
        (b"cache-control", answer.cache.value.encode()),
        *BARE,
    ]
    if answer.allow:
        headers.append((b"allow", answer.allow.encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})


async def _in_time(receive: Receive, limit: int, slots: Slots) -> bytes | Answer | None:
    """As `read_body`, or the answer to who takes too long."""
    try:
        async with slots.hold():
            return await read_body(receive, limit)
    except TimeoutError:
        return SLOW


def load() -> Application:
    """What a worker process calls: the application for the configuration that the parent named."""
    return guarded(make())


def make() -> App:
    """The store's application alone, in a worker process."""
    end_with_parent()
    return App(open_parts(load_config(Path(os.environ[CONFIG_VARIABLE]))))
