# SPDX-License-Identifier: AGPL-3.0-or-later
"""Chromium by its own protocol over two pipes, with nothing switched on but what is asked for: whoever watches its
network has it keep what was sent, and would measure that."""

import fcntl
import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.browser.chromium import FLAGS

_WAIT: Final = 60.0  # seconds, for what a page is to show
_READ, _WRITE = 3, 4  # where Chromium reads commands and writes answers


class Window:
    """One page."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands, self._answers = os.fdopen(commands, "wb", buffering=0), os.fdopen(answers, "rb")
        self._count, self._session = 0, ""
        target = self.do("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.do("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def do(self, method: str, /, **given: object) -> dict[str, Any]:
        """A command for the page, or for the browser as long as there is none; what it gives."""
        self._count += 1
        message: dict[str, object] = {"id": self._count, "method": method, "params": given}
        if self._session and not method.startswith(("Target.", "SystemInfo.")):
            message["sessionId"] = self._session
        self._commands.write(json.dumps(message).encode() + b"\0")
        while True:
            said = json.loads(self._read())
            if said.get("id") == self._count:
                if "error" in said:
                    raise ValueError(f"{method}: {said['error']['message']}")
                result: dict[str, Any] = said["result"]
                return result

    def _read(self) -> bytes:
        out = bytearray()
        while (one := self._answers.read(1)) != b"\0":
            if not one:
                raise ConnectionError("Chromium went away")
            out += one
        return bytes(out)

    def run(self, script: str) -> Any:
        """An expression in the page; its value."""
        done = self.do("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in done:
            raise ValueError(f"{script}: {done['exceptionDetails']}")
        return done["result"].get("value")

    def wait(self, css: str) -> None:
        """Until the page has such a part."""
        until = time.monotonic() + _WAIT
        while not self.run(f"document.querySelector({json.dumps(css)}) !== null"):
            if time.monotonic() > until:
                raise TimeoutError(css)
            time.sleep(0.05)

    def press(self, css: str) -> None:
        """Wait for it and click."""
        self.wait(css)
        self.run(f"document.querySelector({json.dumps(css)}).click()")

    def choose(self, css: str, file: Path) -> None:
        """A file for a field."""
        root = self.do("DOM.getDocument")["root"]["nodeId"]
        field = self.do("DOM.querySelector", nodeId=root, selector=css)["nodeId"]
        self.do("DOM.setFileInputFiles", nodeId=field, files=[str(file)])


@contextmanager
def window(program: str, profile: Path, *flags: str) -> Iterator[Window]:
    """A new browser with its profile in that folder; `flags`: of its command line."""
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    away = [fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (theirs_in, theirs_out)]

    def place() -> None:
        os.dup2(away[0], _READ)
        os.dup2(away[1], _WRITE)

    process = subprocess.Popen(
        [program, "--headless=new", "--remote-debugging-pipe", f"--user-data-dir={profile}", *FLAGS, *flags],
        pass_fds=(_READ, _WRITE),
        preexec_fn=place,  # no threads are left running here
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for fd in (theirs_in, theirs_out, *away):
        os.close(fd)
    try:
        yield Window(ours_out, ours_in)
    finally:
        process.terminate()
        process.wait(30)
