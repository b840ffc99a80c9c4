# SPDX-License-Identifier: AGPL-3.0-or-later
"""A backup of a running server: a copy of the database as one transaction saw it, and the files of the log as it was
then. A file's name never changes its meaning, so a second run adds what is new; what is there already is compared, not
trusted. The list comes last (`backup_list`): until then the folder is still the backup that it was before.

`/visit` and the checkpoint are not copied: they are made from the rest, and those of another moment would be wrong.
"""

import fcntl
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from latchstring.log.errors import LogError
from latchstring.log.tiles import HASH, WIDTH, TilePath, decode_bundle, encode_bundle, tiles_of
from latchstring.protocol.constants import sheet_of
from latchstring.protocol.encoding import h
from latchstring.server import backup_list as bl
from latchstring.server.backup_check import Step, check_contents, digest_of, same_file
from latchstring.server.backup_list import BackupList, Copied, parse_list
from latchstring.server.config import Config, format_config
from latchstring.server.keys import ServerKeys, load_keys
from latchstring.store import snapshot, tip
from latchstring.store.objects import FolderObjects, NoObject, sync_folder
from latchstring.store.sql import StoreError, StoreFailed
from latchstring.store.tip import Tip

_LOCK: Final = ".lock"
_OURS: Final = frozenset({"published", "private", "store", "config", bl.KEYS, bl.NAME, _LOCK})
_FIXED: Final = tuple(
    [bl.PUBLISHED + name for name in ("tile/", "manifests/", "keynotes/", "sheets/", "log.vkey")]
    + [bl.PRIVATE + "packs/"]
)
"""Where files lie whose bytes never change under their name."""
_BY_BATCH: Final = frozenset({"manifests", "keynotes", "packs"})


@dataclass(frozen=True, slots=True)
class Backup:
    """What one run made: the list, how many files and bytes were new, and batches without a pack on the server."""

    list: BackupList
    new_files: int
    new_bytes: int
    no_pack: tuple[int, ...]


def belongs(path: str, at: Tip) -> bool:
    """Is this published or private file one of the log as it was at `at`? What is of no batch belongs always, but
    for attachments."""
    folder, _, name = path.partition("/")
    if path in ("checkpoint", "visit") or folder == "attachments":  # these are gone in 14 days, and may be large
        return False
    if folder == "tile":
        try:
            tile = TilePath.parse(path)
        except LogError:
            return False
        return tile.width == min(WIDTH, (at.size >> (8 * (tile.level or 0))) - tile.index * WIDTH)
    if folder == "sheets" and name.isdigit():
        return int(name) <= sheet_of(at.batch)
    return not (folder in _BY_BATCH and name.isdigit()) or int(name) <= at.batch


def take_backup(config: Config, folder: Path, with_keys: bool, step: Step) -> Backup:
    """Bring the backup in `folder` up to what the server is now, and check all of it.

    StoreError in the operator's words, StoreFailed when the disk did not take it: the backup that was there before is
    whole then. Files are for their owner alone.
    """
    os.umask(0o077)
    keys = load_keys(config.keys_file)
    if folder.resolve().is_relative_to(config.data.resolve()):
        raise StoreError("The backup would lie in the server's own folder. Choose another place, on another disk.")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        strangers = {p.name for p in folder.iterdir() if not p.name.startswith(".new-")} - _OURS
    except OSError:
        raise StoreError("The backup's folder cannot be made or read: check its name and who owns it.") from None
    if strangers:
        raise StoreError("That folder holds other things. Name a new folder, or one with an earlier backup.")
    with _alone(folder):
        shelf = FolderObjects(folder)
        shelf.sweep()
        before = _before(folder, config)
        return _Run(config, keys, shelf, before, with_keys, step).take(folder)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    handle = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise StoreError("Another backup into this folder is under way. Wait for it.") from None
    try:
        yield
    finally:
        os.close(handle)


def _before(folder: Path, config: Config) -> BackupList | None:
    """The list of the run before; StoreError when it is another door's. A damaged one is none: all is compared anew."""
    try:
        before = parse_list((folder / bl.NAME).read_bytes())
    except (FileNotFoundError, StoreError):
        return None
    if (before.door, before.origin) != (config.door, config.origin):
        raise StoreError("That folder holds the backup of another server. Name another folder.")
    return before


