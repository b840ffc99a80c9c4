# SPDX-License-Identifier: AGPL-3.0-or-later
"""How bytes get to a door and back: over HTTP, through Tor's SOCKS port when asked. Nothing that names the sender:
no cookies, no stored state, no proxy from the environment, the same few headers for everyone."""

import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final, Protocol

import httpx
from socksio import SOCKSError

from latchstring.client.proxied import FIRST_WORD, Trace
from latchstring.client.text import one_line
from latchstring.protocol.visit import MAX_VISIT
from latchstring.workers.trust import trusted

TOR_SOCKS: Final = "127.0.0.1:9050"
NEEDS_TOR: Final = (
    "An .onion address is reached through Tor alone, and asking for it elsewhere would name the door to the network. "
    "Nothing was sent. Start Tor and add --tor, or --proxy with its SOCKS address."
)
_WHOLE_SECONDS: Final = 1800.0  # for one whole answer: /visit comes in half of that at 3 KB a second
_TIMEOUT: Final = httpx.Timeout(120.0, connect=90.0)  # seconds: Tor circuits are slow to build
LINE_FAILED: Final = (httpx.HTTPError, httpx.InvalidURL, OSError, SOCKSError)
"""What asking raises when there is no answer. httpx lets through what its SOCKS half says of a port at which something
else listens."""
_SOCKS: Final = re.compile(
    r"(?:socks5h?://)?(?P<address>(?:[a-z0-9._-]+|\[[0-9a-f:.]+\]):(?P<port>[0-9]{1,5}))/?", re.ASCII | re.IGNORECASE
)
_WHERE_TOR: Final = f"--proxy {TOR_SOCKS} for Tor, --proxy 127.0.0.1:9150 for Tor Browser."

Progress = Callable[[int, int | None], None]


class NetworkFailed(Exception):
    """No answer. The text is for a person."""


