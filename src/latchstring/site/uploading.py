# SPDX-License-Identifier: AGPL-3.0-or-later
"""A file from a browser without a script to the store: sealed chunk by chunk while it streams in, never whole here."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from latchstring.protocol.attachment import Attachment
from latchstring.protocol.constants import ATTACHMENT_CHUNK
from latchstring.site.door import Connect
from latchstring.source.sending import CannotWrite
from latchstring.source.upload import Upload

AT_ONCE: Final = 16  # uploads of a worker; each holds half a megabyte
_TRIES: Final = 3
_PAUSE: Final = 2.0
_HELD: Final = 2 * ATTACHMENT_CHUNK

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class Arriving:
    """Content that comes from elsewhere; whoever reads it waits for it, whoever brings it waits for the reader."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._buffer = bytearray()
        self._came = 0
        self._ended = self._broken = False
        self._changed = threading.Condition()

    def give(self, data: bytes) -> bool:
        """The next bytes; blocks while there are many. False when nobody wants them any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._broken or len(self._buffer) < _HELD)
            self._buffer += data
            self._came += len(data)
            self._changed.notify_all()
            return not self._broken and self._came <= self.size

    def close(self, whole: bool) -> None:
        """No more comes. `whole`: the form ended as it must."""
        with self._changed:
            self._ended = True
            self._broken = self._broken or not whole or self._came != self.size
            self._changed.notify_all()

    def stop(self) -> None:
        """Nobody reads any more."""
        with self._changed:
            self._broken = True
            self._buffer.clear()
            self._changed.notify_all()

    def read(self, count: int) -> bytes:
        with self._changed:
            self._changed.wait_for(lambda: self._broken or self._ended or len(self._buffer) >= count)
            if self._broken or len(self._buffer) < count:
                raise CannotWrite("The file did not arrive whole.")
            data = bytes(self._buffer[:count])
            del self._buffer[:count]
            self._changed.notify_all()
            return data

    def end(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._broken or self._ended)
            if self._broken:
                raise CannotWrite("The file did not arrive whole.")


class Uploads:
    """One worker's uploads."""

    def __init__(self, connect: Connect, random: Callable[[int], bytes]) -> None:
        self._connect, self._random = connect, random
        self._sealing, self._bringing = ThreadPoolExecutor(AT_ONCE), ThreadPoolExecutor(AT_ONCE)
        self.taken = 0

    @property
    def full(self) -> bool:
        """Are as many on their way as this worker takes?"""
        return self.taken >= AT_ONCE

    def begin(self, content: Arriving, name: str) -> "asyncio.Future[Attachment]":
        """Seal and store what arrives. The future fails with CannotWrite, Cut or NetworkFailed."""
        self.taken += 1
        future = asyncio.get_running_loop().run_in_executor(self._sealing, self._work, content, name)
        future.add_done_callback(self._done)
        return future

    def _done(self, future: "asyncio.Future[Attachment]") -> None:
        self.taken -= 1
        if not future.cancelled():
            future.exception()  # looked at, whoever has gone

    def _work(self, content: Arriving, name: str) -> Attachment:
        try:
            with self._connect() as line:
                return Upload(content, name, self._random).run(line, _pause, lambda _done, _of: None)
        finally:
            content.stop()

    async def bring(self, content: Arriving, data: bytes) -> bool:
        """Hand bytes on, waiting for the store without holding up others."""
        return await asyncio.get_running_loop().run_in_executor(self._bringing, content.give, data)


def _pause(attempt: int) -> None:
    if attempt > _TRIES:
        raise CannotWrite("The door did not take the file.")
    time.sleep(_PAUSE)
