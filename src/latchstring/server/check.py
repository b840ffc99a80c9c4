# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is wrong with a configuration or a store, in plain words."""

import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from latchstring.protocol.directory import Directory
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.entry import Kind
from latchstring.protocol.renewal import reminder, renewal
from latchstring.server.accept import current_directory
from latchstring.server.asking import Post, http_post
from latchstring.server.check_witnesses import ask_witnesses
from latchstring.server.config import Config, load_config
from latchstring.server.disk import Free, free_bytes, used
from latchstring.server.forecast import FAR_DAYS, WARN_DAYS, Shape, days_left, takes_letters
from latchstring.server.setup import Parts, open_parts
from latchstring.store import notes, snapshot, tip
from latchstring.store.objects import NoObject
from latchstring.store.sql import StoreError, StoreFailed, open_sqlite
from latchstring.store.tip import Tip

_ASK_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `ok` is False when something must be done."""

    ok: bool
    text: str


def check(
    config_path: Path, now: int | None = None, post: Post | None = None, free: Free = free_bytes
) -> list[Finding]:
    """Look at everything that can be looked at; the first fatal finding ends the list. `post`: how witnesses are asked
    (None: over the network). `free`: bytes free on a folder's disk."""
    now = int(time.time()) if now is None else now
    try:
        config = load_config(config_path)
        older = snapshot.is_older(config.database)  # the program that wrote it may be running: it stays as it is
        parts = open_parts(config, snapshot.look if older else open_sqlite)
    except StoreError as error:
        return [Finding(False, str(error))]
    except StoreFailed as error:
        return [Finding(False, f"The store cannot be read: {error}.")]
    found = [Finding(True, "The configuration can be read, the keys and the database open."), *_files(config)]
    if older:
        found.append(Finding(True, "The database is an earlier program's: the start of this one brings it up to date."))
    try:
        found += _store(parts, now, post or http_post(config.witness_proxy, _ASK_SECONDS), free)
    except (StoreFailed, StoreError, ProtocolError) as error:
        found.append(Finding(False, f"The store cannot be read: {error}."))
    finally:
        parts.sql.close()
    return found


def _files(config: Config) -> list[Finding]:
    found = []
    if config.keys_file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        found.append(Finding(False, "Others can read the key file. Run: chmod 600 keys.cbor"))
    return found


def _disk(parts: Parts, directory: Directory, newest: int | None, free: Free) -> Finding:
    """How long the disk lasts."""
    shape = Shape.of(directory, parts.config.attachment_room)
    use = used(parts.config, parts.sql, newest, free)
    days, left = days_left(shape, use), f"{use.free // 10**6} MB are free on the data folder's disk"
    if not takes_letters(shape, use.free):
        return Finding(False, f"Only {left}: letters are refused, so that publishing goes on. Make room.")
    if days < WARN_DAYS:
        return Finding(False, f"{left}: enough for {days} more days. Make room.")
    return Finding(True, f"{left}: enough for {'more than ten years' if days == FAR_DAYS else f'{days} more days'}.")


def _store(parts: Parts, now: int, post: Post, free: Free) -> list[Finding]:
    config, found = parts.config, []
    with parts.sql.read() as connection:
        waiting = notes.newest(connection, Kind.DIRECTORY, in_log=False)
        signed = current_directory(connection, config.door, in_log=False) if waiting else None
        at = tip.read(connection)
        logged = current_directory(connection, config.door, in_log=True) if at else None
        unfinished = bool(tip.files(connection))
    if signed is None:
        return [Finding(False, "No directory was posted yet. Sign one: latchstring org directory sign --post ADDRESS")]
    directory = signed.directory
    keys = parts.keys
    if (directory.log_key, directory.receipt_key, directory.request_key) != (
        keys.log_public,
        keys.receipt_public,
        keys.request_public,
    ):
        found.append(
            Finding(False, "The directory names other keys than this server's. Restore the keys or sign anew.")
        )
    if directory.origin != config.origin:
        found.append(Finding(False, f"The directory's origin is '{directory.origin}', the configuration's is not."))
    if config.queue_limit is not None and config.queue_limit > directory.policy.queue:
        found.append(
            Finding(False, f"The setting 'queue_limit' is more than the directory's {directory.policy.queue}.")
        )
    present = directory.policy.batch_at(now)
    remind = None if directory.closed else reminder(directory, present)
    good = f"Directory number {directory.seq} is good for {renewal(directory, present).days_left} more days."
    if directory.closed is not None:
        good = f"The door is closed for good (directory number {directory.seq}): letters are refused."
    found.append(Finding(remind is None, remind or good))
    found.append(_disk(parts, directory, at.batch if at else None, free))
    if at is None:
        found.append(Finding(True, "No batch was closed yet: start the server."))
        return found
    if present < at.batch:
        found.append(Finding(False, "This machine's clock is behind the newest batch. Set the clock."))
    elif present - at.batch > 3:
        found.append(
            Finding(False, f"The newest batch is {present - at.batch} ticks old: the publisher is not running.")
        )
    else:
        found.append(Finding(True, f"Batch {at.batch} is the newest; the log has {at.size} leaves."))
    if logged is not None and logged.directory.quorum:
        found += [Finding(f.ok, f.text) for f in ask_witnesses(at, logged.directory, parts.public, post)]
    elif not unfinished:
        found += _published(parts, at)
    if unfinished:
        found.append(Finding(True, "The last batch is being copied out; the next start finishes it."))
    return found


def _published(parts: Parts, at: Tip) -> list[Finding]:
    """Without witnesses, what is published is the newest batch."""
    try:
        if parts.public.get("checkpoint") == at.checkpoint:
            return []
    except NoObject:
        return [Finding(False, "The published files are missing. Restore them from a mirror or backup.")]
    return [Finding(False, "The published checkpoint is not the database's. The server will refuse to start.")]
