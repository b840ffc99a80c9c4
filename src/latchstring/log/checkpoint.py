# SPDX-License-Identifier: AGPL-3.0-or-later
"""Checkpoints (c2sp.org/tlog-checkpoint): origin, size and root of a log, as a signed note.

Extension lines are refused: this log writes none, and what nobody checks nobody should sign.
"""

import base64
from dataclasses import dataclass

from latchstring.log.errors import LogError
from latchstring.log.note import VerifierKey, b64decode, sign_note, verified_text


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What the log's key signs. `root` is 32 bytes."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """Three lines."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    def sign(self, seed: bytes) -> bytes:
        """The signed note; the key's name is the origin."""
        return sign_note(self.text(), self.origin, seed)


def parse_text(text: str) -> Checkpoint:
    """LogError for anything but the three lines in their one spelling."""
    lines = text.split("\n")
    if len(lines) != 4 or lines[3]:
        raise LogError("a checkpoint that is not three lines")
    origin, size, root = lines[:3]
    if not origin or not size.isascii() or not size.isdigit() or len(size) > 18 or str(int(size)) != size:
        raise LogError("a checkpoint whose size is not a plain number")
    digest = b64decode(root)
    if len(digest) != 32:
        raise LogError("a checkpoint whose root is not 32 bytes")
    return Checkpoint(origin, int(size), digest)


def open_checkpoint(raw: bytes, key: VerifierKey) -> Checkpoint:
    """The checkpoint, its signature checked; LogError otherwise."""
    checkpoint = parse_text(verified_text(raw, key))
    if checkpoint.origin != key.name:
        raise LogError("a checkpoint of another log")
    return checkpoint
