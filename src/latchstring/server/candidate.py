# SPDX-License-Identifier: AGPL-3.0-or-later
"""A batch that is closed and waits for its witnesses."""

from dataclasses import dataclass, field

from latchstring.log.cosignature import witnessed
from latchstring.log.errors import LogError
from latchstring.log.note import parse_note
from latchstring.protocol.directory import Directory
from latchstring.protocol.visit import Visit


@dataclass(frozen=True, slots=True)
class Candidate:
    """The log at `size` leaves, the `/visit` that belongs to it, and the directory whose witnesses are asked."""

    size: int
    visit: Visit = field(repr=False)
    directory: Directory = field(repr=False)

    @property
    def checkpoint(self) -> bytes:
        """As the log alone signed it."""
        return self.visit.checkpoint

    def holds(self, checkpoint: bytes) -> bool:
        """Is this the candidate's checkpoint, cosigned by a quorum?"""
        try:
            if parse_note(checkpoint).text != parse_note(self.checkpoint).text:
                return False
            return len(witnessed(checkpoint, self.directory.witnesses)) >= self.directory.quorum
        except LogError:
            return False
