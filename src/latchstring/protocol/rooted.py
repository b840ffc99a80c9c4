# SPDX-License-Identifier: AGPL-3.0-or-later
"""A signed directory together with the root rotations that lead to its keys: what is posted, and kept as a file.

Before any rotation it is the signed directory alone. Afterwards: LP("directory-rooted", CBOR [root note, ...],
signed directory), all rotations from the founding on, so that whoever knows the door can check it by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from latchstring.protocol.constants import MAX_ROTATIONS
from latchstring.protocol.directory import MAX_SIGNED, SignedDirectory, directory_keys, open_directory
from latchstring.protocol.encoding import ProtocolError, decode_cbor, encode_cbor, lp, parse_lp
from latchstring.protocol.root import Door
from latchstring.protocol.root_note import RootChain, RootNote
from latchstring.protocol.visit import Visit

MAX_ROOTED: Final = MAX_SIGNED + (MAX_ROTATIONS + 1) * 8192


@dataclass(frozen=True, slots=True)
class Rooted:
    """A directory under the last keys of `roots`: only `open_rooted` and `with_roots` make it."""

    roots: RootChain
    signed: SignedDirectory
    raw: bytes = field(repr=False)


def with_roots(roots: RootChain, raw: bytes) -> Rooted:
    """The signed directory `raw`, under the last keys of `roots`; ProtocolError when it is not."""
    signed = open_directory(raw, roots)
    if signed.root != roots.number:
        raise ProtocolError("a directory signed by root keys that were replaced")
    packed = lp("directory-rooted", encode_cbor(list(roots.raws)), raw) if roots.notes else raw
    return Rooted(roots, signed, packed)


def open_rooted(raw: bytes, door: Door | None) -> Rooted:
    """Check rotations and directory against the `door` (None: whatever door they name). ProtocolError otherwise."""
    if len(raw) > MAX_ROOTED:
        raise ProtocolError("a directory that is too long")
    notes: list[bytes] = []
    body = raw
    if raw.startswith(lp("directory-rooted")):
        packed, body = parse_lp("directory-rooted", 2, raw)
        items = decode_cbor(packed)
        if not isinstance(items, list) or not 1 <= len(items) <= MAX_ROTATIONS:
            raise ProtocolError("a directory with something else than root rotations")
        notes = [_bytes(item) for item in items]
    named = door_named(notes, body)
    if door is not None and named != door:
        raise ProtocolError("a directory of another door")
    return with_roots(RootChain(named).follow(notes), body)


def door_named(notes: Sequence[bytes], directory: bytes) -> Door:
    """Whose door these bytes say they are; nothing is proved by it. ProtocolError when they cannot be read."""
    return RootNote.parse(notes[0]).door if notes else directory_keys(directory).door()


def _bytes(item: object) -> bytes:
    if not isinstance(item, bytes):
        raise ProtocolError("a directory with something else than root rotations")
    return item


def newest_of(visit: Visit) -> Rooted:
    """The newest directory that a /visit carries, by its root keys alone. ProtocolError when it does not hold."""
    if not visit.directories:
        raise ProtocolError("no directory")
    roots = RootChain(door_named(visit.roots, visit.directories[-1])).follow(visit.roots)
    return with_roots(roots, visit.directories[-1])
