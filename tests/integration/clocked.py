# SPDX-License-Identifier: AGPL-3.0-or-later
"""A door in processes of its own whose clock the test sets, so that weeks pass in seconds, and its members: their real
vaults, their sessions over sockets, the commands as typed, each by a clock that is some minutes off.

What moves the clock of another process is Python's own hook: a module named `sitecustomize` on its path.
"""

import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from latchstring.client.door import fetch_visit
from latchstring.client.transport import NetworkFailed
from latchstring.client.visit import ClockOff, VerifiedVisit
from latchstring.demo.door import PASSPHRASE, DemoDoor, wait_for
from latchstring.desk.facts import At
from latchstring.desk.letters import Letter, letters
from latchstring.desk.progress import followed
from latchstring.desk.shared import AGAIN
from latchstring.desk.sync import SyncReport, synchronise
from latchstring.desk.vault import Row, Vault, open_vault
from latchstring.protocol.encoding import decode_cbor, encode_cbor
from tests.integration.typed import typed

_AHEAD, _SKEW = "TEST_CLOCK_AHEAD", "TEST_CLOCK_SKEW"
_SITECUSTOMIZE = f"""
import os, time
_real = time.time
def _moved():
    with open(os.environ["{_AHEAD}"]) as ahead:
        return _real() + int(ahead.read()) + int(os.environ.get("{_SKEW}", "0"))
time.time = _moved
"""
_END_OF_LOG = 1 << 62  # beyond every `At.number`


class Clock:
    """The time at the door: this machine's, and as much later as the test has let pass."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        """Every Python process that starts from now on lives by it. `folder`: for its files."""
        (folder / "sitecustomize.py").write_text(_SITECUSTOMIZE)
        self._file, self._ahead = folder / "ahead", 0
        self.let_pass(0)
        patch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
        patch.setenv(_AHEAD, str(self._file))

    def now(self) -> int:
        return int(time.time()) + self._ahead

    def let_pass(self, seconds: int) -> None:
        self._ahead += seconds
        beside = self._file.with_suffix(".new")
        beside.write_text(str(self._ahead))
        beside.replace(self._file)  # whole at every moment: others read it all the time


def type_command(*args: str, folder: Path, secret: bool = True, skew: int = 0, code: int = 0) -> str:
    """`latchstring ARGS` in a folder, by a clock that is `skew` seconds ahead of the door's; what it printed.
    `secret`: it asks for a passphrase."""
    passphrases = (PASSPHRASE,) if secret else ()
    return typed(*args, folder=folder, passphrases=passphrases, more={_SKEW: str(skew)}, code=code)


@dataclass
class Person:
    """A member at their vault. `skew`: by how many seconds their clock is ahead of the door's."""

    name: str
    file: Path
    vault: Vault
    skew: int
    door: DemoDoor
    clock: Clock

    @classmethod
    def at(cls, name: str, file: Path, skew: int, door: DemoDoor, clock: Clock) -> "Person":
        return cls(name, file, open_vault(file, PASSPHRASE), skew, door, clock)

    def now(self) -> int:
        return self.clock.now() + self.skew

    def session(self, memos: bool = True) -> SyncReport:
        """As `desk sync`. `memos`: are any sent?"""
        with self.door.transport() as transport:
            return synchronise(
                self.vault,
                transport,
                lambda door: door == self.door.door,
                self.now,
                secrets.token_bytes,
                memos=self.door.transport if memos else None,
            )

    def copy(self, file: Path) -> "Person":
        """The same member at a copy of the vault's file."""
        file.write_bytes(self.file.read_bytes())
        return Person.at(self.name, file, self.skew, self.door, self.clock)

    def letter(self, text: str) -> Letter:
        """The only letter with this text."""
        (found,) = (x for x in letters(self.vault) if x.body is not None and x.body.text == text)
        return found

    def texts(self) -> list[str]:
        return sorted(x.body.text for x in letters(self.vault) if x.body is not None and x.verified)

    def here(self) -> At:
        """The last place of the log that was followed."""
        return At(followed(self.vault).batch, 4095, 4095)


@dataclass
class Running:
    """The door, its clock, and what is done at it."""

    door: DemoDoor
    clock: Clock

    def visit(self) -> VerifiedVisit:
        with self.door.transport() as transport:
            return fetch_visit(transport, lambda door: door == self.door.door, self.clock.now(), None)

    def let_pass(self, ticks: int) -> VerifiedVisit:
        """Wait until the batch of then is published; whatever the server had is in the log by then."""
        policy = self.door.directory.policy
        self.clock.let_pass(ticks * policy.tick)
        batch = policy.batch_at(self.clock.now())
        return wait_for(lambda: self._batch(batch), 60, f"batch {batch} to be published")

    def _batch(self, batch: int) -> VerifiedVisit | None:
        try:
            visit = self.visit()
        except (NetworkFailed, ClockOff):  # there is none yet, or it is of before the clock was moved
            return None
        return visit if visit.manifest.n >= batch else None

    def rounds(self, *people: Person, count: int = 1, ticks: int = 36) -> None:
        """Time passes, and these come by in turn."""
        for _ in range(count):
            self.let_pass(ticks)
            for person in people:
                faults = person.session().faults
                assert not faults, (person.name, faults)


@dataclass(frozen=True)
class Facts:
    """All that a vault holds of what the desk shares: every letter and thread, every fact of every kind with its place
    in the log and who told it. How it came there (opened, or passed on by whom) is each vault's own, and left out.
    """

    told: tuple[tuple[int, str, bytes], ...]
    letters: tuple[Row, ...]
    threads: tuple[Row, ...]

    @classmethod
    def of(cls, vault: Vault) -> "Facts":
        told = [(at, by, encode_cbor(dict(fact))) for again in AGAIN for at, by, fact in again(vault, 0, _END_OF_LOG)]
        came = vault.rows("SELECT thread, msg_id, batch, place, day, verified, stale, acked, cbor FROM letter")
        keys = vault.rows("SELECT id, seal_key, dh, psk FROM thread")
        return cls(tuple(sorted(told)), tuple(sorted(came)), tuple(sorted(keys)))

    def kinds(self) -> set[object]:
        """Of the facts that were told."""
        facts = [decode_cbor(raw) for _, _, raw in self.told]
        return {fact["kind"] for fact in facts if isinstance(fact, dict)}
