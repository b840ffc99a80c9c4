# SPDX-License-Identifier: AGPL-3.0-or-later
"""The one thing a witness does: cosign a checkpoint that continues what it saw last (c2sp.org/tlog-witness).

What it saw is kept before the cosignature leaves. So it never signs two roots for one size, and never goes back,
however it is stopped.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from latchstring.log.addcheckpoint import SIZE_TYPE, parse_add_checkpoint
from latchstring.log.checkpoint import open_checkpoint, parse_text
from latchstring.log.cosignature import Cosigner
from latchstring.log.errors import BadProof, LogError
from latchstring.log.note import VerifierKey, parse_note
from latchstring.log.proof import verify_consistency
from latchstring.witness.errors import StateFailed
from latchstring.witness.state import Seen, States

TEXT_TYPE: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, body, content type."""

    status: int
    body: bytes = field(repr=False)
    kind: str = TEXT_TYPE


def plain(status: int, sentence: str) -> Answer:
    """One sentence for a person."""
    return Answer(status, sentence.encode() + b"\n")


def _size(size: int) -> Answer:
    return Answer(409, f"{size}\n".encode(), SIZE_TYPE)


class WitnessOfLogs:
    """A witness for the logs whose keys it was given, by origin. Not for several threads."""

    def __init__(self, cosigner: Cosigner, logs: Mapping[str, VerifierKey], states: States) -> None:
        self._cosigner, self._logs, self._states = cosigner, dict(logs), states

    def add_checkpoint(self, raw: bytes, now: int) -> Answer:
        """Answer one request. `now`: Unix seconds.

        200 with cosignature lines; 400, 403, 404, 409 with the size seen last, 422; 500 when it cannot be kept.
        """
        try:
            asked = parse_add_checkpoint(raw)
            claimed = parse_text(parse_note(asked.checkpoint).text)
        except LogError as error:
            return plain(400, f"Not a request that this witness can read: {error}.")
        key = self._logs.get(claimed.origin)
        if key is None:
            return plain(404, "This witness does not know that log.")
        try:
            checkpoint = open_checkpoint(asked.checkpoint, key)
        except LogError:
            return plain(403, "The checkpoint is not signed by the log's key.")
        if asked.old > checkpoint.size:
            return plain(400, "The old size is more than the checkpoint's.")
        try:
            seen = self._states.get(checkpoint.origin)
            if asked.old != seen.size:
                return _size(seen.size)
            if checkpoint.size == seen.size and checkpoint.root != seen.root:
                return _size(seen.size)
            verify_consistency(seen.size, seen.root, checkpoint.size, checkpoint.root, asked.proof)
            self._states.put(checkpoint.origin, Seen(checkpoint.size, checkpoint.root))
        except BadProof as bad:
            return plain(422, f"The checkpoint does not continue the one seen last: {bad}.")
        except StateFailed:
            return plain(500, "The witness cannot keep what it saw, so it signs nothing. Ask again later.")
        return Answer(200, self._cosigner.cosign(checkpoint, now).encode())
