# SPDX-License-Identifier: AGPL-3.0-or-later
"""One session of a vault at a time on this machine: two would each send pages of their own, and each would take the
other's for those of a copy of the vault that somebody else uses.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from latchstring.desk.errors import VaultError
from latchstring.desk.vault import Vault

LOCK: Final = ".session"
"""What the lock's file is called after the vault's name. A file of its own: closing the vault's own would give up the
locks that SQLite holds on it."""


class Busy(VaultError):
    """Another session of this vault is under way."""


@contextmanager
def alone(vault: Vault) -> Iterator[None]:
    """Keep other sessions away; the system frees the lock however a process ends. Busy when there is one already."""
    path = vault.path.with_name(vault.path.name + LOCK)
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        raise VaultError("The vault cannot be written here.", "Check who owns the file and its folder.") from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Busy(
                "Another sync of this vault is under way.", "Wait until it has ended; 'sync --every' goes on by itself."
            ) from None
        yield
    finally:
        os.close(handle)
