# SPDX-License-Identifier: AGPL-3.0-or-later
"""The spending of a knock. Which of those in a list is whose, the server cannot tell."""

from sqlalchemy import Connection

from latchstring.protocol import constants as c
from latchstring.protocol.directory import Directory
from latchstring.protocol.encoding import h
from latchstring.protocol.knock import Knock, entry_of
from latchstring.store import knocks


def spend_knock(connection: Connection, directory: Directory, present: int, knock: Knock) -> bool:
    """Part of a transaction: does the knock count in batch `present`? Then it is spent, for this transaction's letter.

    False when its list is of another time, a former gen, or does not hold it; when it was spent before; or when as
    many as a list holds were spent of this epoch.
    """
    held = knocks.of_note(connection, knock.note)
    desk = directory.desk(held.desk) if held else None
    if held is None or desk is None or held.gen != desk.gen:
        return False
    if not held.day <= c.day_of(present) < held.day + c.KNOCK_DAYS:
        return False
    if not _holds(held.entries, entry_of(held.salt, knock.value)):
        return False
    return knocks.spend(connection, knock.note, h(knock.value), c.KNOCK_LIST)


def _holds(entries: bytes, wanted: bytes) -> bool:
    low, high = 0, len(entries) // c.HASH_SIZE
    while low < high:
        middle = (low + high) // 2
        found = entries[middle * c.HASH_SIZE : (middle + 1) * c.HASH_SIZE]
        if found == wanted:
            return True
        low, high = (middle + 1, high) if found < wanted else (low, middle)
    return False
