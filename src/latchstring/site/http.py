# SPDX-License-Identifier: AGPL-3.0-or-later
"""What every part of the pages' HTTP shares: a request's head, a body read to its end, an answer in pieces."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final

from latchstring.site.acts import Busy
from latchstring.site.headers import FRESH, NO_STORE, headers
from latchstring.workers.headers import by_https, by_onion

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

STALL: Final = 120.0  # seconds without a byte
WHOLE_SECONDS: Final = 120.0  # for a short body
PIECE: Final = 16 * 1024  # bytes of an answer that are handed on at a time: who reads none of it holds little


class Gone(Exception):
    """The person went away."""


class TooLong(Exception):
    """A body that is longer than any of ours."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request's head. `headers` by lower-case name, the last of each."""

    method: str
    path: str
    headers: dict[str, str] = field(repr=False)
    https: bool

    @classmethod
    def of(cls, scope: Scope) -> "Asked":
        named = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        return cls(scope["method"], scope["path"], named, by_https(scope.get("scheme"), named))

    @property
    def onion(self) -> bool:
        """Did the person come by Tor's address?"""
        return by_onion(self.headers)

    @property
    def from_elsewhere(self) -> bool:
        """Did a form of another site send this? By what the browser says of itself: an old one may say nothing.

        `none` (no page began it) is not ours either. Chromium and Firefox load a form's answer again under what they
        said first; where a browser forgot who sent it, another site's form that is loaded again would say `none` too.

        `origin` counts only where `sec-fetch-site` is missing, and not when it is `null`: under our `no-referrer` it is
        that for our own forms.
        """
        site, origin = self.headers.get("sec-fetch-site"), self.headers.get("origin", "null")
        if site is not None:
            return site != "same-origin"
        return origin != "null" and origin.partition("://")[2].lower() != self.headers.get("host", "").lower()

    @property
    def takes_gzip(self) -> bool:
        """Does the browser unpack what is packed?"""
        offered = self.headers.get("accept-encoding", "").lower().split(",")
        return "gzip" in (part.strip() for part in offered)  # one with a weight is not taken up: it is rare


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer."""

    status: int
    kind: str
    body: bytes = field(repr=False)
    cache: str = FRESH
    more: tuple[tuple[str, str], ...] = ()


def see(address: str, more: tuple[tuple[str, str], ...] = ()) -> Reply:
    """Go there."""
    return Reply(303, "text/plain; charset=utf-8", b"", NO_STORE, (("location", address), *more))


async def parts(receive: Receive) -> AsyncIterator[bytes]:
    """A body's pieces. Gone when the person hangs up."""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        more = message.get("more_body", False)
        yield message.get("body", b"")


async def next_part(pieces: AsyncIterator[bytes]) -> bytes | None:
    """The next piece, None at the end. TimeoutError when nothing comes for long."""
    async with asyncio.timeout(STALL):
        return await anext(pieces, None)


async def whole(receive: Receive, most: int, drain: int = 0) -> bytes:
    """A body of `most` bytes; `drain` more are still taken in, so that who is refused sees why. TooLong, Gone."""
    body, length = bytearray(), 0
    async for data in parts(receive):
        length += len(data)
        if length > most + drain:
            break
        if length <= most:
            body += data
    if length > most:
        raise TooLong
    return bytes(body)


class Bodies:
    """Reads short bodies whole, so many at one time."""

    def __init__(self, at_once: int) -> None:
        self._at_once, self._reading = at_once, 0

    async def whole(self, receive: Receive, most: int, drain: int = 0) -> bytes:
        """As `whole`; Busy and TimeoutError too."""
        if self._reading >= self._at_once:
            raise Busy
        self._reading += 1
        try:
            async with asyncio.timeout(WHOLE_SECONDS):
                return await whole(receive, most, drain)
        finally:
            self._reading -= 1


def start(status: int, head: list[tuple[bytes, bytes]]) -> MutableMapping[str, Any]:
    """The head of an answer as ASGI has it."""
    return {"type": "http.response.start", "status": status, "headers": head}


def patient(send: Send) -> Send:
    """`send`, with a TimeoutError when the reader takes nothing for `STALL` seconds."""

    async def patiently(message: MutableMapping[str, Any]) -> None:
        async with asyncio.timeout(STALL):
            await send(message)

    return patiently


async def send_reply(reply: Reply, asked: Asked, send: Send) -> None:
    """The whole answer, in pieces."""
    head = headers(reply.kind, len(reply.body), reply.cache, asked.https and not asked.onion, reply.more)
    await send(start(reply.status, head))
    body = memoryview(b"" if asked.method == "HEAD" else reply.body)
    for at in range(PIECE, len(body), PIECE):
        await send({"type": "http.response.body", "body": bytes(body[at - PIECE : at]), "more_body": True})
    rest = (max(1, len(body)) - 1) // PIECE * PIECE
    await send({"type": "http.response.body", "body": bytes(body[rest:])})
