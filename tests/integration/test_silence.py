# SPDX-License-Identifier: AGPL-3.0-or-later
"""A server under load of every kind leaves lines about itself alone: no address, no agent, no path of a request."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from latchstring.client.transport import HttpTransport, NetworkFailed
from latchstring.demo.door import DemoDoor, found, free_port, wait_for
from tests.chaos.live import children
from tests.desk_world import CHEAP

AGENT, PATH, QUERY, HEADER = "rare-agent-4711", "nothing-like-this-path", "rare-query-4712", "rare-header-4713"
VISITORS = [f"127.0.0.{n}" for n in range(90, 98)]
NEEDLES = [AGENT, PATH, QUERY, HEADER, *VISITORS, "GET /", "POST /", "PUT /", "HTTP/1.1", "user-agent"]


def traces(folder: Path) -> list[tuple[str, str]]:
    """(file, word) wherever one of the words is in a file of the folder."""
    return [
        (path.name, word)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        for raw in [path.read_bytes().lower()]
        for word in NEEDLES
        if word.lower().encode() in raw
    ]


def ask(port: int, visitor: str, request: bytes) -> None:
    """Send bytes from an address; whatever comes back is not looked at."""
    try:
        with socket.create_connection(("127.0.0.1", port), 10, (visitor, 0)) as link:
            link.settimeout(0.3)
            link.sendall(request)
            link.recv(100)
    except OSError:
        pass  # refused, cut off or silent: the server's right


def requests() -> list[bytes]:
    """Everything that somebody may send, good and bad."""
    head = f"host: x\r\nuser-agent: {AGENT}\r\nx-rare: {HEADER}\r\n".encode()
    letter = secrets.token_bytes(4096)
    return [
        b"GET /visit?" + QUERY.encode() + b" HTTP/1.1\r\n" + head + b"\r\n",
        b"GET /" + PATH.encode() + b" HTTP/1.1\r\n" + head + b"\r\n",
        b"POST /v1/letters HTTP/1.1\r\n" + head + b"content-length: 4096\r\n\r\n" + letter,
        b"POST /v1/letters HTTP/1.1\r\n" + head + b"content-length: 4096\r\n\r\n" + letter[:100],  # hangs up
        b"POST /v1/letters HTTP/1.1\r\n" + head + b"content-length: 9999999\r\n\r\n" + letter,
        b"POST /v1/directory HTTP/1.1\r\n" + head + b"content-length: 4096\r\n\r\n" + letter,
        b"POST /v1/keynotes HTTP/1.1\r\n"
        + head
        + b"signature: "
        + HEADER.encode()
        + b"\r\ncontent-length: 4\r\n\r\nabcd",
        b"GET /v1/packs/1 HTTP/1.1\r\n" + head + b"\r\n",
        b"PUT /v1/pages/1/0?v=" + QUERY.encode() + b" HTTP/1.1\r\n" + head + b"content-length: 4\r\n\r\nabcd",
        b"GET /../" + PATH.encode() + b" HTTP/1.1\r\n" + head + b"\r\n",
        b"GET /%2e%2e%00" + PATH.encode() + b" HTTP/1.1\r\n" + head + b"\r\n",
        b"BREW /" + PATH.encode() + b" HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01 " + AGENT.encode() + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nx: " + HEADER.encode() * 20_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + head + b"transfer-encoding: chunked\r\n\r\nzz\r\n" + AGENT.encode(),
    ]


@pytest.fixture
def door(tmp_path: Path) -> Iterator[DemoDoor]:
    made = found(tmp_path / "door", free_port(), 1, 0, cost=CHEAP)
    made.post_directory()
    made.wait_batch(0)
    try:
        yield made
    finally:
        made.stop()


def test_under_load_and_with_workers_killed_nothing_of_anybody_is_kept(door: DemoDoor, tmp_path: Path) -> None:
    assert door.stop() == 0
    logs = tmp_path / "logs"
    logs.mkdir()
    with (logs / "output").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "latchstring", "server", "run", "--config", str(door.folder / "server.toml"),
             "--log", str(logs / "server.log"), "--metrics", str(logs / "latchstring.prom")],
            stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
        try:
            wait_for(lambda: _answers(door), 60, "the server to start")
            stop = threading.Event()

            def load(visitor: str) -> None:
                while not stop.is_set():
                    for request in requests():
                        ask(door.port, visitor, request)

            threads = [threading.Thread(target=load, args=(visitor,)) for visitor in VISITORS]
            for thread in threads:
                thread.start()
            before = children(process.pid)
            for child in before[-2:]:
                time.sleep(0.7)
                if _is_worker(child):
                    os.kill(child, signal.SIGKILL)
            wait_for(lambda: _answers(door), 60, "the workers to be replaced")
            time.sleep(1.5)
            stop.set()
            for thread in threads:
                thread.join()
            assert _answers(door)
            wait_for(lambda: (logs / "latchstring.prom").exists() or None, 60, "the metrics")
            assert set(children(process.pid)) != set(before)
        finally:
            os.kill(process.pid, signal.SIGTERM)
            process.wait(60)
    assert traces(logs) == []
    assert traces(door.folder / "server") == []
    assert traces(door.folder) == []
    assert (logs / "output").read_bytes() == b""
    said = (logs / "server.log").read_text()
    assert "The server is running" in said
    assert "Traceback" not in said
    assert "latchstring_newest_batch " in (logs / "latchstring.prom").read_text()
    (logs / "server.log").write_text(f"2026 {VISITORS[3]} GET /{PATH} {AGENT}\n")  # the control: it would be seen
    assert {word for _, word in traces(logs)} >= {VISITORS[3], "GET /", PATH, AGENT}


def _is_worker(pid: int) -> bool:
    """Not the publisher, nor the tracker that Python keeps beside processes it spawned."""
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return b"resource_tracker" not in line


def _answers(door: DemoDoor) -> bool | None:
    try:
        with HttpTransport(door.address) as transport:
            return transport.request("GET", "/checkpoint").status == 200 or None
    except NetworkFailed:
        return None
