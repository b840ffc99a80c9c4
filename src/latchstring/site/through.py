# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a page's script asks of the store, when the pages are served alone: `/visit` from memory, the rest handed on.

A script speaks with its own site only (connect-src 'self'), so that the page leads nowhere else. What is handed on is
sealed; of a request go on its method, its address, its body, and the two headers that the store reads. Nothing of it
is kept.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from latchstring.client.transport import NetworkFailed, Response, Transport
from latchstring.protocol.constants import ATTACHMENT_CHUNK, LETTER_SIZE
from latchstring.protocol.knock import HEADER
from latchstring.site.acts import Acts, Busy
from latchstring.site.door import Connect, NoDoor
from latchstring.site.headers import NO_STORE
from latchstring.site.http import WHOLE_SECONDS, Asked, Gone, Receive, Reply, Send, TooLong, send_reply, whole
from latchstring.workers.slots import Slots

LETTERS: Final = 256  # and other short bodies on their way, 4 KB each
CHUNKS: Final = 128  # on their way, a quarter of a megabyte each
READERS: Final = 256  # of `/visit`
READ_SECONDS: Final = 1800.0  # `/visit` at little more than a kilobyte a second
KEPT: Final = 8  # lines that wait for the next request
_ASK: Final = 256  # bytes of what asks for room for an attachment
_HEADERS: Final = (HEADER, "authorization")


class Through:
    """One worker's way to the store for scripts."""

    def __init__(self, connect: Connect, acts: Acts, visit: Callable[[], bytes]) -> None:
        """`visit`: the newest verified `/visit` as it came, or NoDoor; it blocks."""
        self._lines, self._acts, self._visit = Lines(connect), acts, visit
        self._letters, self._chunks = Slots(LETTERS, WHOLE_SECONDS), Slots(CHUNKS, WHOLE_SECONDS)
        self._readers = Slots(READERS, READ_SECONDS)

    async def answer(self, asked: Asked, receive: Receive, send: Send) -> None:
        """Answer a request whose route is the store's (`routes.route`). Gone when the person went away."""
        if asked.path != "/visit":
            await send_reply(await self._handed_on(asked, receive), asked, send)
            return
        newest = await self._newest()
        try:
            async with self._readers.hold():  # the oldest gives way
                await send_reply(newest, asked, send)
        except TimeoutError:
            raise Gone from None  # broken off: the body is shorter than its length says

    async def _newest(self) -> Reply:
        try:
            return _answer(Response(200, await self._acts.run(self._visit)))
        except (NoDoor, Busy):
            return _said(503)

    async def _handed_on(self, asked: Asked, receive: Receive) -> Reply:
        """503: nothing was handed on. 502: nobody knows whether the store has it."""
        try:
            async with (self._chunks if asked.method == "PUT" else self._letters).hold():  # the oldest gives way
                body = await whole(receive, _most(asked))
        except TooLong:
            return _said(413)
        except TimeoutError:
            return _said(408)
        sent: dict[str, str] = {name: asked.headers[name] for name in _HEADERS if name in asked.headers}

        def ask() -> Response:
            with self._lines.line() as line:
                return line.request(asked.method, asked.path, body=body, headers=sent)

        try:
            return _answer(await self._acts.run(ask))
        except Busy:
            return _said(503)
        except NetworkFailed:
            return _said(502)


def _most(asked: Asked) -> int:
    """Bytes of a body."""
    if asked.method == "PUT":
        return ATTACHMENT_CHUNK
    if asked.method == "POST":
        return LETTER_SIZE if asked.path == "/v1/letters" else _ASK
    return 0


def _answer(response: Response) -> Reply:
    return Reply(response.status, "application/octet-stream", response.body, NO_STORE)


def _said(status: int) -> Reply:
    return Reply(status, "text/plain; charset=utf-8", b"", NO_STORE)


class Lines:
    """Lines to the store that are used again: through Tor a new one takes seconds. Safe in threads."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._idle: list[tuple[ExitStack, Transport]] = []

    @contextmanager
    def line(self) -> Iterator[Transport]:
        """One for one request; it is closed when that fails."""
        try:
            closing, line = self._idle.pop()
        except IndexError:
            closing = ExitStack()
            line = closing.enter_context(self._connect())
        keep = False
        try:
            yield line
            keep = len(self._idle) < KEPT
        finally:
            if keep:
                self._idle.append((closing, line))
            else:
                closing.close()
