# SPDX-License-Identifier: AGPL-3.0-or-later
"""A log as it lives: appended in batches, its partial tiles cleared away, restarted, asked for proofs, read whole."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from latchstring.log.checkpoint import Checkpoint, open_checkpoint
from latchstring.log.errors import LogError
from latchstring.log.note import VerifierKey
from latchstring.log.proof import (
    consistency_proof,
    inclusion_proof,
    verify_consistency,
    verify_inclusion,
)
from latchstring.log.tiles import (
    TilePath,
    decode_bundle,
    decode_tile,
    entry_range,
    files_for_append,
    hash_at,
    hash_range,
    root_from_tiles,
    superseded,
    tiles_of,
)
from latchstring.log.tree import Frontier, leaf_hash, leaf_hashes, root_from_ranges
from latchstring.protocol.primitives import ed25519_public

SEED = bytes(range(32))
KEY = VerifierKey("door.example/log", ed25519_public(SEED))


class PublishedLog(RuleBasedStateMachine):
    """The files and checkpoints a publisher leaves behind, beside a plain list of entries."""

    @initialize()
    def empty(self) -> None:
        self.entries: list[bytes] = []
        self.files: dict[str, bytes] = {}
        self.frontier = Frontier()
        self.previous = 0
        self.checkpoints = [Checkpoint(KEY.name, 0, self.frontier.root()).sign(SEED)]

    def read(self, path: str) -> bytes:
        return self.files[path]

    def grow(self, new: list[bytes]) -> None:
        read: list[str] = []

        def watched(path: str) -> bytes:
            read.append(path)
            return self.files[path]

        files = files_for_append(len(self.entries), new, watched)
        assert len(read) <= 7  # a bundle and one tile a level, however long the log
        assert all(".p/" in path for path in read)
        size = len(self.entries) + len(new)
        assert set(files) == {str(tile) for tile in tiles_of(size, len(self.entries))}
        for path, body in files.items():
            assert self.files.get(path, body) == body, "a published file changed"
        self.files |= files
        self.previous = len(self.entries)
        self.entries += new
        self.frontier = self.frontier.extend(leaf_hashes(new))
        self.checkpoints.append(Checkpoint(KEY.name, size, self.frontier.root()).sign(SEED))

    @rule(entries=st.lists(st.binary(max_size=70), max_size=30))
    def append_a_few(self, entries: list[bytes]) -> None:
        self.grow(entries)

    @rule(count=st.sampled_from([255, 256, 257, 700]), salt=st.integers(0, 3))
    def append_many(self, count: int, salt: int) -> None:
        start = len(self.entries)
        self.grow([bytes([salt]) * 28 + i.to_bytes(4, "big") for i in range(start, start + count)])

    @rule()
    def append_up_to_a_full_tile(self) -> None:
        self.grow([b"fill"] * (-len(self.entries) % 256))

    @rule()
    def clear_away(self) -> None:
        """What is superseded goes, with every earlier partial of the same tile; nothing else is missed later."""
        for tile in superseded(len(self.entries), self.previous):
            folder = str(TilePath(tile.level, tile.index)) + ".p/"
            assert str(tile) in self.files
            for path in [p for p in self.files if p.startswith(folder)]:
                del self.files[path]
        self.previous = len(self.entries)

    @precondition(lambda self: self.entries)
    @rule(data=st.data())
    def prove_a_leaf(self, data: st.DataObject) -> None:
        index = data.draw(st.integers(0, len(self.entries) - 1))
        point = open_checkpoint(self.checkpoints[-1], KEY)
        proof = inclusion_proof(index, point.size, hash_at(point.size, self.read))
        verify_inclusion(leaf_hash(self.entries[index]), index, point.size, point.root, proof)

    @rule(data=st.data())
    def prove_growth(self, data: st.DataObject) -> None:
        old = open_checkpoint(data.draw(st.sampled_from(self.checkpoints)), KEY)
        new = open_checkpoint(self.checkpoints[-1], KEY)
        proof = consistency_proof(old.size, new.size, hash_at(new.size, self.read))
        verify_consistency(old.size, old.root, new.size, new.root, proof)

    @rule(data=st.data())
    def read_a_part(self, data: st.DataObject) -> None:
        size = len(self.entries)
        start = data.draw(st.integers(0, size))
        end = data.draw(st.integers(start, size))
        assert entry_range(start, end, size, self.read) == self.entries[start:end]
        assert hash_range(0, start, end, size, self.read) == leaf_hashes(self.entries[start:end])

    @invariant()
    def the_root_is_one(self) -> None:
        if not hasattr(self, "entries"):
            return
        size = len(self.entries)
        blocks = size // 256
        leaves = hash_range(0, blocks * 256, size, size, self.read)
        level1 = hash_range(1, 0, blocks, size, self.read)
        point = open_checkpoint(self.checkpoints[-1], KEY)
        assert point.size == size
        assert point.root == root_from_tiles(size, self.read) == root_from_ranges([], level1, leaves)

    def teardown(self) -> None:
        if not hasattr(self, "entries"):
            return
        size = len(self.entries)
        for tile in tiles_of(size):
            raw = self.files[str(tile)]
            assert (decode_bundle if tile.level is None else decode_tile)(raw, tile.width)


PublishedLog.TestCase.settings = settings(max_examples=25, stateful_step_count=20)
TestPublishedLog = PublishedLog.TestCase


@pytest.mark.parametrize("broken", ["missing", "cut", "longer", "of another log"])
def test_the_machine_would_notice_a_broken_edge(broken: str) -> None:
    """An append on top of a right edge that is not the published one is refused, or gives another root."""
    entries = [i.to_bytes(32, "big") for i in range(700)]
    nothing: dict[str, bytes] = {}
    files = files_for_append(0, entries[:300], nothing.__getitem__)

    def read(path: str) -> bytes:
        raw = files[path]
        if broken == "missing":
            raise LogError("no such tile")
        return {"cut": raw[:-1], "longer": raw + b"\0", "of another log": raw[:-1] + bytes([raw[-1] ^ 1])}[broken]

    if broken == "of another log":
        grown = files | files_for_append(300, entries[300:], read)
        right = Frontier().extend(leaf_hashes(entries)).root()
        assert root_from_tiles(700, grown.__getitem__) != right
    else:
        with pytest.raises(LogError):
            files_for_append(300, entries[300:], read)
