# SPDX-License-Identifier: AGPL-3.0-or-later
"""A real server under load whose processes are killed (kill -9) at random moments: all of them, or one; and, where it
has witnesses, they too."""

import os
import random
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from latchstring.client.transport import HttpTransport, NetworkFailed
from latchstring.client.visit import ClockOff
from latchstring.demo.door import DemoDoor, DemoFailed, found, free_port, wait_for
from latchstring.protocol.receipt import open_receipt
from latchstring.server.backup_check import check_backup
from latchstring.server.keys import load_keys
from latchstring.store.objects import FolderObjects
from tests.chaos.examine import Outcome, examine, examine_cosigned
from tests.chaos.witnesses import Witnesses
from tests.desk_world import CHEAP

QUEUE = 512  # a promise of 33 batches
WRITERS = 3


@dataclass
class Seen:
    """What clients hold: receipts, and every checkpoint that was shown to them."""

    stop: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    receipts: list[bytes] = field(default_factory=list)
    checkpoints: set[bytes] = field(default_factory=set)

    def write(self, address: str) -> None:
        """Post letters, each until it is taken, and look at the checkpoint, through whatever happens."""
        while not self.stop.is_set():
            body, status = secrets.token_bytes(4096), 0
            while status != 201 and not self.stop.is_set():
                try:
                    with HttpTransport(address) as transport:
                        answer = transport.request("POST", "/v1/letters", body=body)
                        checkpoint = transport.request("GET", "/checkpoint")
                except NetworkFailed:
                    time.sleep(0.05)
                    continue
                status = answer.status
                with self.lock:
                    if status == 201:
                        self.receipts.append(answer.body)
                    if checkpoint.status == 200:
                        self.checkpoints.add(checkpoint.body)
                self.stop.wait(0.05)


def start(door: DemoDoor) -> "subprocess.Popen[bytes]":
    """The server once more, on what lies in the folder."""
    return subprocess.Popen(
        [sys.executable, "-m", "latchstring", "server", "run", "--config", str(door.folder / "server.toml")],
        stdout=subprocess.DEVNULL,
        stderr=(door.folder / "server.log").open("ab"),
        start_new_session=True,
    )


def back_up(door: DemoDoor) -> "subprocess.Popen[bytes]":
    """A backup into one folder, again and again while the server works."""
    command = [sys.executable, "-m", "latchstring", "server", "backup", "--config", str(door.folder / "server.toml")]
    return subprocess.Popen(
        [*command, "--to", str(door.folder / "backup")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def answers(address: str) -> bool | None:
    """Does a worker answer?"""
    try:
        with HttpTransport(address) as transport:
            return transport.request("GET", "/checkpoint").status == 200 or None
    except NetworkFailed:
        return None


def reached(door: DemoDoor, batch: int) -> bool | None:
    """Is that batch published? Not yet, while a server on a busy machine is still behind its clock."""
    try:
        return door.visit().manifest.n >= batch or None
    except (NetworkFailed, ClockOff):
        return None


def children(pid: int) -> list[int]:
    """The processes that `pid` has started (Linux)."""
    try:
        return [int(x) for x in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def hit(process: "subprocess.Popen[bytes]", chance: random.Random) -> None:
    """Kill everything, or one process of the server; then, since half a server is not one, the rest."""
    some = children(process.pid)
    if some and chance.random() < 0.4:
        one = chance.choice(some)
        try:
            os.kill(one, signal.SIGKILL)
        except ProcessLookupError:
            pass
        time.sleep(chance.random() * 0.5)
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


@dataclass(frozen=True)
class Lived:
    """How many kills of a server there were, of witnesses, and of backups at work; and what is left."""

    kills: int
    witnesses: int
    backups: int
    left: Outcome


def live(
    folder: Path, most: int, until: float, seed: int, step: Callable[[int, int], None], witnesses: int = 0
) -> Lived:
    """Until there were so many kills (or one more), or the monotonic time `until`. `witnesses`: how many, of whom all
    must cosign; then each round ends when something that is newer than its kills is cosigned and out.
    """
    if not most or time.monotonic() >= until:
        return Lived(0, 0, 0, Outcome())
    chance = random.Random(seed)
    door = found(folder, free_port(), 1, 0, QUEUE, witnesses=witnesses, cost=CHEAP)
    beside = Witnesses(door)
    door.post_directory()
    door.wait_batch(0)
    seen, process, kills, backups, faults = Seen(), door.process, 0, 0, list[str]()
    writers = [threading.Thread(target=seen.write, args=(door.address,)) for _ in range(WRITERS)]
    for writer in writers:
        writer.start()
    try:
        try:
            while kills < most and time.monotonic() < until:
                saving = back_up(door) if chance.random() < 0.4 else None
                time.sleep(chance.random() * 1.5)
                before = door.directory.policy.batch_at(int(time.time()))
                if chance.random() < 0.5:
                    beside.hit(chance)
                hit(process, chance)
                kills += 1
                beside.hit(chance)
                if saving is not None:
                    backups += saving.poll() is None
                    saving.kill()
                    saving.wait()
                process = start(door)
                if chance.random() < 0.5:  # again, while it looks at what the first left
                    time.sleep(chance.random() * 1.5)
                    hit(process, chance)
                    kills += 1
                    process = start(door)
                step(kills, most)
                wait_for(lambda: answers(door.address), 60, "the server to come back")
                if witnesses:
                    wait_for(partial(reached, door, before + 1), 120, f"batch {before + 1} to be cosigned")
        except DemoFailed as failed:
            faults.append(str(failed))
        finally:
            seen.stop.set()
            for writer in writers:
                writer.join()
        key = door.directory.receipt_key
        latest = max((open_receipt(raw, key).publish_by for raw in seen.receipts), default=0)
        wait_for(lambda: reached(door, latest), 300, f"batch {latest} to close")
    except DemoFailed as failed:
        faults.append(str(failed))
    finally:
        if process.poll() is None:
            os.kill(process.pid, signal.SIGTERM)
            process.wait(40)
        beside.stop()
    data = door.folder / "server"
    log = load_keys(data / "keys.cbor").verifier(door.directory.origin)
    public, private = FolderObjects(data / "published"), FolderObjects(data / "private")
    outcome = examine(public.get, private.get, seen.receipts, seen.checkpoints, log, door.directory.receipt_key)
    if witnesses:
        outcome += examine_cosigned(public.get, log, door.directory, seen.checkpoints, beside.seen)
    if back_up(door).wait(300):
        faults.append("a backup after all that failed")
    else:
        check_backup(door.folder / "backup", load_keys(data / "keys.cbor"), lambda _what, _done, _of: None)
    return Lived(kills, beside.kills, backups, replace(outcome, faults=(*outcome.faults, *faults)))
