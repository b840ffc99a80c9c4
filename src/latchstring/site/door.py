# SPDX-License-Identifier: AGPL-3.0-or-later
"""The door as these pages know it: one verified `/visit` in memory, the same for everybody.

It is public, so keeping it tells nothing. It is fetched again when it is older than a tick, by whoever comes then; a
door that does not answer leaves the copy that there is, until that is too old to be believed.
"""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

from latchstring.client.pin import Pin
from latchstring.client.transport import NetworkFailed, Transport
from latchstring.client.visit import ClockOff, DoorCheck, VerifiedVisit, VisitRefused, check_visit
from latchstring.protocol.constants import VISIT_FRESH_TICKS

Connect = Callable[[], AbstractContextManager[Transport]]
"""A line to the door, for one act."""

MOST_SECONDS: Final = 60.0  # a copy as old as this is looked at again, however long a tick is
LEAST_SECONDS: Final = 2.0
AGAIN_SECONDS: Final = 5.0  # while there is nothing to show, the door is asked again as soon as this


class NoDoor(Exception):
    """Nothing that can be believed is known of the door now. `why` is a word for the page: `silent`, `refused`,
    `clock`."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True)
class _Held:
    visit: VerifiedVisit
    raw: bytes  # as it came
    looked: float  # by the clock that only runs on
    checkpoint: bytes


class DoorKeeper:
    """Keeps the newest verified `/visit` and its pin. Safe in threads."""

    def __init__(
        self, is_door: DoorCheck, connect: Connect, now: Callable[[], int], running: Callable[[], float]
    ) -> None:
        """`now`: Unix seconds; `running`: a clock in seconds that never goes back."""
        self._is_door, self._connect, self._now, self._running = is_door, connect, now, running
        self._held: _Held | None = None
        self._pin: Pin | None = None
        self._trouble: tuple[float, str] | None = None
        self._lock = threading.Lock()

    @property
    def known(self) -> VerifiedVisit | None:
        """What is in memory, if it is still fresh enough to be believed."""
        held = self._held
        if held is None:
            return None
        policy = held.visit.directory.policy
        age = policy.batch_at(self._now()) - held.visit.manifest.n
        return held.visit if age <= VISIT_FRESH_TICKS or held.visit.directory.closed is not None else None

    def visit(self) -> VerifiedVisit:
        """The door now. NoDoor when there is nothing that can be believed. Blocks while it is fetched."""
        if self._lock.acquire(blocking=self.known is None):  # who finds a copy does not wait for a newer one
            try:
                if self._due():
                    self._refresh()
            finally:
                self._lock.release()
        known = self.known
        if known is None:
            raise NoDoor(self._trouble[1] if self._trouble else "silent")
        return known

    def raw(self) -> bytes:
        """The file of `visit`, as it came. NoDoor as there."""
        self.visit()
        held = self._held
        if held is None:
            raise NoDoor("silent")
        return held.raw

    def _due(self) -> bool:
        last = max(self._held.looked if self._held else -1e9, self._trouble[0] if self._trouble else -1e9)
        known = self.known
        pause = AGAIN_SECONDS if known is None else min(known.directory.policy.tick, MOST_SECONDS)
        return self._running() - last >= max(LEAST_SECONDS, pause)

    def _refresh(self) -> None:
        """Fetch unless the checkpoint is the one that is known; what went wrong is kept in `_trouble`."""
        try:
            with self._connect() as line:
                newest = line.request("GET", "/checkpoint").body
                held = self._held
                if held is not None and newest == held.checkpoint:
                    visit, raw = held.visit, held.raw
                else:
                    raw = _visit(line)
                    visit = check_visit(raw, self._is_door, self._now(), self._pin)
            self._pin = visit.pin
            self._held = _Held(visit, raw, self._running(), newest)
            self._trouble = None
        except NetworkFailed:
            self._trouble = (self._running(), "silent")
        except ClockOff:
            self._trouble = (self._running(), "clock")
        except VisitRefused:
            self._trouble = (self._running(), "refused")


def _visit(line: Transport) -> bytes:
    answer = line.request("GET", "/visit")
    if answer.status != 200:
        raise NetworkFailed("The door cannot answer just now.")
    return answer.body
