# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who is at the desk, and how far ahead everyone's keys reach, as the log says it."""

from dataclasses import dataclass

from latchstring.desk.colleagues import known
from latchstring.desk.errors import DeskError
from latchstring.desk.identity import identity
from latchstring.desk.progress import followed
from latchstring.desk.vault import Vault
from latchstring.protocol.constants import TRANSPORT_DAYS_AHEAD, day_of


@dataclass(frozen=True, slots=True)
class Seat:
    """A member. `seen`: Unix seconds of the batch with their newest transport keys; `reach`: the last day that these
    reach to; None when none is logged. `ahead`: days from today on for which others can hand keys to them.
    """

    member: str
    me: bool
    seen: int | None
    reach: int | None
    ahead: int

    @property
    def away(self) -> bool:
        """Was there no sync of theirs in the last week? Keys reach 28 days ahead after each."""
        return self.ahead < TRANSPORT_DAYS_AHEAD - 7


def team(vault: Vault) -> tuple[Seat, ...]:
    """The desk as it was at the last session. DeskError before the first."""
    who, at = identity(vault), followed(vault)
    desk = at.state.directory.desk(who.desk) if at.state.current is not None else None
    if desk is None:
        raise DeskError("This vault has not been at its desk yet.", "Run 'latchstring desk sync' first.")
    today, policy = day_of(at.batch), at.state.directory.policy
    transports = known(vault, desk).transports
    seats = []
    for member in desk.members:
        mine = {day: place >> 20 for (name, day), place in transports.items() if name == member.id}
        seats.append(
            Seat(
                member.id,
                member.id == who.member,
                policy.closes_at(max(mine.values())) if mine else None,
                max(mine, default=None),
                sum(day >= today for day in mine),
            )
        )
    return tuple(seats)
