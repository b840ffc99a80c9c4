# SPDX-License-Identifier: AGPL-3.0-or-later
"""What crosses the line: nothing that names the sender, and nothing that a server can make the client do."""

import gzip
import socket
import ssl
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchstring.client import transport as module
from latchstring.client.text import one_line, printable
from latchstring.client.transport import (
    HttpTransport,
    NetworkFailed,
    Response,
    is_onion,
    read_address,
    read_proxy,
    tor_proxy,
)
from latchstring.workers.trust import trusted
from tests import selfsigned


@contextmanager
def serving(*answers: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """A server that reads a request and sends fixed bytes; its port and what it was sent."""
    heard: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def work() -> None:
        for answer in answers:
            link, _ = listener.accept()
            with link:
                raw = b""
                while b"\r\n\r\n" not in raw:
                    raw += link.recv(65_536)
                heard.append(raw)
                link.sendall(answer)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1], heard
    finally:
        listener.close()
        thread.join(5)


def answer(body: bytes = b"ok", head: str = "") -> bytes:
    return f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\n{head}connection: close\r\n\r\n".encode() + body


def test_the_same_few_headers_for_everyone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    cookie = "set-cookie: who=you\r\n"
    with serving(answer(head=cookie), answer()) as (port, heard), HttpTransport(f"http://127.0.0.1:{port}") as line:
        assert line.request("GET", "/visit").body == b"ok"
        assert line.request("GET", "/visit").body == b"ok"
    names = [row.split(b":")[0].lower() for row in heard[1].split(b"\r\n")[1:] if row]
    assert sorted(names) == [b"accept", b"accept-encoding", b"connection", b"host", b"user-agent"]
    assert b"who=you" not in heard[1]
    assert heard[0] == heard[1]


def test_a_redirect_is_not_followed() -> None:
    moved = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    with serving(moved) as (port, _), HttpTransport(f"http://127.0.0.1:{port}") as line:
        assert line.request("GET", "/visit").status == 302


@pytest.mark.parametrize("raw", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\ncut"])
def test_a_cut_answer_is_no_answer(raw: bytes) -> None:
    with serving(raw) as (port, _), HttpTransport(f"http://127.0.0.1:{port}") as line, pytest.raises(NetworkFailed):
        line.request("GET", "/visit")


def test_an_answer_without_end_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_VISIT", 1000)
    told = pytest.raises(NetworkFailed, match="more than any door")
    with serving(answer(bytes(100_000))) as (port, _), HttpTransport(f"http://127.0.0.1:{port}") as line, told:
        line.request("GET", "/visit")


@pytest.mark.parametrize("url", ["", "door", "ftp://a", "http://", "http://u:p@a", "http://a/path", "http://[::"])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(NetworkFailed):
        HttpTransport(url)


def test_the_proxy_resolves_the_name_and_each_circuit_is_its_own() -> None:
    """A small SOCKS5 server: it must be given the name, not an address, and a user name nobody had before."""
    seen: list[tuple[bytes, bytes]] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def work() -> None:
        for _ in range(2):
            link, _peer = listener.accept()
            with link:
                link.recv(262)
                link.sendall(b"\x05\x02")
                login = link.recv(1024)
                user = login[2 : 2 + login[1]]
                link.sendall(b"\x01\x00")
                asked = link.recv(1024)
                seen.append((user, asked[:5] + asked[5 : 5 + asked[4]]))
                link.sendall(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
                link.recv(65_536)
                link.sendall(answer())

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    for _ in range(2):
        with HttpTransport("http://example.onion", tor_proxy(f"127.0.0.1:{listener.getsockname()[1]}")) as line:
            assert line.request("GET", "/visit").body == b"ok"
    thread.join(5)
    listener.close()
    assert [ask for _, ask in seen] == [b"\x05\x01\x00\x03\x0d" + b"example.onion"] * 2
    assert seen[0][0] != seen[1][0]


def socks(*says: bytes) -> tuple[bytes, ...]:
    """What a SOCKS5 proxy with user names says in turn."""
    return (b"\x05\x02", b"\x01\x00", *says)


REFUSED = b"\x05\x04\x00\x01\x00\x00\x00\x00\x00\x00"  # host unreachable


@pytest.mark.parametrize(
    ("says", "told"),
    [
        (None, "No SOCKS5 proxy answers at "),
        ((answer(),), "No SOCKS5 proxy answers at "),
        (socks(REFUSED), "The door does not answer"),
    ],
    ids=["nobody listens", "something else listens", "the proxy cannot reach the door"],
)
def test_a_proxy_that_is_none_is_told_from_a_door_that_is_away(says: tuple[bytes, ...] | None, told: str) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    at = f"127.0.0.1:{listener.getsockname()[1]}"

    def work() -> None:
        link, _ = listener.accept()
        with link:
            for said in says or ():
                link.recv(4096)
                link.sendall(said)

    if says is None:
        listener.close()
    thread = threading.Thread(target=work if says is not None else lambda: None, daemon=True)
    thread.start()
    proxy = tor_proxy(at)
    with HttpTransport("http://example.onion", proxy) as line, pytest.raises(NetworkFailed, match=told) as error:
        line.request("GET", "/visit")
    thread.join(5)
    listener.close()
    said = str(error.value)
    assert (at in said, "--proxy 127.0.0.1:9050" in said) == ((told[:2] == "No"),) * 2
    assert not any(secret in said for secret in proxy[10:].split("@")[0].split(":"))


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("127.0.0.1:9150", "127.0.0.1:9150"),
        (" localhost:9050 ", "localhost:9050"),
        ("socks5h://127.0.0.1:9050", "127.0.0.1:9050"),
        ("SOCKS5://tor.example:9050/", "tor.example:9050"),
        ("[::1]:9050", "[::1]:9050"),
    ],
)
def test_a_proxy_as_people_type_it(typed: str, read: str) -> None:
    assert read_proxy(typed) == read
    with HttpTransport("http://example.onion", tor_proxy(typed)):
        pass


