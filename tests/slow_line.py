# SPDX-License-Identifier: AGPL-3.0-or-later
"""A slow line between a browser and a door: bytes pass at one rate each way, all connections together, and an answer
begins later than it was asked for. It can break. Loopback alone."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

SLOW: Final = 50_000  # bytes per second, either way
_PIECE: Final = 2_000  # bytes: what passes at once
_AHEAD: Final = 0.2  # seconds that a sender may be ahead of the line: what is not taken from it, it knows to be unsent


@dataclass
class _Way:
    """One direction. `free`: when the next byte can start (the loop's clock); `passed`: bytes that came out."""

    rate: int
    delay: float
    free: float = 0.0
    passed: int = 0


class SlowLine:
    """The line's near end is `address`. `rate`: bytes per second; `delay`: seconds of a way and back."""

    def __init__(self, port: int, rate: int, delay: float) -> None:
        """`port`: the far end, on this machine. Runs until `close`."""
        self._port, self._loop = port, asyncio.new_event_loop()
        self._up, self._down = _Way(rate, delay / 2), _Way(rate, delay / 2)
        self._open: set[asyncio.StreamWriter] = set()
        self._breaks_at: int | None = None  # bytes that have gone up by then
        self._dead = False
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        starting = asyncio.start_server(self._joined, "127.0.0.1", 0, limit=_PIECE)
        self._server = asyncio.run_coroutine_threadsafe(starting, self._loop).result(10)
        self.address = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    @property
    def sent(self) -> int:
        """Bytes that have come out at the far end, heads of requests among them."""
        return self._up.passed

    @property
    def broken(self) -> bool:
        """Does nothing pass?"""
        return self._dead

    def break_after(self, count: int) -> None:
        """Once so many more bytes have gone up, all connections break, and no other is made before `mend`."""
        self._breaks_at = self._up.passed + count

    def mend(self) -> None:
        """Let through what is asked from now on."""
        self._dead = False

    def close(self) -> None:
        """End it."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        self._drop()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _drop(self) -> None:
        for writer in self._open:
            writer.transport.abort()
        self._open.clear()

    async def _joined(self, near_in: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        if self._dead:
            near_out.transport.abort()
            return
        far_in, far_out = await asyncio.open_connection("127.0.0.1", self._port, limit=_PIECE)
        ends = {near_out, far_out}
        self._open |= ends
        with suppress(ConnectionError, asyncio.CancelledError):  # broken, or at the end
            await asyncio.gather(
                self._carry(near_in, far_out, self._up, self._is_up), self._carry(far_in, near_out, self._down)
            )
        self._open -= ends
        for end in ends:
            end.transport.abort()

    async def _carry(
        self,
        come: asyncio.StreamReader,
        go: asyncio.StreamWriter,
        way: _Way,
        passed: Callable[[], None] = lambda: None,
    ) -> None:
        """Every piece takes its turn on the line, then its time under way, which other pieces share."""
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def arrive() -> None:
            while True:
                due, piece = await under_way.get()
                await asyncio.sleep(due - self._loop.time())
                if not piece:
                    with suppress(OSError):
                        go.write_eof()
                    return
                go.write(piece)
                way.passed += len(piece)
                passed()
                await go.drain()

        async def leave() -> None:
            piece = b"first"
            while piece:
                piece = await come.read(_PIECE)
                way.free = max(way.free, self._loop.time()) + len(piece) / way.rate
                under_way.put_nowait((way.free + way.delay, piece))
                await asyncio.sleep(way.free - _AHEAD - self._loop.time())

        await asyncio.gather(leave(), arrive())

    def _is_up(self) -> None:
        if self._breaks_at is not None and self._up.passed >= self._breaks_at:
            self._breaks_at, self._dead = None, True
            self._drop()


def port_of(address: str) -> int:
    """Of http://127.0.0.1:40123."""
    return int(address.rpartition(":")[2])


@contextmanager
def slow_line(port: int, rate: int, delay: float) -> Iterator[SlowLine]:
    """A line to that port of this machine, until the end."""
    line = SlowLine(port, rate, delay)
    try:
        yield line
    finally:
        line.close()
