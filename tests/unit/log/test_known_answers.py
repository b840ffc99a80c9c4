# SPDX-License-Identifier: AGPL-3.0-or-later
"""Other people's answers (tests/vectors/tlog.json says whose): roots, subtrees, proofs, tiles, notes, keys."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from latchstring.log.checkpoint import Checkpoint, parse_text
from latchstring.log.errors import LogError
from latchstring.log.note import VerifierKey, parse_note, sign_note, verified_text
from latchstring.log.proof import (
    HashAt,
    consistency_proof,
    inclusion_proof,
    verify_consistency,
    verify_inclusion,
)
from latchstring.log.tiles import TilePath, files_for_append, hash_at, root_from_tiles, tiles_of
from latchstring.log.tree import Frontier, leaf_hash, leaf_hashes, raise_by, root_of

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[2] / "vectors" / "tlog.json").read_text("utf-8"))
SMALL, NUMBERED, NOTES = VECTORS["small"], VECTORS["numbered"], VECTORS["notes"]


def unhex(texts: list[str]) -> list[bytes]:
    return [bytes.fromhex(text) for text in texts]


class Log:
    """A log's tiles in memory, grown in two steps, as a publisher writes them."""

    def __init__(self, entries: list[bytes], first: int) -> None:
        self.leaves = leaf_hashes(entries)
        self.files = files_for_append(0, entries[:first], self.files_none)
        self.second = files_for_append(first, entries[first:], self.files.__getitem__)
        self.files |= self.second

    def files_none(self, path: str) -> bytes:
        raise AssertionError(f"an empty log was asked for {path}")

    def hashes(self) -> HashAt:
        return hash_at(len(self.leaves), self.files.__getitem__)


@pytest.fixture(scope="module")
def small() -> Log:
    return Log(unhex(SMALL["entries"]), 3)


@pytest.fixture(scope="module")
def numbered() -> Log:
    return Log([i.to_bytes(32, "big") for i in range(140_000)], 70_000)


def test_small_roots(small: Log) -> None:
    frontier = Frontier()
    for size, root in enumerate(SMALL["roots"], 1):
        frontier = frontier.append(small.leaves[size - 1])
        assert root_of(small.leaves[:size]).hex() == frontier.root().hex() == root


def test_small_subtrees(small: Log) -> None:
    for level, row in enumerate(SMALL["nodes"]):
        assert [digest.hex() for digest in raise_by(small.leaves, level)] == row


@pytest.mark.parametrize("case", SMALL["inclusion"], ids=lambda c: f"{c['index']}-of-{c['size']}")
def test_small_inclusion(small: Log, case: dict[str, Any]) -> None:
    index, size, proof = case["index"], case["size"], unhex(case["proof"])
    assert inclusion_proof(index, size, small.hashes()) == proof
    verify_inclusion(small.leaves[index], index, size, bytes.fromhex(SMALL["roots"][size - 1]), proof)


@pytest.mark.parametrize("case", SMALL["consistency"], ids=lambda c: f"{c['old']}-to-{c['new']}")
def test_small_consistency(small: Log, case: dict[str, Any]) -> None:
    old, new, proof = case["old"], case["new"], unhex(case["proof"])
    roots = unhex(SMALL["roots"])
    assert consistency_proof(old, new, small.hashes()) == proof
    verify_consistency(old, roots[old - 1], new, roots[new - 1], proof)


def test_numbered_roots(numbered: Log) -> None:
    frontier = Frontier()
    for case in NUMBERED["roots"]:
        size, root = case["size"], case["root"]
        frontier = frontier.extend(numbered.leaves[frontier.size : size])
        assert frontier.root().hex() == root
        assert root_of(numbered.leaves[:size]).hex() == root
    assert root_from_tiles(140_000, numbered.files.__getitem__) == frontier.root()


def test_numbered_proofs(numbered: Log) -> None:
    for case in NUMBERED["inclusion"]:
        index, size, proof = case["index"], case["size"], unhex(case["proof"])
        assert inclusion_proof(index, size, numbered.hashes()) == proof
        verify_inclusion(numbered.leaves[index], index, size, root_of(numbered.leaves[:size]), proof)
    for case in NUMBERED["consistency"]:
        old, new, proof = case["old"], case["new"], unhex(case["proof"])
        assert consistency_proof(old, new, numbered.hashes()) == proof
        verify_consistency(old, root_of(numbered.leaves[:old]), new, root_of(numbered.leaves[:new]), proof)


def test_numbered_tiles() -> None:
    old, new = NUMBERED["published"]["old"], NUMBERED["published"]["new"]
    log = Log([i.to_bytes(32, "big") for i in range(new)], old)
    for case in NUMBERED["tiles"]:
        assert hashlib.sha256(log.second[case["path"]]).hexdigest() == case["sha256"], case["path"]
    assert set(log.second) == {str(tile) for tile in tiles_of(new, old)}


@pytest.mark.parametrize("case", NUMBERED["paths"], ids=lambda c: c["path"])
def test_paths(case: dict[str, Any]) -> None:
    tile = TilePath(case["level"], case["index"], case["width"])
    assert str(tile) == case["path"]
    assert TilePath.parse(case["path"]) == tile


def test_keys() -> None:
    for text in NOTES["keys"]:
        assert str(VerifierKey.parse(text)) == text
    for text in NOTES["bad_keys"]:
        with pytest.raises(LogError):
            VerifierKey.parse(text)


def test_notes() -> None:
    peter, enoch = map(VerifierKey.parse, NOTES["keys"])
    once, twice = NOTES["signed_once"].encode(), NOTES["signed_twice"].encode()
    assert sign_note(NOTES["text"], peter.name, bytes.fromhex(NOTES["seed"])) == once
    assert verified_text(once, peter) == verified_text(twice, peter) == verified_text(twice, enoch) == NOTES["text"]
    assert [line.name for line in parse_note(twice).signatures] == ["PeterNeumann", "EnochRoot"]
    with pytest.raises(LogError):
        verified_text(once, enoch)


def test_checkpoints() -> None:
    tree = NOTES["tree"]
    checkpoint = Checkpoint(tree["origin"], tree["size"], leaf_hash(tree["leaf"].encode()))
    assert checkpoint.text() == tree["text"]
    assert parse_text(tree["text"]) == checkpoint
    for text in NOTES["bad_trees"]:
        with pytest.raises(LogError):
            parse_text(text)
