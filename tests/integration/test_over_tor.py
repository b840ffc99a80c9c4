# SPDX-License-Identifier: AGPL-3.0-or-later
"""A door behind an onion service, as `deploy/torrc.example` sets one up, in a whole Tor network on this machine: a
source's letter with files, its answer, the pages, and whoever compares them."""

import json
import secrets
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from latchstring.client.transport import HttpTransport, NetworkFailed, tor_proxy
from latchstring.demo.door import PASSPHRASE, DemoDoor, free_port, wait_for
from latchstring.desk.vault import VAULT_COST
from latchstring.protocol.constants import TICKS_PER_SHEET
from latchstring.protocol.doorwords import format_link
from latchstring.protocol.passphrase import generate
from latchstring.protocol.wordlist import load
from tests.demo_door import running
from tests.integration.typed import typed
from tests.tor_network import Ports, TorNetwork, tor_network

EXAMPLE = Path(__file__).parents[2] / "deploy" / "torrc.example"
LIE = b"<!-- and a word more -->"

pytestmark = pytest.mark.matrix


class Liar(BaseHTTPRequestHandler):
    """Stands at an onion address of its own and passes everything on to the door; one page gets a word more."""

    door = ""

    def do_GET(self) -> None:
        head = {"host": self.headers["host"], "accept-encoding": "identity"}
        answer = httpx.get(self.door + self.path, headers=head, trust_env=False, timeout=60)
        body = answer.content + (LIE if self.path == "/en/about" else b"")
        self.send_response(answer.status_code)
        for name, value in answer.headers.multi_items():
            if name not in ("content-length", "connection", "date", "server"):
                self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def ports() -> Ports:
    """Of everybody in this story."""
    return Ports()


@pytest.fixture(scope="module")
def lying(ports: Ports) -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", ports.get()), Liar) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def tor(ports: Ports, lying: ThreadingHTTPServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TorNetwork]:
    if shutil.which("tor") is None:
        pytest.skip("tor is not on this machine: nothing is shown here of what goes over it")
    port = ports.get()
    Liar.door = f"http://127.0.0.1:{port}"
    lines = [line for line in EXAMPLE.read_text("utf-8").splitlines() if not line.startswith("Log ")]
    text = "\n".join(lines).replace("SocksPort 127.0.0.1:9050", "SocksPort 0")
    text = text.replace("/var/lib/tor/latchstring/", "{home}/door").replace("127.0.0.1:8400", f"127.0.0.1:{port}")
    other = f"\nHiddenServiceDir {{home}}/liar\nHiddenServicePort 80 127.0.0.1:{lying.server_port}\n"
    with tor_network(tmp_path_factory.mktemp("tor"), text + other, ports) as network:
        yield network


@pytest.fixture(scope="module")
def door(tor: TorNetwork, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoDoor]:
    """It names its onion address, first, and its pages are signed."""
    port = int(Liar.door.rpartition(":")[2])
    with running(tmp_path_factory.mktemp("demo"), port, VAULT_COST) as made:
        draft = made.folder / "directory.toml"
        draft.write_text(draft.read_text().replace("addresses = [", f'addresses = ["{tor.onion("door")}", '))
        org(made, "site", "key")
        names = ("directory.toml", "--previous", "directory.signed", "--out", "next.signed")
        signing = ("org", "directory", "sign", *names, "--add", "site-card.toml", "--yes", "--post", made.address)
        org(made, *signing)
        org(made, "site", "sign", "--directory", "next.signed")
        made.wait_batch(made.visit().manifest.n + 2)
        for service in ("door", "liar"):
            wait_for(partial(reached, tor, service), 180, "the onion service to be found")
        yield made


def org(door: DemoDoor, *args: str) -> str:
    return typed(*args, folder=door.folder, passphrases=(PASSPHRASE,))


def reached(tor: TorNetwork, service: str) -> bool | None:
    try:
        with HttpTransport(tor.onion(service), tor_proxy(tor.socks)) as line:
            return line.request("GET", "/checkpoint").status == 200 or None
    except NetworkFailed:
        return None


def value(printed: str) -> dict[str, Any]:
    """The JSON that a command printed before it said anything to a person."""
    found: dict[str, Any] = json.JSONDecoder().raw_decode(printed)[0]
    return found


def verify(door: DemoDoor, tor: TorNetwork, service: str, code: int = 0) -> dict[str, Any]:
    at = (tor.onion(service), "--proxy", tor.socks)
    link = format_link(door.door)
    return value(typed("site", "verify", *at, "--door", link, "--json", folder=door.folder, code=code))


def test_the_pages_are_compared_over_tor(door: DemoDoor, tor: TorNetwork) -> None:
    said = verify(door, tor, "door")
    assert (said["ok"], said["differences"]) == (True, [])
    assert said["address"] == tor.onion("door")
    assert said["addresses"] > said["by_rules"] > 0


