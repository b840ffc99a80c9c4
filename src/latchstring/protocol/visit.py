# SPDX-License-Identifier: AGPL-3.0-or-later
"""`/visit`: one file, rewritten every tick, that every client downloads whole.

A CBOR map: "checkpoint" (signed note), "roots" (all root rotations, signed), "directories" (signed bytes), "epochs"
([epoch note, [signature, ...]]), "sheets" (oldest first), "manifest", and of the log "level2", "level1" and "entries":
32-byte values run together. Level-2 hashes cover the first leaves in blocks of 65,536, level-1 hashes go on in blocks
of 256, entries to the end.
This file only takes the bytes apart; what they prove is for `client/` to check.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from latchstring.protocol import constants as c
from latchstring.protocol.encoding import Fields, ProtocolError, decode_cbor, encode_cbor

MAX_VISIT = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Visit:
    """The file's parts, not yet verified."""

    checkpoint: bytes
    directories: tuple[bytes, ...] = field(repr=False)
    epochs: tuple[tuple[bytes, tuple[bytes, ...]], ...] = field(repr=False)
    sheets: tuple[bytes, ...] = field(repr=False)
    manifest: bytes = field(repr=False)
    level2: tuple[bytes, ...] = field(repr=False)
    level1: tuple[bytes, ...] = field(repr=False)
    entries: tuple[bytes, ...] = field(repr=False)
    roots: tuple[bytes, ...] = field(default=(), repr=False)

    @property
    def entries_start(self) -> int:
        """The index of the first leaf among `entries`."""
        return len(self.level2) * c.LEVEL2_SPAN + len(self.level1) * c.LEVEL1_SPAN

    @property
    def size(self) -> int:
        """How many leaves the log has by these parts."""
        return self.entries_start + len(self.entries)


def visit_starts(size: int, recent_first: int) -> tuple[int, int]:
    """Where level-1 hashes and where entries start, in leaves, for a log of `size` leaves.

    `recent_first` is the first leaf of the last 288 batches: entries start at the multiple of 256 at or before
    it; level-1 hashes sixteen multiples of 65,536 before that (or at 0); level-2 hashes cover what is before.
    """
    if not 0 <= recent_first <= size:
        raise ValueError("the recent batches start outside the log")
    entries = recent_first // c.LEVEL1_SPAN * c.LEVEL1_SPAN
    level1 = max(0, entries // c.LEVEL2_SPAN - c.VISIT_LEVEL1_BLOCKS) * c.LEVEL2_SPAN
    return level1, entries


def encode_visit(v: Visit) -> bytes:
    """The file's bytes."""
    return encode_cbor(
        {
            "v": 1,
            "checkpoint": v.checkpoint,
            "roots": list(v.roots),
            "directories": list(v.directories),
            "epochs": [[note, list(signatures)] for note, signatures in v.epochs],
            "sheets": list(v.sheets),
            "manifest": v.manifest,
            "level2": b"".join(v.level2),
            "level1": b"".join(v.level1),
            "entries": b"".join(v.entries),
        }
    )


def parse_visit(raw: bytes) -> Visit:
    """ProtocolError for other bytes."""
    if len(raw) > MAX_VISIT:
        raise ProtocolError("a /visit that is too long")
    f = Fields(decode_cbor(raw), "visit")
    if f.count("v") != 1:
        raise ProtocolError("a /visit of a version that this program does not know")
    visit = Visit(
        checkpoint=f.raw("checkpoint"),
        directories=_all_bytes(f.items("directories", 4096)),
        epochs=tuple(_epoch(item) for item in f.items("epochs", 65_536)),
        sheets=_all_bytes(f.items("sheets", c.SHEETS_KEPT)),
        manifest=f.raw("manifest"),
        level2=_hashes(f.raw("level2")),
        level1=_hashes(f.raw("level1")),
        entries=_hashes(f.raw("entries")),
        roots=_all_bytes(f.items("roots", c.MAX_ROTATIONS)),
    )
    f.done()
    return visit


def _all_bytes(items: Sequence[object]) -> tuple[bytes, ...]:
    out = []
    for item in items:
        if not isinstance(item, bytes):
            raise ProtocolError("visit: something else than bytes in a list")
        out.append(item)
    return tuple(out)


def _epoch(item: object) -> tuple[bytes, tuple[bytes, ...]]:
    match item:
        case [bytes(note), list(signatures)] if len(signatures) <= 64:
            return note, _all_bytes(signatures)
        case _:
            raise ProtocolError("visit: an epoch that is not a note and its signatures")


def _hashes(raw: bytes) -> tuple[bytes, ...]:
    if len(raw) % c.HASH_SIZE:
        raise ProtocolError("visit: hashes of the wrong length")
    return tuple(raw[i : i + c.HASH_SIZE] for i in range(0, len(raw), c.HASH_SIZE))
