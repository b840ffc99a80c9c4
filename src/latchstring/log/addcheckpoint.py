# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a log posts to a witness (c2sp.org/tlog-witness): `old <size>`, a consistency proof, a blank line, a note."""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from latchstring.log.errors import LogError
from latchstring.log.note import MAX_NOTE, b64decode
from latchstring.log.proof import HASH

MAX_PROOF: Final = 63
MAX_REQUEST: Final = MAX_NOTE + 8192
SIZE_TYPE: Final = "text/x.tlog.size"
_OLD: Final = re.compile(r"old (0|[1-9][0-9]{0,17})\Z", re.ASCII)
_SIZE: Final = re.compile(rb"(0|[1-9][0-9]{0,17})\n\Z")


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """`old`: the size that the witness saw last, as the log believes; `checkpoint`: a signed note, not yet verified."""

    old: int
    proof: tuple[bytes, ...]
    checkpoint: bytes = field(repr=False)

    def encode(self) -> bytes:
        """The request's body."""
        return f"old {self.old}\n".encode() + hash_lines(self.proof) + b"\n" + self.checkpoint


def hash_lines(hashes: Sequence[bytes]) -> bytes:
    """Each hash in base64 on a line."""
    return b"".join(base64.b64encode(digest) + b"\n" for digest in hashes)


def parse_hash_lines(lines: Sequence[str]) -> tuple[bytes, ...]:
    """LogError unless each line is one hash, and there are 63 at most."""
    if len(lines) > MAX_PROOF:
        raise LogError("a proof that is too long")
    hashes = tuple(b64decode(line) for line in lines)
    if any(len(digest) != HASH for digest in hashes):
        raise LogError("a proof with a hash that is not 32 bytes")
    return hashes


def parse_add_checkpoint(raw: bytes) -> AddCheckpoint:
    """LogError for anything but the one spelling."""
    head, blank, checkpoint = raw[:MAX_REQUEST].partition(b"\n\n")
    if not blank or len(raw) > MAX_REQUEST:
        raise LogError("not a request to add a checkpoint")
    try:
        first, *lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise LogError("not a request to add a checkpoint") from None
    old = _OLD.match(first)
    if old is None:
        raise LogError("a request without the old size")
    return AddCheckpoint(int(old[1]), parse_hash_lines(lines), checkpoint)


def parse_size(raw: bytes) -> int:
    """The size that a witness answers with (409); LogError for anything else."""
    size = _SIZE.match(raw)
    if size is None:
        raise LogError("an answer that is not a size")
    return int(size[1])