def test_who_serves_other_pages_at_an_onion_address_is_found_out(door: DemoDoor, tor: TorNetwork) -> None:
    (found,) = verify(door, tor, "liar", code=3)["differences"]
    assert found["path"] == "/en/about"


def test_who_comes_in_the_open_is_told_of_the_onion_address_and_who_comes_by_tor_that_they_did(
    door: DemoDoor, tor: TorNetwork
) -> None:
    in_the_open = httpx.get(f"{door.address}/en/before", trust_env=False)
    assert in_the_open.headers["onion-location"] == f"{tor.onion('door')}/en/before"
    with HttpTransport(tor.onion("door"), tor_proxy(tor.socks)) as line:
        by_tor = line.request("GET", "/en/before").body.decode()
    assert "You came by our Tor address" in by_tor
    assert "You came by our Tor address" not in in_the_open.text


def test_pages_that_are_served_alone_ask_the_door_over_tor(door: DemoDoor, tor: TorNetwork, tmp_path: Path) -> None:
    with tor.watched() as watch:
        with alone(door, tor, tmp_path) as address:
            status = httpx.get(f"{address}/en/status", trust_env=False)
        assert watch.circuits(tor.onion("door"))
    assert "The door is open" in status.text


@contextmanager
def alone(door: DemoDoor, tor: TorNetwork, folder: Path) -> Iterator[str]:
    """`site run` on another machine than the store: its address."""
    address = f"http://127.0.0.1:{(port := free_port())}"
    way = ("--door", format_link(door.door), "--at", tor.onion("door"), "--proxy", tor.socks, "--port", str(port))
    process = subprocess.Popen([sys.executable, "-m", "latchstring", "site", "run", *way], cwd=folder)
    try:
        wait_for(lambda: served(address), 120, "the pages to be served")
        yield address
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def served(address: str) -> bool | None:
    try:
        return httpx.get(f"{address}/en/status", trust_env=False, timeout=60).status_code == 200 or None
    except httpx.HTTPError:
        return None


def test_each_line_goes_by_a_circuit_of_its_own(door: DemoDoor, tor: TorNetwork) -> None:
    """Since each has a name of its own; with one name Tor takes one circuit for all, and the test would see it."""
    same = tor_proxy(tor.socks)
    assert len(went(tor, [tor_proxy(tor.socks), tor_proxy(tor.socks), tor_proxy(tor.socks)])) == 3
    assert len(went(tor, [same, same, same])) == 1


def went(tor: TorNetwork, proxies: list[str]) -> set[str]:
    """The circuits that lines took, each by one of these."""
    with tor.watched() as watch:
        for proxy in proxies:
            with HttpTransport(tor.onion("door"), proxy) as line:
                assert line.request("GET", "/checkpoint").status == 200
        return set(watch.circuits(tor.onion("door")))


def test_a_letter_with_files_and_its_answer(door: DemoDoor, tor: TorNetwork, tmp_path: Path) -> None:
    words = " ".join(generate(secrets.token_bytes).words(load()))
    way = ("--door", format_link(door.door), "--at", tor.onion("door"), "--proxy", tor.socks, "--desk", "newsroom")
    files = write_files(tmp_path)
    wrote = ("source", "write", *way, "--file", "letter.txt", *files, "--wait", "--json")
    with tor.watched() as watch:
        sent = value(typed(*wrote, folder=tmp_path, passphrases=(words,)))
        circuits = watch.circuits(tor.onion("door"))
    assert (sent["in_log"], sent["attachments"]) == (True, 2)
    assert len(set(circuits)) >= 4, "the visit and the letter, each file, and the look whether it is there"
    vault = ("--vault", "newsroom.vault")
    sync = ("desk", "sync", *vault, "--at", tor.onion("door"), "--proxy", tor.socks)
    org(door, *sync)
    mark = sent["mark"][:8]
    assert "By Tor" in org(door, "desk", "show", mark, *vault)
    org(door, "desk", "attachments", "save", mark, "1", "--out", str(tmp_path / "saved.bin"), *vault)
    assert (tmp_path / "saved.bin").read_bytes() == (tmp_path / "a.bin").read_bytes()
    (door.folder / "answer.txt").write_text("We read it.")
    org(door, "desk", "reply", mark, "--file", "answer.txt", *vault)

    org(door, *sync)
    door.wait_batch(door.visit().manifest.n + 2 * TICKS_PER_SHEET, 240)
    assert "We read it." in typed("source", "read", *way, folder=tmp_path, passphrases=(words,))


def write_files(folder: Path) -> list[str]:
    """A letter, and two files that go with it, as they are named in a command."""
    (folder / "letter.txt").write_text("By Tor.")
    (folder / "a.bin").write_bytes(secrets.token_bytes(300_000))
    (folder / "b.bin").write_bytes(secrets.token_bytes(100))
    return ["--attach", "a.bin", "--attach", "b.bin"]
