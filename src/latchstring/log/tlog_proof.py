# SPDX-License-Identifier: AGPL-3.0-or-later
"""Proofs that an entry is in a log, as files that anyone checks without the log (c2sp.org/tlog-proof, `.tlog-proof`).

A line with the version, one with extra data (here the entry, so that the file stands by itself), one with the index,
the inclusion proof's hashes a line each, a blank line, and the signed checkpoint with its cosignatures.
"""

import base64
import re
from dataclasses import dataclass, field
from typing import Final

from latchstring.log.addcheckpoint import hash_lines, parse_hash_lines
from latchstring.log.checkpoint import Checkpoint, open_checkpoint
from latchstring.log.errors import LogError
from latchstring.log.note import MAX_NOTE, VerifierKey, b64decode
from latchstring.log.proof import verify_inclusion
from latchstring.log.tree import leaf_hash

HEADER: Final = "c2sp.org/tlog-proof@v1"
MAX_FILE: Final = MAX_NOTE + 100_000
_INDEX: Final = re.compile(r"index (0|[1-9][0-9]{0,17})\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class TlogProof:
    """`extra` is not authenticated by the format: here it is the entry, and the proof is what authenticates it."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes = field(repr=False)
    extra: bytes | None = None

    def encode(self) -> bytes:
        """The file's bytes."""
        extra = "" if self.extra is None else f"extra {base64.b64encode(self.extra).decode()}\n"
        head = f"{HEADER}\n{extra}index {self.index}\n"
        return head.encode() + hash_lines(self.hashes) + b"\n" + self.checkpoint


def parse_tlog_proof(raw: bytes) -> TlogProof:
    """LogError for anything but the one spelling; nothing is verified yet."""
    head, blank, checkpoint = raw[:MAX_FILE].partition(b"\n\n")
    if not blank or len(raw) > MAX_FILE:
        raise LogError("not a tlog-proof")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise LogError("not a tlog-proof") from None
    if lines.pop(0) != HEADER:
        raise LogError("not a tlog-proof of a version that this program knows")
    extra = None
    if lines and lines[0].startswith("extra "):
        extra = b64decode(lines.pop(0).removeprefix("extra "))
    index = _INDEX.match(lines.pop(0)) if lines else None
    if index is None:
        raise LogError("a tlog-proof without an index")
    return TlogProof(int(index[1]), parse_hash_lines(lines), checkpoint, extra)


def check_tlog_proof(proof: TlogProof, entry: bytes, key: VerifierKey) -> Checkpoint:
    """The checkpoint under which `entry` is at the proof's index in the log of `key`; LogError, BadProof otherwise."""
    checkpoint = open_checkpoint(proof.checkpoint, key)
    verify_inclusion(leaf_hash(entry), proof.index, checkpoint.size, checkpoint.root, proof.hashes)
    return checkpoint
