# SPDX-License-Identifier: AGPL-3.0-or-later
"""The folder beside the vault in which chunks of attachments lie, sealed as the server handed them out.

`<vault>.attachments/ab/ab12...`: a file a chunk, under the name that the server knows. Nothing in it can be opened
without the vault: once a letter is deleted there, its files are noise. A file's time is that of the log when it came.
"""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from latchstring.desk.errors import DeskError
from latchstring.desk.vault import Vault
from latchstring.protocol.constants import ATTACHMENT_CHUNK, HASH_SIZE

KEEP_FREE: Final = 10**9  # bytes of the disk that attachments leave to everything else
_NEW: Final = ".new-"


class ChunkFolder:
    """Chunks by their 32-byte names."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @classmethod
    def of(cls, vault: Vault) -> "ChunkFolder":
        """The one that belongs to a vault; made when the first chunk comes."""
        return cls(vault.path.with_name(vault.path.name + ".attachments"))

    def _file(self, name: bytes) -> Path:
        return self._root / name.hex()[:2] / name.hex()

    def has(self, name: bytes) -> bool:
        """Is it here, whole? A file of another length is what a crash left, and is fetched again like any other."""
        return self.fetched(name) is not None

    def fetched(self, name: bytes) -> int | None:
        """When it was last fetched (Unix seconds of the log); None when it is not here, whole."""
        try:
            found = self._file(name).stat()
        except OSError:
            return None
        return int(found.st_mtime) if found.st_size == ATTACHMENT_CHUNK else None

    def get(self, name: bytes) -> bytes | None:
        """The chunk as it came, not verified; None when it is not here."""
        try:
            return self._file(name).read_bytes()
        except OSError:
            return None

    def put(self, name: bytes, chunk: bytes, at: int) -> None:
        """Keep a chunk, durably; `at`: the log's time, Unix seconds. DeskError when the disk does not take it."""
        target = self._file(name)
        new = target.with_name(f"{_NEW}{secrets.token_hex(8)}")
        try:
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._root.chmod(0o700)
            with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
                out.write(chunk)
                out.flush()
                os.fsync(out.fileno())
            os.utime(new, (at, at))
            os.replace(new, target)
        except OSError:
            with suppress(OSError):
                new.unlink(missing_ok=True)
            raise DeskError(
                "The disk beside the vault did not take a piece of an attachment.",
                "Make room there and sync again: it goes on from where it stopped.",
            ) from None

    def renew(self, name: bytes, at: int) -> None:
        """It was fetched again at `at`: what is here stays, for it may be the only whole one."""
        with suppress(OSError):  # then it is fetched once more
            os.utime(self._file(name), (at, at))

    def drop(self, name: bytes) -> None:
        """Remove a chunk, if it is here."""
        with suppress(OSError):  # it is tried again at the next session
            self._file(name).unlink(missing_ok=True)

    def kept(self) -> Iterator[tuple[bytes, int]]:
        """The names of all chunks that are here, and when each was fetched (Unix seconds of the log).

        What a crash left half written is removed on the way.
        """
        for folder in sorted(self._root.glob("??")) if self._root.is_dir() else ():
            for file in folder.iterdir():
                if file.name.startswith(_NEW):
                    file.unlink(missing_ok=True)
                    continue
                with suppress(ValueError, OSError):
                    name = bytes.fromhex(file.name)
                    if len(name) == HASH_SIZE:
                        yield name, int(file.stat().st_mtime)

    def free(self) -> int:
        """Bytes left on the disk."""
        return shutil.disk_usage(self._root if self._root.is_dir() else self._root.parent).free
