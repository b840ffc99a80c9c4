# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where a new vault begins to follow a log that is older than three weeks.

Not at the founding: a year is 52,560 batches, and none of their letters is for somebody who was not there. The oldest
sheet of `/visit` says which directory was in force when it closed; from there on every batch is followed. Notes for
the first 15 days may have been logged before, so what is named for those cannot be checked; the days after can.
"""

from latchstring.client.visit import VerifiedVisit
from latchstring.desk.identity import Identity
from latchstring.desk.presence import is_here
from latchstring.desk.progress import Followed
from latchstring.protocol.constants import SHEETS_KEPT
from latchstring.protocol.keystate import KeyState
from latchstring.protocol.root_note import RootChain


def beginning(visit: VerifiedVisit, who: Identity) -> Followed:
    """What to go on from: the batch of the oldest sheet, or the founding for a young door and for one who was there."""
    if len(visit.sheets) < SHEETS_KEPT:
        return Followed()
    oldest = visit.sheets[0]
    signed = visit.directories[oldest.directory]
    if is_here(signed.directory, who):
        return Followed()
    roots = RootChain(visit.roots.door, visit.roots.notes[: signed.root])
    state = KeyState(batch=oldest.close, current=signed, since=oldest.close, roots=roots)
    return Followed(oldest.close, None, state)
