# SPDX-License-Identifier: AGPL-3.0-or-later
"""The witnesses of a real door, killed beside its server: what each had cosigned is noted at every death."""

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field

from latchstring.demo.door import DemoDoor
from latchstring.demo.witnesses import DemoWitness
from latchstring.witness.config import load_config
from latchstring.witness.state import NOTHING, FolderStates, Seen


@dataclass
class Witnesses:
    """Their processes, and all that they ever said they had seen."""

    door: DemoDoor
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    seen: set[Seen] = field(default_factory=set)
    kills: int = 0

    def __post_init__(self) -> None:
        self.processes = {w.named.name: w.process for w in self.door.witnesses}

    def hit(self, chance: random.Random) -> None:
        """Kill some of them, or none; each comes back at once on what it kept."""
        for witness in self.door.witnesses:
            if chance.random() < 0.6:
                self._end(witness, signal.SIGKILL)
                self.kills += 1
                self.processes[witness.named.name] = subprocess.Popen(
                    [sys.executable, "-m", "latchstring", "witness", "run", "--config",
                     str(witness.folder / "witness.toml")],
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )  # fmt: skip

    def stop(self) -> None:
        """End all."""
        for witness in self.door.witnesses:
            self._end(witness, signal.SIGTERM)

    def _end(self, witness: DemoWitness, how: signal.Signals) -> None:
        process = self.processes[witness.named.name]
        try:
            os.killpg(process.pid, how)
        except ProcessLookupError:
            pass
        process.wait(30)
        states = FolderStates(load_config(witness.folder / "witness.toml").states, time.sleep)
        state = states.get(self.door.directory.origin)
        states.close()
        if state != NOTHING:
            self.seen.add(state)
