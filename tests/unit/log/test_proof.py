# SPDX-License-Identifier: AGPL-3.0-or-later
"""Proofs: every pair of sizes up to 70, and a forger who shortens, lengthens, grafts and swaps."""

from collections.abc import Sequence

import pytest

from latchstring.log.errors import BadProof, LogError
from latchstring.log.proof import (
    consistency_proof,
    inclusion_proof,
    verify_consistency,
    verify_inclusion,
)
from latchstring.log.tree import EMPTY_ROOT, leaf_hash, node_hash, raise_by, root_of

LEAVES = [leaf_hash(i.to_bytes(4, "big")) for i in range(70)]
ROOTS = [root_of(LEAVES[:size]) for size in range(71)]
ROWS = [raise_by(LEAVES, level) for level in range(7)]


def subtree(level: int, index: int) -> bytes:
    return ROWS[level][index]


@pytest.mark.parametrize("size", range(1, 71))
def test_every_inclusion(size: int) -> None:
    for index in range(size):
        proof = inclusion_proof(index, size, subtree)
        verify_inclusion(LEAVES[index], index, size, ROOTS[size], proof)
        for other in {index - 1, index + 1, size - 1 - index} - {index}:
            with pytest.raises(BadProof):
                verify_inclusion(LEAVES[index], other, size, ROOTS[size], proof)


@pytest.mark.parametrize("new", range(71))
def test_every_consistency(new: int) -> None:
    for old in range(new + 1):
        proof = consistency_proof(old, new, subtree)
        verify_consistency(old, ROOTS[old], new, ROOTS[new], proof)
        for forked in (ROOTS[old - 1], leaf_hash(ROOTS[old])):
            with pytest.raises(BadProof):
                verify_consistency(old, forked, new, ROOTS[new], proof)
            if old == 0:  # any log begins with the empty one
                continue
            with pytest.raises(BadProof):
                verify_consistency(old, ROOTS[old], new, forked, proof)


@pytest.mark.parametrize(("index", "size"), [(0, 1), (0, 2), (5, 8), (6, 7), (69, 70), (63, 70)])
def test_inclusion_proofs_of_another_length_or_content(index: int, size: int) -> None:
    proof = inclusion_proof(index, size, subtree)
    bad: list[Sequence[bytes]] = [[*proof, LEAVES[0]], [LEAVES[0], *proof], [*proof, EMPTY_ROOT], [b"short", *proof]]
    for at in range(len(proof)):
        bad += [
            proof[:at] + proof[at + 1 :],
            [*proof[:at], EMPTY_ROOT, *proof[at + 1 :]],
            [*proof[: at + 1], *proof[at:]],
        ]
    bad += [proof[::-1]] if len(proof) > 1 else []
    for forged in bad:
        with pytest.raises(BadProof):
            verify_inclusion(LEAVES[index], index, size, ROOTS[size], forged)


@pytest.mark.parametrize(("old", "new"), [(1, 2), (4, 8), (5, 8), (6, 7), (32, 70), (63, 70), (69, 70)])
def test_consistency_proofs_of_another_length_or_content(old: int, new: int) -> None:
    proof = consistency_proof(old, new, subtree)
    bad: list[Sequence[bytes]] = [[*proof, LEAVES[0]], [LEAVES[0], *proof], [], [b"short", *proof]]
    for at in range(len(proof)):
        bad += [proof[:at] + proof[at + 1 :], [*proof[:at], EMPTY_ROOT, *proof[at + 1 :]]]
    for forged in bad:
        with pytest.raises(BadProof):
            verify_consistency(old, ROOTS[old], new, ROOTS[new], forged)


def careless_inclusion(leaf: bytes, index: int, root: bytes, proof: Sequence[bytes]) -> bool:
    """A check that follows the index's bits and never asks how long a proof must be: the broken variant."""
    for sibling in proof:
        leaf = node_hash(sibling, leaf) if index & 1 else node_hash(leaf, sibling)
        index >>= 1
    return leaf == root


