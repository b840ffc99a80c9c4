# SPDX-License-Identifier: AGPL-3.0-or-later
"""A real witness in a real process: made by the command, asked over HTTP, killed, started again, never led away."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from latchstring.cli.main import run
from latchstring.client.transport import HttpTransport, NetworkFailed, Response
from latchstring.demo.door import free_port
from latchstring.log.cosignature import CosignerKey, cosignatures
from latchstring.org.tomlfile import read_toml
from tests.witnesses import Log

LOG = Log()
FORK = Log(fork=2)


class Running:
    """The process of a witness in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        assert run(["witness", "init", "--data", str(folder), "--name", "w1.example", "--address", "http://w1.example",
                    "--log", str(LOG.key), "--port", str(self.port)]) == 0  # fmt: skip
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "latchstring", "witness", "run", "--config", str(self.folder / "witness.toml")],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        for _ in range(300):
            try:
                assert self.ask(b"").status == 400
                return
            except NetworkFailed:
                assert self.process.poll() is None, self.process.stdout and self.process.stdout.read()
                time.sleep(0.1)
        raise AssertionError("the witness did not start")

    def ask(self, body: bytes, path: str = "/add-checkpoint") -> Response:
        with HttpTransport(f"http://127.0.0.1:{self.port}") as transport:
            return transport.request("POST", path, body=body)

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> bytes:
        """End it as an operator does; what it said."""
        self.process.send_signal(signal.SIGTERM)
        said, _ = self.process.communicate(timeout=30)
        return said


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[Running]:
    made = Running(tmp_path / "witness")
    try:
        yield made
    finally:
        if made.process.poll() is None:
            made.kill()


def test_killed_it_still_knows_what_it_signed(witness: Running, capsys: pytest.CaptureFixture[str]) -> None:
    card = read_toml((witness.folder / "witness-card.toml").read_text(), "card").table("witness")
    keys = [CosignerKey.parse(text) for text in card.texts("keys")]
    capsys.readouterr()
    assert run(["witness", "key", "--config", str(witness.folder / "witness.toml")]) == 0
    assert capsys.readouterr().out.split() == [str(key) for key in keys]

    answer = witness.ask(LOG.ask(0, 5))
    held = cosignatures(LOG.checkpoint(5).sign(LOG.seed) + answer.body, keys)
    assert set(held) == set(keys)
    assert all(abs(at - time.time()) < 60 for at in held.values())
    witness.kill()
    witness.start()
    assert witness.ask(FORK.ask(5, 5)).status == 409
    assert witness.ask(FORK.ask(5, 9)).status == 422
    assert witness.ask(LOG.ask(0, 9)).body == b"5\n"
    assert witness.ask(LOG.ask(5, 9)).status == 200
    assert witness.ask(b"x", "/elsewhere").status == 404
    assert witness.ask(bytes(200_000)).status == 413
    second = subprocess.run(
        [sys.executable, "-m", "latchstring", "witness", "run", "--config", str(witness.folder / "witness.toml")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 1
    assert "Another witness is at work" in second.stderr
    said = witness.stop()
    assert witness.process.returncode == 0
    assert b"Traceback" not in said
    assert b"add-checkpoint" not in said