@pytest.mark.parametrize(
    "typed",
    ["", " ", "nonsense", "127.0.0.1", "9050", ":9050", "a:0", "a:65536", "a:b", "::1:9050", "http://a:8118", "u:p@a:1",
     "a:1/x", "a b:1", "a:\u0661", "a\x00:1"],
)  # fmt: skip
def test_what_is_no_proxy_is_refused_in_words_and_never_left_out(typed: str) -> None:
    for act in (read_proxy, tor_proxy):
        with pytest.raises(NetworkFailed, match=r"is not the address of a SOCKS5 proxy.*127\.0\.0\.1:9050"):
            act(typed)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain\n\ttext", "plain\n\ttext"),
        ("\x1b[31mred\x07", "<U+001B>[31mred<U+0007>"),
        ("a\u202eb\u2066c", "a<U+202E>b<U+2066>c"),
        ("שלום سلام 👩\u200d🔬", "שלום سلام 👩\u200d🔬"),
        ("\r\x85\u2028", "<U+000D><U+0085><U+2028>"),
    ],
)
def test_strangers_text_cannot_move_the_cursor(raw: str, shown: str) -> None:
    assert printable(raw) == shown


def test_one_line() -> None:
    assert one_line("a\n b\tc" + "d" * 50, 10) == "a b cdddd…"


