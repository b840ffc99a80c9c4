# SPDX-License-Identifier: AGPL-3.0-or-later
"""The HTTP side of the pages: a plain ASGI application that writes no record of requests."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

from latchstring.client.visit import DoorCheck, VerifiedVisit
from latchstring.protocol.wordlist import load
from latchstring.site import files
from latchstring.site.door import Connect, DoorKeeper, NoDoor
from latchstring.site.headers import FRESH, NO_STORE, headers
from latchstring.site.languages import preferred
from latchstring.site.pages import reading
from latchstring.site.pages.door import DoorView, view
from latchstring.site.render import Page, Renderer
from latchstring.site.routes import Route, route
from latchstring.site.settings import Settings

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

HTML: Final = "text/html; charset=utf-8"
LOOKING: Final = 8  # threads that wait for the door


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer."""

    status: int
    kind: str
    body: bytes = field(repr=False)
    cache: str = FRESH
    more: tuple[tuple[str, str], ...] = ()


class Site:
    """One worker's pages."""

    def __init__(
        self,
        settings: Settings,
        is_door: DoorCheck,
        connect: Connect,
        key: bytes,
        now: Callable[[], int] = lambda: int(time.time()),
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        """`key`: 32 random bytes, the same in all workers of a run, for what rides in forms."""
        self._settings = settings
        self._now = now
        self._words = load()
        self._door = DoorKeeper(is_door, connect, now, time.monotonic)
        self._renderers = {code: Renderer(code, settings) for code in settings.languages}
        self._looking = ThreadPoolExecutor(LOOKING)
        self._static = files.load_static()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request whose address is the pages' own (`routes.is_ours`)."""
        if scope["type"] != "http":
            return
        asked = _asked(scope)
        try:
            reply = await self._answer(asked, receive)
        except Exception:  # the last line: one calm page, and no trace of what it was
            reply = self._problem(asked, 500)
        await _send(reply, asked, send)

    async def _answer(self, asked: "Asked", receive: Receive) -> Reply:
        found = route(asked.path, self._settings.languages)
        if asked.method not in found.methods:
            reply = self._problem(asked, 405)
            return Reply(405, reply.kind, reply.body, NO_STORE, (("allow", ", ".join(found.methods)),))
        if found.kind == "page":
            return await self._page(found, asked, receive)
        if found.kind == "choose":
            code = preferred(asked.headers.get("accept-language", ""), self._settings.languages)
            return _see(f"/{code}/", (("vary", "accept-language"),))
        if found.kind == "leave":
            return _see(self._settings.leave)
        if found.kind == "static" and found.name in self._static:
            file = self._static[found.name]
            return Reply(200, file.kind, file.body, FRESH)
        if found.kind == "file":
            return await self._file(found.name, asked)
        return self._problem(asked, 404)

    async def _page(self, found: Route, asked: "Asked", receive: Receive) -> Reply:
        renderer = self._renderers[found.language]
        visit, why = await self._look()
        door = self._view(visit, found.language)
        page = reading.reading(found.name, door, why, renderer.words, renderer.texts)
        return self._rendered(page, found, asked, door)

    def _view(self, visit: VerifiedVisit | None, code: str) -> DoorView | None:
        return view(visit, self._renderers[code].texts, self._words, self._now()) if visit else None

    def _rendered(self, page: Page, found: Route, asked: "Asked", door: DoorView | None) -> Reply:
        body = self._renderers[found.language](page, found.name, asked.onion)
        more: tuple[tuple[str, str], ...] = ()
        if door and door.onions and not asked.onion and not page.after_form:
            more = (("onion-location", door.onions[0].rstrip("/") + asked.path),)
        return Reply(page.status, HTML, body, NO_STORE if page.after_form else FRESH, more)

    async def _file(self, name: str, asked: "Asked") -> Reply:
        if name == "robots.txt":
            return Reply(200, "text/plain; charset=utf-8", b"User-agent: *\nDisallow: /\n")
        visit, _ = await self._look()
        if visit is None:
            return self._problem(asked, 503)
        kind, body = files.made(name, visit.directory, self._settings.names.get("en", ""), self._words)
        return Reply(200, kind, body)

    async def _look(self) -> tuple[VerifiedVisit | None, str]:
        """The door, or why there is none."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._looking, self._door.visit), ""
        except NoDoor as none:
            return None, none.why

    def _problem(self, asked: "Asked", status: int) -> Reply:
        found = route(asked.path, self._settings.languages)
        code = found.language or preferred(asked.headers.get("accept-language", ""), self._settings.languages)
        renderer = self._renderers[code]
        page = reading.problem(status, renderer.texts)
        return Reply(status, HTML, renderer(page, found.name, asked.onion), NO_STORE)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request's head. `headers` by lower-case name, the last of each."""

    method: str
    path: str
    headers: dict[str, str]
    https: bool

    @property
    def onion(self) -> bool:
        """Did the person come by Tor's address? By what their browser says; it decides about words alone."""
        host = self.headers.get("host", "").rsplit(":", 1)[0]
        return host.lower().rstrip(".").endswith(".onion")


def _asked(scope: Scope) -> Asked:
    named = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    https = "https" in (scope.get("scheme"), named.get("x-forwarded-proto", "").strip().lower())
    return Asked(scope["method"], scope["path"], named, https)


def _see(address: str, more: tuple[tuple[str, str], ...] = ()) -> Reply:
    return Reply(303, "text/plain; charset=utf-8", b"", NO_STORE, (("location", address), *more))


async def _send(reply: Reply, asked: Asked, send: Send) -> None:
    head = headers(reply.kind, len(reply.body), reply.cache, asked.https and not asked.onion, reply.more)
    await send({"type": "http.response.start", "status": reply.status, "headers": head})
    await send({"type": "http.response.body", "body": b"" if asked.method == "HEAD" else reply.body})
