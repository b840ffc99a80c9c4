# SPDX-License-Identifier: AGPL-3.0-or-later
"""The page's half of the protocol as a process to speak with: `frontend/test/peer.ts`, compiled, in Node."""

import base64
import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol, cast

from latchstring.client.transport import NetworkFailed, Response

FRONTEND: Final = Path(__file__).parents[2] / "frontend"
NODE: Final = shutil.which("node") or "/usr/bin/node"  # where `make node` puts it


class Line(Protocol):
    """What a peer's requests go over."""

    def request(
        self, method: str, path: str, query: str = "", body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Response:
        """As `client.transport.Transport`."""


class Thrown(Exception):
    """What the page's half threw: its class, and why."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name}: {why}")
        self.name, self.why = name, why


def packed(raw: bytes) -> str:
    """As the peer reads bytes."""
    return base64.b64encode(raw).decode()


class Peer:
    """One process; `close` ends it."""

    def __init__(self, script: Path) -> None:
        self._process = subprocess.Popen(
            [NODE, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )

    def ask(self, do: str, line: Line | None = None, **given: object) -> Any:
        """What the act gives; Thrown for what it threw. Its requests go over `line`."""
        said = self._exchange({"do": do, **{k: packed(v) if isinstance(v, bytes) else v for k, v in given.items()}})
        while "request" in said:
            assert line is not None, "the act needs a door"
            said = self._exchange(_answer(line, said["request"]))
        if "error" in said:
            raise Thrown(said["error"], said["why"])
        return said["done"]

    def _exchange(self, value: object) -> dict[str, Any]:
        pipe_in, pipe_out = self._process.stdin, self._process.stdout
        assert pipe_in is not None
        assert pipe_out is not None
        pipe_in.write(json.dumps(value) + "\n")
        pipe_in.flush()
        return cast(dict[str, Any], json.loads(pipe_out.readline()))

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


def _answer(line: Line, request: dict[str, Any]) -> object:
    body = base64.b64decode(request["body"])
    try:
        answer = line.request(request["method"], request["path"], body=body, headers=request["headers"])
    except NetworkFailed:
        return {"failed": True}
    return {"status": answer.status, "body": packed(answer.body)}
