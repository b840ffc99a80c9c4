# SPDX-License-Identifier: AGPL-3.0-or-later
"""A command as a person types it, in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def typed(
    *args: str, folder: Path, passphrases: tuple[str, ...] = (), more: Mapping[str, str] | None = None, code: int = 0
) -> str:
    """`latchstring ARGS` in a folder; what it printed, errors last. `passphrases`: the lines that it reads, when
    it asks for any; `more`: of its environment; `code`: the exit status that is expected."""
    read, write = os.pipe()
    os.write(write, "".join(f"{line}\n" for line in passphrases).encode())
    os.close(write)
    asked = ("--passphrase-fd", str(read)) if passphrases else ()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "latchstring", *args, *asked],
            cwd=folder,
            env={**os.environ, **(more or {})},
            pass_fds=(read,),
            capture_output=True,
            text=True,
            timeout=120,
        )
    finally:
        os.close(read)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr
