# SPDX-License-Identifier: AGPL-3.0-or-later
"""Commands in a real terminal: however one is ended, the terminal shows again what is typed in it, and its cursor."""

import os
import pty
import signal
import subprocess
import sys
import termios
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from latchstring.desk.vault import create_vault
from tests.world.world import CHEAP

HIDDEN, SHOWN = b"\x1b[?25l", b"\x1b[?25h"
ENDS = pytest.mark.parametrize(
    ("how", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=lambda one: str(one)
)


@dataclass
class Terminal:
    """A program in a terminal of its own. `seen`: all that it has shown."""

    near: int
    far: int
    program: subprocess.Popen[bytes]
    seen: bytearray = field(default_factory=bytearray)

    def shows(self, text: bytes) -> None:
        """Until it has; within half a minute."""
        end = time.monotonic() + 30
        while text not in self.seen:
            assert time.monotonic() < end, bytes(self.seen)
            self.read()

    def read(self) -> None:
        """What has come meanwhile."""
        os.set_blocking(self.near, False)
        try:
            self.seen += os.read(self.near, 65536)
        except BlockingIOError:
            time.sleep(0.01)

    def types(self, text: str) -> None:
        """As on a keyboard."""
        os.write(self.near, text.encode())

    def echoes(self) -> bool:
        """Does the terminal show what is typed?"""
        return bool(termios.tcgetattr(self.far)[3] & termios.ECHO)

    def ends(self, how: signal.Signals) -> int:
        """The exit status once that signal came."""
        self.program.send_signal(how)
        status = self.program.wait(30)
        self.read()
        return status


def start(*words: str) -> Terminal:
    near, far = pty.openpty()
    code = "import sys; from latchstring.cli.main import run; sys.exit(run(sys.argv[1:]))"
    program = subprocess.Popen(
        [sys.executable, "-c", code, *words],
        stdin=far, stdout=far, stderr=far, start_new_session=True,
        preexec_fn=lambda: os.close(os.open(os.ttyname(0), os.O_RDWR)),  # it becomes the terminal of the session
        env={**os.environ, "TERM": "xterm", "COLUMNS": "80"},
    )  # fmt: skip
    return Terminal(near, far, program)


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    create_vault(tmp_path / "v.vault", "a long passphrase", os.urandom, CHEAP).close()
    return tmp_path / "v.vault"


@ENDS
def test_at_a_prompt_for_a_passphrase(vault: Path, how: signal.Signals, status: int) -> None:
    terminal = start("desk", "inbox", "--vault", str(vault))
    terminal.shows(b"passphrase: ")
    assert not terminal.echoes()
    assert terminal.ends(how) == status
    assert terminal.echoes()
    assert (b"passphrase: \r\nStopped." in terminal.seen) is (how is signal.SIGINT)


@ENDS
def test_while_something_goes_on(vault: Path, how: signal.Signals, status: int) -> None:
    terminal = start("desk", "inbox", "--vault", str(vault))
    terminal.shows(b"passphrase: ")
    terminal.types("another passphrase\n")
    terminal.shows(b"Opening the vault")
    assert terminal.seen.rfind(HIDDEN) > terminal.seen.rfind(SHOWN)
    assert terminal.ends(how) == status
    assert terminal.seen.rfind(SHOWN) > terminal.seen.rfind(HIDDEN)


@pytest.mark.parametrize("name", ["none.vault", "folder"])
def test_a_vault_that_is_none_is_said_before_a_passphrase_is_asked(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    terminal = start("desk", "inbox", "--vault", str(tmp_path / name))
    assert terminal.program.wait(30) == 1
    terminal.read()
    assert b"not a vault" in terminal.seen or b"There is no vault there" in terminal.seen
    assert b"passphrase" not in terminal.seen


def test_the_end_of_input_at_a_prompt(vault: Path) -> None:
    terminal = start("desk", "inbox", "--vault", str(vault))
    terminal.shows(b"passphrase: ")
    terminal.types("\x04")
    assert terminal.program.wait(30) == 1
    terminal.read()
    assert b"passphrase: \r\n" in terminal.seen
    assert b"Run the command again and type it" in terminal.seen
