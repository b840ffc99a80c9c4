# SPDX-License-Identifier: AGPL-3.0-or-later
"""What every ASGI application here does alike: reading a body, starting and stopping."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Gone(Exception):
    """The client hung up."""


async def read_body(receive: Receive, limit: int) -> bytes | None:
    """The body, None when it is longer than `limit` bytes: the rest is not read. Gone."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        body += message.get("body", b"")
        if len(body) > limit:
            return None
        if not message.get("more_body", False):
            return bytes(body)


async def lifespan(receive: Receive, send: Send) -> None:
    """Say yes to starting and to stopping."""
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return
