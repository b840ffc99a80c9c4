# SPDX-License-Identifier: AGPL-3.0-or-later
"""Was anybody else at the desk while we were away, and do they have what we missed?

Who was away for weeks can open no word of that time. But whoever is at a desk logs transport keys day by day, signed
and for everyone to read: these tell who was there, on that day or the one before, since keys go into a day's first
batch. Once a member says again what they miss, that counts instead.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from latchstring.desk.colleagues import known
from latchstring.desk.keyplan import batch_of
from latchstring.desk.seen import Gap, Seen, without
from latchstring.desk.vault import Vault
from latchstring.protocol.constants import BODY_DAYS, TICKS_PER_DAY, TRANSPORT_DAYS_AHEAD, day_of
from latchstring.protocol.directory import Desk

KEPT_TICKS: Final = BODY_DAYS * TICKS_PER_DAY
KEYS_TICKS: Final = TRANSPORT_DAYS_AHEAD * TICKS_PER_DAY


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """Of the others at the desk, by member: days on which keys of theirs were logged, and what they said last.
    `newest`: the newest batch."""

    came: Mapping[str, frozenset[int]]
    said: Mapping[str, Seen]
    newest: int

    def have(self, first: int, last: int) -> bool:
        """Has another the letters of these batches, or some? Who was there while the server kept them; and of those
        that it still keeps, who has keys for them, which are logged 28 days ahead."""
        since = first - KEYS_TICKS if last >= self.newest - KEPT_TICKS else first + TICKS_PER_DAY
        return self._any((first, last), since, last + KEPT_TICKS)

    def were_there(self, gap: Gap) -> bool:
        """Was another at the desk within `gap`, or has anything of it?"""
        return self._any(gap, gap[0] + TICKS_PER_DAY, gap[1])

    def _any(self, span: Gap, since: int, until: int) -> bool:
        for member, days in self.came.items():
            said = self.said.get(member)
            if said is not None and said.batch >= span[1]:
                if without((span,), said.gaps):
                    return True
            elif any(since <= day * TICKS_PER_DAY <= until for day in days):
                return True
        return False


def logged_keys(vault: Vault, desk: Desk | None, me: str) -> dict[str, frozenset[int]]:
    """On which days transport keys of each other member at the desk were logged, as far as the vault has them: those
    for days that were not erased yet, which are logged 28 days before."""
    if desk is None:
        return {}
    found = known(vault, desk).transports
    others = (m.id for m in desk.members if m.id != me)
    return {m: frozenset(day_of(batch_of(at)) for (who, _), at in found.items() if who == m) for m in others}
