# SPDX-License-Identifier: AGPL-3.0-or-later
"""The manifest: the last leaf of every batch, which names what is in force.

LP("manifest", n, open, first leaf, H(previous), H(directory), CBOR [[desk, H(epoch note)], ...], H(pack),
H(sheet index)). `open` is the number of the batch before (0 at the first, whose H(previous) is zeros); the
list is sorted by desk and leaves out desks without a valid note.
"""

from dataclasses import dataclass

from latchstring.protocol.constants import HASH_SIZE
from latchstring.protocol.encoding import (
    ProtocolError,
    decode_cbor,
    encode_cbor,
    h,
    lp,
    parse_lp,
    parse_u64,
    sized,
)


@dataclass(frozen=True, slots=True)
class Manifest:
    """One batch's manifest; hashes are 32 bytes."""

    n: int
    open: int
    first: int
    previous: bytes
    directory: bytes
    notes: tuple[tuple[str, bytes], ...]
    pack: bytes
    sheets: bytes

    def encode(self) -> bytes:
        """The logged bytes."""
        notes = encode_cbor([[desk, note] for desk, note in self.notes])
        return lp(
            "manifest",
            self.n,
            self.open,
            self.first,
            self.previous,
            self.directory,
            notes,
            self.pack,
            self.sheets,
        )

    def note(self, desk: str) -> bytes | None:
        """H(epoch note) of a desk, if the desk is open."""
        return next((note for name, note in self.notes if name == desk), None)

    @classmethod
    def parse(cls, raw: bytes) -> "Manifest":
        """ProtocolError for other bytes."""
        n, opened, first, previous, directory, notes, pack, sheets = parse_lp("manifest", 8, raw)
        for digest in (previous, directory, pack, sheets):
            sized(digest, HASH_SIZE, "a hash")
        items = decode_cbor(notes)
        if not isinstance(items, list):
            raise ProtocolError("a manifest whose notes are not a list")
        pairs = []
        for item in items:
            match item:
                case [str(desk), bytes(note)] if len(note) == HASH_SIZE:
                    pairs.append((desk, note))
                case _:
                    raise ProtocolError("a manifest whose notes are not as they must be")
        names = [desk for desk, _ in pairs]
        if names != sorted(set(names)):
            raise ProtocolError("a manifest whose desks are not in order")
        return cls(parse_u64(n), parse_u64(opened), parse_u64(first), previous, directory, tuple(pairs), pack, sheets)


def manifest_hash(raw: bytes) -> bytes:
    """H(manifest), as the next one names it."""
    return h(raw)
