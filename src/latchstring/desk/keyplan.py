# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which keys a member makes, signs and hands on: pure, from the log and from what the vault holds.

Everyone works from the same log, so that members at different times need no word between them. For each day one
member's note is enough: whose turn it is goes round by day, and whoever is away is passed over after a day. Whoever
holds an epoch's secret hands it to a member whose transport key came later. A member who was given something that does
not open makes another transport key for that day, which asks for it anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from latchstring.protocol.constants import (
    EPOCH_DAYS_AHEAD,
    EPOCH_LETTER_TICKS,
    TICKS_PER_DAY,
    TRANSPORT_DAYS_AHEAD,
    day_of,
)
from latchstring.protocol.directory import Desk
from latchstring.protocol.keystate import KeyState, LoggedEpoch, is_valid

TURN_DAYS: Final = 5  # the turns of all members fall into so many days: a note is there 10 days ahead at the latest
TURN_TICKS: Final = 6  # while a desk is closed: nobody waits longer than an hour for others
SIGN_MOST: Final = 3  # notes of one day that a member signs before one is fixed: who makes a hundred is not followed
LATE_DAYS: Final = EPOCH_LETTER_TICKS // TICKS_PER_DAY - 1  # 2: of so many days past letters may still come
WRAP_AT_ONCE: Final = 2  # holders of an epoch who hand it on without waiting for each other


@dataclass(frozen=True, slots=True)
class EpochPlan:
    """Make an epoch for `day` with version `v`."""

    day: int
    v: int


