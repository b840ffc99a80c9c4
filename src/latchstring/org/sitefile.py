# SPDX-License-Identifier: AGPL-3.0-or-later
"""The key that signs a door's pages, in a file of its own: `lockedfile.py`, under the label `site-file`: its seed."""

from collections.abc import Callable
from typing import Final

from latchstring.org.lockedfile import lock, unlock

_LABEL: Final = "site-file"


def lock_site_key(seed: bytes, passphrase: str, random: Callable[[int], bytes]) -> bytes:
    """The file's bytes; `random(n)` gives n bytes. Takes 256 MiB of memory and about a second."""
    return lock(_LABEL, seed, passphrase, random)


def unlock_site_key(raw: bytes, passphrase: str) -> bytes:
    """The seed; OrgError when the file is damaged or the passphrase is another."""
    return unlock(_LABEL, 32, raw, passphrase, "site key")