class _Run:
    """One run. Not for several threads."""

    def __init__(
        self,
        config: Config,
        keys: ServerKeys,
        shelf: FolderObjects,
        before: BackupList | None,
        with_keys: bool,
        step: Step,
    ) -> None:
        self._config, self._keys, self._shelf, self._step = config, keys, shelf, step
        self._before: Mapping[str, Copied] = before.files if before else {}
        self._before_size = before.size if before else 0
        self._with_keys = with_keys
        self._files: dict[str, Copied] = {}
        self._new_files = self._new_bytes = 0

    def take(self, folder: Path) -> Backup:
        store, at, rows = self._database(folder)
        public, private = FolderObjects(self._config.published), FolderObjects(self._config.private)
        wanted = {bl.PUBLISHED + path for path in public.paths("") if belongs(path, at)}
        wanted |= {bl.PUBLISHED + str(tile) for tile in tiles_of(at.size)}
        wanted |= {bl.PRIVATE + path for path in private.paths("") if belongs(path, at)}
        wanted |= {(bl.PRIVATE if path.startswith("packs/") else bl.PUBLISHED) + path for path in rows}
        for done, path in enumerate(sorted(wanted)):
            shelf, name = path.split("/", 1)
            data = rows[name] if name in rows else _read(public if shelf == "published" else private, name)
            if data is not None:
                self._put(path, data)
            if done % 64 == 0:
                self._step("Copying files", done, len(wanted))
        config = self._config
        raw = format_config(config).encode()
        self._put(f"{bl.CONFIG}{h(raw).hex()}.toml", raw)
        if self._with_keys:
            self._put(bl.KEYS, self._keys.encode())
        made = BackupList(config.door, config.origin, at.batch, at.size, at.root, store, self._files)
        _, no_pack = check_contents(self._shelf, made, self._keys, self._step)
        self._shelf.put(bl.NAME, made.encode(self._keys.backup_key))
        self._clear()
        return Backup(made, self._new_files, self._new_bytes, no_pack)

    def _database(self, folder: Path) -> tuple[str, Tip, dict[str, bytes]]:
        """Copy the database; its path in the backup, the tip, and files that it holds and are in no folder yet."""
        self._step("Copying the database", 0, 1)
        temporary = folder / f".new-{secrets.token_hex(8)}"
        snapshot.take(self._config.database, temporary)
        sql = snapshot.load(temporary)
        with sql.read() as connection:
            at, rows = tip.read(connection), tip.files(connection)
        sql.close()
        if at is None:
            temporary.unlink()
            raise StoreError("No batch was closed yet. There is nothing to back up but keys.cbor and server.toml.")
        if at.size < self._before_size:
            temporary.unlink()
            raise StoreError(
                "The backup in this folder is of a longer log than the server's: the server was set back. Stop it, "
                "see 'latchstring server restore --help', and keep this backup."
            )
        digest, size = digest_of(temporary), temporary.stat().st_size
        path = f"{bl.STORE}{digest.hex()}.sqlite"
        try:
            target = self._shelf.file(path)
            target.parent.mkdir(exist_ok=True)
            os.replace(temporary, target)
            sync_folder(target.parent)
            sync_folder(folder)
        except OSError as error:
            raise StoreFailed("the disk did not take a file") from error
        self._files[path] = Copied(size, digest)
        self._new_files, self._new_bytes = 1, size
        return path, at, rows

    def _put(self, path: str, data: bytes) -> None:
        """See that the file lies in the backup as it must be."""
        want = Copied(len(data), h(data))
        self._files[path] = want
        if same_file(self._shelf, path, want):
            return
        old = self._before.get(path)
        if path.startswith(_FIXED) and old is not None and old != want and same_file(self._shelf, path, old):
            raise StoreError(
                f"'{path}' is not what it was at the last backup, and such a file never changes: the server's copy is "
                "damaged, or this is another log. The backup was left as it is. 'latchstring log verify' looks closer."
            )
        self._shelf.put(path, data)
        self._new_files += 1
        self._new_bytes += len(data)

    def _clear(self) -> None:
        """Remove what the new list no longer names: earlier databases, tiles that are full now, letters past their
        retention.
        """
        for folder in ("published", "private", "store", "config"):
            for path in list(self._shelf.paths(folder)):
                if path not in self._files:
                    self._shelf.delete(path)
        if bl.KEYS not in self._files:
            self._shelf.delete(bl.KEYS)


def _read(shelf: FolderObjects, path: str) -> bytes | None:
    """A file's bytes. A tile that is full by now is cut to what it was; None for what was tidied away meanwhile."""
    try:
        return shelf.get(path)
    except NoObject:
        if not path.startswith("tile/"):
            return None
    tile = TilePath.parse(path)
    try:
        full = shelf.get(str(TilePath(tile.level, tile.index)))
        if tile.level is None:
            return encode_bundle(decode_bundle(full, WIDTH)[: tile.width])
    except (NoObject, LogError):
        raise StoreError(f"'{path}' is missing on the server. Restore it from a mirror.") from None
    return full[: tile.width * HASH]
