# SPDX-License-Identifier: AGPL-3.0-or-later
"""The server's three keys: for the log (Ed25519), for receipts (Ed25519, used for nothing else), for members' requests
(X25519). One file that only its owner reads, made once."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from latchstring.log.note import VerifierKey
from latchstring.protocol.encoding import Fields, ProtocolError, decode_cbor, encode_cbor, lp
from latchstring.protocol.primitives import ed25519_public, expand, x25519_public
from latchstring.store.sql import StoreError


@dataclass(frozen=True, slots=True)
class ServerKeys:
    """Three 32-byte seeds."""

    log: bytes = field(repr=False)
    receipt: bytes = field(repr=False)
    request: bytes = field(repr=False)

    @classmethod
    def make(cls, random: Callable[[int], bytes]) -> "ServerKeys":
        """New keys."""
        return cls(random(32), random(32), random(32))

    @property
    def log_public(self) -> bytes:
        """32 bytes."""
        return ed25519_public(self.log)

    @property
    def receipt_public(self) -> bytes:
        """32 bytes."""
        return ed25519_public(self.receipt)

    @property
    def request_public(self) -> bytes:
        """32 bytes."""
        return x25519_public(self.request)

    @property
    def backup_key(self) -> bytes:
        """32 bytes, for the MAC of a backup's list."""
        return expand(self.request, lp("backup"))

    def verifier(self, origin: str) -> VerifierKey:
        """The log's verifier key."""
        return VerifierKey(origin, self.log_public)

    def encode(self) -> bytes:
        """The file's bytes."""
        return encode_cbor({"v": 1, "log": self.log, "receipt": self.receipt, "request": self.request})


def save_keys(path: Path, keys: ServerKeys) -> None:
    """Write the file for its owner alone; StoreError when there is one already."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise StoreError("There are server keys here already; they are never overwritten.") from None
    except OSError:
        raise StoreError("The server's keys cannot be written here: check the folder and your rights in it.") from None
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(keys.encode())
            out.flush()
            os.fsync(out.fileno())
    except OSError:
        path.unlink(missing_ok=True)  # half of them would be in the way of the next attempt
        raise StoreError("The server's keys could not be written whole: look at the space left there.") from None


def load_keys(path: Path) -> ServerKeys:
    """Read the file; StoreError in plain words when it cannot be used."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise StoreError("The server's keys are missing. Run 'latchstring server init' first.") from None
    except OSError:
        raise StoreError("The server's keys cannot be read: check who owns the file.") from None
    try:
        f = Fields(decode_cbor(raw), "keys")
        f.count("v", 1, 1)
        keys = ServerKeys(f.raw("log", 32), f.raw("receipt", 32), f.raw("request", 32))
        f.done()
    except ProtocolError:
        raise StoreError("The server's key file is damaged. Restore it from your backup.") from None
    return keys
