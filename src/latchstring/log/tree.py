# SPDX-License-Identifier: AGPL-3.0-or-later
"""Merkle tree hashing (RFC 6962, section 2.1): leaf SHA-256(0x00 ‖ entry), node SHA-256(0x01 ‖ left ‖ right).

A hash at level L and index I covers leaves I * 2^L to (I + 1) * 2^L. Every hash is 32 bytes.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from latchstring.log.errors import LogError, NotDerivable

EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
LEVEL1_SPAN: Final = 256
LEVEL2_SPAN: Final = 65_536

Run = tuple[int, Sequence[bytes]]
"""Complete subtrees side by side: their level (a power-of-two width 2^level), and their hashes from left to right."""


def leaf_hash(entry: bytes) -> bytes:
    """The hash of one log entry."""
    return hashlib.sha256(b"\x00" + entry).digest()


def leaf_hashes(entries: Iterable[bytes]) -> list[bytes]:
    """The hashes of many entries."""
    sha256 = hashlib.sha256
    return [sha256(b"\x00" + entry).digest() for entry in entries]


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees side by side."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def pair_up(hashes: Sequence[bytes]) -> list[bytes]:
    """One level up: the hashes of neighbours, two by two; a last one alone is left out."""
    sha256 = hashlib.sha256
    return [sha256(b"\x01" + hashes[i] + hashes[i + 1]).digest() for i in range(0, len(hashes) - 1, 2)]


def raise_by(hashes: Sequence[bytes], levels: int) -> list[bytes]:
    """`levels` levels up; only complete subtrees come out."""
    out = list(hashes)
    for _ in range(levels):
        out = pair_up(out)
    return out


def root_of_runs(runs: Sequence[Run]) -> bytes:
    """The root of the tree that starts with `runs`, widest subtrees first and each run aligned where it starts.

    LogError when a run starts at a place that is not a multiple of its width, or levels rise.
    """
    stack: list[tuple[int, bytes]] = []  # complete subtrees, widest first
    start, above = 0, 64
    for level, hashes in runs:
        if level > above or start % (1 << level):
            raise LogError("hashes of a log that do not fit together")
        above = level
        start += len(hashes) << level
        for digest in hashes:
            width, right = level, digest
            while stack and stack[-1][0] == width:
                right = node_hash(stack.pop()[1], right)
                width += 1
            stack.append((width, right))
    if not stack:
        return EMPTY_ROOT
    root = stack[-1][1]
    for _, left in reversed(stack[:-1]):
        root = node_hash(left, root)
    return root


def root_of(hashes: Sequence[bytes]) -> bytes:
    """The root over leaf hashes."""
    return root_of_runs([(0, hashes)])


def root_from_ranges(level2: Sequence[bytes], level1: Sequence[bytes], leaves: Sequence[bytes]) -> bytes:
    """The root of a log given as 65,536-leaf subtrees, then 256-leaf subtrees, then leaf hashes to the end."""
    return root_of_runs([(16, level2), (8, level1), (0, leaves)])


class Ranges:
    """A log as 65,536-leaf subtrees, then 256-leaf subtrees, then leaf hashes to the end, for whoever wants several of
    the roots that it had: the leaves are hashed together once.
    """

    def __init__(self, level2: Sequence[bytes], level1: Sequence[bytes], leaves: Sequence[bytes]) -> None:
        self._start1 = len(level2) * LEVEL2_SPAN
        self._start0 = self._start1 + len(level1) * LEVEL1_SPAN
        self._level2, self._leaves = level2, leaves
        self._level1 = [*level1, *raise_by(leaves, 8)]

    def root(self, size: int) -> bytes:
        """The root that the log had at `size` leaves.

        NotDerivable when `size` lies inside a subtree that is given as one hash, or beyond the log.
        """
        if not 0 <= size <= self._start0 + len(self._leaves):
            raise NotDerivable("a size outside the log")
        span = 1 if size >= self._start0 else LEVEL1_SPAN if size >= self._start1 else LEVEL2_SPAN
        if size % span:
            raise NotDerivable("a size inside a part of the log that is given as one hash")
        level2 = self._level2[: size // LEVEL2_SPAN]
        level1 = self._level1[: max(0, size - self._start1) // LEVEL1_SPAN]
        leaves = (
            self._leaves[size // LEVEL1_SPAN * LEVEL1_SPAN - self._start0 : size - self._start0] if span == 1 else ()
        )
        return root_from_ranges(level2, level1, leaves)


@dataclass(frozen=True, slots=True)
class Frontier:
    """The right edge of a log, all that appending needs: its size and its complete subtrees, widest first.

    One subtree for every bit set in `size`; LogError when their number does not fit.
    """

    size: int = 0
    edge: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0 or len(self.edge) != self.size.bit_count():
            raise LogError("a log's edge that does not fit its size")

    def append(self, leaf: bytes) -> "Frontier":
        """With one more leaf, given as its leaf hash."""
        return self.extend([leaf])

    def extend(self, leaves: Iterable[bytes]) -> "Frontier":
        """With more leaves, given as their leaf hashes; level by level, so that many at once cost least."""
        row, edge, ends, level = list(leaves), list(self.edge), [], 0
        size = self.size + len(row)
        while row:
            if self.size >> level & 1:
                row.insert(0, edge.pop())
            if len(row) % 2:
                ends.append(row.pop())
            row = pair_up(row)
            level += 1
        return Frontier(size, (*edge, *reversed(ends)))

    def root(self) -> bytes:
        """The root at this size."""
        if not self.edge:
            return EMPTY_ROOT
        root = self.edge[-1]
        for left in reversed(self.edge[:-1]):
            root = node_hash(left, root)
        return root
