# SPDX-License-Identifier: AGPL-3.0-or-later
"""A flood against the real server, a hundred times what batches carry away: everyone can read, memory stays bounded, of
letters without a knock as many get through as the lottery says, whoever wrote them, and a source that the desk knows
gets in.

How many times is counted, not timed: the door's clock stands still (`clocked.py`) until so many letters were sent.
"""

import os
import secrets
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import comb
from pathlib import Path

import pytest

from latchstring.client.visit import VerifiedVisit
from latchstring.demo.door import found, free_port, wait_for
from latchstring.desk.known import mark_known
from latchstring.log.verify import verify_log
from latchstring.protocol.constants import DEFAULT_TICK_SECONDS
from latchstring.protocol.entry import Kind, entry
from latchstring.protocol.knock import Knock
from latchstring.protocol.source_keys import SourceKeys
from latchstring.server.lottery import reserve
from latchstring.source import acts
from latchstring.source.sending import knocks_for
from tests.adversary.tools import fewer_pages
from tests.demo_door import with_policy
from tests.desk_world import CHEAP
from tests.integration.clocked import Clock, Person, Running

DESK = "newsroom"
TIMES = 100  # what batches carry away
LETTERS, QUEUE, ENOUGH = 4, 32, 32
ROOM = QUEUE - reserve(QUEUE)
ACCIDENT = 1e-7  # the chance that a test here fails though everything is as it must be, for each of its bounds
RSS_BOUND = 700  # MiB, of all processes together: they start at some 250
PATIENCE = 240  # seconds for four hundred letters, whatever the machine is busy with
HEAD = b"POST /v1/letters HTTP/1.1\r\nhost: x\r\ncontent-length: 4096\r\n\r\n"


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """A door of few letters a batch, whose desk is open."""
    fewer_pages(monkeypatch)
    clock = Clock(tmp_path, monkeypatch)
    made = with_policy(
        found(tmp_path / "door", free_port(), DEFAULT_TICK_SECONDS, 0, QUEUE, cost=CHEAP), letters=LETTERS
    )
    try:
        made.post_directory()
        yield Running(made, clock)
    finally:
        made.stop()


@contextmanager
def slow(port: int, many: int) -> Iterator[None]:
    """Connections that begin a letter and never end it."""
    links = [socket.create_connection(("127.0.0.1", port)) for _ in range(many)]
    try:
        for link in links:
            link.sendall(HEAD + b"x")
        yield
    finally:
        for link in links:
            link.close()


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


def write(running: Running, bits: bytes, text: str, knock: bool) -> acts.Sent:
    visit, msg_id = running.visit(), secrets.token_bytes(16)
    keys = acts.keys_for(bits, visit, DESK)
    letter = acts.seal(visit, keys, acts.compose(text, "en", ()), msg_id)
    note = visit.note(DESK)
    assert note is not None
    knocks: tuple[Knock, ...] = knocks_for(keys, note, secrets.token_bytes) if knock else ()
    with running.door.transport() as transport:
        return acts.send(transport, visit, letter, msg_id, lambda _attempt: None, knocks, 1)


def at_desk(running: Running) -> Person:
    """The desk's only member."""
    door = running.door
    return Person(f"{DESK}-1", door.vault_file(DESK), door.vault(DESK), 0, door, running.clock)


