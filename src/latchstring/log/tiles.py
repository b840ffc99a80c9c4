# SPDX-License-Identifier: AGPL-3.0-or-later
"""Tiles (c2sp.org/tlog-tiles): how a log lies as static files.

A tile at level L and index N holds up to 256 hashes of level 8 * L; `tile/<L>/<N>[.p/<W>]`, N in groups of three
digits, all but the last prefixed with x. Entry bundles `tile/entries/<N>[.p/<W>]` hold the entries themselves,
each after its u16be length.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from latchstring.log.errors import LogError
from latchstring.log.tree import leaf_hashes, raise_by, root_of_runs

HASH: Final = 32
WIDTH: Final = 256
MAX_LEVEL: Final = 5  # as the specification: levels 0 to 5 reach 2^48 leaves
_PATH: Final = re.compile(r"tile/(entries|[0-5])/((?:x[0-9]{3}/){0,5}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?\Z", re.ASCII)

ReadTile = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class TilePath:
    """Which tile: `level` is None for an entry bundle; `width` 256 when full."""

    level: int | None
    index: int
    width: int = WIDTH

    def __str__(self) -> str:
        name = f"{self.index % 1000:03d}"
        rest = self.index // 1000
        while rest:
            name = f"x{rest % 1000:03d}/{name}"
            rest //= 1000
        level = "entries" if self.level is None else str(self.level)
        return f"tile/{level}/{name}" + ("" if self.width == WIDTH else f".p/{self.width}")

    @classmethod
    def parse(cls, path: str) -> "TilePath":
        """LogError for anything but the one spelling of a tile's path."""
        match = _PATH.match(path)
        if match is None:
            raise LogError("not the path of a tile")
        level, digits, width = match.groups()
        index = int(digits.replace("x", "").replace("/", ""))
        tile = cls(None if level == "entries" else int(level), index, WIDTH if width is None else int(width))
        if tile.width > WIDTH or str(tile) != path:
            raise LogError("not the path of a tile")
        return tile


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """An entry bundle; LogError for an entry of more than 65,535 bytes."""
    out = bytearray()
    for entry in entries:
        if len(entry) > 0xFFFF:
            raise LogError("a log entry that is too long")
        out += len(entry).to_bytes(2, "big") + entry
    return bytes(out)


def decode_bundle(raw: bytes, width: int) -> list[bytes]:
    """Exactly `width` entries; LogError otherwise."""
    if raw[:2] == b"\x00\x20" and len(raw) == width * 34:  # the usual case: every entry a hash
        entries = [raw[i + 2 : i + 34] for i in range(0, len(raw), 34)]
        if all(raw[i : i + 2] == b"\x00\x20" for i in range(0, len(raw), 34)):
            return entries
    entries, offset = [], 0
    while offset < len(raw):
        size = int.from_bytes(raw[offset : offset + 2], "big")
        end = offset + 2 + size
        if offset + 2 > len(raw) or end > len(raw):
            raise LogError("an entry bundle that is cut short")
        entries.append(raw[offset + 2 : end])
        offset = end
    if len(entries) != width:
        raise LogError("an entry bundle with more or fewer entries than its path says")
    return entries


def decode_tile(raw: bytes, width: int) -> list[bytes]:
    """Exactly `width` hashes; LogError otherwise."""
    if len(raw) != width * HASH:
        raise LogError("a tile with more or fewer hashes than its path says")
    return [raw[i : i + HASH] for i in range(0, len(raw), HASH)]


