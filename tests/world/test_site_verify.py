# SPDX-License-Identifier: AGPL-3.0-or-later
"""latchstring site verify, as a person types it, against a door on a real address: directly, and as through Tor."""

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from latchstring.cli import visiting
from latchstring.cli.main import run
from latchstring.protocol.doorwords import format_link
from latchstring.protocol.primitives import ed25519_public
from latchstring.protocol.site_key import SiteKey
from latchstring.protocol.site_manifest import SiteManifest
from latchstring.site.listing import list_site
from latchstring.site.settings import Settings
from tests.browser.serving import ServedDoor
from tests.signed import ONION, SEED, media_folder
from tests.world.world import World, open_door


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> World:
    world, _ = open_door(tmp_path_factory.mktemp("door"), "news")
    world.renew(site=SiteKey(ed25519_public(SEED)))
    world.tick()
    return world


class Checker:
    """A door that is served, and somebody elsewhere with a terminal."""

    def __init__(self, world: World, settings: Settings, capfd: pytest.CaptureFixture[str]) -> None:
        self.world, self.settings, self.capfd = world, settings, capfd
        self.served = ServedDoor(world, settings)

    def publish(self, n: int = 1, settings: Settings | None = None) -> None:
        """Sign what these settings make of the pages, and lay it where the server looks."""
        directory = self.world.founding.directory
        items = list_site(settings or self.settings, directory)
        assert self.settings.signed is not None
        self.settings.signed.write_bytes(SiteManifest(directory.door, n, items).sign(SEED))

    def verify(self, *args: str, address: str = "", code: int = 0) -> str:
        """Everything printed."""
        link = format_link(self.world.door)
        status = run(["site", "verify", address or self.served.address, "--door", link, *args])
        out, err = self.capfd.readouterr()
        assert status == code, out + err
        return out if "--json" in args else out + err


@pytest.fixture
def checker(
    first: World, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Checker]:
    settings = replace(media_folder(tmp_path), languages=("en",))
    checker = Checker(first.copy(), settings, capfd)
    monkeypatch.setattr(visiting, "time", type("Clock", (), {"time": staticmethod(lambda: checker.world.now)}))
    yield checker
    checker.served.close()


def test_pages_that_are_as_signed(checker: Checker) -> None:
    checker.publish(4)
    assert "As signed: " in checker.verify()
    value = json.loads(checker.verify("--json"))
    assert (value["ok"], value["number"], value["differences"]) == (True, 4, [])
    assert value["by_rules"] == 3
    assert value["door"] == checker.world.door.hex()


def test_pages_that_are_not(checker: Checker) -> None:
    checker.publish(settings=replace(checker.settings, names={"en": "Another Gazette"}, leave="https://example.org/"))
    said = checker.verify(code=3)
    assert "does not serve what the organisation signed as number 1" in said
    assert "  /en/about: its bytes are not those that were signed" in said
    assert "  /leave: the header location is another one" in said
    assert "/static/site.css" not in said
    value = json.loads(checker.verify("--json", code=3))
    assert value["ok"] is False
    assert {"path": "/leave", "what": "the header location is another one"} in value["differences"]


def test_an_address_without_a_list_and_one_with_an_old_one(checker: Checker) -> None:
    assert "serves no signed list of its pages, and the organisation signs one" in checker.verify(code=3)
    checker.publish(2)
    assert "count no more" in checker.verify("--least", "3", code=3)
    checker.world.renew(site=SiteKey(ed25519_public(SEED), 3))
    checker.world.tick()
    assert "it has the number 2, and those below 3 count no more" in checker.verify(code=3)
    checker.publish(3)
    assert "As signed" in checker.verify()


def test_another_door_is_told_before_its_pages_are_looked_at(checker: Checker) -> None:
    checker.publish()
    status = run(["site", "verify", checker.served.address, "--door", format_link(bytes(32))])
    assert status == 3
    assert "not this door" in checker.capfd.readouterr().err


def test_a_door_whose_organisation_signs_nothing(checker: Checker) -> None:
    checker.world.renew(site=None)
    checker.world.tick()
    assert "signs no list of this door's pages" in checker.verify(code=1)


def test_an_address_that_does_not_answer(checker: Checker) -> None:
    checker.publish()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
    said = checker.verify("--at", checker.served.address, address=nobody, code=1)
    assert "Not everything could be compared. The pages do not answer at this address." in said


def test_the_store_may_be_elsewhere(checker: Checker) -> None:
    checker.publish()
    assert "As signed" in checker.verify("--at", checker.served.address)


def test_an_onion_address_is_not_asked_in_the_open(checker: Checker) -> None:
    asked = len(checker.world.traffic)
    assert "add --tor" in checker.verify(address=ONION, code=2)
    assert len(checker.world.traffic) == asked


@pytest.fixture
def tor(checker: Checker) -> Iterator[tuple[str, list[str]]]:
    """A SOCKS5 proxy that leads every name to the door; its address, and the names that it was given."""
    names: list[str] = []
    listener = socket.create_server(("127.0.0.1", 0))
    target = ("127.0.0.1", int(checker.served.address.rsplit(":", 1)[1]))

    def carry(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65_536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # either end has gone

    def work() -> None:
        while True:
            try:
                link, _ = listener.accept()
            except OSError:
                return
            link.recv(262)
            link.sendall(b"\x05\x02")
            link.recv(1024)
            link.sendall(b"\x01\x00")
            asked = link.recv(1024)
            names.append(asked[5 : 5 + asked[4]].decode())
            link.sendall(b"\x05\x00\x00\x01" + bytes(6))
            onward = socket.create_connection(target)
            for pair in ((link, onward), (onward, link)):
                threading.Thread(target=carry, args=pair, daemon=True).start()

    threading.Thread(target=work, daemon=True).start()
    yield f"127.0.0.1:{listener.getsockname()[1]}", names
    listener.close()


def test_through_tor_the_page_for_tor_is_compared(checker: Checker, tor: tuple[str, list[str]]) -> None:
    proxy, names = tor
    checker.publish()
    assert "As signed" in checker.verify("--proxy", proxy, address=ONION)
    assert set(names) == {ONION.removeprefix("http://")}


def test_whoever_checks_looks_like_a_browser(checker: Checker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that serves true pages to programs alone is seen."""
    seen: list[dict[str, str]] = []
    site = checker.served.site

    async def watch(scope, receive, send):  # type: ignore[no-untyped-def]
        seen.append({name.decode(): value.decode() for name, value in scope["headers"]})
        await site(scope, receive, send)

    monkeypatch.setattr(checker.served, "site", watch)
    checker.publish()
    checker.verify()
    assert seen
    for head in seen:
        assert head["user-agent"].startswith("Mozilla/5.0 ")
        assert head["accept-encoding"] == "gzip, deflate"
        assert head["sec-fetch-dest"] in ("document", "script", "style", "image", "empty")
        assert "latchstring" not in str(head)
    assert {"document", "script", "style", "image"} <= {head["sec-fetch-dest"] for head in seen}
