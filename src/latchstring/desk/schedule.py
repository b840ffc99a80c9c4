# SPDX-License-Identifier: AGPL-3.0-or-later
"""When memos go out. Pure: the times come from randomness and the directory alone, never from what there is to say.

A member's memos are a Poisson process with one mean for all members of a door: an hour, or longer where the door has
many members, so that all memos together take a quarter of the letter slots at most, on average. Gaps are drawn in
advance; what was due while the program did not run is made up for as far as a sheet's time back, and never more than 48
in 24 hours. A real memo takes the place of a dummy, so that the number sent tells how long a program ran and no more.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from latchstring.protocol import constants as c
from latchstring.protocol.directory import Directory

Random = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Pace:
    """Mean gap between two memos of a member, and how far back is made up for and counted; all in seconds."""

    mean: int
    back: int
    day: int


def pace_of(directory: Directory) -> Pace:
    """The same for all members of the door."""
    policy, members = directory.policy, sum(len(desk.members) for desk in directory.desks)
    ticks = max(c.MEMO_GAP_TICKS, -(-c.MEMO_SHARE * members // policy.letters))
    return Pace(ticks * policy.tick, c.TICKS_PER_SHEET * policy.tick, c.TICKS_PER_DAY * policy.tick)


def next_gap(pace: Pace, random: Random) -> int:
    """Exponential with the pace's mean, a second at least."""
    uniform = (int.from_bytes(random(8), "big") + 1) / 2**64
    return max(1, round(-math.log(uniform) * pace.mean))


def first_due(pace: Pace, planned: int | None, now: int, random: Random) -> int:
    """When the next memo is due, given what was planned: a plan too old to be made up for, or one so far ahead that the
    clock must have been wrong, is drawn anew. The process has no memory, so that this leaves it what it is.
    """
    if planned is None or planned > now + 40 * pace.mean:
        return now + next_gap(pace, random)
    return planned if planned >= now - pace.back else now - pace.back + next_gap(pace, random)


def may_send(pace: Pace, sent: Sequence[int], now: int) -> bool:
    """Are fewer than 48 of these times (Unix seconds) within the last 24 hours?"""
    return sum(now - pace.day < at <= now for at in sent) < c.MEMOS_A_DAY
