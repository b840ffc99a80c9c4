# SPDX-License-Identifier: AGPL-3.0-or-later
"""A flood against the real server: a source that the desk knows gets in, everyone can read, memory stays bounded."""

import os
import secrets
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from latchstring.demo.door import DemoDoor, found, free_port, wait_for
from latchstring.desk.known import mark_known
from latchstring.log.verify import verify_log
from latchstring.source import acts
from latchstring.source.sending import knocks_for
from latchstring.store.objects import FolderObjects

RSS_BOUND = 700  # MiB, of all processes together: they start at some 250
HEAD = b"POST /v1/letters HTTP/1.1\r\nhost: x\r\ncontent-length: 4096\r\n\r\n"


@pytest.fixture
def door(tmp_path: Path) -> Iterator[DemoDoor]:
    made = found(tmp_path / "door", free_port(), 1, 0, 256)
    made.post_directory()
    made.wait_batch(0)
    try:
        yield made
    finally:
        made.stop()


def flood(port: int, stop: threading.Event, statuses: Counter[bytes]) -> None:
    """Letters one after the other over one connection, as fast as they are answered."""
    with socket.create_connection(("127.0.0.1", port)) as link:
        link.settimeout(60)
        while not stop.is_set():
            link.sendall(HEAD + secrets.token_bytes(4096))
            answer = link.recv(4096)
            statuses[answer[9:12]] += 1


def slow(port: int, many: int) -> list[socket.socket]:
    """Connections that begin a letter and never end it."""
    links = [socket.create_connection(("127.0.0.1", port)) for _ in range(many)]
    for link in links:
        link.sendall(HEAD + b"x")
    return links


def megabytes(group: int) -> int:
    """Resident memory of a process group, MiB."""
    pages = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if int((folder / "stat").read_text().rsplit(")", 1)[1].split()[2]) == group:
                pages += int((folder / "statm").read_text().split()[1])
        except OSError:
            continue  # it has ended meanwhile
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20


def write(door: DemoDoor, bits: bytes, text: str, knock: bool) -> acts.Sent:
    visit, msg_id = door.visit(), secrets.token_bytes(16)
    keys = acts.keys_for(bits, visit, "newsroom")
    letter = acts.seal(visit, keys, acts.compose(text, "en", ()), msg_id)
    note = visit.note("newsroom")
    assert note is not None
    knocks = knocks_for(keys, note, secrets.token_bytes) if knock else ()
    with door.transport() as transport:
        return acts.send(transport, visit, letter, msg_id, lambda _attempt: None, knocks, 1)


def test_a_known_source_gets_in_and_the_server_stays_up(door: DemoDoor, capsys: pytest.CaptureFixture[str]) -> None:
    def is_open() -> bool | None:
        return True if door.sync("newsroom").desk_open else None

    wait_for(is_open, 120, "the desk to open")
    bits = bytes(13)
    door.wait_leaf(write(door, bits, "first", False).leaf)
    door.sync("newsroom")
    keys = acts.keys_for(bits, door.visit(), "newsroom")
    with door.vault("newsroom") as vault:
        mark_known(vault, keys.thread_keys.thread(door.door, "newsroom"), True)
    door.sync("newsroom")

    stop, statuses = threading.Event(), Counter[bytes]()
    flooders = [threading.Thread(target=flood, args=(door.port, stop, statuses)) for _ in range(4)]
    held = slow(door.port, 300)
    for flooder in flooders:
        flooder.start()
    try:
        wait_for(lambda: True if statuses[b"503"] > 200 else None, 60, "the door to be full")
        sent = write(door, bits, "through the flood", True)
        door.wait_leaf(sent.leaf)  # it reads /visit meanwhile
        used = megabytes(os.getpgid(door.process.pid))
    finally:
        stop.set()
        for flooder in flooders:
            flooder.join()
        for link in held:
            link.close()
    with capsys.disabled():
        print(f"\n  flood: {dict(statuses)}; memory of the server's processes {used} MiB (bound {RSS_BOUND})")
    assert set(statuses) <= {b"201", b"503"}
    assert used < RSS_BOUND
    report = verify_log(FolderObjects(door.folder / "server" / "published").get)
    assert report.ok, report.fault
