# SPDX-License-Identifier: AGPL-3.0-or-later
"""Putting a server back from a backup, never behind the public log: that would fork it.

Everything is built and checked in a folder beside the new one, whose keys and configuration come last, and which takes
the new name in one step. Until then nothing there can be started.
"""

import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from latchstring.log.checkpoint import Checkpoint
from latchstring.log.tree import EMPTY_ROOT
from latchstring.protocol.encoding import ProtocolError, h
from latchstring.protocol.entry import Kind
from latchstring.server import backup_list as bl
from latchstring.server.accept import current_directory
from latchstring.server.adopt import Adopted, adopt, fetch, verify
from latchstring.server.backup_check import Checked, Read, Step, check_backup
from latchstring.server.config import Config, format_config, load_config
from latchstring.server.keys import ServerKeys, load_keys, save_keys
from latchstring.server.mirrors import Mirror, Seen, compare
from latchstring.server.publisher import Publisher, Shelves
from latchstring.store import notes, tip
from latchstring.store.objects import FolderObjects, NoObject, sync_folder
from latchstring.store.sql import Sql, StoreError, StoreFailed, open_sqlite

_AHEAD: Final = (
    "'{name}' shows the public log at {theirs} leaves; this backup ends at {ours} (batch {batch}). Starting from it "
    "would fork the log. If the old server's disk can still be read, take its store.sqlite (with store.sqlite-wal) and "
    "its published and private folders: they are the newest. If its database is really lost, add --adopt {name}: that "
    "goes on from the public log; letters that were acknowledged after this backup and are in no batch are lost then."
)

_BEHIND: Final = (
    "'{name}' shows the public log up to {theirs} leaves, and this backup ends at {ours}: so it cannot tell whether "
    "the log went on after the backup, and starting behind it forks it. Name a newer copy. If there is none anywhere, "
    "say --no-mirror-to-compare."
)


@dataclass(frozen=True, slots=True)
class Request:
    """What to restore: a backup's folder, or None for the public log alone (then `config` and `keys` are needed).

    `mirrors`: copies of the published log to compare with; `adopt`: the one to go on from; `unseen`: the operator says
    that there is no copy to compare with.
    """

    folder: Path | None
    target: Path
    keys: Path | None = None
    config: Path | None = None
    mirrors: Sequence[Mirror] = ()
    adopt: Mirror | None = None
    unseen: bool = False


@dataclass(frozen=True, slots=True)
class Restored:
    """What lies in the new folder. `closed`: when its newest batch did, Unix seconds. `ended`: the backup's last batch,
    None without a backup."""

    batch: int
    closed: int
    size: int
    ended: int | None
    adopted: Adopted | None
    no_pack: tuple[int, ...]


def restore(asked: Request, step: Step) -> Restored:
    """Restore into `asked.target`, a folder that is not there yet or empty.

    StoreError or StoreFailed, in the operator's words, and then nothing was put in place.
    """
    os.umask(0o077)
    if not asked.mirrors and asked.adopt is None and not asked.unseen:
        raise StoreError(
            "Name at least one copy of the published log to compare with (--published-at): a server that starts behind "
            "its public log forks it."
        )
    target = asked.target.resolve()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise StoreError(
            "The new data folder is not empty. Move the old one aside, and name its 'published' folder with "
            "--published-at, so that this sees how far its log went."
        )
    checked, config, keys = _opened(asked, target, step)
    key = keys.verifier(config.origin)
    own = Checkpoint(config.origin, 0, EMPTY_ROOT)
    tiles: Read = _nothing
    if checked is not None and asked.folder is not None:
        own = Checkpoint(config.origin, checked.tip.size, checked.tip.root)
        tiles = partial(_published, FolderObjects(asked.folder))
    every = [*asked.mirrors, *([asked.adopt] if asked.adopt else [])]
    step("Comparing with the public log", 0, len(every))
    seen = compare(own, tiles, every, key)
    chosen = _chosen(seen, own, asked, checked)
    with _beside(target) as folder:
        parts = Shelves(FolderObjects(folder / "published"), FolderObjects(folder / "private"))
        if checked is not None and asked.folder is not None:
            _copy(checked, FolderObjects(asked.folder), folder, parts, step)
        sql = open_sqlite(folder / "store.sqlite")
        try:
            adopted = None
            if chosen is not None:
                try:
                    at = fetch(chosen, checked.tip if checked else None, keys.log, parts.public, step)
                    verify(parts.public, at, key, config.door, step)
                    adopted = adopt(sql, parts.public, parts.private, at, config.door, step)
                except ProtocolError:
                    raise StoreError(f"'{chosen.mirror.name}' gives files that are damaged.") from None
            _check_keys(sql, config, keys)
            if not asked.unseen:
                _check_compared(sql, config, seen, own)
            batch, size, closed = _try_start(sql, parts, keys, config)
        finally:
            sql.close()
        if [s.raw for s in compare(own, tiles, every, key)] != [s.raw for s in seen]:
            raise StoreError(
                "The public log moved on while this ran: the old server is still at work. Stop it, and restore again "
                "from its newest state."
            )
        save_keys(folder / "keys.cbor", keys)
        FolderObjects(folder).put("server.toml", format_config(config).encode())
        _put_in_place(folder, target)
    no_pack = adopted.no_pack if adopted else checked.no_pack if checked else ()
    return Restored(batch, closed, size, checked.tip.batch if checked else None, adopted, no_pack)


