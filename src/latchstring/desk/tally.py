# SPDX-License-Identifier: AGPL-3.0-or-later
"""What following the log brought, in figures."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace


@dataclass(frozen=True, slots=True)
class Tally:
    """What following brought. Days are epoch days, faults are sentences about the server."""

    batches: int = 0
    new: int = 0
    unverified: int = 0
    unreadable: int = 0  # of `new`: their body is of a kind that this version does not know
    malformed: int = 0
    repeated: int = 0
    read: int = 0
    changed: int = 0  # passphrases
    unchanged: int = 0  # changes that are not followed: late, of no thread here, or another came first
    shared: int = 0  # memos of ours that the log holds now
    memos: int = 0  # of other members, that count
    facts: int = 0  # of them, taken in
    facts_unknown: int = 0  # kept for a newer program
    facts_malformed: int = 0
    lost: tuple[int, ...] = ()  # batches whose letters the server no longer keeps
    missing: tuple[int, ...] = ()  # batches whose letters it owes
    closed_days: tuple[int, ...] = ()  # days whose letters cannot be read here
    faults: tuple[str, ...] = ()

    def plus(self, other: "Tally") -> "Tally":
        """Both together."""
        both = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)}
        both["closed_days"] = tuple(sorted({*self.closed_days, *other.closed_days}))
        return replace(self, **both)


def together(tallies: Sequence[Tally]) -> Tally:
    """The sum of many that are mostly alike: a tally a letter."""
    total = Tally()
    for tally, count in Counter(tallies).items():
        total = total.plus(replace(tally, **{f.name: getattr(tally, f.name) * count for f in fields(tally)}))
    return total
