# SPDX-License-Identifier: AGPL-3.0-or-later
"""The check of a backup: each file against the list, the list against the server's keys, then the log itself, the
packs and the database against each other. Nothing in the folder is believed for lying there.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from latchstring.log.checkpoint import open_checkpoint
from latchstring.log.errors import LogError
from latchstring.log.note import VerifierKey
from latchstring.log.verify import verify_log
from latchstring.protocol import constants as c
from latchstring.protocol.encoding import ProtocolError, encode_cbor, h
from latchstring.protocol.manifest import Manifest
from latchstring.server import backup_list as bl
from latchstring.server.backup_list import BackupList
from latchstring.server.keys import ServerKeys
from latchstring.store import snapshot, tip
from latchstring.store.objects import FolderObjects, NoObject
from latchstring.store.sql import StoreError, StoreFailed
from latchstring.store.tip import Tip

Read = Callable[[str], bytes]
Step = Callable[[str, int, int], None]
"""Progress: what is being done, how much of it is done, of how much."""
_CHUNK: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Checked:
    """A backup that holds. `authentic`: its list was made with the keys it was checked with; None without keys.
    `no_pack`: batches whose letters the server had no more when the backup was taken, though it should.
    """

    list: BackupList
    tip: Tip
    authentic: bool | None
    no_pack: tuple[int, ...]


def check_backup(folder: Path, keys: ServerKeys | None, step: Step) -> Checked:
    """Look at the whole backup; StoreError names the first thing that is wrong. Nothing is written.

    StoreFailed when a disk keeps it from being looked at, which says nothing about the backup.
    """
    if not folder.is_dir():
        raise StoreError("There is no such folder.")
    try:
        raw = (folder / bl.NAME).read_bytes()
    except FileNotFoundError:
        raise StoreError(
            "This folder is no finished backup: it has no backup.list. Running 'server backup --to' again finishes it."
        ) from None
    except OSError:
        raise StoreError("The backup's list cannot be read: check who owns it.") from None
    if keys is not None and not bl.holds(raw, keys.backup_key):
        raise StoreError("The backup's list was not made with these keys: it was changed, or it is another server's.")
    found = bl.parse_list(raw)
    shelf = FolderObjects(folder)
    check_files(shelf, found, step)
    at, no_pack = check_contents(shelf, found, keys, step)
    return Checked(found, at, None if keys is None else True, no_pack)


def check_files(shelf: FolderObjects, found: BackupList, step: Step) -> None:
    """Is every file of the list there, with its size and hash? StoreError otherwise."""
    for done, (path, want) in enumerate(found.files.items()):
        if not same_file(shelf, path, want):
            raise StoreError(f"In the backup '{path}' is missing or damaged.")
        if done % 64 == 0:
            step("Comparing files", done, len(found.files))


def same_file(shelf: FolderObjects, path: str, want: bl.Copied) -> bool:
    """Is the file there with this size and this hash?"""
    try:
        file = shelf.file(path)
        return file.is_file() and file.stat().st_size == want.size and digest_of(file) == want.digest
    except (NoObject, OSError):
        return False


def digest_of(file: Path) -> bytes:
    """SHA-256 of a file of any size."""
    digest = hashlib.sha256()
    with file.open("rb") as source:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
    return digest.digest()


def check_contents(
    shelf: FolderObjects, found: BackupList, keys: ServerKeys | None, step: Step
) -> tuple[Tip, tuple[int, ...]]:
    """Do database, log and packs belong together? The tip, and batches without a pack. StoreError otherwise.

    StoreFailed when a disk does not take the copy of the database that is looked at, or does not give a file.
    """
    step("Reading the database", 0, 1)
    sql = snapshot.load(shelf.file(found.store))
    try:
        with sql.read() as connection:
            at = tip.read(connection)
    except StoreFailed:
        raise StoreError("The backup's database cannot be read.") from None
    finally:
        sql.close()
    if at is None or (at.batch, at.size, at.root) != (found.batch, found.size, found.root):
        raise StoreError("The backup's database and its list disagree.")

    def published(path: str) -> bytes:
        return shelf.get(bl.PUBLISHED + path)

    key = keys.verifier(found.origin) if keys is not None else _key_beside(published)
    check_log(published, at, found, key, step)
    return at, check_packs(found.files, published, shelf.get, at, step)


def _key_beside(read: Read) -> VerifierKey:
    try:
        return VerifierKey.parse(read("log.vkey").decode("ascii").removesuffix("\n"))
    except (NoObject, UnicodeDecodeError, LogError):
        raise StoreError("The backup's log.vkey is no log's key.") from None


def as_published(read: Read, at: Tip) -> Read:
    """Published files as they were at `at`: with its checkpoint, and as much of `/visit` as `verify_log` reads."""

    def one(path: str) -> bytes:
        if path == "checkpoint":
            return at.checkpoint
        return encode_cbor({"manifest": at.manifest}) if path == "visit" else read(path)

    return one


def check_log(read: Read, at: Tip, found: BackupList, key: VerifierKey, step: Step) -> None:
    """The whole log up to `at` verifies under `key`, as this door's. StoreError otherwise."""
    report = verify_log(as_published(read, at), key, found.door, lambda done, of: step("Verifying the log", done, of))
    if not report.ok:
        raise StoreError(f"The backup's log does not verify: {report.fault}.")
    try:
        root = open_checkpoint(at.checkpoint, key).root
    except LogError:
        root = b""
    if (report.size, report.newest, root) != (at.size, at.batch, at.root):
        raise StoreError("The backup's log and its database disagree.")


def check_packs(files: Mapping[str, object], published: Read, read: Read, at: Tip, step: Step) -> tuple[int, ...]:
    """Compare each pack with its batch's manifest; StoreError for one that differs. Batches within the retention window
    that have none come back.
    """
    packs = sorted(int(path.rsplit("/", 1)[1]) for path in files if path.startswith(bl.PRIVATE + "packs/"))
    for done, n in enumerate(packs):
        try:
            if h(read(f"{bl.PRIVATE}packs/{n}")) != Manifest.parse(published(f"manifests/{n}")).pack:
                raise StoreError(f"The letters of batch {n} are not those that its manifest names.")
        except (NoObject, ProtocolError):
            raise StoreError(f"The letters of batch {n} belong to no batch of this log.") from None
        if done % 64 == 0:
            step("Comparing letters", done, len(packs))
    have, missing, raw = set(packs), [], at.manifest
    while True:
        manifest = Manifest.parse(raw)
        if manifest.n < at.batch - (c.BODY_DAYS - 1) * c.TICKS_PER_DAY:  # a day before it goes, none need be left
            break
        if manifest.n not in have:
            missing.append(manifest.n)
        if not manifest.first:
            break
        raw = published(f"manifests/{manifest.open}")
    return tuple(sorted(missing))
