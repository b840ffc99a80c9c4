# SPDX-License-Identifier: AGPL-3.0-or-later
"""How pages are fetched for comparing: packed as browsers ask for it, and never more than was waited for."""

import gzip
import tracemalloc
from hashlib import sha256

import pytest

from latchstring.client.transport import NetworkFailed
from latchstring.site.fetching import Line, OddlyPacked, Served, TooLong
from tests.unit.client.test_transport import serving


def raw(body: bytes, *headers: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"content-length: {len(body)}", "connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def fetch(answer: bytes, most: int = 1 << 20, keep: bool = True) -> Served:
    with serving(answer) as (port, _), Line(f"http://127.0.0.1:{port}") as line:
        return line.ask("/static/a.js", "text/javascript; charset=utf-8", most, keep)


BODY = bytes(range(256)) * 4_000
PACKED = "content-encoding: gzip"


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("answer", [raw(BODY), raw(gzip.compress(BODY), PACKED)])
def test_the_bytes_are_those_that_a_browser_has(answer: bytes, keep: bool) -> None:
    served = fetch(answer, len(BODY), keep)
    assert (served.status, served.size, served.digest) == (200, len(BODY), sha256(BODY).digest())
    assert served.body == (BODY if keep else b"")


@pytest.mark.parametrize("answer", [raw(BODY), raw(gzip.compress(BODY), PACKED)])
def test_one_byte_more_than_was_waited_for(answer: bytes) -> None:
    with pytest.raises(TooLong):
        fetch(answer, len(BODY) - 1)


def test_what_unpacks_to_gigabytes_is_broken_off() -> None:
    bomb = gzip.compress(bytes(60_000_000))
    tracemalloc.start()
    with pytest.raises(TooLong):
        fetch(raw(bomb, PACKED), 1000, False)
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


@pytest.mark.parametrize(
    "answer",
    [
        raw(gzip.compress(BODY)[:-1], PACKED),
        raw(gzip.compress(BODY) + b"more", PACKED),
        raw(gzip.compress(b"one") + gzip.compress(b"two"), PACKED),
        raw(b"not packed", PACKED),
        raw(b"", PACKED),
        raw(BODY, "content-encoding: br"),
        raw(gzip.compress(gzip.compress(BODY)), "content-encoding: gzip, gzip"),
    ],
    ids=["cut", "more after it", "two", "none", "empty", "another way", "twice"],
)
def test_what_is_packed_in_another_way_is_not_read(answer: bytes) -> None:
    with pytest.raises(OddlyPacked):
        fetch(answer)


def test_headers_come_as_they_were_sent() -> None:
    served = fetch(raw(b"", "X-One: 1", "x-one: 2", "Set-Cookie: a=b"))
    assert [pair for pair in served.headers if pair[0].startswith("x-")] == [("x-one", "1"), ("x-one", "2")]
    assert ("set-cookie", "a=b") in served.headers


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\ncut"])
def test_no_whole_answer_is_none(answer: bytes) -> None:
    with pytest.raises(NetworkFailed, match="do not answer"):
        fetch(answer)
