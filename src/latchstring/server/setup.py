# SPDX-License-Identifier: AGPL-3.0-or-later
"""Putting the server's parts together from its configuration."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from latchstring.server.accept import Intake
from latchstring.server.config import Config
from latchstring.server.keys import ServerKeys, load_keys
from latchstring.server.publisher import Publisher, Shelves
from latchstring.store.objects import FolderObjects
from latchstring.store.sql import Sql, StoreError, open_sqlite


@dataclass(frozen=True, slots=True)
class Parts:
    """What a worker or the publisher works with."""

    config: Config
    sql: Sql
    keys: ServerKeys = field(repr=False)
    public: FolderObjects
    private: FolderObjects

    @property
    def shelves(self) -> Shelves:
        """Published files and packs."""
        return Shelves(self.public, self.private)

    @property
    def intake(self) -> Intake:
        """For accepting."""
        room, data = self.config.attachment_room, self.config.data
        return Intake(
            self.sql, self.keys, self.config.door, self.config.queue_limit, room, lambda: shutil.disk_usage(data).free
        )

    def publisher(self) -> Publisher:
        """For closing batches."""
        return Publisher(self.sql, self.shelves, self.keys, self.config.door)


def open_parts(config: Config, opened: Callable[[Path], Sql] = open_sqlite) -> Parts:
    """Open keys, database and folders; StoreError in plain words when one cannot be used. `opened`: how the database
    is."""
    os.umask(0o077)
    keys = load_keys(config.keys_file)
    try:
        public, private = FolderObjects(config.published), FolderObjects(config.private)
    except OSError:
        raise StoreError("The data folder cannot be written: check who owns it.") from None
    return Parts(config, opened(config.database), keys, public, private)
