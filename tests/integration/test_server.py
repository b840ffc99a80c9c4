# SPDX-License-Identifier: AGPL-3.0-or-later
"""The real server in real processes: killed in mid-work, every receipt holds; one publisher; a clean end."""

import fcntl
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from latchstring.client.transport import HttpTransport, NetworkFailed
from latchstring.demo.door import DemoDoor, found, free_port, wait_for
from latchstring.log.tiles import entry_range
from latchstring.log.verify import verify_log
from latchstring.protocol.manifest import Manifest
from latchstring.protocol.receipt import Receipt, open_receipt
from tests.desk_world import CHEAP


@pytest.fixture
def door(tmp_path: Path) -> Iterator[DemoDoor]:
    made = found(tmp_path / "door", free_port(), 1, 0, 192, cost=CHEAP)
    made.post_directory()
    made.wait_batch(0)
    try:
        yield made
    finally:
        made.stop()


def _start(door: DemoDoor) -> "subprocess.Popen[bytes]":
    config = str(door.folder / "server.toml")
    return subprocess.Popen(
        [sys.executable, "-m", "latchstring", "server", "run", "--config", config],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _post(door: DemoDoor, stop: threading.Event, receipts: list[Receipt], lock: threading.Lock) -> None:
    """Post letters, each until it is taken, through whatever happens to the server."""
    while not stop.is_set():
        body = secrets.token_bytes(4096)
        while not stop.is_set():
            try:
                with door.transport() as transport:
                    answer = transport.request("POST", "/v1/letters", body=body)
            except NetworkFailed:
                time.sleep(0.05)
                continue
            if answer.status == 201:
                with lock:
                    receipts.append(open_receipt(answer.body, door.directory.receipt_key))
                break
            time.sleep(0.2)


def _positions(door: DemoDoor) -> tuple[dict[bytes, list[int]], dict[int, int]]:
    """Where each entry lies, and the end of each batch."""
    read = door.log()
    report = verify_log(read)
    assert report.ok, report.fault
    entries = entry_range(0, report.size, report.size, read)
    where: dict[bytes, list[int]] = {}
    for i, leaf in enumerate(entries):
        where.setdefault(leaf, []).append(i)
    ends: dict[int, int] = {}
    number, end = report.newest, report.size
    while True:
        manifest = Manifest.parse(read(f"manifests/{number}"))
        ends[number] = end
        if not manifest.first:
            return where, ends
        number, end = manifest.open, manifest.first


@pytest.mark.matrix  # `make chaos` plays more of it, and `test_chaos.py` some in every run
def test_killed_again_and_again_every_receipt_holds(door: DemoDoor) -> None:
    """kill -9 of every process at random moments under load: no acknowledged letter lost, doubled or late, no fork."""
    stop, lock = threading.Event(), threading.Lock()
    receipts: list[Receipt] = []
    writers = [threading.Thread(target=_post, args=(door, stop, receipts, lock)) for _ in range(4)]
    for writer in writers:
        writer.start()
    process: subprocess.Popen[bytes] = door.process
    try:
        for _ in range(3):
            time.sleep(1.0 + secrets.randbelow(1000) / 1000)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            process = _start(door)
            wait_for(lambda: _answers(door), 60, "the server to come back")
        time.sleep(1)
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    latest = max(receipt.publish_by for receipt in receipts)
    door.wait_batch(latest, 90)
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(30) == 0
    where, ends = _positions(door)
    for receipt in receipts:
        places = where.get(receipt.leaf, [])
        assert len(places) == 1, "lost or doubled"
        by = min(n for n in ends if n >= receipt.publish_by)
        assert places[0] < ends[by], "later than the receipt says"
    assert len(receipts) > 20


def _answers(door: DemoDoor) -> bool | None:
    try:
        with HttpTransport(door.address) as transport:
            return transport.request("GET", "/checkpoint").status == 200 or None
    except NetworkFailed:
        return None


def _ended(ports: tuple[int, ...], publisher: Path) -> bool | None:
    """Does no process listen on any of these ports, and is the publisher's lock free?"""
    for port in ports:
        try:
            socket.create_connection(("127.0.0.1", port), 5).close()
        except ConnectionRefusedError:
            continue
        return None
    with publisher.open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return None
    return True


def _kill_rest(*groups: int) -> None:
    for group in groups:
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


def test_killed_alone_the_server_leaves_no_process_behind(door: DemoDoor) -> None:
    """Not its group: whoever started it, or the system when memory is short, kills the one process."""
    with socket.create_connection(("127.0.0.1", door.port)) as slow:
        slow.sendall(b"POST /v1/letters HTTP/1.1\r\nhost: x\r\ncontent-length: 4096\r\n\r\nx")
        os.kill(door.process.pid, signal.SIGKILL)
        lock = door.folder / "server" / "publisher.lock"
        try:
            wait_for(lambda: _ended((door.port,), lock), 30, "workers and publisher to end")
        finally:
            _kill_rest(door.process.pid)


DEMONSTRATION = """
import sys, time
from pathlib import Path
from latchstring.demo.door import found
door = found(Path(sys.argv[1]), int(sys.argv[2]), 1, 0, witnesses=1)
door.post_directory()
door.wait_batch(0)
print(door.witnesses[0].named.address, door.process.pid, door.witnesses[0].process.pid, flush=True)
time.sleep(60)
"""


def test_a_demonstration_that_was_killed_leaves_no_process_behind(tmp_path: Path) -> None:
    folder, port = tmp_path / "door", free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", DEMONSTRATION, str(folder), str(port)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    address, *groups = process.stdout.readline().split()
    process.kill()
    process.communicate()
    ports, lock = (port, httpx.URL(address).port or 0), folder / "server" / "publisher.lock"
    try:
        wait_for(lambda: _ended(ports, lock), 30, "server and witness to end")
    finally:
        _kill_rest(*map(int, groups))


def test_a_second_publisher_refuses_in_words(door: DemoDoor) -> None:
    config = (door.folder / "server.toml").read_text()
    (door.folder / "server2.toml").write_text(config.replace(f"port = {door.port}", f"port = {free_port()}"))
    second = subprocess.run(
        [sys.executable, "-m", "latchstring", "server", "run", "--config", str(door.folder / "server2.toml")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 1
    assert "one store has one publisher" in second.stderr
    assert "Traceback" not in second.stderr
    assert door.process.poll() is None


def test_it_ends_cleanly_and_kept_no_record(door: DemoDoor) -> None:
    with door.transport() as transport:
        transport.request("GET", "/visit")
        transport.request("GET", "/nothing-like-this-path")
        transport.request("POST", "/v1/letters", body=secrets.token_bytes(4096))
    visitor = "127.0.0.93"
    for request in (b"GET /visit HTTP/1.1\r\nhost: x\r\nuser-agent: rare-agent\r\n\r\n", b"GET /nothing-like\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", door.port), 10, (visitor, 0)) as link:
            link.sendall(request)
            link.recv(100)
    assert door.stop() == 0
    said = (door.folder / "server.log").read_bytes()
    assert b"Traceback" not in said
    for path in [door.folder / "server.log", *(p for p in (door.folder / "server").rglob("*") if p.is_file())]:
        raw = path.read_bytes()
        for word in (b"nothing-like", b"rare-agent", b"user-agent", b"GET /", b"POST /", visitor.encode()):
            assert word not in raw, path.name
