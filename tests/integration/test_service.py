# SPDX-License-Identifier: AGPL-3.0-or-later
"""The command lines of `deploy/*.service`, run under the rules that their files name: a door opens, serves its pages,
takes letters, is backed up and stops in time.

What is left out: users, folders and namespaces, which need systemd as process 1.
"""

import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from latchstring.demo.door import DemoDoor, found, free_port, wait_for
from tests.chaos.live import answers
from tests.integration.confined import allowed, settings

ROOT = Path(__file__).parents[2]
SERVER, BACKUP = (ROOT / "deploy" / name for name in ("latchstring.service", "latchstring-backup.service"))
PROGRAM = Path(sys.executable).with_name("latchstring")


def confined(unit: Path, folder: Path) -> list[str]:
    """A unit's command on the files of a door in `folder`, so confined."""
    line = settings(unit)["ExecStart"][0]
    line = line.replace("/var/lib/latchstring", str(folder)).replace("/var/backups/latchstring", str(folder / "backup"))
    program, *rest = shlex.split(line)
    assert program == "/opt/latchstring/bin/latchstring"
    return [sys.executable, "-m", "tests.integration.confined", str(unit), str(PROGRAM), *rest]


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> DemoDoor:
    """Founded, and its server stopped."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not on this machine: what a unit's system calls are is not known here")
    tried = subprocess.run(
        [sys.executable, "-m", "tests.integration.confined", str(SERVER), "/bin/true"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if tried.returncode:
        pytest.skip(f"a process cannot be confined here: {tried.stderr.strip().splitlines()[-1]}")
    made = found(tmp_path_factory.mktemp("service"), free_port(), 1, 0)
    made.post_directory()
    made.wait_batch(0)
    made.stop()
    return made


@pytest.fixture
def running(door: DemoDoor) -> Iterator["subprocess.Popen[bytes]"]:
    log = (door.folder / "confined.log").open("wb")
    process = subprocess.Popen(confined(SERVER, door.folder), cwd=ROOT, stdout=log, stderr=log)
    try:
        wait_for(lambda: answers(door.address), 60, "the server to answer")
        yield process
    finally:
        process.kill()
        process.wait()


def test_the_service_serves_a_door_and_stops_in_time(door: DemoDoor, running: "subprocess.Popen[bytes]") -> None:
    before = door.visit().manifest.n
    for desk in ("newsroom", "ombudsman"):
        door.sync(desk)
    door.wait_batch(before + 3)
    assert httpx.post(f"{door.address}/v1/letters", content=bytes(4096)).status_code == 201
    page = httpx.get(f"{door.address}/en/", follow_redirects=True)
    assert (page.status_code, "<h1" in page.text) == (200, True)
    began = time.monotonic()
    running.send_signal(signal.SIGTERM)
    assert running.wait(60) == 0
    assert time.monotonic() - began < int(settings(SERVER)["TimeoutStopSec"][0])
    assert "Traceback" not in (door.folder / "confined.log").read_text()


def test_the_backup_runs_beside_it(door: DemoDoor, running: "subprocess.Popen[bytes]") -> None:
    done = subprocess.run(confined(BACKUP, door.folder), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (door.folder / "backup").is_dir()
    assert running.poll() is None


def test_a_rule_under_which_no_server_runs_is_seen(door: DemoDoor, tmp_path: Path) -> None:
    unit = tmp_path / "latchstring.service"
    unit.write_text(SERVER.read_text().replace("~@privileged", "~@network-io @privileged"))
    assert "bind" in allowed(settings(SERVER)["SystemCallFilter"]) - allowed(settings(unit)["SystemCallFilter"])
    done = subprocess.run(
        confined(unit, door.folder), cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode != 0


def test_the_rules_hold_for_a_process_under_them(door: DemoDoor) -> None:
    """What the confinement itself is worth: a call that is refused, and memory that is."""
    code = (
        "import os, mmap\n"
        "for act in (lambda: os.setpriority(os.PRIO_PROCESS, 0, 1),\n"
        "            lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)):\n"
        "    try:\n        act()\n    except PermissionError:\n        print('refused')\n"
    )
    command = [sys.executable, "-m", "tests.integration.confined", str(SERVER), sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["refused", "refused"], done.stderr
