# SPDX-License-Identifier: AGPL-3.0-or-later
"""A port that is named as Tor's, where something takes the connection and says nothing, or stops in the middle."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from latchstring.client import proxied
from latchstring.client.proxied import Trace
from latchstring.client.transport import HttpTransport, NetworkFailed, NoProxy, tor_proxy
from latchstring.site.fetching import Line

SHORT = 0.1
HANGS_UP = 1.0  # seconds: long after the program should have


@dataclass
class StandIn:
    """Something that listens where a proxy should; `came`: how many connections it took."""

    at: str
    came: list[bytes] = field(default_factory=list)


@contextlib.contextmanager
def stand_in(*says: bytes, patience: float = 30.0) -> Iterator[StandIn]:
    """Says so much in turn, then nothing until the other side or its own patience is at an end."""
    listener = socket.create_server(("127.0.0.1", 0))
    made = StandIn(f"127.0.0.1:{listener.getsockname()[1]}")

    def work() -> None:
        with contextlib.suppress(OSError):
            while True:
                link, _ = listener.accept()
                with link, contextlib.suppress(OSError):
                    link.settimeout(patience)
                    made.came.append(link.recv(4096))
                    for said in says:
                        link.sendall(said)
                        link.recv(4096)
                    link.recv(4096)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxied, "FIRST_WORD", SHORT)
    monkeypatch.setattr(proxied, "FURTHER_WORDS", SHORT)


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("broken", [False, True])
def test_who_never_says_a_word_is_probably_not_tor(broken: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """`broken`: it is listened to for as long as it likes, so that it is the stand-in that hangs up."""
    if broken:
        monkeypatch.setattr(Trace, "_listen", lambda *_: None)
    with stand_in(patience=HANGS_UP if broken else 30.0) as proxy:
        with HttpTransport("http://a.onion", tor_proxy(proxy.at)) as line, pytest.raises(NoProxy) as told:
            line.request("GET", "/visit")
        assert proxy.at in str(told.value)
        assert ("it is probably not Tor" in str(told.value)) is not broken
        assert len(proxy.came) == 1


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("says", [(b"\x05\x02",), (b"\x05\x02", b"\x01\x00")], ids=["a first word", "two"])
def test_a_proxy_that_finds_no_way_is_not_called_none(says: tuple[bytes, ...]) -> None:
    """As Tor when it is not connected."""
    with stand_in(*says) as proxy, HttpTransport("http://a.onion", tor_proxy(proxy.at)) as line:
        with pytest.raises(NetworkFailed, match="The door does not answer") as told:
            line.request("GET", "/visit")
        assert not isinstance(told.value, NoProxy)


@pytest.mark.usefixtures("short")
def test_nor_are_pages_waited_for_behind_one() -> None:
    with stand_in() as proxy, Line("http://a.onion", tor_proxy(proxy.at)) as line:
        with pytest.raises(NetworkFailed, match="The pages do not answer"):
            line.ask("/", "text/html", 1000, False)
        assert len(proxy.came) == 1
