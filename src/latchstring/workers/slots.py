# SPDX-License-Identifier: AGPL-3.0-or-later
"""Places for what takes memory while it lasts: so many, for so long; when all are taken, the oldest gives way.

A person's letter takes seconds, even over Tor. Who holds connections open to keep others out holds the oldest places,
and loses them to whoever comes.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Slots:
    """For one event loop."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most, self._seconds = most, seconds
        self._held: dict[asyncio.Timeout, None] = {}  # in the order in which they came

    @property
    def taken(self) -> int:
        """How many are held now."""
        return len(self._held)

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        """Hold a place; TimeoutError inside when its time is over or another came."""
        async with asyncio.timeout(self._seconds) as patience:
            while len(self._held) >= self._most:
                self.give_way()
            self._held[patience] = None
            try:
                yield
            finally:
                self._held.pop(patience, None)

    def give_way(self) -> bool:
        """End the oldest; False when none is held."""
        oldest = next(iter(self._held), None)
        if oldest is None:
            return False
        del self._held[oldest]
        with suppress(RuntimeError):  # its time is over already
            oldest.reschedule(asyncio.get_running_loop().time())
        return True
