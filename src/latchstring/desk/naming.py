# SPDX-License-Identifier: AGPL-3.0-or-later
"""Letters and replies by what a member types of their marks."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from latchstring.desk.errors import DeskError
from latchstring.desk.letters import Letter, letters
from latchstring.desk.replies import Reply, replies
from latchstring.desk.timeline import LEAST_DIGITS
from latchstring.desk.vault import Vault

Item = TypeVar("Item")


def find_letter(vault: Vault, typed: str) -> Letter:
    """The letter whose mark starts as typed. DeskError when none or several do."""
    return _find(letters(vault), lambda letter: letter.mark.hex(), typed, "letter")


def find_reply(vault: Vault, typed: str) -> Reply:
    """The reply whose mark starts as typed. DeskError when none or several do."""
    return _find(replies(vault), lambda reply: reply.id.hex(), typed, "reply")


def _find(items: Sequence[Item], name: Callable[[Item], str], typed: str, what: str) -> Item:
    wanted = "".join(typed.split()).lower()
    if len(wanted) < LEAST_DIGITS:
        raise DeskError(f"That is too short to name a {what}.", "Give at least four digits, as 'desk show' has them.")
    found = [item for item in items if name(item).startswith(wanted)]
    if len(found) != 1:
        raise DeskError(
            f"No {what} is named so." if not found else f"More than one {what} is named so.",
            "Nothing was changed. See 'desk show' for the marks.",
        )
    return found[0]
