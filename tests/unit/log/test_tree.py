# SPDX-License-Identifier: AGPL-3.0-or-later
"""Tree hashing against known answers and against the definition in RFC 6962, section 2.1."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchstring.log.errors import LogError, NotDerivable
from latchstring.log.tree import EMPTY_ROOT, Ranges, leaf_hash, raise_by, root_from_ranges, root_of, root_of_runs

# The eight test entries that certificate-transparency implementations share, and the roots of their prefixes.
ENTRIES = [
    bytes.fromhex(x)
    for x in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def naive(hashes: list[bytes]) -> bytes:
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    return hashlib.sha256(b"\x01" + naive(hashes[:k]) + naive(hashes[k:])).digest()


def numbered(count: int) -> list[bytes]:
    return [leaf_hash(i.to_bytes(4, "big")) for i in range(count)]


def test_known_roots() -> None:
    hashes = [leaf_hash(e) for e in ENTRIES]
    assert [root_of(hashes[: i + 1]).hex() for i in range(8)] == ROOTS
    assert root_of([]) == EMPTY_ROOT


@pytest.mark.parametrize("count", [*range(70), 255, 256, 257, 1000])
def test_root_is_the_definition(count: int) -> None:
    assert root_of(numbered(count)) == naive(numbered(count))


@given(blocks=st.integers(0, 300), rest=st.integers(0, 700), cut=st.integers(0, 300))
def test_ranges_compose(blocks: int, rest: int, cut: int) -> None:
    leaves = numbered(256 * min(blocks, 12) + rest)
    level1 = raise_by(leaves[: 256 * min(blocks, 12)], 8)
    tail = leaves[256 * len(level1) :]
    assert root_from_ranges([], level1, tail) == naive(leaves)
    early, later = min(cut, len(level1)) * 256, len(leaves) - rest // 2
    log = Ranges([], level1, tail)
    for size in (early, later, later // 256 * 256, len(leaves)):
        assert log.root(size) == naive(leaves[:size])


def test_level_two_ranges() -> None:
    leaves = numbered(2 * 65_536 + 3 * 256 + 5)
    level2 = raise_by(leaves[: 2 * 65_536], 16)
    level1 = raise_by(leaves[2 * 65_536 : 2 * 65_536 + 3 * 256], 8)
    assert root_from_ranges(level2, level1, leaves[-5:]) == root_of(leaves)
    log = Ranges(level2, level1, leaves[-5:])
    for size in (0, 65_536, 2 * 65_536, 2 * 65_536 + 256, len(leaves) - 5, len(leaves) - 2, len(leaves)):
        assert log.root(size) == root_of(leaves[:size])
    with pytest.raises(NotDerivable):
        log.root(65_537)
    with pytest.raises(NotDerivable):
        log.root(2 * 65_536 + 1)
    with pytest.raises(NotDerivable):
        log.root(len(leaves) + 1)


def test_runs_that_do_not_fit() -> None:
    with pytest.raises(LogError):
        root_of_runs([(0, numbered(3)), (8, numbered(1))])
    with pytest.raises(LogError):
        root_of_runs([(8, numbered(1)), (16, numbered(1))])
