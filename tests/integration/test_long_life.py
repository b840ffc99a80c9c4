# SPDX-License-Identifier: AGPL-3.0-or-later
"""A door's long life with a real server and the real commands: new root keys, a server killed in between, the end."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from latchstring.demo.door import ORIGIN, PASSPHRASE, DemoDoor, found, free_port, wait_for
from latchstring.log.verify import verify_log
from latchstring.protocol.letter import filler_letter
from tests.desk_world import CHEAP
from tests.integration.typed import typed

NEW = "a passphrase for new keys"


@pytest.fixture
def door(tmp_path: Path) -> Iterator[DemoDoor]:
    made = found(tmp_path / "door", free_port(), 1, 0, 512, cost=CHEAP)
    made.post_directory()
    made.wait_batch(0)
    try:
        yield made
    finally:
        made.stop()


def org(door: DemoDoor, *args: str, passphrases: tuple[str, ...] = (), code: int = 0) -> str:
    """`latchstring org ...` in the door's folder; what it printed."""
    return typed("org", *args, folder=door.folder, passphrases=passphrases, code=code)


def test_new_roots_a_killed_server_and_a_closed_door(door: DemoDoor) -> None:
    before = door.visit()
    org(
        *(door, "root", "rotate", "--root", "root.key", "--out", "new.key", "--previous", "directory.signed"),
        passphrases=(PASSPHRASE, NEW),
    )
    said = org(
        *(door, "directory", "renew", "--root", "new.key", "--rotation", "new.rotation", "--yes"),
        *("--post", door.address),
        passphrases=(NEW,),
    )
    assert "acts from the next batch on" in said
    seen = wait_for(lambda: v if (v := door.visit()).roots.number else None, 60, "the rotation to be logged")
    assert (seen.directory.seq, seen.directory.door) == (2, before.directory.door)

    with door.transport() as transport:
        old = transport.request("POST", "/v1/directory", body=(door.folder / "directory-1.signed").read_bytes())
    assert (old.status, b"were replaced" in old.body) == (403, True)

    os.killpg(door.process.pid, signal.SIGKILL)
    door.process.wait()
    again = subprocess.Popen(
        [sys.executable, "-m", "latchstring", "server", "run", "--config", str(door.folder / "server.toml")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        batch = seen.manifest.n
        seen = door.wait_batch(batch + 2)
        assert seen.roots.number == 1

        org(
            *(door, "close", "--root", "new.key", "--say", "en=We have closed.", "--yes", "--post", door.address),
            passphrases=(NEW,),
        )
        last = wait_for(lambda: v if (v := door.visit()).directory.closed else None, 60, "the closing to be logged")
        assert last.directory.seq == 3
        letter = filler_letter(os.urandom(32), os.urandom(2960))
        with door.transport() as transport:
            answer = transport.request("POST", "/v1/letters", body=letter)
        assert (answer.status, b"closed for good" in answer.body) == (410, True)
        assert any("closed this door for good" in warning for warning in door.sync("newsroom").warnings)
    finally:
        os.killpg(again.pid, signal.SIGTERM)
        again.wait(30)
    published = str(door.folder / "server" / "published")
    checked = subprocess.run(
        [sys.executable, "-m", "latchstring", "log", "verify", published, "--door", door.link, "--json"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert json.loads(checked.stdout)["rotations"] == 1
    report = verify_log(door.log(), door=door.door)
    assert (report.fault, report.rotations, report.directories) == (None, 1, 3)
    assert ORIGIN in (door.folder / "server.toml").read_text()
