# SPDX-License-Identifier: AGPL-3.0-or-later
"""Tiles: paths in their one spelling, appends that give what a log written at once has, roots from the right edge."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latchstring.log.errors import LogError
from latchstring.log.tiles import (
    TilePath,
    decode_bundle,
    decode_tile,
    encode_bundle,
    entry_range,
    files_for_append,
    hash_at,
    hash_range,
    root_from_tiles,
    superseded,
    tiles_of,
)
from latchstring.log.tree import leaf_hashes, raise_by, root_of


def entries(start: int, end: int) -> list[bytes]:
    return [i.to_bytes(32, "big") for i in range(start, end)]


def nothing(path: str) -> bytes:
    raise AssertionError(f"an empty log was asked for {path}")


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (TilePath(0, 1234067), "tile/0/x001/x234/067"),
        (TilePath(1, 0, 5), "tile/1/000.p/5"),
        (TilePath(None, 999), "tile/entries/999"),
        (TilePath(None, 1000, 255), "tile/entries/x001/000.p/255"),
    ],
)
def test_paths(tile: TilePath, path: str) -> None:
    assert str(tile) == path
    assert TilePath.parse(path) == tile


@pytest.mark.parametrize(
    "path",
    ["tile/0/0", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/257", "tile/6/000", "tile/0/x000/001",
     "tile/0/000/001", "/tile/0/000", "tile/0/000\n", "tile/0/٠٠١", "tile/-1/000", "tile/0/000.p/01", "tile/00/000",
     "tile/0/x001", "", "tile/0/" + "x001/" * 2000 + "000"],
)  # fmt: skip
def test_paths_refused(path: str) -> None:
    with pytest.raises(LogError):
        TilePath.parse(path)


@given(st.text(max_size=40))
def test_any_text_is_refused_or_the_one_spelling(text: str) -> None:
    try:
        assert str(TilePath.parse(text)) == text
    except LogError:
        pass


@given(st.lists(st.integers(0, 600), min_size=1, max_size=8))
@settings(max_examples=40)
def test_appends_give_what_one_write_gives(steps: list[int]) -> None:
    files: dict[str, bytes] = {}
    size = 0
    for step in steps:
        new = files_for_append(size, entries(size, size + step), files.__getitem__)
        assert set(new) == {str(t) for t in tiles_of(size + step, size)}
        files |= new
        full = [str(t) for t in superseded(size + step, size)]
        assert all(path in files for path in full)
        for path in [p for p in files if p.rpartition(".p/")[0] in full]:
            del files[path]
        size += step
        assert root_from_tiles(size, files.__getitem__) == root_of(leaf_hashes(entries(0, size)))
    at_once = files_for_append(0, entries(0, size), nothing)
    assert {p: files[p] for p in at_once} == at_once
    assert entry_range(size // 3, size, size, files.__getitem__) == entries(size // 3, size)


def test_high_levels() -> None:
    files = files_for_append(0, entries(0, 65_536 + 300), nothing)
    hashes = leaf_hashes(entries(0, 65_536 + 300))
    assert hash_range(2, 0, 1, len(hashes), files.__getitem__) == raise_by(hashes, 16)
    assert hash_range(1, 250, 257, len(hashes), files.__getitem__) == raise_by(hashes, 8)[250:257]
    more = files_for_append(len(hashes), entries(65_836, 66_100), files.__getitem__)
    assert root_from_tiles(66_100, (files | more).__getitem__) == root_of(leaf_hashes(entries(0, 66_100)))


def test_an_append_reads_the_right_edge_only() -> None:
    files = files_for_append(0, entries(0, 70_000), nothing)
    read: list[str] = []

    def watch(path: str) -> bytes:
        read.append(path)
        return files[path]

    files_for_append(70_000, entries(70_000, 70_020), watch)
    assert len(read) <= 4
    assert all(".p/" in path for path in read)


@given(st.binary(max_size=200), st.integers(0, 6))
def test_bundles_of_any_bytes(raw: bytes, width: int) -> None:
    try:
        assert encode_bundle(decode_bundle(raw, width)) == raw
    except LogError:
        pass


@pytest.mark.parametrize("change", ["cut", "longer", "one-more", "length"])
def test_bundles_refused(change: str) -> None:
    raw = encode_bundle(entries(0, 3))
    bad = {"cut": raw[:-1], "longer": raw + b"\0", "one-more": raw + raw[:34], "length": raw[:1] + b"\x21" + raw[2:]}[
        change
    ]
    with pytest.raises(LogError):
        decode_bundle(bad, 3)


@pytest.mark.parametrize("raw", [b"", bytes(31), bytes(33), bytes(64)])
def test_tiles_of_another_length(raw: bytes) -> None:
    with pytest.raises(LogError):
        decode_tile(raw, 1)


def test_hashes_of_subtrees() -> None:
    files = files_for_append(0, entries(0, 1000), nothing)
    leaves = leaf_hashes(entries(0, 1000))
    at = hash_at(1000, files.__getitem__)
    for level in range(10):
        assert [at(level, i) for i in range(1000 >> level)] == raise_by(leaves, level)
        with pytest.raises(LogError):
            at(level, 1000 >> level)
    with pytest.raises(LogError):
        at(0, -1)