def test_an_inner_node_cannot_pass_as_a_leaf() -> None:
    inner, proof = subtree(1, 0), inclusion_proof(0, 64, subtree)[1:]
    assert careless_inclusion(inner, 0, ROOTS[64], proof)
    with pytest.raises(BadProof):
        verify_inclusion(inner, 0, 64, ROOTS[64], proof)


def careless_consistency(new_root: bytes, proof: Sequence[bytes]) -> bool:
    """A check that leads to the new root alone and takes the old one on trust: the broken variant."""
    digest = proof[0]
    for sibling in proof[1:]:
        digest = node_hash(digest, sibling)
    return digest == new_root


def test_a_fork_cannot_pass_as_growth() -> None:
    """The server showed us four leaves, and now publishes a log in which the third was another."""
    forked = [*LEAVES[:2], leaf_hash(b"other"), *LEAVES[3:8]]
    rows = [raise_by(forked, level) for level in range(4)]
    proof = consistency_proof(4, 8, lambda level, index: rows[level][index])
    assert careless_consistency(root_of(forked), [rows[2][0], *proof])
    for forged in (proof, [rows[2][0], *proof], [subtree(2, 0), *proof]):
        with pytest.raises(BadProof):
            verify_consistency(4, ROOTS[4], 8, root_of(forked), forged)


def test_a_log_that_shrank_or_changed_in_place() -> None:
    with pytest.raises(BadProof, match="shrank"):
        verify_consistency(8, ROOTS[8], 4, ROOTS[4], [])
    with pytest.raises(BadProof):
        verify_consistency(8, ROOTS[8], 8, ROOTS[7], [])
    with pytest.raises(BadProof):
        verify_consistency(0, ROOTS[1], 8, ROOTS[8], [])
    with pytest.raises(BadProof):
        verify_consistency(0, EMPTY_ROOT, 0, ROOTS[1], [])
    with pytest.raises(BadProof):
        verify_consistency(0, EMPTY_ROOT, 8, ROOTS[8], [LEAVES[0]])


def test_questions_outside_the_log() -> None:
    for index, size in ((-1, 4), (4, 4), (0, 0)):
        with pytest.raises(LogError):
            inclusion_proof(index, size, subtree)
        with pytest.raises(BadProof):
            verify_inclusion(LEAVES[0], index, size, ROOTS[4], [])
    for old, new in ((-1, 4), (5, 4)):
        with pytest.raises(LogError):
            consistency_proof(old, new, subtree)


def test_a_root_of_another_size() -> None:
    """Proofs that would lead to the root, were their length not held against the size that is claimed."""
    with pytest.raises(BadProof, match="too long"):
        verify_inclusion(LEAVES[1], 0, 1, ROOTS[2], [LEAVES[0]])
    left = node_hash(LEAVES[0], LEAVES[0])
    longer = [*consistency_proof(3, 4, subtree), left]
    with pytest.raises(BadProof, match="too long"):
        verify_consistency(3, node_hash(left, ROOTS[3]), 4, node_hash(left, ROOTS[4]), longer)
    with pytest.raises(BadProof, match="too short"):
        verify_consistency(3, ROOTS[3], 5, ROOTS[4], consistency_proof(3, 5, subtree)[:-1])


def test_hashes_of_another_length() -> None:
    """The bytes of two neighbours cut at another place hash to the same node."""
    both = LEAVES[0] + LEAVES[1]
    assert node_hash(both[:31], both[31:]) == ROOTS[2]
    with pytest.raises(BadProof, match="32 bytes"):
        verify_inclusion(both[:31], 0, 2, ROOTS[2], [both[31:]])
    with pytest.raises(BadProof, match="32 bytes"):
        verify_consistency(1, both[:31], 2, ROOTS[2], [both[31:]])
