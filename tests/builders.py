# SPDX-License-Identifier: AGPL-3.0-or-later
"""Small deterministic pieces that many tests need: randomness from a seed, a door with one desk of one member."""

import hashlib
from dataclasses import dataclass, replace
from string import ascii_lowercase

from latchstring.protocol.directory import (
    NO_HASH,
    Desk,
    Directory,
    Member,
    PageOwner,
    Policy,
    SignedDirectory,
    open_directory,
    sign_directory,
)
from latchstring.protocol.entry import Kind
from latchstring.protocol.epoch import EpochSignature, OpenEpoch, TransportNote, Wrap
from latchstring.protocol.hpke import OpenKey
from latchstring.protocol.keystate import Note
from latchstring.protocol.primitives import ed25519_public, x25519_public
from latchstring.protocol.root import Door, RootKeys
from latchstring.protocol.root_note import RootChain, rotate
from latchstring.protocol.rooted import with_roots

STARTED = 1_700_000_000


class Stream:
    """Bytes from a seed: `Stream("a")(n)` gives the next n, the same in every run."""

    def __init__(self, seed: str) -> None:
        self._seed = seed.encode()
        self._count = 0

    def __call__(self, size: int) -> bytes:
        self._count += 1
        return hashlib.shake_256(self._seed + self._count.to_bytes(8, "big")).digest(size)


@dataclass(frozen=True)
class MemberKeys:
    """A member's private keys."""

    id: str
    desk: str
    sign_seed: bytes
    request_seed: bytes

    @property
    def public(self) -> Member:
        return Member(self.id, ed25519_public(self.sign_seed), x25519_public(self.request_seed))


@dataclass(frozen=True)
class Founding:
    """Every private key of a small organisation, and its newest directory. `rotations`: of its root keys."""

    root: RootKeys
    log_seed: bytes
    receipt_seed: bytes
    request_seed: bytes
    members: tuple[MemberKeys, ...]
    directory: Directory
    rotations: tuple[bytes, ...] = ()

    @property
    def door(self) -> Door:
        return self.directory.door

    @property
    def roots(self) -> RootChain:
        return RootChain(self.door).follow(self.rotations)

    @property
    def signed(self) -> bytes:
        return sign_directory(self.directory, self.root, self.roots)

    @property
    def posted(self) -> bytes:
        return with_roots(self.roots, self.signed).raw

    @property
    def opened(self) -> SignedDirectory:
        return open_directory(self.signed, self.roots)

    def member(self, desk: str) -> MemberKeys:
        """The first of the desk."""
        return next(m for m in self.members if m.desk == desk)

    def keys_of(self, member: str) -> MemberKeys:
        """The newest keys under that id."""
        return next(m for m in reversed(self.members) if m.id == member)


def found(
    seed: str = "door", desks: tuple[str, ...] = ("news",), tick: int = 600, each: int = 1, **policy: int
) -> Founding:
    """An organisation with desks of `each` members ("news-1", "news-2", ...), one page a member."""
    random = Stream(seed)
    root = RootKeys(random(32), random(32))
    log, receipt, request = random(32), random(32), random(32)
    members = tuple(
        MemberKeys(f"{desk}-{n}", desk, random(32), random(32)) for desk in desks for n in range(1, each + 1)
    )
    figures = {"started": STARTED, "letters": 4, "queue": 64, "slots": 2, **policy}
    directory = Directory(
        door=root.public().door(),
        seq=1,
        previous=NO_HASH,
        expires=60 * 144,
        origin="door.example/log",
        log_key=ed25519_public(log),
        receipt_key=ed25519_public(receipt),
        request_key=x25519_public(request),
        addresses=("http://127.0.0.1:8400",),
        policy=Policy(tick=tick, **figures),
        desks=tuple(
            Desk(
                desk,
                1,
                {"en": desk.title(), "uk": "Стіл"},
                {"en": "Come in."},
                tuple(m.public for m in members if m.desk == desk),
            )
            for desk in desks
        ),
        pages=tuple(PageOwner(m.desk, m.id) for m in members),
    )
    return Founding(root, log, receipt, request, members, directory)


def successor(founding: Founding, **changes: object) -> Founding:
    """The same organisation with its next directory, `changes` applied."""
    old = founding.opened
    directory = replace(old.directory, seq=old.directory.seq + 1, previous=old.hash, **changes)  # type: ignore[arg-type]  # a test's shorthand
    return replace(founding, directory=directory)


def rotated(founding: Founding, seed: str = "new roots", **changes: object) -> Founding:
    """The same organisation under new root keys, which have signed its next directory."""
    random = Stream(seed)
    new = RootKeys(random(32), random(32))
    note = rotate(founding.roots, founding.root, new)
    after = successor(founding, **changes)
    return replace(after, root=new, rotations=(*founding.rotations, note))


def make_epoch(founding: Founding, desk: str, day: int, random: Stream, v: int = 1) -> tuple[OpenEpoch, list[Note]]:
    """An epoch of `desk` for `day` with its transport key, note, signature and wrap, as the member would post them."""
    member = founding.member(desk)
    found_desk = founding.directory.desk(desk)
    assert found_desk is not None
    transport_key = OpenKey.from_secret(random(32))
    transport = TransportNote.make(founding.door, desk, member.id, day, transport_key.seal_key(), member.sign_seed)
    epoch = OpenEpoch.make(random(32), founding.door, desk, found_desk.gen, v, day)
    return epoch, [
        (Kind.TRANSPORT, transport.raw),
        (Kind.EPOCH, epoch.note.raw),
        (Kind.SIGNATURE, EpochSignature.make(epoch.note.hash, member.id, member.sign_seed).raw),
        (Kind.WRAP, Wrap.make(epoch, transport).raw),
    ]


def slips_of(word: str, letters: str = ascii_lowercase) -> set[str]:
    """Everything one slip away from a word: a letter changed, left out, added, or two neighbours swapped."""
    cut = [(word[:i], word[i:]) for i in range(len(word) + 1)]
    out = {a + b[1:] for a, b in cut if b} | {a + x + b[1:] for a, b in cut if b for x in letters}
    out |= {a + x + b for a, b in cut for x in letters}
    out |= {a + b[1] + b[0] + b[2:] for a, b in cut if len(b) > 1}
    return out - {word}


def unfolding(levels: int, width: int) -> bytes:
    """CBOR of lists within lists by shared values (tags 28 and 29): width ** levels items in a few bytes."""
    out = bytes([0x80 + levels])
    for i in range(levels):
        inside = b"\x98" + bytes([width]) + (b"\xd8\x1d" + bytes([i - 1])) * width if i else b"\x80"
        out += b"\xd8\x1c" + inside
    return out
