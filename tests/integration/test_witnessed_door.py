# SPDX-License-Identifier: AGPL-3.0-or-later
"""A real door with two real witnesses, both needed: one is killed, batches go on, what is published waits for it."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from latchstring.cli.main import run
from latchstring.demo.door import DemoDoor, found, free_port, wait_for
from latchstring.log.verify import verify_log
from latchstring.protocol.manifest import Manifest
from latchstring.store.objects import FolderObjects, NoObject
from tests.desk_world import CHEAP


class _Disk(NamedTuple):
    """What `shutil.disk_usage` answers, as far as it is looked at."""

    free: int


@pytest.fixture
def door(tmp_path: Path) -> Iterator[DemoDoor]:
    made = found(tmp_path / "door", free_port(), 1, 0, 512, witnesses=2, cost=CHEAP)
    try:
        made.post_directory()
        made.wait_batch(0)
        yield made
    finally:
        made.stop()


def test_a_witness_is_killed_and_comes_back(
    door: DemoDoor, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: _Disk(10**15))  # the forecast is not what is asked here
    assert len(door.visit().cosigned) == 2
    public = FolderObjects(door.folder / "server" / "published")

    def closed(number: int) -> bool | None:
        try:
            return bool(Manifest.parse(public.get(f"manifests/{number}")).n) or None
        except NoObject:
            return None

    gone = door.witnesses[0]
    os.killpg(gone.process.pid, signal.SIGKILL)
    gone.process.wait()
    stuck = door.visit().manifest.n
    wait_for(lambda: closed(stuck + 4), 60, "batches to go on closing")
    assert door.visit().manifest.n <= stuck + 1  # one may have been cosigned before the end came
    report = verify_log(public.get)
    assert report.ok, report.fault

    capsys.readouterr()
    config = str(door.folder / "server.toml")
    assert run(["server", "check", "--config", config]) == 3
    said = capsys.readouterr().out
    assert f"Witness '{gone.named.name}' does not answer" in said
    assert "1 of 2 witnesses cosign, and 2 must" in said

    again = subprocess.Popen(
        [sys.executable, "-m", "latchstring", "witness", "run", "--config", str(gone.folder / "witness.toml")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        seen = door.wait_batch(stuck + 4)
        assert len(seen.cosigned) == 2
        assert run(["server", "check", "--config", config]) == 0
        capsys.readouterr()
        assert run(["org", "directory", "show", door.address]) == 0
        shown = capsys.readouterr().out
        assert "Witnesses, of whom 2 must cosign" in shown
        log = (door.folder / "server.log").read_text()
        assert f"Witness '{gone.named.name}' cosigns again." in log
    finally:
        again.terminate()
        again.wait()
