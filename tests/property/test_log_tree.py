# SPDX-License-Identifier: AGPL-3.0-or-later
"""Trees and proofs of any size up to 3,000 leaves, against the definition in RFC 6962, section 2.1."""

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchstring.log.errors import BadProof, LogError, NotDerivable
from latchstring.log.proof import (
    consistency_proof,
    inclusion_proof,
    verify_consistency,
    verify_inclusion,
)
from latchstring.log.tree import Frontier, Ranges, leaf_hash, raise_by, root_from_ranges, root_of

MOST = 3000
LEAVES = [leaf_hash(i.to_bytes(4, "big")) for i in range(MOST)]
ROWS = [raise_by(LEAVES, level) for level in range(12)]


def subtree(level: int, index: int) -> bytes:
    return ROWS[level][index]


def naive(hashes: Sequence[bytes]) -> bytes:
    if len(hashes) < 2:
        return hashes[0] if hashes else hashlib.sha256(b"").digest()
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    return hashlib.sha256(b"\x01" + naive(hashes[:k]) + naive(hashes[k:])).digest()


@given(st.lists(st.integers(0, 400), max_size=8))
def test_a_frontier_grown_in_steps_is_the_tree(steps: list[int]) -> None:
    frontier = Frontier()
    for step in steps:
        if step == 1:
            frontier = frontier.append(LEAVES[frontier.size])
        else:
            frontier = frontier.extend(LEAVES[frontier.size : min(frontier.size + step, MOST)])
        assert frontier.root() == naive(LEAVES[: frontier.size]) == root_of(LEAVES[: frontier.size])


@given(st.integers(0, 70))
def test_a_frontier_is_one_value_however_it_grew(size: int) -> None:
    one_by_one = Frontier()
    for leaf in LEAVES[:size]:
        one_by_one = one_by_one.append(leaf)
    assert one_by_one == Frontier().extend(LEAVES[:size])


@given(st.integers(-3, 300), st.lists(st.binary(min_size=32, max_size=32), max_size=9))
def test_an_edge_that_does_not_fit(size: int, edge: list[bytes]) -> None:
    if size >= 0 and size.bit_count() == len(edge):
        assert Frontier(size, tuple(edge)).extend(LEAVES[:5]).size == size + 5
        return
    with pytest.raises(LogError):
        Frontier(size, tuple(edge))


@given(st.integers(0, MOST), st.integers(0, 11), st.data())
def test_ranges_give_every_root_that_can_be_derived(size: int, blocks: int, data: st.DataObject) -> None:
    blocks = min(blocks, size // 256)
    level1, rest = raise_by(LEAVES[: 256 * blocks], 8), LEAVES[256 * blocks : size]
    assert root_from_ranges([], level1, rest) == naive(LEAVES[:size])
    early = data.draw(st.integers(0, size))
    if early >= 256 * blocks or early % 256 == 0:
        assert Ranges([], level1, rest).root(early) == naive(LEAVES[:early])
    else:
        with pytest.raises(NotDerivable):
            Ranges([], level1, rest).root(early)


@given(st.integers(1, MOST), st.data())
def test_inclusion(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(index, size, subtree)
    root = naive(LEAVES[:size])
    verify_inclusion(LEAVES[index], index, size, root, proof)
    for forged in tampered(proof, data):
        with pytest.raises(BadProof):
            verify_inclusion(LEAVES[index], index, size, root, forged)
    with pytest.raises(BadProof):
        verify_inclusion(LEAVES[index - 1] if size > 1 else root[::-1], index, size, root, proof)


@given(st.integers(1, MOST), st.data())
def test_consistency(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, new))
    proof = consistency_proof(old, new, subtree)
    before, after = naive(LEAVES[:old]), naive(LEAVES[:new])
    verify_consistency(old, before, new, after, proof)
    for forged in tampered(proof, data):
        with pytest.raises(BadProof):
            verify_consistency(old, before, new, after, forged)
    changed = data.draw(st.integers(0, old - 1))
    other = naive([*LEAVES[:changed], leaf_hash(b"another"), *LEAVES[changed + 1 : old]])
    with pytest.raises(BadProof):
        verify_consistency(old, other, new, after, proof)


def tampered(proof: list[bytes], data: st.DataObject) -> list[list[bytes]]:
    """The same proof with one hash more, one less, one changed, two swapped."""
    out = [[*proof, data.draw(st.binary(min_size=32, max_size=32))]]
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        bit = data.draw(st.integers(0, 255))
        flipped = (int.from_bytes(proof[at], "big") ^ (1 << bit)).to_bytes(32, "big")
        out += [proof[:at] + proof[at + 1 :], [*proof[:at], flipped, *proof[at + 1 :]]]
        if at:
            out.append([*proof[: at - 1], proof[at], proof[at - 1], *proof[at + 1 :]])
    return out


@given(
    st.integers(-2, 80),
    st.integers(-2, 80),
    st.binary(max_size=33),
    st.binary(max_size=33),
    st.lists(st.binary(min_size=31, max_size=33), max_size=9),
)
def test_any_proof_is_refused_calmly(a: int, b: int, first: bytes, second: bytes, proof: list[bytes]) -> None:
    """Random hashes prove nothing, and nothing but BadProof is raised."""
    with pytest.raises(BadProof):
        verify_inclusion(first, a, b, b"another", proof)
    if a != 0 and first != second:
        with pytest.raises(BadProof):
            verify_consistency(a, first, b, second, proof)
