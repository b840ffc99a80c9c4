# SPDX-License-Identifier: AGPL-3.0-or-later
"""When a directory must be signed anew: from half of its time everyone who can do something about it is told."""

from dataclasses import dataclass, replace
from typing import Final

from latchstring.protocol.constants import MAX_EXPIRY_DAYS, TICKS_PER_DAY
from latchstring.protocol.directory import Directory, SignedDirectory

COMMAND: Final = "latchstring org directory renew --previous directory.signed --root root.key --post ADDRESS"


@dataclass(frozen=True, slots=True)
class Renewal:
    """`days_left`: whole days; `due`: half of the time is over; `expired`: reading goes on, writing has stopped."""

    days_left: int
    due: bool
    expired: bool


def renewal(directory: Directory, present: int) -> Renewal:
    """At batch number `present`."""
    left = directory.expires - present
    return Renewal(max(0, left) // TICKS_PER_DAY, 2 * present >= directory.issued + directory.expires, left <= 0)


def reminder(directory: Directory, present: int) -> str | None:
    """A sentence for members and operators with what to run; None before half of the time."""
    state = renewal(directory, present)
    if not state.due:
        return None
    if state.expired:
        what = "The directory has run out: letters and answers are read, and nobody can write until the next is signed."
    elif state.days_left < 1:
        what = "The directory runs out today; then nobody can write to the door."
    else:
        days = "1 day" if state.days_left == 1 else f"{state.days_left} days"
        what = f"The directory runs out in {days}; then nobody can write to the door."
    return f"{what} Whoever keeps the root keys runs: {COMMAND}"


def renewed(before: SignedDirectory, present: int, days: int) -> Directory:
    """The next directory with the same content, good for `days` (1 to 92) from batch number `present`."""
    if not 1 <= days <= MAX_EXPIRY_DAYS:
        raise ValueError(f"a directory is good for 1 to {MAX_EXPIRY_DAYS} days")
    old = before.directory
    return replace(old, seq=old.seq + 1, previous=before.hash, issued=present, expires=present + days * TICKS_PER_DAY)
