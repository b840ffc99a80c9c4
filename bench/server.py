# SPDX-License-Identifier: AGPL-3.0-or-later
"""A real server for benchmarks, and raw clients that cost little beside it."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.world import BenchDoor
from latchstring.server.config import Config, format_config
from latchstring.server.keys import save_keys


def free_port() -> int:
    """A port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(folder: Path, door: BenchDoor, workers: int) -> Iterator[tuple[int, int]]:
    """The server on `folder`'s store, its queue limit lifted; its port and its process group."""
    port = free_port()
    config = Config(folder, door.directory.door, door.directory.origin, port=port, workers=workers)
    save_keys(config.keys_file, door.intake.keys)
    file = folder / "server.toml"
    file.write_text(format_config(config) + "queue_limit = 100000000\n")
    command = [sys.executable, "-m", "latchstring", "server", "run", "--config", str(file)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        time.sleep(1)  # every worker
        yield port, process.pid
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def cpu_of_group(group: int) -> float:
    """Seconds of CPU of every process of a group, from /proc."""
    tick = os.sysconf("SC_CLK_TCK")
    total = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(stat[2]) == group:
                total += int(stat[11]) + int(stat[12])
    return total / tick


class _Poster(asyncio.Protocol):
    """One connection that sends its requests one after another."""

    def __init__(self, requests: list[bytes], done: asyncio.Future[int]) -> None:
        self._requests, self._done = requests, done
        self._taken = 0
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._next()

    def _next(self) -> None:
        if self._requests:
            self._transport.write(self._requests.pop())
        else:
            self._transport.close()
            if not self._done.done():
                self._done.set_result(self._taken)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 : head.find(b"\r\n", at) if head.find(b"\r\n", at) > 0 else end])
        if len(self._buffer) < end + 4 + length:
            return
        self._taken += head.startswith(b"http/1.1 201")
        self._buffer = self._buffer[end + 4 + length :]
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._done.set_result(self._taken)


async def _post_all(port: int, requests: list[bytes], connections: int) -> int:
    loop = asyncio.get_running_loop()
    waiting = []
    for i in range(connections):
        done: asyncio.Future[int] = loop.create_future()
        mine = requests[i::connections]
        await loop.create_connection(lambda m=mine, d=done: _Poster(m, d), "127.0.0.1", port)  # type: ignore[misc]  # bound now
        waiting.append(done)
    return sum(await asyncio.gather(*waiting))


def post_letters(port: int, letters: list[bytes], connections: int) -> tuple[int, float]:
    """How many of the letters were accepted, and in how many seconds."""
    head = b"POST /v1/letters HTTP/1.1\r\nhost: bench\r\ncontent-length: 4096\r\n\r\n"
    requests = [head + letter for letter in letters]
    start = time.perf_counter()
    taken = asyncio.run(_post_all(port, requests, connections))
    return taken, time.perf_counter() - start


def fetch(port: int, path: str) -> int:
    """Bytes of one answer's body, read and thrown away."""
    with socket.create_connection(("127.0.0.1", port)) as link:
        link.sendall(f"GET {path} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n".encode())
        got = 0
        head = b""
        while chunk := link.recv(1 << 20):
            if b"\r\n\r\n" not in head:
                head += chunk
                got = len(head) - head.find(b"\r\n\r\n") - 4
            else:
                got += len(chunk)
        assert head.startswith(b"HTTP/1.1 200"), head[:80]
        return got