class NoProxy(NetworkFailed):
    """No answer of a SOCKS proxy: no other address can be asked through it either."""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer: status and whole body."""

    status: int
    body: bytes = field(repr=False)

    def sentence(self) -> str:
        """What a refusal says, made safe to show."""
        text = self.body[:300].decode("utf-8", "replace").strip()
        return "".join(ch for ch in text if ch.isprintable())


class Transport(Protocol):
    """One way to one door."""

    @property
    def authority(self) -> str:
        """Host and port as the Host header has them."""

    def request(
        self,
        method: str,
        path: str,
        query: str = "",
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> Response:
        """Ask once; NetworkFailed when there is no whole answer."""


def read_proxy(typed: str) -> str:
    """A SOCKS proxy as somebody typed it, as HOST:PORT; `socks5h://` may stand before it. NetworkFailed for anything
    else: what is not understood must neither be asked in its place nor lead into the open."""
    found = _SOCKS.fullmatch(typed.strip())
    if found and 0 < int(found["port"]) < 1 << 16:
        return found["address"]
    raise NetworkFailed(
        f"'{one_line(typed, 100)}' is not the address of a SOCKS5 proxy. It is a host and a port, such as {TOR_SOCKS} "
        "for Tor, 127.0.0.1:9150 for Tor Browser."
    )


def tor_proxy(address: str = TOR_SOCKS) -> str:
    """A SOCKS proxy URL with a user name nobody else has: Tor builds it a circuit of its own. Names are resolved by
    the proxy. NetworkFailed for what is no address of one."""
    return f"socks5h://{secrets.token_hex(8)}:{secrets.token_hex(8)}@{read_proxy(address)}"


def is_onion(address: str) -> bool:
    """Is this address one that only Tor reaches, with `http://` before it or without, and with blanks around it?"""
    try:
        return httpx.URL(_with_scheme(address.strip())).host.rstrip(".").endswith(".onion")
    except httpx.InvalidURL:
        return False


def _with_scheme(address: str) -> str:
    return address if "://" in address else f"http://{address}"


def read_address(typed: str) -> str:
    """What somebody typed, as it is asked: `http://` goes before an onion address that has none. NetworkFailed for what
    is no address, so that nothing is asked instead of what was meant."""
    address = typed.strip()
    if is_onion(address):
        address = _with_scheme(address)
    try:
        url = httpx.URL(address)
        more = set("%?#") & set(address)  # nobody writes a name with %, and some resolver may undo it
        if url.scheme in ("http", "https") and url.host and not url.userinfo and url.path in ("", "/") and not more:
            return address
    except httpx.InvalidURL:
        pass
    raise NetworkFailed(
        f"'{one_line(typed, 100)}' is not an address. One begins with http:// or https://: http://example.onion, "
        "https://example.org."
    )


def open_client(base_url: str, proxy: str | None, headers: Mapping[str, str]) -> httpx.Client:
    """A client for one address that keeps nothing and follows nowhere. NetworkFailed for what is no address, and for an
    onion address without a proxy."""
    address = read_address(base_url)
    url = httpx.URL(address)
    if proxy is None and is_onion(address):  # RFC 7686
        raise NetworkFailed(NEEDS_TOR)
    try:
        return httpx.Client(
            base_url=url,
            proxy=proxy,
            verify=trusted(url),
            trust_env=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # takes none, so sends none back
            follow_redirects=False,
            timeout=_TIMEOUT,
            headers=headers,
        )
    except (ValueError, httpx.InvalidURL):
        raise NetworkFailed("That is not the address of a SOCKS proxy, such as 127.0.0.1:9150.") from None


class HttpTransport:
    """Over HTTP or HTTPS, directly or through a SOCKS proxy. A context manager."""

    def __init__(self, base_url: str, proxy: str | None = None) -> None:
        self._client = open_client(
            base_url, proxy, {"user-agent": "latchstring", "accept": "*/*", "accept-encoding": "identity"}
        )
        self._authority = self._client.base_url.netloc.decode("ascii")
        self._proxy = httpx.URL(proxy).netloc.decode("ascii") if proxy else ""

    @property
    def authority(self) -> str:
        return self._authority

    def __enter__(self) -> "HttpTransport":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def request(
        self,
        method: str,
        path: str,
        query: str = "",
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> Response:
        target = path + (f"?{query}" if query else "")
        sent = {"content-type": "application/octet-stream", **(headers or {})} if body else dict(headers or {})
        trace = Trace()
        traced = {"trace": trace}
        try:
            with self._client.stream(method, target, content=body or None, headers=sent, extensions=traced) as answer:
                length = answer.headers.get("content-length", "")
                total = int(length) if length.isascii() and length.isdigit() else None
                if answer.headers.get("content-encoding", "identity").lower() != "identity":
                    raise NetworkFailed("The server packs its answers, which no door does. Try another address.")
                got, until = bytearray(), time.monotonic() + _WHOLE_SECONDS
                for chunk in answer.iter_raw():  # as it came: what unpacks to gigabytes is not unpacked
                    got += chunk
                    if time.monotonic() > until:
                        raise NetworkFailed("The answer comes too slowly to be waited for. Try another address.")
                    if len(got) > MAX_VISIT:
                        raise NetworkFailed("The server sends more than any door would. Try another address.")
                    if progress is not None:
                        progress(len(got), total)
                return Response(answer.status_code, bytes(got))
        except LINE_FAILED as failed:
            if trace.silent(failed):
                raise NoProxy(
                    f"Something listens at {self._proxy} and says nothing for {FIRST_WORD:.0f} s, where a SOCKS5 proxy "
                    "answers at once: it is probably not Tor. Nothing was sent to the door. Start Tor, or name the "
                    f"port at which it listens: {_WHERE_TOR}"
                ) from None
            if trace.no_proxy(failed):
                raise NoProxy(
                    f"No SOCKS5 proxy answers at {self._proxy}. Start Tor, or name the port at which it listens: "
                    + _WHERE_TOR
                ) from None
            raise NetworkFailed(
                "The door does not answer at this address. Check the network (and that Tor runs, if you use it), "
                "then try again or use another of its addresses."
            ) from None
