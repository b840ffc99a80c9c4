# SPDX-License-Identifier: AGPL-3.0-or-later
"""The committed `meta.js`, in one process of Node: what it reads in a file, and the file that it gives back."""

import base64
import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.browser.peer import FRONTEND, NODE

BUNDLE: Final = FRONTEND.parent / "src/latchstring/site/static/meta.js"

_RUN: Final = """
import { createInterface } from "node:readline";
const { read, remove } = await import(process.argv[1]);
for await (const line of createInterface({ input: process.stdin })) {
  const blob = new Blob([Buffer.from(line, "base64")]);
  const { blob: clean, left = null, why = null } = await remove(blob);
  const raw = clean ? Buffer.from(await clean.arrayBuffer()).toString("base64") : "";
  console.log(JSON.stringify({ said: await read(blob), left, why, raw }));
}
"""


@dataclass(frozen=True)
class Told:
    """`said`: as `read` gives it. `left`, or `why` not: as `remove` gives it, with the file's bytes."""

    said: Any
    left: Any
    why: str | None
    raw: bytes

    def counts(self, kind: str) -> dict[str, int]:
        """What is counted of one kind of facts, in the file itself: how many of each unit."""
        facts = [f["count"] for f in self.said["facts"] if f["kind"] == kind and f["count"] and not f["inside"]]
        return {count["unit"]: count["n"] for count in facts}

    def stays(self) -> list[str]:
        """All that is told of the copy, each as `kind value n unit`, and what was not looked at as `why part`."""
        facts = [
            [one["kind"], one["value"], *([str(one["count"]["n"]), one["count"]["unit"]] if one["count"] else [])]
            for one in self.left["facts"]
        ]
        unread = [[one["why"], one["inside"]] for one in self.left["unread"]]
        return sorted(" ".join(filter(None, one)) for one in [*facts, *unread])

    def values(self, kind: str, inside: str = "") -> list[str]:
        """The values of one kind of facts."""
        return [f["value"] for f in self.said["facts"] if f["kind"] == kind and f["inside"] == inside]


class Metadata:
    """`folder` is for this one; `close` ends the process."""

    def __init__(self, folder: Path, bundle: Path = BUNDLE) -> None:
        script = folder / "meta.mjs"
        shutil.copy(bundle, script)  # Node takes a name's end for what is in it
        command = [NODE, "--input-type=module", "-e", _RUN, str(script)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def told(self, raw: bytes) -> Told:
        """Read, and cleaned."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(base64.b64encode(raw).decode() + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return Told(answer["said"], answer["left"], answer["why"], base64.b64decode(answer["raw"]))

    def close(self) -> None:
        """End the process."""
        self._process.communicate(timeout=10)
