# SPDX-License-Identifier: AGPL-3.0-or-later
"""A door in this process on an address that a browser can open: the pages and the store's own addresses, on a clock
that the test turns. Loopback alone."""

import asyncio
import threading
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import nullcontext, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, cast
from urllib.parse import urlsplit

from latchstring.client.transport import Progress, Response
from latchstring.server.api import Request
from latchstring.site.app import Site
from latchstring.site.routes import is_ours
from latchstring.site.settings import Settings
from tests.builders import Stream
from tests.reader import Answer
from tests.world.world import Wire, World

_PIECE: Final = 65_536


class OneByOne:
    """A way to the store for the threads of the pages: the world is in one place at a time."""

    def __init__(self, wire: Wire, lock: threading.Lock) -> None:
        self._wire, self._lock = wire, lock
        self.authority = wire.authority

    def request(
        self,
        method: str,
        path: str,
        query: str = "",
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> Response:
        """As `client.transport.Transport`."""
        with self._lock:
            return self._wire.request(method, path, query, body, headers, progress)


class ServedDoor:
    """A world with its pages, served until `close`. `lock`: held by who lets time pass while a browser may ask.

    `shelf`: answers by name that are given as they are, under any address of the pages with `?state=NAME`.
    """

    def __init__(self, world: World, settings: Settings | None = None) -> None:
        self.world, self.lock = world, threading.Lock()
        self.pages, self.script = Wire(world, "the pages"), Wire(world, "a script")
        self.shelf: dict[str, Answer] = {}
        self.site = Site(
            settings or Settings(),
            world.door,
            lambda: nullcontext(OneByOne(self.pages, self.lock)),
            bytes(32),
            lambda: world.now,
            Stream("pages"),
            lambda: float(world.now),
        )
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    @property
    def address(self) -> str:
        """Such as http://127.0.0.1:40123."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def store(self, request: Request) -> Response:
        """What a script is answered that asks for one of the store's addresses. NetworkFailed: nothing is."""
        line = OneByOne(self.script, self.lock)
        return line.request(request.method, request.path, request.query, request.body, request.headers)

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()


def _handler(door: ServedDoor) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Nothing is recorded."""

        def _answer(self) -> None:
            at = urlsplit(self.path)
            name = at.query.removeprefix("state=")
            with suppress(ConnectionError):
                if at.query.startswith("state="):
                    stored = door.shelf[name]
                    self._give(stored.status, [*stored.head.items()], stored.body)
                elif is_ours(at.path):
                    self.close_connection = True
                    asyncio.run(self._by_the_pages(at.path, at.query))
                else:
                    self._by_the_store(at.path, at.query)

        do_GET = do_HEAD = do_POST = do_PUT = _answer

        def _give(self, status: int, head: list[tuple[str, str]], body: bytes) -> None:
            self.send_response_only(status)
            for name, value in head:
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def _by_the_store(self, path: str, query: str) -> None:
            length = int(self.headers.get("content-length") or 0)
            body = self.rfile.read(length)
            if len(body) < length:
                return  # the line broke
            headers = {name.lower(): value for name, value in self.headers.items()}
            try:
                said = door.store(Request(self.command, path, query, headers, body))
            except Exception:  # whatever it was: a browser sees what it would see of a door that fell over
                self.close_connection = True  # the line is cut
                return
            kind = ("content-type", "application/octet-stream")
            self._give(said.status, [kind, ("content-length", str(len(said.body)))], said.body)

        async def _by_the_pages(self, path: str, query: str) -> None:
            left = int(self.headers.get("content-length") or 0)

            async def receive() -> MutableMapping[str, Any]:
                nonlocal left
                piece = b""
                with suppress(ConnectionError):
                    piece = await asyncio.to_thread(self.rfile.read, min(left, _PIECE)) if left else b""
                if left and not piece:
                    return {"type": "http.disconnect"}
                left -= len(piece)
                return {"type": "http.request", "body": piece, "more_body": left > 0}

            async def send(message: MutableMapping[str, Any]) -> None:
                if message["type"] == "http.response.start":
                    self.send_response_only(message["status"])
                    for name, value in message["headers"]:
                        self.send_header(name.decode(), value.decode("latin-1"))
                    self.send_header("connection", "close")
                    self.end_headers()
                elif message.get("body"):
                    self.wfile.write(message["body"])

            scope = {
                "type": "http",
                "method": self.command,
                "path": path,
                "query_string": query.encode(),
                "headers": [(k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in self.headers.items()],
            }
            await door.site(scope, cast(Callable[[], Any], receive), send)

    return Handler
