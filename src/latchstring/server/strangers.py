# SPDX-License-Identifier: AGPL-3.0-or-later
"""Long bodies that anyone may send are held in memory while they arrive: so many bytes at one time, and no more. When
there are too many, the one that has taken longest is given up: slow senders, however many, keep no quick one out.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from latchstring.server.api import TOO_LONG, Answer, plain
from latchstring.workers.bodies import Gone, Receive

BODY_SECONDS: Final = 120.0  # a letter takes a few seconds over Tor
SLOW: Final = plain(408, "Your request took too long to arrive. Send it again.")
CROWDED: Final = plain(503, "Too many send such things at the same time. Send the same again in a few minutes.")


class Strangers:
    """One worker's bodies from strangers: `most` bytes in all."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._arriving: dict[asyncio.Timeout, int] = {}  # oldest first
        self.held = 0

    async def take(self, receive: Receive, limit: int, act: Callable[[bytes], Awaitable[Answer]]) -> Answer:
        """Read a body of at most `limit` bytes and answer it with `act`."""
        size = 0
        try:
            body = bytearray()
            try:
                async with asyncio.timeout(BODY_SECONDS) as clock:
                    self._arriving[clock] = 0
                    more = True
                    while more:
                        message = await receive()
                        if clock not in self._arriving:
                            return SLOW  # given up for others
                        if message["type"] == "http.disconnect":
                            raise Gone
                        part = message.get("body", b"")
                        if len(body) + len(part) > limit:
                            return TOO_LONG
                        if not self._make_room(len(part), clock):
                            return CROWDED
                        body += part
                        size += len(part)
                        self._arriving[clock] = size
                        self.held += len(part)
                        more = message.get("more_body", False)
            except TimeoutError:
                return SLOW
            finally:
                if self._arriving.pop(clock, None) is None:
                    size = 0  # counted as gone already
            return await act(bytes(body))
        finally:
            self.held -= size

    def _make_room(self, more: int, mine: asyncio.Timeout) -> bool:
        """Is there room for so many bytes, once those who have taken longest are given up?"""
        while self.held + more > self._most:
            oldest = next((clock for clock in self._arriving if clock is not mine), None)
            if oldest is None:
                return False
            self.held -= self._arriving.pop(oldest)
            oldest.reschedule(asyncio.get_running_loop().time())
        return True
