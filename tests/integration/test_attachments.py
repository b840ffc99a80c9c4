# SPDX-License-Identifier: AGPL-3.0-or-later
"""An attachment over real HTTP: the source's line cut, the server killed in the middle, the desk's line cut; nothing
that arrived is sent again, and what is saved is what was attached."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from latchstring.client.transport import HttpTransport, NetworkFailed
from latchstring.demo.door import DemoDoor, found, free_port, wait_for
from latchstring.desk.attachments import items, save
from latchstring.desk.chunks import ChunkFolder
from latchstring.desk.fetching import DEFAULT_CAP, Fetched, fetch
from latchstring.desk.identity import identity
from latchstring.desk.line import Line
from latchstring.desk.progress import followed
from latchstring.desk.sync import SyncReport, synchronise
from latchstring.desk.vault import Vault
from latchstring.protocol import constants as c
from latchstring.protocol.attachment import Attachment
from latchstring.source.acts import compose, keys_for, seal, send
from latchstring.source.upload import OpenFile, Upload
from tests.desk_world import CHEAP

DESK = "newsroom"
CHUNKS = 5


@pytest.fixture
def door(tmp_path: Path) -> Iterator[DemoDoor]:
    made = found(tmp_path / "door", free_port(), 1, 0, cost=CHEAP)
    made.post_directory()
    made.wait_batch(0)
    yield made
    made.stop()


class Relay:
    """Passes bytes on between a client and the server, and cuts the line after so many, counted in one direction."""

    def __init__(self, to: int, upwards: int | None = None, downwards: int | None = None) -> None:
        self.to, self.left = to, {True: upwards, False: downwards}
        self.passed = 0  # bytes towards the server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self.to))
                except OSError:  # it was killed: the line goes on, the connection does not
                    client.close()
                    continue
                for a, b, up in ((client, server, True), (server, client, False)):
                    threading.Thread(target=self._pass, args=(a, b, up), daemon=True).start()

    def _pass(self, a: socket.socket, b: socket.socket, up: bool) -> None:
        with suppress(OSError):
            while data := a.recv(65_536):
                left = self.left[up]
                if left is not None and left < len(data):
                    self.left[up] = None  # one cut, then everything passes
                    b.sendall(data[:left])
                    break
                if left is not None:
                    self.left[up] = left - len(data)
                if up:
                    self.passed += len(data)
                b.sendall(data)
        for end in (a, b):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def close(self) -> None:
        self._listener.close()


@contextmanager
def relayed(
    door: DemoDoor, upwards: int | None = None, downwards: int | None = None
) -> Iterator[tuple[Relay, HttpTransport]]:
    relay = Relay(door.port, upwards, downwards)
    with HttpTransport(f"http://127.0.0.1:{relay.port}") as line:
        yield relay, line
    relay.close()


def _sync(door: DemoDoor, vault: Vault) -> SyncReport:
    with door.transport() as line:
        return synchronise(vault, line, lambda d: d == door.door, lambda: int(time.time()), secrets.token_bytes)


def _fetch(vault: Vault, line: HttpTransport) -> Fetched:
    at = followed(vault)
    signed = Line.of(line, lambda: int(time.time()), secrets.token_bytes, identity(vault), at.state.directory)
    return fetch(vault, signed, at.state.directory.policy, at.batch, DEFAULT_CAP, lambda _what, _done, _of: None)


def _restart(door: DemoDoor) -> subprocess.Popen[bytes]:
    config = str(door.folder / "server.toml")
    process = subprocess.Popen(
        [sys.executable, "-m", "latchstring", "server", "run", "--config", config],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    wait_for(lambda: _answers(door), 60, "the server to come back")
    return process


def _answers(door: DemoDoor) -> bool | None:
    with suppress(NetworkFailed), door.transport() as line:
        return line.request("GET", "/checkpoint").status == 200 or None
    return None


def _open_desk(door: DemoDoor, vault: Vault) -> None:
    for _ in range(20):
        report = _sync(door, vault)
        if report.desk_open:
            return
        door.wait_batch(report.batch + 1)
    raise AssertionError("the desk did not open")


def _write(door: DemoDoor, attachment: Attachment) -> bytes:
    """A letter that names it; its leaf."""
    visit = door.visit()
    keys, msg_id = keys_for(bytes(13), visit, DESK), secrets.token_bytes(16)
    body = replace(compose("look", "en", ()), attachments=(attachment,))
    with door.transport() as line:
        return send(line, visit, seal(visit, keys, body, msg_id), msg_id, lambda _n: time.sleep(0.2)).leaf


def test_cut_on_either_side_and_killed_in_the_middle(door: DemoDoor, tmp_path: Path) -> None:
    plain = secrets.token_bytes(CHUNKS * c.ATTACHMENT_PLAIN - 100)
    path = tmp_path / "scan.pdf"
    path.write_bytes(plain)
    again: list[subprocess.Popen[bytes]] = []
    killed: list[int] = []

    def kill(done: int, _of: int) -> None:
        if done == 3 * c.ATTACHMENT_CHUNK and not killed:
            os.killpg(door.process.pid, signal.SIGKILL)
            door.process.wait()
            killed.append(done)

    def pause(_attempt: int) -> None:
        if killed and not again:
            again.append(_restart(door))

    try:
        with door.vault(DESK) as vault:
            _open_desk(door, vault)
            # the line is cut in the middle of the second piece; later the server is killed after the third
            with relayed(door, upwards=c.ATTACHMENT_CHUNK * 3 // 2) as (relay, line):
                attachment = Upload(OpenFile(path), "scan.pdf", secrets.token_bytes).run(line, pause, kill)
            assert killed
            assert again
            # the two pieces that were under way at a cut went again, everything else once
            assert relay.passed < (CHUNKS + 2) * c.ATTACHMENT_CHUNK
            door.wait_leaf(_write(door, attachment))
            assert _sync(door, vault).tally.new == 1
            with relayed(door, downwards=c.ATTACHMENT_CHUNK * 5 // 2) as (_, line):
                first = _fetch(vault, line)
                assert first.trouble
                assert 0 < first.new < CHUNKS
                second = _fetch(vault, line)
            assert (second.trouble, second.new, second.here) == ("", CHUNKS - first.new, 1)
            folder = ChunkFolder.of(vault)
            (item,) = items(vault, folder)
            save(item, folder, tmp_path / "out", lambda _done, _of: None)
            assert (tmp_path / "out").read_bytes() == plain
    finally:
        for process in again:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(30)
    stored = list((door.folder / "server" / "private" / "attachments").rglob("??" * 32))
    assert len(stored) == CHUNKS, "each piece once, and nothing half written"
