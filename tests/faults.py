# SPDX-License-Identifier: AGPL-3.0-or-later
"""A server's core on stores that fail on request, before or after the change is kept, and a check of all it published.

`arm(n, stored)`: the n-th write from now fails; with `stored`, only after it was kept, so that the caller does not
hear of it.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection

from latchstring.log.checkpoint import open_checkpoint
from latchstring.log.tiles import TilePath, decode_bundle, root_from_tiles
from latchstring.log.tree import leaf_hashes, root_from_ranges, root_of
from latchstring.protocol import constants as c
from latchstring.protocol.directory import NO_HASH
from latchstring.protocol.encoding import decode_cbor, encode_cbor, h
from latchstring.protocol.entry import Kind, entry
from latchstring.protocol.keystate import KeyState, Note, next_state
from latchstring.protocol.manifest import Manifest
from latchstring.protocol.receipt import open_receipt
from latchstring.protocol.sheet import parse_sheet, sheet_index_hash
from latchstring.protocol.visit import parse_visit
from latchstring.server.accept import (
    DirectoryCache,
    Intake,
    Refusal,
    accept_directory,
    accept_key_notes,
    accept_letters,
)
from latchstring.server.keys import ServerKeys
from latchstring.server.publisher import Publisher, Shelves
from latchstring.store import tip
from latchstring.store.objects import MemoryObjects
from latchstring.store.sql import Sql, StoreFailed, open_sqlite
from tests.builders import STARTED, Founding, Stream, found, make_epoch


@dataclass
class Fuse:
    """Counts writes; blows at one of them."""

    count: int = 0
    at: int | None = None
    stored: bool = False

    def arm(self, n: int, stored: bool) -> None:
        self.count, self.at, self.stored = 0, n, stored

    def disarm(self) -> None:
        self.count, self.at = 0, None

    @contextmanager
    def write(self) -> Iterator[None]:
        self.count += 1
        blow = self.at == self.count
        if blow and not self.stored:
            raise StoreFailed("failed, and is not stored")
        yield
        if blow:
            raise StoreFailed("failed, but is stored")


def copy_of(sql: Sql) -> Sql:
    """The same rows in another database, in memory."""
    other = open_sqlite(None)
    source = sql._engine.raw_connection().driver_connection
    target = other._engine.raw_connection().driver_connection
    assert isinstance(source, sqlite3.Connection)
    assert isinstance(target, sqlite3.Connection)
    source.backup(target)
    return other


class FaultySql(Sql):
    """Transactions that fail just before the commit, or just after it."""

    def __init__(self, inner: Sql, fuse: Fuse) -> None:
        super().__init__(inner._engine)
        self._fuse = fuse

    @contextmanager
    def write(self) -> Iterator[Connection]:
        fuse = self._fuse
        fuse.count += 1
        blow = fuse.at == fuse.count
        stored = fuse.stored
        with super().write() as connection:
            yield connection
            if blow and not stored:
                raise StoreFailed("failed, and is not stored")
        if blow:
            raise StoreFailed("failed, but is stored")

    def copy(self, fuse: Fuse) -> "FaultySql":
        return FaultySql(copy_of(self), fuse)

    def dump(self) -> list[str]:
        """Every row, as SQL."""
        source = self._engine.raw_connection().driver_connection
        assert isinstance(source, sqlite3.Connection)
        return list(source.iterdump())


class FaultyObjects(MemoryObjects):
    """Files that fail on request; remembers every checkpoint that anybody could have fetched."""

    def __init__(self, fuse: Fuse) -> None:
        super().__init__()
        self._fuse = fuse
        self.checkpoints: list[bytes] = []

    def put(self, path: str, data: bytes) -> None:
        with self._fuse.write():
            super().put(path, data)
            if path == "checkpoint":
                self.checkpoints.append(data)

    def delete(self, path: str) -> None:
        with self._fuse.write():
            super().delete(path)

    def copy(self, fuse: Fuse) -> "FaultyObjects":
        other = FaultyObjects(fuse)
        other.files, other.checkpoints = dict(self.files), list(self.checkpoints)
        return other


def letter(number: int) -> bytes:
    """4096 bytes, others for each number. What is in a letter does not matter to a server."""
    return number.to_bytes(8, "big") * 512


@dataclass
class Core:
    """A server without HTTP: one store, its files, one publisher."""

    founding: Founding
    fuse: Fuse
    sql: FaultySql
    shelves: Shelves
    random: Stream
    publisher: Publisher = field(init=False)
    cache: DirectoryCache = field(init=False)
    receipts: list[bytes] = field(default_factory=list)  # in order of arrival
    queue_limit: int | None = None
    draws: Stream = field(default_factory=lambda: Stream("lottery"))
    made: dict[tuple[int, int], bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.restart()

    @classmethod
    def make(cls, **policy: int) -> "Core":
        fuse = Fuse()
        founding = found("door", ("news",), 10, **{"letters": 2, "slots": 1, "queue": 8, **policy})
        shelves = Shelves(FaultyObjects(fuse), FaultyObjects(fuse))
        return cls(founding, fuse, FaultySql(open_sqlite(None), fuse), shelves, Stream("server"))

    @classmethod
    def opened(cls, batch: int = 30, **policy: int) -> "Core":
        """Directory logged in `batch`, the desk open in the next one."""
        core = cls.make(**policy)
        core.publisher.start()
        core.post_directory(batch)
        core.close(batch)
        core.post_notes(batch, c.day_of(batch))
        core.close(batch + 1)
        return core

    def copy(self) -> "Core":
        fuse = Fuse()
        public, private = self.shelves.public, self.shelves.private
        assert isinstance(public, FaultyObjects)
        assert isinstance(private, FaultyObjects)
        other = Core(
            self.founding, fuse, self.sql.copy(fuse), Shelves(public.copy(fuse), private.copy(fuse)), Stream("copy")
        )
        other.receipts = list(self.receipts)
        return other

    def restart(self) -> None:
        """A new process: nothing in memory but the keys."""
        self.publisher = Publisher(self.sql, self.shelves, self.keys, self.founding.door)
        self.cache = DirectoryCache()

    @property
    def keys(self) -> ServerKeys:
        return ServerKeys(self.founding.log_seed, self.founding.receipt_seed, self.founding.request_seed)

    @property
    def intake(self) -> Intake:
        return Intake(self.sql, self.keys, self.founding.door, self.queue_limit, random=self.draws)

    @property
    def public(self) -> FaultyObjects:
        assert isinstance(self.shelves.public, FaultyObjects)
        return self.shelves.public

    @property
    def private(self) -> FaultyObjects:
        assert isinstance(self.shelves.private, FaultyObjects)
        return self.shelves.private

    def at(self, batch: int) -> int:
        """Unix seconds of a batch's nominal close."""
        return self.founding.directory.policy.closes_at(batch)

    def post_directory(self, batch: int) -> None:
        accept_directory(self.intake, self.founding.posted, self.at(batch))

    def post_notes(self, batch: int, day: int, v: int = 1) -> None:
        if (day, v) not in self.made:  # sealing draws its own randomness: the same post is the same bytes
            _, posted = make_epoch(self.founding, "news", day, Stream(f"epoch {day} {v}"), v)
            self.made[day, v] = cbor_notes(posted)
        accept_key_notes(self.intake, "news-1", self.made[day, v], self.at(batch))

    def send(self, batch: int, *numbers: int) -> list[bytes | Refusal]:
        """Post letters in one group; receipts not yet known are kept."""
        outcomes = accept_letters(self.intake, self.cache, [letter(i) for i in numbers], self.at(batch))
        for outcome in outcomes:
            if isinstance(outcome, bytes) and outcome not in self.receipts:
                self.receipts.append(outcome)
        return outcomes

    def close(self, batch: int) -> list[int]:
        return self.publisher.run_due(self.at(batch), self.random)

    @property
    def batch(self) -> int:
        last = self.publisher.last_batch()
        return -1 if last is None else last


