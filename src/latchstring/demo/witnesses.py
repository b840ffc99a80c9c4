# SPDX-License-Identifier: AGPL-3.0-or-later
"""Witnesses for the demonstration door: real ones, each in a process and a folder of its own."""

import os
import secrets
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from latchstring.log.cosignature import witness_of
from latchstring.log.note import VerifierKey
from latchstring.protocol.witness import Witness
from latchstring.witness.config import Config, encode_keys, format_config, make_keys

_STOP_SECONDS = 15


@dataclass(frozen=True)
class DemoWitness:
    """A running witness, and how the directory names it."""

    named: Witness
    folder: Path
    process: subprocess.Popen[bytes] = field(repr=False)

    def stop(self) -> None:
        """End it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()


def start_witness(folder: Path, number: int, port: int, log: VerifierKey) -> DemoWitness:
    """Make witness `number` in `folder` for one log, and start it on a port of loopback; it answers a little later."""
    config = Config(folder.resolve(), f"witness-{number}.demo.latchstring.example", (log,), port=port)
    folder.mkdir(mode=0o700)
    keys = make_keys(config.name, secrets.token_bytes)
    config.keys_file.write_bytes(encode_keys(keys))
    file = folder / "witness.toml"
    file.write_text(format_config(config))
    process = subprocess.Popen(
        [sys.executable, "-m", "latchstring.demo.child", "witness", "run", "--config", str(file)],
        stdin=subprocess.PIPE,  # closes when we end
        stdout=subprocess.DEVNULL,
        stderr=(folder / "witness.log").open("wb"),
        env={**os.environ, "LATCHSTRING_DEBUG": ""},
        start_new_session=True,
    )
    return DemoWitness(witness_of(keys.keys, f"http://127.0.0.1:{port}"), folder, process)
