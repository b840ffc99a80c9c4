# SPDX-License-Identifier: AGPL-3.0-or-later
"""`latchstring demo` killed as the system kills, and the next one."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from latchstring.demo.door import free_port, wait_for


def demo(where: Path, port: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "latchstring", "demo", "--port", str(port), "--tick", "1"],
        env={**os.environ, "TMPDIR": str(where)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.matrix
def test_what_a_killed_demonstration_leaves_the_next_one_removes(tmp_path: Path) -> None:
    first, second = free_port(), free_port()
    killed = demo(tmp_path, first)
    try:
        wait_for(lambda: answers(first) or None, 60, "the server to answer")
    finally:
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
    wait_for(lambda: not answers(first) or None, 30, "its server to end")
    (left,) = tmp_path.iterdir()
    assert (left / "root.key").exists()
    following = demo(tmp_path, second)
    try:
        wait_for(lambda: answers(second) or None, 60, "the next server to answer")
        (own,) = tmp_path.iterdir()
        assert own != left
    finally:
        following.send_signal(signal.SIGTERM)
        _, said = following.communicate(timeout=60)
    assert following.returncode == 0
    assert "Removed what a demonstration had left that was killed." in said
    assert list(tmp_path.iterdir()) == []
