# SPDX-License-Identifier: AGPL-3.0-or-later
"""A door for benchmarks: founded in memory or in a folder, with one desk open."""

import secrets
from dataclasses import dataclass
from pathlib import Path

from latchstring.protocol.directory import (
    NO_HASH,
    Desk,
    Directory,
    Member,
    PageOwner,
    Policy,
    sign_directory,
)
from latchstring.protocol.encoding import encode_cbor
from latchstring.protocol.entry import Kind
from latchstring.protocol.epoch import EpochSignature, OpenEpoch, TransportNote, Wrap
from latchstring.protocol.hpke import OpenKey
from latchstring.protocol.primitives import ed25519_public, x25519_public
from latchstring.protocol.root import RootKeys
from latchstring.server.accept import Intake, accept_directory, accept_key_notes
from latchstring.server.keys import ServerKeys
from latchstring.server.publisher import Publisher, Shelves
from latchstring.store.objects import FolderObjects, MemoryObjects
from latchstring.store.sql import open_sqlite

QUEUE = 400_000  # the lottery lets all in while fewer than a quarter of it wait


@dataclass(frozen=True)
class BenchDoor:
    """The parts of a founded door."""

    directory: Directory
    intake: Intake
    shelves: Shelves
    publisher: Publisher
    sign_seed: bytes
    request_seed: bytes  # of the desk's one member

    def post_day(self, day: int, now: int) -> None:
        """The desk's keys for one day, as its member posts them."""
        random, door = secrets.token_bytes, self.directory.door
        transport_key = OpenKey.from_secret(random(32)).seal_key()
        transport = TransportNote.make(door, "news", "m", day, transport_key, self.sign_seed)
        epoch = OpenEpoch.make(random(32), door, "news", 1, 1, day)
        signature = EpochSignature.make(epoch.note.hash, "m", self.sign_seed)
        notes = [
            [Kind.TRANSPORT.value, transport.raw],
            [Kind.EPOCH.value, epoch.note.raw],
            [Kind.SIGNATURE.value, signature.raw],
            [Kind.WRAP.value, Wrap.make(epoch, transport).raw],
        ]
        accept_key_notes(self.intake, "m", encode_cbor(notes), now)

    def close_sheets(self, first_day: int, days: int) -> int:
        """Close only the batches that carry a sheet, day by day, the keys posted ahead; the last batch's number."""
        n = 0
        for day in range(first_day, first_day + days):
            self.post_day(day + 10, self.directory.policy.closes_at(day * 144))
            for n in range(day * 144, (day + 1) * 144, 36):
                self.publisher.close(n, secrets.token_bytes)
        return n


def found_door(folder: Path | None, started: int, slots: int = 8) -> BenchDoor:
    """Found a door whose desk is open for eleven days; `started` is its first batch's close (Unix seconds)."""
    random = secrets.token_bytes
    root, sign, request = RootKeys(random(32), random(32)), random(32), random(32)
    keys = ServerKeys.make(random)
    door = root.public().door()
    directory = Directory(
        door=door,
        seq=1,
        previous=NO_HASH,
        expires=60 * 144,
        origin="bench.example/log",
        log_key=keys.log_public,
        receipt_key=keys.receipt_public,
        request_key=keys.request_public,
        addresses=(),
        policy=Policy(tick=600, started=started, slots=slots, queue=QUEUE),
        desks=(Desk("news", 1, {"en": "News"}, {}, (Member("m", ed25519_public(sign), x25519_public(request)),)),),
        pages=(PageOwner("news", "m"),),
    )
    if folder is None:
        sql, shelves = open_sqlite(None), Shelves(MemoryObjects(), MemoryObjects())
    else:
        sql = open_sqlite(folder / "store.sqlite")
        shelves = Shelves(FolderObjects(folder / "published"), FolderObjects(folder / "private"))
    intake = Intake(sql, keys, door)
    publisher = Publisher(sql, shelves, keys, door)
    publisher.start()
    accept_directory(intake, sign_directory(directory, root), started)
    publisher.close(0, random)
    made = BenchDoor(directory, intake, shelves, publisher, sign, request)
    for day in range(11):
        made.post_day(day, started)
    publisher.close(1, random)
    return made
