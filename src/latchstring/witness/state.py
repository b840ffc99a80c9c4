# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a witness saw last of each log: one small file a log, whole and durable before a cosignature leaves.

A witness that loses these files could be led to cosign another log under the same name: they belong with its keys.
"""

import fcntl
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from latchstring.log.tree import EMPTY_ROOT
from latchstring.protocol.encoding import Fields, ProtocolError, decode_cbor, encode_cbor
from latchstring.witness.errors import StateFailed, WitnessError

_TEMPORARY: Final = ".new"
_LOCK_TRIES: Final = 30


@dataclass(frozen=True, slots=True)
class Seen:
    """The largest log that was cosigned: leaves, and the root, 32 bytes."""

    size: int
    root: bytes


NOTHING: Final = Seen(0, EMPTY_ROOT)


class States(Protocol):
    """What was seen last, by origin."""

    def get(self, origin: str) -> Seen:
        """NOTHING for a log that was never cosigned. StateFailed when it cannot be known."""

    def put(self, origin: str, seen: Seen) -> None:
        """Durable when it returns; StateFailed otherwise, and then it may be stored or not."""


class FolderStates:
    """In a folder that is this witness's alone while the object lives."""

    def __init__(self, folder: Path, wait: Callable[[float], None]) -> None:
        """WitnessError when the folder cannot be used, or another witness uses it. `wait`: seconds to sleep."""
        self._folder = folder
        try:
            if not folder.exists():  # a folder that a crash takes away again would take with it what was cosigned
                folder.mkdir(parents=True, mode=0o700)
                _sync(folder.parent)
            self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            raise WitnessError("The witness's folder cannot be written: check who owns it.") from None
        for _ in range(_LOCK_TRIES):
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except OSError:
                wait(0.1)
        self.close()
        raise WitnessError("Another witness is at work in this folder. Stop it first: two would contradict each other.")

    def close(self) -> None:
        """Let another one use the folder."""
        os.close(self._lock)

    def _file(self, origin: str) -> Path:
        return self._folder / hashlib.sha256(origin.encode()).hexdigest()

    def get(self, origin: str) -> Seen:
        try:
            raw = self._file(origin).read_bytes()
        except FileNotFoundError:
            return NOTHING
        except OSError:
            raise StateFailed("a file cannot be read") from None
        try:
            f = Fields(decode_cbor(raw), "state")
            f.count("v", 1, 1)
            named, seen = f.text("origin"), Seen(f.count("size"), f.raw("root", 32))
            f.done()
        except ProtocolError:
            raise StateFailed("a file is damaged") from None
        if named != origin:
            raise StateFailed("a file is another log's")
        return seen

    def put(self, origin: str, seen: Seen) -> None:
        target = self._file(origin)
        temporary = target.with_name(target.name + _TEMPORARY)
        try:
            with open(temporary, "wb") as out:
                out.write(encode_cbor({"v": 1, "origin": origin, "size": seen.size, "root": seen.root}))
                out.flush()
                os.fsync(out.fileno())
            os.replace(temporary, target)
            _sync(self._folder)
        except OSError:
            raise StateFailed("a file cannot be written") from None


def _sync(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
