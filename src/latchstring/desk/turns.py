# SPDX-License-Identifier: AGPL-3.0-or-later
"""What only one member should do: the first in the log who takes a turn has it.

Fact: {"kind": "take", "what": bytes, "turn": n}, n from 1. Turn 0 is whoever it belongs to without a word (a reply to
its author). A later turn counts only when all before it are there, so that the same facts name the same member whatever
the order in which they came.
"""

from typing import Final

from latchstring.desk.facts import At, Told
from latchstring.desk.gone import is_gone
from latchstring.desk.outbox import tell, waiting
from latchstring.desk.vault import Vault
from latchstring.protocol.encoding import Fields, ProtocolError
from latchstring.protocol.memo import Fact

LONGEST: Final = 64  # bytes of what is taken
MOST: Final = 1_000_000
PASSING: Final = b"pass:"  # and a member's name: to pass on to them what they missed; anything else is a reply's id


def apply_take(vault: Vault, told: Told, fields: Fields) -> None:
    """The first in the log has the turn."""
    what, turn = fields.raw("what"), fields.count("turn", 1, MOST)
    fields.done()
    if not 0 < len(what) <= LONGEST:
        raise ProtocolError("take: 'what' is empty or too long")
    if not what.startswith(PASSING) and is_gone(vault, what):
        return
    vault.do(
        "INSERT INTO turn (what, turn, member, at) VALUES (?, ?, ?, ?) ON CONFLICT (what, turn) DO UPDATE SET"
        " member = excluded.member, at = excluded.at WHERE excluded.at < turn.at",
        what,
        turn,
        told.by,
        told.at.number,
    )


def again_turns(vault: Vault, first: int, last: int) -> list[tuple[int, str, Fact]]:
    """Turns taken from place `first` to `last`."""
    rows = vault.rows("SELECT at, member, what, turn FROM turn WHERE at BETWEEN ? AND ?", first, last)
    return [(at, member, {"kind": "take", "what": what, "turn": turn}) for at, member, what, turn in rows]


def holder(vault: Vault, what: bytes, start: str | None) -> tuple[str | None, int]:
    """Whose turn it is, and which turn. `start` has turn 0."""
    member, at = start, 0
    for turn, who in vault.rows("SELECT turn, member FROM turn WHERE what = ? ORDER BY turn", what):
        if turn != at + 1:
            break
        member, at = who, turn
    return member, at


def taken_in(vault: Vault, what: bytes, turn: int) -> int:
    """The batch in which a turn was taken; -1 for one that was not."""
    rows = vault.rows("SELECT at FROM turn WHERE what = ? AND turn = ?", what, turn)
    return At.of(rows[0][0]).batch if rows else -1


def take(vault: Vault, what: bytes, turn: int) -> bool:
    """Part of a transaction: ask for a turn; False when this vault has asked already."""
    for item in waiting(vault, "take"):
        if item.fact.get("what") == what and item.fact.get("turn") == turn:
            return False
    tell(vault, {"kind": "take", "what": what, "turn": turn})
    return True