def raw_answer(head: bytes, body: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\nconnection: close\r\n" + head + b"\r\n" + body


@pytest.mark.parametrize(
    "raw",
    [
        raw_answer(b"content-length: " + b"9" * 5000 + b"\r\n", b"x"),
        raw_answer(b"content-length: -1\r\n", b"x"),
        raw_answer(b"content-length: 1\r\ncontent-length: 2\r\n", b"xy"),
        raw_answer(b"content-length: \xd9\xa1\r\n", b"x"),
        raw_answer(b"transfer-encoding: chunked\r\n", b"zz\r\n"),
        raw_answer(b"transfer-encoding: chunked\r\n", b"5\r\nab"),
        raw_answer(b"transfer-encoding: gzip\r\n", b"ab"),
        raw_answer(b"content-encoding: gzip\r\ncontent-length: 2\r\n", b"ab"),
        raw_answer(b"x: " + b"y" * 200_000 + b"\r\n"),
        raw_answer(b"no colon\r\n"),
        raw_answer(b"\xff\xfe: \x00\r\n"),
        b"HTTP/1.1 99999 No\r\n\r\n",
        b"HTTP/1.1 -1 No\r\n\r\n",
        b"HTTP/3 200 OK\r\n\r\n",
        b"\x16\x03\x01\x02",
        b"HTTP/1.1 200 OK\r\n" * 10,
    ],
    ids=range(16),
)
def test_answers_that_are_none_say_so_calmly(raw: bytes) -> None:
    with serving(raw) as (port, _), HttpTransport(f"http://127.0.0.1:{port}") as line, pytest.raises(NetworkFailed):
        line.request("GET", "/visit")


def packed_answer() -> bytes:
    """A few kilobytes that unpack to many megabytes; packed again and again it would be gigabytes."""
    packed = gzip.compress(bytes(20_000_000), mtime=0)
    return raw_answer(b"content-encoding: gzip\r\ncontent-length: " + str(len(packed)).encode() + b"\r\n", packed)


def test_a_packed_answer_is_never_unpacked() -> None:
    told = pytest.raises(NetworkFailed, match="packs its answers")
    with serving(packed_answer()) as (port, _), HttpTransport(f"http://127.0.0.1:{port}") as line, told:
        line.request("GET", "/visit")


@pytest.mark.parametrize(
    "host",
    ["abcdefgh.onion", "ABCDEFGH.ONION", "abcdefgh.onion.", "x.abcdefgh.onion:80", "abcdefgh。onion", "abcdefgh.onion ",
     "abcdefgh.onion\n", "abcdefgh.onion\t", "abcdefgh.onion\u00a0"],
)  # fmt: skip
def test_an_onion_address_is_never_asked_of_the_open_network(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **_: asked.append(a))
    with pytest.raises(NetworkFailed, match="--tor"):
        HttpTransport(f"http://{host}").request("GET", "/visit")
    with pytest.raises(NetworkFailed, match="--tor"):
        HttpTransport(f"\n http://{host}").request("GET", "/visit")
    assert asked == []
    assert is_onion(f"http://{host}")
    HttpTransport(f"http://{host}", tor_proxy())  # through Tor it is what it is for


@pytest.mark.parametrize("host", ["abcdefgh.onion", " ABCDEFGH.onion:80", "x.abcdefgh.onion./"])
def test_an_onion_address_without_http_is_one_too(host: str) -> None:
    assert is_onion(host)
    assert read_address(host) == f"http://{host.strip()}"
    with pytest.raises(NetworkFailed, match="--tor"):
        HttpTransport(host)
    assert HttpTransport(host, tor_proxy()).authority.lower().startswith(host.strip().lower().split(".onion")[0])


NO_ADDRESSES = ["door.example", "door.example:80", "http:/a.onion", "htp://a.onion", "http://", "http://u@a.onion",
                "http://a.onion/x", "", "http://[::1", "http://a\x00.onion", "http://a:b",
                "http://a.%6fnion"]  # fmt: skip


@pytest.mark.parametrize("typed", NO_ADDRESSES)
def test_what_is_no_address_is_refused_in_words(typed: str) -> None:
    for act in (read_address, HttpTransport):
        with pytest.raises(NetworkFailed, match="begins with http"):
            act(typed)


def test_an_answer_that_drips_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WHOLE_SECONDS", -1.0)
    told = pytest.raises(NetworkFailed, match="too slowly")
    with serving(answer()) as (port, _), HttpTransport(f"http://127.0.0.1:{port}") as line, told:
        line.request("GET", "/visit")


def test_a_post_carries_its_body_and_no_more_headers() -> None:
    with serving(answer()) as (port, heard), HttpTransport(f"http://127.0.0.1:{port}") as line:
        line.request("POST", "/v1/letters", body=b"letter")
    head, body = heard[0].split(b"\r\n\r\n")
    names = [row.split(b":")[0].lower() for row in head.split(b"\r\n")[1:]]
    more = [b"content-length", b"content-type"]
    assert sorted(names) == sorted([b"accept", b"accept-encoding", b"connection", b"host", b"user-agent", *more])
    assert body in (b"letter", b"")  # the body may come in a packet of its own


def test_what_a_refusal_says_is_one_short_line() -> None:
    said = Response(400, b"No.\n\x1b[31m\x00\xff" + b"x" * 10_000).sentence()
    assert said.startswith("No.[31m")
    assert len(said) <= 300
    assert said.isprintable()


def test_progress_is_told() -> None:
    told: list[tuple[int, int | None]] = []
    with serving(answer(bytes(5000))) as (port, _), HttpTransport(f"http://127.0.0.1:{port}") as line:
        line.request("GET", "/visit", progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (5000, 5000)


@given(st.text(max_size=200))
def test_any_text_is_made_safe_for_a_terminal(raw: str) -> None:
    shown = printable(raw)
    for ch in shown:
        assert ch in "\n\t\u200c\u200d" or unicodedata.category(ch)[0] != "C"
        assert unicodedata.bidirectional(ch) not in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
    line = one_line(raw, 20)
    assert len(line) <= 20
    assert "\n" not in line


def test_tls_believes_authorities_for_https_and_nobody_else_ever() -> None:
    """What is asked over http:// could not lead to TLS; if it did, nobody would be believed."""
    for scheme, some in (("https", True), ("http", False)):
        context = trusted(httpx.URL(f"{scheme}://example.org"))
        assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
        assert bool(context.cert_store_stats()["x509_ca"]) is some


def test_a_certificate_that_no_authority_signed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with selfsigned.serving(tmp_path) as (address, certificate):
        with HttpTransport(address) as line, pytest.raises(NetworkFailed):
            line.request("GET", "/visit")
        monkeypatch.setattr("certifi.where", lambda: str(certificate))  # as if it were an authority's
        with HttpTransport(address) as line:
            assert line.request("GET", "/visit").body == b"ok"
