# SPDX-License-Identifier: AGPL-3.0-or-later
"""A flood against the real server: a source that the desk knows gets in, everyone can read, memory stays bounded, and
of letters without a knock as many get through as the lottery says, whoever wrote them."""

import os
import secrets
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import comb
from pathlib import Path

import pytest

from latchstring.client.visit import VerifiedVisit
from latchstring.demo.door import DemoDoor, found, free_port, wait_for
from latchstring.desk.known import mark_known
from latchstring.log.verify import verify_log
from latchstring.protocol.entry import Kind, entry
from latchstring.protocol.source_keys import SourceKeys
from latchstring.server.lottery import reserve
from latchstring.source import acts
from latchstring.source.sending import knocks_for
from latchstring.store.objects import FolderObjects
from tests.demo_door import with_policy
from tests.desk_world import CHEAP

RSS_BOUND = 700  # MiB, of all processes together: they start at some 250
HEAD = b"POST /v1/letters HTTP/1.1\r\nhost: x\r\ncontent-length: 4096\r\n\r\n"


@pytest.fixture
def door(tmp_path: Path) -> Iterator[DemoDoor]:
    made = found(tmp_path / "door", free_port(), 1, 0, 256, cost=CHEAP)
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


def open_desk(door: DemoDoor) -> None:
    wait_for(lambda: True if door.sync("newsroom").desk_open else None, 120, "the desk to open")


def make_known(door: DemoDoor, bits: bytes) -> None:
    """A source writes, and the desk marks the thread."""
    door.wait_leaf(write(door, bits, "first", False).leaf)
    door.sync("newsroom")
    keys = acts.keys_for(bits, door.visit(), "newsroom")
    with door.vault("newsroom") as vault:
        mark_known(vault, keys.thread_keys.thread(door.door, "newsroom"), True)
    door.sync("newsroom")


def test_a_known_source_gets_in_and_the_server_stays_up(door: DemoDoor, capsys: pytest.CaptureFixture[str]) -> None:
    open_desk(door)
    bits = bytes(13)
    make_known(door, bits)

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


# --- who gets through without a knock --------------------------------------------------------------

LETTERS, QUEUE, ENOUGH = 4, 32, 48
ROOM = QUEUE - reserve(QUEUE)
ACCIDENT = 1e-7  # the chance that a test here fails though everything is as it must be, for each of its bounds


def fair(taken: int) -> tuple[int, int]:
    """Between how many of `taken` letters are honest, when each was with the chance 1/2; else with `ACCIDENT` at most:
    tails of the binomial distribution, added up."""
    low, tail = 0, 1 / 2**taken
    while tail < ACCIDENT / 2:
        low += 1
        tail += comb(taken, low) / 2**taken
    return low, taken - low


@dataclass
class Crowd:
    """People and a flood that send in turns, by the toss of a coin, on the same kind of line: what each got."""

    door: DemoDoor
    visit: VerifiedVisit
    keys: SourceKeys
    sent: Counter[bool] = field(default_factory=Counter)  # by: is it honest?
    taken: Counter[bool] = field(default_factory=Counter)
    receipts: list[bytes] = field(default_factory=list)  # log entries of the honest ones

    def _letter(self) -> bytes:
        return acts.seal(self.visit, self.keys, acts.compose("let me in", "en", ()), secrets.token_bytes(16))

    def run(self, stop: threading.Event) -> None:
        with socket.create_connection(("127.0.0.1", self.door.port)) as link:
            link.settimeout(60)
            letter = self._letter()
            while not stop.is_set():
                honest = bool(secrets.randbits(1))
                link.sendall(HEAD + (letter if honest else secrets.token_bytes(4096)))
                status = link.recv(4096)[9:12]
                assert status in (b"201", b"503")
                self.sent[honest] += 1
                if status == b"201":
                    self.taken[honest] += 1
                    if honest:
                        self.receipts.append(entry(Kind.LETTER, letter))
                        letter = self._letter()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[DemoDoor]:
    """A door that carries away four letters a second: a hundred times that is little for a server."""
    made = with_policy(found(tmp_path / "door", free_port(), 1, 0, QUEUE, cost=CHEAP), letters=LETTERS)
    try:
        made.post_directory()
        made.wait_batch(0)
        open_desk(made)
        yield made
    finally:
        made.stop()


def test_honest_letters_get_through_as_often_as_the_flood_s(
    small: DemoDoor, capsys: pytest.CaptureFixture[str]
) -> None:
    """As `docs/flooding.md` says: at f times what batches carry away each attempt has the chance 1/f, whoever makes it.
    What is let in is what was carried away, but for what waits; and of that the honest have their share."""
    visit = small.visit()
    stop, crowd = threading.Event(), Crowd(small, visit, acts.keys_for(bytes(13), visit, "newsroom"))
    first = visit.manifest.n
    threads = [threading.Thread(target=crowd.run, args=(stop,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        wait_for(lambda: True if crowd.taken.total() >= ENOUGH else None, 120, "letters to get through")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    last = small.visit().manifest.n + 1
    sent, taken, honest = crowd.sent.total(), crowd.taken.total(), crowd.taken[True]
    low, high = fair(taken)
    with capsys.disabled():
        print(
            f"\n  {sent} letters in {last - first} batches, {sent / LETTERS / (last - first):.0f} times the capacity: "
            f"{taken} taken; of {crowd.sent[True]} honest ones {honest} (bounds {low} to {high})"
        )
    assert taken <= LETTERS * (last - first) + ROOM
    assert 0 < low <= honest <= high
    small.wait_batch(last + QUEUE // LETTERS)
    log = small.visit()
    assert all(log.has_leaf(letter) for letter in crowd.receipts), "who was let in is in the log"


@pytest.mark.parametrize("taken", [ENOUGH, ENOUGH + 1, 2 * ENOUGH])
def test_the_bounds_would_notice_and_do_not_fail_by_accident(taken: int) -> None:
    low, high = fair(taken)
    outside = sum(comb(taken, k) for k in range(taken + 1) if not low <= k <= high) / 2**taken
    assert outside <= ACCIDENT
    assert low > 0, "none at all would be noticed"
    assert high < taken, "nobody else, too"