def cbor_notes(posted: Sequence[Note]) -> bytes:
    """As a member posts them."""
    return encode_cbor([[kind.value, raw] for kind, raw in posted])


def entries_of(core: Core, size: int) -> list[bytes]:
    """Every log entry, out of the published bundles."""
    out: list[bytes] = []
    for index in range(0, (size + 255) // 256):
        width = min(256, size - 256 * index)
        out += decode_bundle(core.public.get(str(TilePath(None, index, width))), width)
    return out


def check_published(core: Core, packs: bool = True) -> list[int]:
    """Check everything that the server has published against everything else, and every receipt; the batch numbers.

    `packs`: are all packs still kept?
    """
    key = core.keys.verifier(core.founding.directory.origin)
    with core.sql.read() as connection:
        at = tip.read(connection)
        assert tip.files(connection) == {}
    assert at is not None
    published = open_checkpoint(core.public.get("checkpoint"), key)
    assert (published.size, published.root) == (at.size, at.root)
    entries = entries_of(core, at.size)
    hashes = leaf_hashes(entries)
    assert root_of(hashes) == at.root == root_from_tiles(at.size, core.public.get)
    for raw in core.public.checkpoints:  # whoever fetched one at any time saw a start of this very log
        seen = open_checkpoint(raw, key)
        assert root_of(hashes[: seen.size]) == seen.root

    chain: list[tuple[Manifest, bytes]] = []
    number = at.batch
    while True:
        raw = core.public.get(f"manifests/{number}")
        manifest = Manifest.parse(raw)
        chain.append((manifest, raw))
        if manifest.previous == NO_HASH:
            break
        number = manifest.open
        assert h(core.public.get(f"manifests/{number}")) == manifest.previous
    chain.reverse()

    state, where, index = KeyState(), dict[bytes, int](), list[tuple[int, bytes]]()
    letters_here = core.founding.directory.policy.letters
    for position, (manifest, raw) in enumerate(chain):
        n = manifest.n
        end = chain[position + 1][0].first if position + 1 < len(chain) else at.size
        leaves = entries[manifest.first : end]
        notes: list[Note] = []
        if f"keynotes/{n}" in core.public.files:
            listed = decode_cbor(core.public.get(f"keynotes/{n}"))
            assert isinstance(listed, list)
            notes = [(Kind(kind), body) for kind, body in listed]
        state = next_state(state, n, notes, core.founding.door)
        assert manifest.notes == state.named(n)
        assert state.current is not None
        assert manifest.directory == state.current.hash
        tail = [entry(kind, body) for kind, body in notes]
        k = c.sheet_of(n)
        if position and c.sheet_of(chain[position - 1][0].n) < k:
            sheet = parse_sheet(core.public.get(f"sheets/{k}"))
            assert (sheet.n, sheet.close) == (k, n)
            tail.append(entry(Kind.SHEET, sheet.raw))
            index = [*index, (k, sheet.hash)][-c.SHEETS_KEPT :]
        assert manifest.sheets == sheet_index_hash(index)
        tail.append(entry(Kind.MANIFEST, raw))
        assert leaves[-len(tail) :] == tail
        in_batch = leaves[: -len(tail)]
        if packs or f"packs/{n}" in core.private.files:
            pack = core.private.get(f"packs/{n}")
            assert h(pack) == manifest.pack
            bodies = [pack[i : i + c.LETTER_SIZE] for i in range(0, len(pack), c.LETTER_SIZE)]
            assert [entry(Kind.LETTER, body) for body in bodies] == in_batch
        assert len(in_batch) == letters_here
        for leaf in in_batch:
            assert leaf not in where, "a letter in the log twice"
            where[leaf] = n

    check_visit(core, chain[-1][1], state)
    numbers = [manifest.n for manifest, _ in chain]
    _check_receipts(core, numbers, where)
    return numbers


def check_visit(core: Core, manifest: bytes, state: KeyState) -> None:
    """Does `/visit` say the same as the rest?"""
    visit = parse_visit(core.public.get("visit"))
    assert visit.checkpoint == core.public.get("checkpoint")
    assert visit.manifest == manifest
    key = core.keys.verifier(core.founding.directory.origin)
    newest = open_checkpoint(visit.checkpoint, key)
    assert root_from_ranges(visit.level2, visit.level1, leaf_hashes(visit.entries)) == newest.root
    sheets = [parse_sheet(raw) for raw in visit.sheets]
    parsed = Manifest.parse(manifest)
    assert parsed.sheets == sheet_index_hash([(s.n, s.hash) for s in sheets])
    given = {h(note): signatures for note, signatures in visit.epochs}
    wanted = {note for _, note in parsed.notes} | {head.note for s in sheets for head in s.heads} - {NO_HASH}
    assert set(given) == wanted
    for digest, signatures in given.items():
        assert set(signatures) == set(state.epochs[digest].signatures.values())
    assert state.current is not None
    assert visit.directories[-1] == state.current.raw


def _check_receipts(core: Core, numbers: list[int], where: dict[bytes, int]) -> None:
    placed = []
    for raw in core.receipts:
        receipt = open_receipt(raw, core.keys.receipt_public)
        if any(n >= receipt.publish_by for n in numbers):
            assert where[receipt.leaf] <= min(n for n in numbers if n >= receipt.publish_by)
        if receipt.leaf in where:
            placed.append(where[receipt.leaf])
        else:
            placed.append(numbers[-1] + 1)  # still waiting: behind all that are placed
    assert placed == sorted(placed), "a younger letter before an older one"


__all__ = ["STARTED", "Core", "FaultyObjects", "FaultySql", "Fuse", "cbor_notes", "check_published", "letter"]
