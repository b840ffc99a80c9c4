# SPDX-License-Identifier: AGPL-3.0-or-later
"""Inclusion and consistency proofs (RFC 9162, sections 2.1.3 and 2.1.4; the same bytes as RFC 6962).

Proofs are made from complete subtrees, which `HashAt` gives by level and index; `tiles.hash_at` reads them from tiles.
They are checked without a log. A size and its root belong together: take both from one verified checkpoint.
"""

from collections.abc import Callable, Sequence
from typing import Final

from latchstring.log.errors import BadProof, LogError
from latchstring.log.tree import EMPTY_ROOT, node_hash, pair_up

HASH: Final = 32

HashAt = Callable[[int, int], bytes]
"""(level, index) -> the 32-byte hash over leaves index * 2^level to (index + 1) * 2^level."""


def _split(count: int) -> int:
    """The largest power of two below `count` (which is 2 at least): how many leaves lie on the left."""
    return 1 << ((count - 1).bit_length() - 1)


def _range_hash(start: int, end: int, hash_at: HashAt) -> bytes:
    """The tree hash over leaves `start` to `end`, a right-hand part of some tree, so that `start` is aligned."""
    parts = []
    while start < end:
        level = (end - start).bit_length() - 1
        parts.append(hash_at(level, start >> level))
        start += 1 << level
    digest = parts.pop()
    while parts:
        digest = node_hash(parts.pop(), digest)
    return digest


def root_before(size: int, hash_at: HashAt) -> bytes:
    """The root that a log had at `size` leaves, from the complete subtrees of the log as it is now."""
    return _range_hash(0, size, hash_at) if size else EMPTY_ROOT


def hashes_of(leaves: Sequence[bytes]) -> HashAt:
    """Complete subtrees of a log whose leaf hashes are all at hand. LogError for one that is not complete."""
    rows = [list(leaves)]
    while len(rows[-1]) > 1:
        rows.append(pair_up(rows[-1]))

    def one(level: int, index: int) -> bytes:
        if not 0 <= level < len(rows) or not 0 <= index < len(rows[level]):
            raise LogError("hashes outside the log")
        return rows[level][index]

    return one


def inclusion_proof(index: int, size: int, hash_at: HashAt) -> list[bytes]:
    """Hashes, leaf upwards, that lead from leaf `index` to the root of the log at `size`. LogError outside the log."""
    if not 0 <= index < size:
        raise LogError("a proof was asked for a leaf outside the log")
    path = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_range_hash(middle, end, hash_at))
            end = middle
        else:
            path.append(_range_hash(start, middle, hash_at))
            start = middle
    return path[::-1]


def consistency_proof(old: int, new: int, hash_at: HashAt) -> list[bytes]:
    """Hashes that show the log at `new` leaves to begin with the log at `old`; none when `old` is 0 or `new`."""
    if not 0 <= old <= new:
        raise LogError("a proof was asked between sizes that the log has not had")
    if old == 0:
        return []
    path = []
    start, end = 0, new
    while end != old:
        middle = start + _split(end - start)
        if old <= middle:
            path.append(_range_hash(middle, end, hash_at))
            end = middle
        else:
            path.append(_range_hash(start, middle, hash_at))
            start = middle
    if start:  # otherwise the old root is itself a subtree of the new one, and known to whoever checks
        path.append(_range_hash(start, end, hash_at))
    return path[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, root: bytes, proof: Sequence[bytes]) -> None:
    """BadProof unless `leaf` (a leaf hash) is at `index` in the log of `size` leaves with `root`."""
    if not 0 <= index < size:
        raise BadProof("the proof is for a leaf outside the log")
    _check_hashes(leaf, root, *proof)
    at, last, digest = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise BadProof("the inclusion proof is too long")
        if at & 1 or at == last:
            digest = node_hash(sibling, digest)
            while not at & 1 and at:  # levels at which the right edge has no sibling
                at, last = at >> 1, last >> 1
        else:
            digest = node_hash(digest, sibling)
        at, last = at >> 1, last >> 1
    if last:
        raise BadProof("the inclusion proof is too short")
    if digest != root:
        raise BadProof("the inclusion proof does not lead to the root")


def verify_consistency(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    """BadProof unless the log of `new` leaves with `new_root` begins with that of `old` leaves with `old_root`.

    Every log begins with the empty one, so `old` = 0 says nothing about `new_root`.
    """
    if not 0 <= old <= new:
        raise BadProof("the log shrank")
    _check_hashes(old_root, new_root, *proof)
    if old in (0, new):
        if proof:
            raise BadProof("the consistency proof is too long")
        if old_root != (EMPTY_ROOT if old == 0 else new_root):
            raise BadProof("the same size with another root")
        if new == 0 and new_root != EMPTY_ROOT:
            raise BadProof("an empty log with a root of its own")
        return
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    if not path:
        raise BadProof("the consistency proof is too short")
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    of_old = of_new = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise BadProof("the consistency proof is too long")
        if at & 1 or at == last:
            of_old, of_new = node_hash(sibling, of_old), node_hash(sibling, of_new)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            of_new = node_hash(of_new, sibling)
        at, last = at >> 1, last >> 1
    if last:
        raise BadProof("the consistency proof is too short")
    if of_old != old_root or of_new != new_root:
        raise BadProof("the consistency proof does not lead to both roots")


def _check_hashes(*hashes: bytes) -> None:
    if any(len(digest) != HASH for digest in hashes):
        raise BadProof("a proof with a hash that is not 32 bytes")
