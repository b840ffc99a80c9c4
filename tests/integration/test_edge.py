# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where requests come in, on a real socket: heads that are too long, bodies with two ends, what is no HTTP, and readers
who read nothing."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from latchstring.demo.door import free_port, wait_for
from latchstring.workers.edge import HEAD_BYTES
from latchstring.workers.headers import COMMON
from tests.edges import served


def started(guarded: bool) -> Iterator[int]:
    """The port of a server of its own."""
    port = free_port()
    with served(port, guarded):
        wait_for(lambda: answered(port, b"GET / HTTP/1.1\r\n\r\n") or None, 30, "a server")
        yield port


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    yield from started(True)


@pytest.fixture(scope="module")
def bare() -> Iterator[int]:
    """A server without what is tested here: broken in every way."""
    yield from started(False)


def answered(port: int, request: bytes, piece: int = 0) -> bytes:
    """What comes back until the server closes or says no more. `piece`: the request goes in such, of so many bytes."""
    try:
        with socket.create_connection(("127.0.0.1", port), 10) as line:
            for at in range(0, len(request), piece or len(request)):
                line.sendall(request[at : at + (piece or len(request))])
            line.settimeout(0.5)
            said = b""
            while more := line.recv(65536):
                said += more
            return said + b"closed"
    except TimeoutError:
        return said
    except OSError:
        return b""


def head(length: int) -> bytes:
    """A request of so many bytes, all of them its head."""
    before, after = b"GET / HTTP/1.1\r\nhost: x\r\nx-long: ", b"\r\n\r\n"
    return before + b"a" * (length - len(before) - len(after)) + after


def test_a_head_of_the_longest_is_taken(port: int) -> None:
    assert answered(port, head(HEAD_BYTES - 1)).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("piece", [0, 4000])
@pytest.mark.parametrize("length", [HEAD_BYTES + 1, 20_000, 33_000, 66_000, 90_000])
def test_a_longer_one_is_refused(port: int, length: int, piece: int) -> None:
    said = answered(port, head(length), piece)
    assert said == b"" or said.startswith(b"HTTP/1.1 431 "), "cut off while it was being sent, or told"


LENGTH, CHUNKS = b"content-length: 5\r\n", b"transfer-encoding: chunked\r\n"
BOTH = [LENGTH + CHUNKS, CHUNKS + LENGTH, CHUNKS, b"Transfer-Encoding: x, chunked\r\n" + LENGTH]


def two(lines: bytes) -> bytes:
    """A body that ends at once by one header, and by the other goes on into what is a second request by the first."""
    return b"POST / HTTP/1.1\r\nhost: x\r\n" + lines + b"\r\n0\r\n\r\nGET /second HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.mark.parametrize("lines", BOTH)
def test_a_body_whose_end_can_be_seen_in_two_ways_is_not_taken(port: int, lines: bytes) -> None:
    said = answered(port, two(lines))
    assert said.startswith(b"HTTP/1.1 411 ")
    assert said.endswith(b"closed")
    assert said.count(b"HTTP/1.1 ") == 1, "what follows is nobody's request"
    for name, value in (*COMMON, ("connection", "close"), ("cache-control", "no-store")):
        assert f"\r\n{name}: {value}\r\n".encode() in said


@pytest.mark.parametrize(
    "request_",
    [
        b"BREW\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\na b: c\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nabcdef",
        b"POST / HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\nabcdef",
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 120 + b"\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
    ],
)
def test_what_the_library_refuses_by_itself_has_nothing_in_it(port: int, request_: bytes) -> None:
    """No body and no header that speaks of one: there is nothing to run, to frame or to keep."""
    said = answered(port, request_)
    top, _, body = said.partition(b"\r\n\r\n")
    status, *lines = top.split(b"\r\n")
    assert status[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 414", b"HTTP/1.1 431")
    assert {line.partition(b":")[0] for line in lines} <= {b"content-length", b"connection", b"date"}
    assert body == b"closed"


def test_a_server_without_it_takes_them(bare: int) -> None:
    for request in (head(90_000), *map(two, BOTH)):
        assert answered(bare, request).startswith(b"HTTP/1.1 200 ")


def reader(port: int) -> socket.socket:
    """Asks for what is longer than all that lies between."""
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    line.connect(("127.0.0.1", port))
    line.sendall(b"GET /long HTTP/1.1\r\nhost: x\r\n\r\n")
    return line


def held(port: int, line: socket.socket) -> bool:
    """Does the server's end of it still exist? Its own end learns of that only when it sends something."""
    ends = f":{port:04X}", f":{line.getsockname()[1]:04X}"
    table = [row.split()[1:3] for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(here.endswith(ends[0]) and there.endswith(ends[1]) for here, there in table)


def test_who_reads_nothing_is_cut_off_and_who_reads_slowly_is_not(port: int, bare: int) -> None:
    with reader(port) as idle, reader(port) as slow, reader(bare) as kept:
        assert held(port, idle)

        def cut() -> bool | None:
            slow.recv(65_536)
            return None if held(port, idle) else True

        wait_for(cut, 60, "the idle reader to be cut off")
        assert held(port, slow)
        assert held(bare, kept), "a server that waits for ever"
