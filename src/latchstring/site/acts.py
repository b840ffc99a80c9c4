# SPDX-License-Identifier: AGPL-3.0-or-later
"""What this server does for a person without a script: it works out their keys, seals, sends and reads, in memory.

Working out keys takes 64 MB and a tenth of a second each, so that only so many are at it at one time; who comes when
too many wait is told so, and loses nothing.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from latchstring.client.visit import VerifiedVisit
from latchstring.protocol.attachment import Attachment
from latchstring.protocol.epoch import EpochNote
from latchstring.protocol.passphrase import Passphrase
from latchstring.protocol.source_keys import SourceKeys, seed_of, source_keys
from latchstring.site.door import Connect
from latchstring.source import acts
from latchstring.source.sending import CannotWrite, EnoughTries, Sent, knocks_for, may_knock, send
from latchstring.source.upload import Content, Upload

AT_ONCE: Final = 2  # Argon2id: 64 MB each
WORKING: Final = 16  # threads; most of them wait for the network
WAITING: Final = 64
PATIENCE: Final = 2  # tries of one letter, before the person is asked
PAUSE: Final = 3.0  # seconds between them
T = TypeVar("T")


class Busy(Exception):
    """Too many are at it. Nothing was begun."""


class Acts:
    """One worker's hands."""

    def __init__(self, connect: Connect, random: Callable[[int], bytes]) -> None:
        self._connect, self._random = connect, random
        self._pool = ThreadPoolExecutor(WORKING)
        self._argon = threading.Semaphore(AT_ONCE)
        self._taken = 0

    async def run(self, act: Callable[[], T]) -> T:
        """Do it in a thread. Busy when too many wait already."""
        if self._taken >= WORKING + WAITING:
            raise Busy
        self._taken += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, act)
        finally:
            self._taken -= 1

    def keys(self, passphrase: Passphrase, visit: VerifiedVisit, desks: Iterable[str]) -> dict[str, SourceKeys]:
        """The keys for some desks, by desk."""
        door = visit.directory.door
        with self._argon:
            seed = seed_of(passphrase.bits, door)
        return {desk: source_keys(seed, door, desk) for desk in desks}

    def send(
        self, visit: VerifiedVisit, note: EpochNote, keys: SourceKeys, letter: bytes, msg_id: bytes, known: bool
    ) -> Sent:
        """Post a sealed letter; CannotWrite after a few tries. `known`: somebody came back with the passphrase."""
        replies = acts.read_thread(visit, keys) if known else ()
        knocks = knocks_for(keys, note, self._random) if may_knock(replies, known) else ()
        with self._connect() as line:
            return send(line, visit, letter, msg_id, _pause, knocks, PATIENCE)

    def beside(self, content: Content, name: str) -> Attachment:
        """Seal and store what a letter has no room for, on a line of its own. CannotWrite, Cut, NetworkFailed."""
        with self._connect() as line:
            return Upload(content, name, self._random).run(line, _pause_beside, lambda _done, _of: None)


def _pause(attempt: int) -> None:
    if attempt >= PATIENCE:
        raise EnoughTries
    time.sleep(PAUSE)


def _pause_beside(attempt: int) -> None:
    if attempt >= PATIENCE:
        raise CannotWrite("The door did not take what goes beside the letter.")
    time.sleep(PAUSE)
