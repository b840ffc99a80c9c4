# SPDX-License-Identifier: AGPL-3.0-or-later
"""The kinds of facts that this version knows: a row a kind, from the module of its subject.

Whoever adds a kind whose facts leave something in the vault adds to `AGAIN` what tells them again to a member who could
not open them.
"""

from typing import Final

from latchstring.desk.facts import FactKinds
from latchstring.desk.known import again_known, apply_known
from latchstring.desk.marks import again_marks, apply_assign, apply_note, apply_read
from latchstring.desk.passing import Again, again_filled, again_of, apply_filled, apply_letter, apply_thread
from latchstring.desk.seen import again_seen, apply_seen
from latchstring.desk.shared_replies import again_replies, apply_placed, apply_reply
from latchstring.desk.turns import again_turns, apply_take

_TOLD: Final[FactKinds] = {
    "assign": apply_assign,
    "known": apply_known,
    "note": apply_note,
    "read": apply_read,
    "reply": apply_reply,
    "placed": apply_placed,
    "take": apply_take,
    "seen": apply_seen,
    "filled": apply_filled,
}

FACT_KINDS: Final[FactKinds] = {
    **_TOLD,
    "again": again_of(_TOLD),
    "thread": apply_thread,
    "letter": apply_letter,
}

AGAIN: Final[tuple[Again, ...]] = (again_marks, again_replies, again_turns, again_seen, again_filled, again_known)
