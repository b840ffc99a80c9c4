# SPDX-License-Identifier: AGPL-3.0-or-later
"""Root rotation: a note by which the root keys in force hand over to new ones, and the chain of such notes.

LP("root", door, number, previous, old Ed25519, old ML-DSA-44, new Ed25519, new ML-DSA-44): `number` is 1 for the first
rotation, `previous` is H(the note before), for the first the door itself. Signed bytes, all four signatures over that:
LP("root-signed", note, old Ed25519, old ML-DSA-44, new Ed25519, new ML-DSA-44 signature). H(note) leaves them out.
The note names no directory: one that was signed ahead and kept aside stays good until another rotation comes first.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from latchstring.protocol.constants import HASH_SIZE, MAX_ROTATIONS
from latchstring.protocol.encoding import ProtocolError, h, lp, parse_lp, parse_u64, sized
from latchstring.protocol.root import Door, RootKeys, RootPublic, RootSignature


@dataclass(frozen=True, slots=True)
class RootNote:
    """One rotation as its bytes say it; whether it counts, `RootChain.then` says."""

    door: Door
    number: int
    previous: bytes
    old: RootPublic
    new: RootPublic
    body: bytes = field(repr=False)
    raw: bytes = field(repr=False)
    by_old: RootSignature = field(repr=False)
    by_new: RootSignature = field(repr=False)

    @property
    def hash(self) -> bytes:
        """H(note), 32 bytes."""
        return h(self.body)

    @classmethod
    def parse(cls, raw: bytes) -> "RootNote":
        """ProtocolError for anything else than one note with its four signatures, none of which is checked."""
        body, *signatures = parse_lp("root-signed", 5, raw)
        door, number, previous, old_ed, old_ml, new_ed, new_ml = parse_lp("root", 7, body)
        return cls(
            Door(sized(door, HASH_SIZE, "a door")),
            parse_u64(number),
            sized(previous, HASH_SIZE, "a root note's hash"),
            RootPublic(old_ed, old_ml),
            RootPublic(new_ed, new_ml),
            body,
            raw,
            RootSignature(signatures[0], signatures[1]),
            RootSignature(signatures[2], signatures[3]),
        )

    def holds(self) -> bool:
        """Do all four signatures hold?"""
        return self.old.verify(self.body, self.by_old) and self.new.verify(self.body, self.by_new)


@dataclass(frozen=True, slots=True)
class RootChain:
    """The root keys of a door from its founding on. `notes` were checked: make it by `RootChain(door)` and `then`."""

    door: Door
    notes: tuple[RootNote, ...] = ()

    @property
    def number(self) -> int:
        """How many rotations there were."""
        return len(self.notes)

    @property
    def head(self) -> bytes:
        """What the next note must name: H(the newest note), or the door."""
        return self.notes[-1].hash if self.notes else self.door

    @property
    def raws(self) -> tuple[bytes, ...]:
        """The signed notes, oldest first."""
        return tuple(note.raw for note in self.notes)

    def number_of(self, keys: RootPublic) -> int | None:
        """After how many rotations these keys were in force; None when they never were."""
        if keys.door() == self.door:
            return 0
        return next((note.number for note in self.notes if note.new == keys), None)

    def in_force(self, keys: RootPublic) -> bool:
        """Are these the keys that sign now?"""
        return self.number_of(keys) == self.number

    def then(self, raw: bytes) -> "RootChain":
        """The chain with one more rotation; ProtocolError unless it is the next, by the keys in force, to new ones."""
        note = RootNote.parse(raw)
        if note.door != self.door:
            raise ProtocolError("a root rotation of another door")
        if self.number >= MAX_ROTATIONS:
            raise ProtocolError("more root rotations than a door can have")
        if (note.number, note.previous) != (self.number + 1, self.head) or not self.in_force(note.old):
            raise ProtocolError("a root rotation that does not follow the one before it")
        before = (note.old, *(earlier.old for earlier in self.notes))
        if any(note.new.ed25519 == keys.ed25519 or note.new.mldsa == keys.mldsa for keys in before):
            raise ProtocolError("a root rotation to keys that were there before")
        if not note.holds():
            raise ProtocolError("a root rotation whose signatures do not hold")
        return RootChain(self.door, (*self.notes, note))

    def follow(self, raws: Iterable[bytes]) -> "RootChain":
        """The chain with these rotations, oldest first; ProtocolError as `then`."""
        chain = self
        for raw in raws:
            chain = chain.then(raw)
        return chain


def rotate(chain: RootChain, old: RootKeys, new: RootKeys) -> bytes:
    """The signed note by which `old`, in force now, hand over to `new`; ProtocolError when it would not count."""
    if not chain.in_force(old.public()):
        raise ProtocolError("these root keys are not in force")
    before, after = old.public(), new.public()
    body = lp(
        "root", chain.door, chain.number + 1, chain.head, before.ed25519, before.mldsa, after.ed25519, after.mldsa
    )
    by_old, by_new = old.sign(body), new.sign(body)
    raw = lp("root-signed", body, by_old.ed25519, by_old.mldsa, by_new.ed25519, by_new.mldsa)
    chain.then(raw)
    return raw
