# SPDX-License-Identifier: AGPL-3.0-or-later
"""The kinds of facts that this version knows: a row a kind, from the module of its subject.

Whoever adds a kind whose facts leave something in the vault adds to `AGAIN` what tells them again to a member who could
not open them.
"""

from typing import Final

from latchstring.desk.deletion import apply_delete
from latchstring.desk.facts import FactKinds
from latchstring.desk.forgetting import apply_forget
from latchstring.desk.gone import again_forgotten, again_gone
from latchstring.desk.known import again_known, apply_known
from latchstring.desk.linking import again_linked, apply_link
from latchstring.desk.marks import again_marks, apply_assign, apply_note, apply_read
from latchstring.desk.passing import Again, again_filled, again_of, apply_filled, apply_letter, apply_thread
from latchstring.desk.retention import again_kept, apply_keep
from latchstring.desk.seen import again_seen, apply_seen
from latchstring.desk.shared_replies import again_replies, apply_placed, apply_reply
from latchstring.desk.turns import again_turns, apply_take
from latchstring.desk.withdrawal import again_withdrawn, apply_withdraw

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
    "delete": apply_delete,
    "forget": apply_forget,
    "keep": apply_keep,
    "link": apply_link,
    "withdraw": apply_withdraw,
}

FACT_KINDS: Final[FactKinds] = {
    **_TOLD,
    "again": again_of(_TOLD),
    "thread": apply_thread,
    "letter": apply_letter,
}

_LIFE: Final = (again_gone, again_forgotten, again_kept, again_linked, again_withdrawn)

AGAIN: Final[tuple[Again, ...]] = (
    again_marks,
    again_replies,
    again_turns,
    again_seen,
    again_filled,
    again_known,
    *_LIFE,
)
