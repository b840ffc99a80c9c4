# SPDX-License-Identifier: AGPL-3.0-or-later
"""The list that makes a folder a backup: what was copied, each file with its size and hash, under a MAC that only the
server's keys can make. It is written last: a folder without it, or with the one of before, is what that one says.

Lines of text, so that an operator can look with any tool:

    latchstring backup 1
    door <64 hex digits>, origin <text>, batch <n>, size <n>, root <64 hex digits>, store <path>: one a line
    <SHA-256 in hex> <bytes> <path>, sorted by path
    mac <HMAC-SHA256 in hex over everything before this line>
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from latchstring.protocol.primitives import mac, same
from latchstring.protocol.root import Door
from latchstring.store.objects import NoObject, check_path
from latchstring.store.sql import StoreError

NAME: Final = "backup.list"
CONFIG: Final = "config/"  # by its hash: an earlier list stays true while a new one is made
KEYS: Final = "keys.cbor"
PUBLISHED: Final = "published/"
PRIVATE: Final = "private/"
STORE: Final = "store/"
_FIRST: Final = "latchstring backup 1"
_HEAD: Final = ("door", "origin", "batch", "size", "root", "store")
_FILE: Final = re.compile(r"([0-9a-f]{64}) (0|[1-9][0-9]{0,17}) (\S+)\Z", re.ASCII)
_NUMBER: Final = re.compile(r"(?:0|[1-9][0-9]{0,17})\Z", re.ASCII)
_HEX: Final = re.compile(r"[0-9a-f]{64}\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Copied:
    """What one file must be: its bytes' number and SHA-256."""

    size: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class BackupList:
    """What a backup holds. `batch`, `size` and `root` are the log's when it was taken; `store` is the path of the
    database's copy. Paths are those in the backup's folder.
    """

    door: Door
    origin: str
    batch: int
    size: int
    root: bytes
    store: str
    files: Mapping[str, Copied] = field(repr=False)

    @property
    def config(self) -> str:
        """The path of the configuration's copy. StoreError when there is none."""
        found = next((path for path in self.files if path.startswith(CONFIG)), None)
        if found is None:
            raise StoreError("The backup holds no configuration.")
        return found

    @property
    def with_keys(self) -> bool:
        """Do the server's keys lie in it?"""
        return KEYS in self.files

    def encode(self, key: bytes) -> bytes:
        """The file's bytes; `key`: `ServerKeys.backup_key`."""
        values = (self.door.hex(), self.origin, str(self.batch), str(self.size), self.root.hex(), self.store)
        lines = [_FIRST, *(f"{name} {value}" for name, value in zip(_HEAD, values, strict=True))]
        lines += [f"{f.digest.hex()} {f.size} {path}" for path, f in sorted(self.files.items())]
        text = ("\n".join(lines) + "\n").encode()
        return text + f"mac {mac(key, text).hex()}\n".encode()


def parse_list(raw: bytes) -> BackupList:
    """The list; StoreError for anything that `encode` does not write. The MAC is `holds`'s to check."""
    try:
        lines = raw.decode("utf-8").split("\n")
        heads = [line.split(" ", 1) for line in lines[1:7]]
        if lines[0] != _FIRST or [head[0] for head in heads] != list(_HEAD) or lines[-1]:
            raise ValueError
        if not lines[-2].startswith("mac ") or not _HEX.match(lines[-2][4:]):
            raise ValueError
        door, origin, batch, size, root, store = (head[1] for head in heads)
        if not (_HEX.match(door) and _HEX.match(root) and _NUMBER.match(batch) and _NUMBER.match(size)):
            raise ValueError
        files: dict[str, Copied] = {}
        for line in lines[7:-2]:
            found = _FILE.match(line)
            if found is None:
                raise ValueError
            files[check_path(found[3])] = Copied(int(found[2]), bytes.fromhex(found[1]))
        if list(files) != sorted(files) or len(files) != len(lines) - 9 or store not in files:
            raise ValueError
    except (ValueError, IndexError, NoObject):
        raise StoreError("The backup's list is damaged.") from None
    return BackupList(Door(bytes.fromhex(door)), origin, int(batch), int(size), bytes.fromhex(root), store, files)


def holds(raw: bytes, key: bytes) -> bool:
    """Was this list written by who holds the server's keys?"""
    end = raw.rfind(b"mac ")
    return end > 0 and same(raw[end:], f"mac {mac(key, raw[:end]).hex()}\n".encode())