@dataclass(frozen=True, slots=True)
class KeyPlan:
    """What is to be made. `signatures`: H(epoch note); `wraps`: H(epoch note) and for whom; `lost`: days whose fixed
    note we cannot open.
    """

    transports: tuple[int, ...] = ()
    epochs: tuple[EpochPlan, ...] = ()
    signatures: tuple[bytes, ...] = ()
    wraps: tuple[tuple[bytes, str], ...] = ()
    lost: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class KeysHeld:
    """What the vault holds: days with a transport secret; those of them whose note is logged; hashes of epoch notes
    with their secret; and what was made and is not logged yet: (gen, day) of notes, H(note) of signatures, H(note)
    and member of wraps.
    """

    transports: frozenset[int] = frozenset()
    logged: frozenset[int] = frozenset()
    epochs: frozenset[bytes] = field(default=frozenset(), repr=False)
    waiting: frozenset[tuple[int, int]] = frozenset()
    signing: frozenset[bytes] = frozenset()
    wrapping: frozenset[tuple[bytes, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Known:
    """Where in the log the newest transport key of (member, day) is, under the member's present keys, and the newest
    wrap of (H(note), member). Positions are `position(batch, index)`.
    """

    transports: Mapping[tuple[str, int], int] = field(default_factory=dict)
    wraps: Mapping[tuple[bytes, str], int] = field(default_factory=dict)


def position(batch: int, index: int) -> int:
    """The place of a key note in the log: its batch, and which of the batch's notes it is."""
    return batch << 20 | index


def batch_of(place: int) -> int:
    """The batch of a place that `position` gave."""
    return place >> 20


def plan_keys(state: KeyState, batch: int, desk: Desk, me: str, held: KeysHeld, known: Known) -> KeyPlan:
    """What member `me` of `desk` makes once `batch` is the newest."""
    today = day_of(batch)
    closed = all(named != desk.id for named, _ in state.named(batch))
    transports = [d for d in range(today, today + TRANSPORT_DAYS_AHEAD) if d not in held.transports]
    epochs: list[EpochPlan] = []
    signatures: list[bytes] = []
    wraps: list[tuple[bytes, str]] = []
    lost: list[int] = []
    for day in range(today - LATE_DAYS, today + EPOCH_DAYS_AHEAD + 1):
        notes = _Notes.of(state, desk, day, held.epochs)
        shared = notes.shared(held.epochs)
        if shared is not None:
            wraps += [
                (shared.note.hash, m.id)
                for m in desk.members
                if m.id != me and _wants_a_wrap(shared, day, m.id, known) and _hands_on(shared, m.id, me, batch, known)
            ]
        if day < today:
            continue
        best = notes.best
        if notes.fixed and best is not None and best.note.hash not in held.epochs:
            lost.append(day)
        signatures += [
            e.note.hash
            for e in notes.to_sign(held.epochs)
            if me not in e.signatures and e.note.hash not in held.signing
        ]
        if best is not None and _given_in_vain(best, day, me, desk, held, known):
            transports.append(day)
        if (desk.gen, day) not in held.waiting and day in held.logged:
            v = notes.missing(len(desk.members) == 1, held.epochs)
            if v is not None and _my_turn(day, batch, desk, me, known, closed):
                epochs.append(EpochPlan(day, v))
    left = tuple(w for w in wraps if w not in held.wrapping)
    return KeyPlan(tuple(sorted(transports)), tuple(epochs), tuple(signatures), left, tuple(lost))


@dataclass(frozen=True, slots=True)
class _Notes:
    """The logged notes of one day under the desk's gen: `ours` those that we can open, best first; `best` the fixed
    one, or the best valid one so far, or None.
    """

    ours: tuple[LoggedEpoch, ...]
    best: LoggedEpoch | None
    fixed: bool

    @classmethod
    def of(cls, state: KeyState, desk: Desk, day: int, held: frozenset[bytes]) -> "_Notes":
        logged = [e for e in state.epochs.values() if (e.note.desk, e.note.gen, e.note.day) == (desk.id, desk.gen, day)]
        logged.sort(key=lambda e: (-e.note.v, e.order))
        chosen = state.fixed.get((desk.id, desk.gen, day))
        best = state.epochs[chosen] if chosen is not None else next((e for e in logged if is_valid(desk, e)), None)
        return cls(tuple(e for e in logged if e.note.hash in held), best, chosen is not None)

    def to_sign(self, held: frozenset[bytes]) -> tuple[LoggedEpoch, ...]:
        """Never one that we did not open. Before one is fixed, all but a flood of them, so that two who made one each
        do not wait for each other.
        """
        if self.fixed:
            return (self.best,) if self.best is not None and self.best.note.hash in held else ()
        return self.ours[:SIGN_MOST]

    def missing(self, alone: bool, held: frozenset[bytes]) -> int | None:
        """The version of a note that has to be made; None when there is one to wait for.

        Alone, a note that we cannot open (the vault was put back from a copy) is outbid. With others it is not: they
        hold it, and hand it on.
        """
        if self.fixed or (self.best is None and self.ours):
            return None
        if self.best is None:
            return 1
        return self.best.note.v + 1 if alone and self.best.note.hash not in held else None

    def shared(self, held: frozenset[bytes]) -> LoggedEpoch | None:
        """The note whose secret we hand to others: the chosen one, or before there is one the first of ours."""
        if self.best is not None:
            return self.best if self.best.note.hash in held else None
        return self.ours[0] if self.ours else None


def _my_turn(day: int, batch: int, desk: Desk, me: str, known: Known, closed: bool) -> bool:
    """Closed: first who was there first, an hour at most; else by day, members in turn, each some days later."""
    here = [m.id for m in desk.members if m.id == me or (m.id, day) in known.transports]
    if closed:
        since = max((known.transports.get((m, day), 0) for m in here), default=0)
        rank = sorted(here, key=lambda m: (known.transports.get((m, day), 0), m)).index(me)
        return batch - (since >> 20) >= min(rank, TURN_TICKS)
    rank = (sorted(here).index(me) - day) % len(here)
    return day <= day_of(batch) + EPOCH_DAYS_AHEAD - rank * TURN_DAYS // len(here)


def _given_in_vain(best: LoggedEpoch, day: int, me: str, desk: Desk, held: KeysHeld, known: Known) -> bool:
    """Was the chosen note wrapped to our newest transport key, and still we cannot open it? Then we ask again."""
    if len(desk.members) == 1 or best.note.hash in held.epochs or day not in held.logged:
        return False
    asked, given = known.transports.get((me, day)), known.wraps.get((best.note.hash, me))
    return asked is not None and given is not None and asked < given


def _wants_a_wrap(epoch: LoggedEpoch, day: int, member: str, known: Known) -> bool:
    """Has the member a transport key for the day, with no wrap logged after it?"""
    asked = known.transports.get((member, day))
    return asked is not None and known.wraps.get((epoch.note.hash, member), -1) < asked


def _hands_on(epoch: LoggedEpoch, member: str, me: str, batch: int, known: Known) -> bool:
    """Two of those who signed hand it on at once, two more each day after: one may be away, another may lie."""
    holders = sorted({*epoch.signatures, me} - {member})
    rank = (holders.index(me) - epoch.note.day) % len(holders)
    asked = batch_of(known.transports[(member, epoch.note.day)])
    return batch - asked >= rank // WRAP_AT_ONCE * TICKS_PER_DAY
