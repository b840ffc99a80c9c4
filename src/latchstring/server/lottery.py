# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who is let in when the queue is short of room. Pure; the arithmetic is told in `docs/flooding.md`.

Half of the queue is kept for knocks. Of the other half, the lottery's room, the lower half is open to all; over the
upper half the chance of a letter halves sixteen times, evenly, to 1/65,536. So one letter more makes the chance of the
next a little smaller, one place more makes it a little larger, and under a flood of f times what batches carry away it
settles where each attempt has the chance 1/f, whoever makes it and whenever: no clock, no memory, no sender is needed.
"""

import math
from collections.abc import Callable

from latchstring.protocol.constants import LOTTERY_HALVINGS


def reserve(limit: int) -> int:
    """Places of a queue (or of any room) of `limit` that letters without a knock cannot take."""
    return limit // 2


def chance(waiting: int, limit: int) -> float:
    """The chance of a letter without a knock while `waiting` letters of at most `limit` wait."""
    room = limit - reserve(limit)
    if waiting >= room:
        return 0.0
    open_to_all = room // 2
    return math.exp2(-max(0.0, LOTTERY_HALVINGS * (waiting - open_to_all) / (room - open_to_all)))


def drawn(odds: float, random: Callable[[int], bytes]) -> bool:
    """Is this one let in? `random(8)` decides."""
    return int.from_bytes(random(8), "big") < odds * 2.0**64


def at_least_once(odds: float, attempts: int) -> float:
    """The chance that one of so many attempts is let in."""
    return 1.0 - (1.0 - odds) ** attempts


def attempts_needed(odds: float, sure: float) -> int:
    """After how many attempts at `odds` one was let in with the chance `sure`."""
    return 1 if odds >= sure else math.ceil(math.log(1.0 - sure) / math.log(1.0 - odds))