def make_known(running: Running, bits: bytes) -> None:
    """The desk opens, a source writes, and the desk marks the thread."""
    member = at_desk(running)
    for _ in range(3):
        running.let_pass(1)
        member.session(memos=False)
    write(running, bits, "first", False)
    running.let_pass(1)
    member.session(memos=False)
    keys = acts.keys_for(bits, running.visit(), DESK)
    mark_known(member.vault, keys.thread_keys.thread(running.door.door, DESK), True)
    assert not member.session(memos=False).faults
    member.vault.close()


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

    port: int
    visit: VerifiedVisit
    keys: SourceKeys
    sent: Counter[bool] = field(default_factory=Counter)  # by: is it honest?
    taken: Counter[bool] = field(default_factory=Counter)
    answers: Counter[bytes] = field(default_factory=Counter)
    receipts: list[bytes] = field(default_factory=list)  # log entries of the honest ones

    def _letter(self) -> bytes:
        return acts.seal(self.visit, self.keys, acts.compose("let me in", "en", ()), secrets.token_bytes(16))

    def run(self, stop: threading.Event) -> None:
        """Letters one after the other over one connection, as fast as they are answered."""
        with socket.create_connection(("127.0.0.1", self.port)) as link:
            link.settimeout(60)
            letter = self._letter()
            while not stop.is_set():
                honest = bool(secrets.randbits(1))
                link.sendall(HEAD + (letter if honest else secrets.token_bytes(4096)))
                status = link.recv(4096)[9:12]
                self.answers[status] += 1
                self.sent[honest] += 1
                if status == b"201":
                    self.taken[honest] += 1
                    if honest:
                        self.receipts.append(entry(Kind.LETTER, letter))
                        letter = self._letter()

    def flood(self, batches: int) -> None:
        """Wait until they have sent `TIMES` what so many batches carry away."""
        enough = TIMES * LETTERS * batches
        wait_for(lambda: self.sent.total() >= enough or None, PATIENCE, f"{enough} letters to be sent")


@contextmanager
def sending(crowd: Crowd) -> Iterator[None]:
    stop = threading.Event()
    threads = [threading.Thread(target=crowd.run, args=(stop,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_a_hundred_times_what_batches_carry_away(running: Running, capsys: pytest.CaptureFixture[str]) -> None:
    """As `docs/flooding.md` says: each attempt has the same chance, whoever makes it; what is let in is what was
    carried away, but for what waits, and of that the honest have their share. A known source needs no luck."""
    bits = bytes(13)
    make_known(running, bits)
    visit = running.visit()
    first, closed = visit.manifest.n, 0
    crowd = Crowd(running.door.port, visit, acts.keys_for(bits, visit, DESK))
    with slow(running.door.port, 300), sending(crowd):
        while crowd.taken.total() < ENOUGH:
            crowd.flood(closed + 1)
            closed = running.let_pass(1).manifest.n - first  # somebody reads meanwhile
        crowd.flood(closed + 1)
        known = write(running, bits, "through the flood", True)
        used = megabytes(os.getpgid(running.door.process.pid))
    sent, taken, honest = crowd.sent.total(), crowd.taken.total(), crowd.taken[True]
    low, high = fair(taken)
    with capsys.disabled():
        print(
            f"\n  flood: {sent} letters in {closed + 1} ticks, {sent / LETTERS / (closed + 1):.0f} times the capacity: "
            f"{taken} taken; of {crowd.sent[True]} honest ones {honest} (bounds {low} to {high}); memory of the "
            f"server's processes {used} MiB (bound {RSS_BOUND})"
        )
    assert sent >= TIMES * LETTERS * (closed + 1)
    assert set(crowd.answers) == {b"201", b"503"}
    assert taken <= LETTERS * closed + ROOM
    assert 0 < low <= honest <= high
    assert used < RSS_BOUND
    log = running.let_pass(QUEUE // LETTERS)
    assert all(log.has_leaf(leaf) for leaf in (known.leaf, *crowd.receipts)), "who was let in is in the log"
    report = verify_log(running.door.log())
    assert report.ok, report.fault


@pytest.mark.parametrize("taken", [ENOUGH, ENOUGH + 1, 2 * ENOUGH])
def test_the_bounds_would_notice_and_do_not_fail_by_accident(taken: int) -> None:
    low, high = fair(taken)
    outside = sum(comb(taken, k) for k in range(taken + 1) if not low <= k <= high) / 2**taken
    assert outside <= ACCIDENT
    assert low > 0, "none at all would be noticed"
    assert high < taken, "nobody else, too"
