# SPDX-License-Identifier: AGPL-3.0-or-later
"""The root keys in a file that only a passphrase opens: `lockedfile.py`, under the label `root-file`: both seeds."""

from collections.abc import Callable
from typing import Final

from latchstring.org.lockedfile import lock, unlock
from latchstring.protocol.root import RootKeys

_LABEL: Final = "root-file"


def lock_root(keys: RootKeys, passphrase: str, random: Callable[[int], bytes]) -> bytes:
    """The file's bytes; `random(n)` gives n bytes. Takes 256 MiB of memory and about a second."""
    return lock(_LABEL, keys.ed25519_seed + keys.mldsa_seed, passphrase, random)


def unlock_root(raw: bytes, passphrase: str) -> RootKeys:
    """The keys; OrgError when the file is damaged or the passphrase is another."""
    plain = unlock(_LABEL, 64, raw, passphrase, "root key")
    return RootKeys(plain[:32], plain[32:])