def _nothing(path: str) -> bytes:
    raise KeyError(path)


def _published(backup: FolderObjects, path: str) -> bytes:
    return backup.get(bl.PUBLISHED + path)


def _opened(asked: Request, target: Path, step: Step) -> tuple[Checked | None, Config, ServerKeys]:
    """The backup, checked with the keys; the configuration with its new folder; the keys."""
    if asked.folder is None:
        if asked.config is None or asked.keys is None or asked.adopt is None:
            raise StoreError("Without a backup, --adopt, --config and --keys are all needed.")
        return None, replace(load_config(asked.config), data=target), load_keys(asked.keys)
    beside = asked.folder / bl.KEYS
    if asked.keys is None and not beside.exists():
        raise StoreError("The server's keys are not in this backup. Name keys.cbor with --keys.")
    keys = load_keys(asked.keys or beside)
    checked = check_backup(asked.folder, keys, step)
    config = replace(load_config(asked.config or asked.folder / checked.list.config), data=target)
    if (config.door, config.origin) != (checked.list.door, checked.list.origin):
        raise StoreError("The configuration is of another door or origin than the backup.")
    return checked, config, keys


def _chosen(seen: Sequence[Seen], own: Checkpoint, asked: Request, checked: Checked | None) -> Seen | None:
    """The mirror to go on from; None when none is ahead. StoreError when going on would be behind one of them."""
    longest = seen[0] if seen else None
    if longest is None or longest.checkpoint.size <= own.size:
        return None
    theirs = longest.checkpoint.size
    chosen = next((s for s in seen if s.mirror == asked.adopt), None)
    if chosen is None:
        batch = checked.tip.batch if checked else 0
        name = longest.mirror.name
        raise StoreError(_AHEAD.format(name=name, theirs=theirs, ours=own.size, batch=batch))
    if chosen.checkpoint.size < theirs:
        raise StoreError(
            f"'{longest.mirror.name}' is further on than '{chosen.mirror.name}'. Name it with --adopt instead."
        )
    return chosen


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A new folder on the same disk; removed again unless it was put in place."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        folder = target.parent / f".{target.name}.restoring-{secrets.token_hex(4)}"
        folder.mkdir(mode=0o700)
    except OSError:
        raise StoreError("The new data folder cannot be made there: check the name and your rights.") from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _copy(checked: Checked, source: FolderObjects, folder: Path, parts: Shelves, step: Step) -> None:
    """Copy what the list names, each file compared once more as it is read."""
    files = checked.list.files
    for done, (path, want) in enumerate(files.items()):
        if done % 64 == 0:
            step("Copying files", done, len(files))
        if path in (checked.list.config, bl.KEYS):
            continue
        try:
            data = source.get(path)
        except NoObject:
            data = b""
        if (len(data), h(data)) != (want.size, want.digest):
            raise StoreError(f"In the backup '{path}' changed while it was copied.")
        if path == checked.list.store:
            FolderObjects(folder).put("store.sqlite", data)
        else:
            shelf, name = path.split("/", 1)
            (parts.public if shelf == "published" else parts.private).put(name, data)


def _check_keys(sql: Sql, config: Config, keys: ServerKeys) -> None:
    with sql.read() as connection:
        found = notes.newest(connection, Kind.DIRECTORY, in_log=False)
        signed = current_directory(connection, config.door, in_log=False) if found else None
    ours = (keys.log_public, keys.receipt_public, keys.request_public)
    if signed is None or ours != (
        signed.directory.log_key, signed.directory.receipt_key, signed.directory.request_key
    ):  # fmt: skip
        raise StoreError(
            "These are not the keys that the newest directory names. Use the keys.cbor that belongs to it."
        )


def _check_compared(sql: Sql, config: Config, seen: Sequence[Seen], own: Checkpoint) -> None:
    """StoreError when every copy ends before the backup. Where witnesses cosign before anything is published a backup
    may be ahead of all that there is; they refuse a fork then."""
    first = seen[0]
    with sql.read() as connection:
        signed = current_directory(connection, config.door, in_log=True)
    if first.checkpoint.size < own.size and not (signed and signed.directory.quorum):
        raise StoreError(_BEHIND.format(name=first.mirror.name, theirs=first.checkpoint.size, ours=own.size))


def _try_start(sql: Sql, shelves: Shelves, keys: ServerKeys, config: Config) -> tuple[int, int, int]:
    """Start a publisher on it, as the server will: it writes checkpoint and `/visit`, or, with witnesses, waits for
    them. Batch and size of its tip, and when that closed.
    """
    with sql.read() as connection:
        at = tip.read(connection)
        signed = current_directory(connection, config.door, in_log=True)
    if at is None or signed is None:
        raise StoreError("There is no log in this.")
    if not signed.directory.quorum:
        shelves.public.put("checkpoint", at.checkpoint)
    Publisher(sql, shelves, keys, config.door).start()
    return at.batch, at.size, signed.directory.policy.closes_at(at.batch)


def _put_in_place(folder: Path, target: Path) -> None:
    try:
        sync_folder(folder)
        os.rename(folder, target)
        sync_folder(target.parent)
    except OSError as error:
        raise StoreFailed("the restored folder could not be given its name (is it a mount point?)") from error