def tiles_of(size: int, old_size: int = 0) -> list[TilePath]:
    """Every hash tile and bundle that a log of `size` leaves has and one of `old_size` had not, bundles first."""
    out: list[TilePath] = []
    for level in (None, *range(MAX_LEVEL + 1)):
        shift = 8 * (level or 0)
        new, old = size >> shift, old_size >> shift
        if new == 0:
            break
        if new == old:
            continue
        for index in range(old // WIDTH, (new + WIDTH - 1) // WIDTH):
            out.append(TilePath(level, index, min(WIDTH, new - index * WIDTH)))
    return out


def superseded(size: int, old_size: int) -> list[TilePath]:
    """Tiles that are full at `size` and were not at `old_size`: partial ones of the same index may go."""
    return [
        TilePath(level, index)
        for level in (None, *range(MAX_LEVEL + 1))
        for shift in (8 * (level or 0),)
        for index in range((old_size >> shift) // WIDTH, (size >> shift) // WIDTH)
    ]


def left_over(paths: Iterable[str], size: int) -> list[str]:
    """Those among the paths of tiles that are partial though a log of `size` leaves has their full tile."""
    found = [TilePath.parse(path) for path in paths]
    return [str(t) for t in found if t.width < WIDTH and t.index < (size >> (8 * (t.level or 0))) // WIDTH]


def files_for_append(old_size: int, entries: Sequence[bytes], read: ReadTile) -> dict[str, bytes]:
    """Every file that publishing `old_size + len(entries)` leaves must write, given those of `old_size`.

    `read` gives a published tile by its path; only the right edge is read, so the cost does not depend on how
    long the log is.
    """
    if not entries:
        return {}
    size = old_size + len(entries)
    files: dict[str, bytes] = {}
    fill = old_size % WIDTH
    kept = decode_bundle(read(str(TilePath(None, old_size // WIDTH, fill))), fill) if fill else []
    everything = kept + list(entries)
    for index in range(old_size // WIDTH, (size + WIDTH - 1) // WIDTH):
        chunk = everything[(index - old_size // WIDTH) * WIDTH :][:WIDTH]
        files[str(TilePath(None, index, len(chunk)))] = encode_bundle(chunk)
    new_hashes = leaf_hashes(entries)
    for level in range(MAX_LEVEL + 1):
        if not new_hashes:
            break
        start = old_size >> (8 * level)
        fill = start % WIDTH
        edge = decode_tile(read(str(TilePath(level, start // WIDTH, fill))), fill) if fill else []
        row = edge + new_hashes
        first = start // WIDTH
        for index in range(first, first + (len(row) + WIDTH - 1) // WIDTH):
            chunk = row[(index - first) * WIDTH :][:WIDTH]
            files[str(TilePath(level, index, len(chunk)))] = b"".join(chunk)
        new_hashes = raise_by(row[: len(row) // WIDTH * WIDTH], 8)
    return files


def hash_range(level: int, start: int, end: int, size: int, read: ReadTile) -> list[bytes]:
    """Hashes `start` to `end` of tile level `level` (each covering 256^level leaves) in a log of `size` leaves."""
    total = size >> (8 * level)
    if not 0 <= start <= end <= total:
        raise LogError("hashes outside the log")
    out: list[bytes] = []
    for index in range(start // WIDTH, (end + WIDTH - 1) // WIDTH):
        width = min(WIDTH, total - index * WIDTH)
        tile = decode_tile(read(str(TilePath(level, index, width))), width)
        out += tile[max(0, start - index * WIDTH) : end - index * WIDTH]
    return out


def hash_at(size: int, read: ReadTile) -> Callable[[int, int], bytes]:
    """What `proof` asks for: (level, index) -> the hash of that complete subtree, in a log of `size` leaves.

    One tile is read for each hash; LogError for a subtree that is not complete at `size`.
    """

    def one(level: int, index: int) -> bytes:
        tile_level, above = divmod(level, 8)
        return raise_by(hash_range(tile_level, index << above, (index + 1) << above, size, read), above)[0]

    return one


def entry_range(start: int, end: int, size: int, read: ReadTile) -> list[bytes]:
    """Entries `start` to `end` of a log of `size` leaves."""
    if not 0 <= start <= end <= size:
        raise LogError("entries outside the log")
    out: list[bytes] = []
    for index in range(start // WIDTH, (end + WIDTH - 1) // WIDTH):
        width = min(WIDTH, size - index * WIDTH)
        bundle = decode_bundle(read(str(TilePath(None, index, width))), width)
        out += bundle[max(0, start - index * WIDTH) : end - index * WIDTH]
    return out


def root_from_tiles(size: int, read: ReadTile) -> bytes:
    """The root of a log of `size` leaves, from the right edge of its tiles alone."""
    runs = []
    done = 0
    for level in range(MAX_LEVEL, -1, -1):
        start, end = done >> (8 * level), size >> (8 * level)
        hashes = hash_range(level, start, end, size, read)
        if hashes:
            runs.append((8 * level, hashes))
        done = end << (8 * level)
    return root_of_runs(runs)
