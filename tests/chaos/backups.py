# SPDX-License-Identifier: AGPL-3.0-or-later
"""Backups that are killed at every change of a file: what lies there is the backup of before or the new one, and a
restore from it goes on without a fork.
"""

import os
import shutil
from dataclasses import replace
from pathlib import Path

from latchstring.server.backup import take_backup
from latchstring.server.backup_check import check_backup
from latchstring.server.config import load_config
from latchstring.server.mirrors import Mirror
from latchstring.server.restore import Request, restore
from latchstring.store.sql import StoreError
from tests.chaos.disks import quietly
from tests.chaos.examine import Outcome
from tests.chaos.traps import DIED, Trap, trap_files
from tests.sites import ServerSite, no_step

OLD, NEW = 33, 36
MOMENTS = range(1, 41, 3)  # a whole one has a few more


def template(folder: Path) -> ServerSite:
    """A server that was backed up at batch 33 (the backup beside it) and has gone on to 36."""
    site = ServerSite.opened(folder / "data", "chaos backup")
    take_backup(site.config, folder / "backup", True, no_step)
    site.send(8, 9, batch=33)
    site.close(34, NEW)
    return site


def killed(base: ServerSite, folder: Path, at: int) -> tuple[bool, Outcome]:
    """One round, with death at moment `at`: did it die, and what is wrong?"""
    shutil.copytree(base.config.data.parent, folder)
    config = replace(base.config, data=folder / "data")
    backup = folder / "backup"
    try:
        status = quietly(lambda: _take(config.data.parent, at, base))
        faults: tuple[str, ...] = () if status in (0, DIED) else ("a backup failed before it was killed",)
        try:
            left = check_backup(backup, base.keys, no_step).list.batch
        except StoreError as error:
            return status == DIED, Outcome(faults=(*faults, f"a killed backup is none: {error}"))
        return status == DIED, _restored(base, folder, left, faults)
    finally:
        shutil.rmtree(folder)


def _take(folder: Path, at: int, base: ServerSite) -> None:
    trap_files(Trap(at))
    take_backup(replace(base.config, data=folder / "data"), folder / "backup", True, no_step)
    os._exit(0)


def _restored(base: ServerSite, folder: Path, left: int, faults: tuple[str, ...]) -> Outcome:
    """Restore what is there, against what is published, and go on."""
    published = folder / "data" / "published"
    mirror = Mirror("published", lambda path: (published / path).read_bytes())
    asked = Request(folder / "backup", folder / "new", mirrors=(mirror,))
    if left == OLD:
        try:
            restore(asked, no_step)
            return Outcome(forks=1, faults=faults)
        except StoreError:
            asked = replace(asked, adopt=mirror)
    restore(asked, no_step)
    again = ServerSite(load_config(folder / "new" / "server.toml"), base.founding, [*base.receipts], [*base.seen])
    packs = folder / "data" / "private" / "packs"
    for pack in packs.iterdir():  # with their members, who fetched them
        shutil.copy(pack, folder / "new" / "private" / "packs" / pack.name)
    again.close(37, again.batch_end())
    found = again.examine()
    if left == OLD:  # letters 8 and 9 were acknowledged after it; those in no batch are lost, as the restore says
        found = replace(found, lost=max(0, found.lost - 2))
    return replace(found, faults=found.faults + faults)
