# SPDX-License-Identifier: AGPL-3.0-or-later
"""Lists of knocks, which members post ahead for the epochs of their desk."""

from typing import Final

from sqlalchemy import Connection

from latchstring.protocol import constants as c
from latchstring.protocol.directory import Directory
from latchstring.protocol.encoding import ProtocolError, decode_cbor
from latchstring.protocol.knock import KnockList
from latchstring.server.accept import Intake, Refusal, Refused, current_directory, present_batch
from latchstring.store import knocks, notes, tip
from latchstring.store.knocks import StoredList

MAX_LISTS: Final = c.NOTE_FIXED_DAYS_AHEAD + c.KNOCK_DAYS + 1  # those that count now, the seven ahead, one for midnight


def accept_knocks(intake: Intake, member_id: str, raw: bytes, now: int) -> None:
    """Take the lists of knocks that a member posted, as far as no newer version is there. Refused otherwise."""
    try:
        lists = _parse(raw)
    except ProtocolError:
        raise Refused(Refusal.KNOCKS_BAD) from None
    with intake.sql.write() as connection:
        signed = current_directory(connection, intake.door, in_log=True)
        at = tip.read(connection)
        if signed is None or at is None:
            raise Refused(Refusal.NOT_OPEN)
        found = signed.directory.member(member_id)
        if found is None:
            raise Refused(Refusal.NOT_A_MEMBER)
        if any(posted.version > at.batch for posted in lists):  # it would stay the highest for ever
            raise Refused(Refusal.KNOCKS_AHEAD)
        today = c.day_of(present_batch(connection, signed.directory, now))
        if not _keep(connection, signed.directory, found[0].id, lists, today):
            raise Refused(Refusal.KNOCKS_FOREIGN)


def _parse(raw: bytes) -> list[KnockList]:
    """What a member posts: CBOR, a list of knock lists. ProtocolError otherwise."""
    items = decode_cbor(raw)
    if not isinstance(items, list) or not 1 <= len(items) <= MAX_LISTS:
        raise ProtocolError("not lists of knocks")
    return [KnockList.parse(item) if isinstance(item, bytes) else _not_a_list() for item in items]


def _not_a_list() -> KnockList:
    raise ProtocolError("not a list of knocks")


def _keep(connection: Connection, directory: Directory, desk: str, lists: list[KnockList], today: int) -> bool:
    """Part of a transaction: keep a desk's lists, newest versions; False when one is for keys that are not its own,
    or not fixed yet. Days that are past are passed over.
    """
    found = directory.desk(desk)
    if found is None:
        return False
    days = {
        note: day for (name, gen, day), note in notes.all_fixed(connection).items() if (name, gen) == (desk, found.gen)
    }
    if any(posted.note not in days for posted in lists):
        return False
    for posted in lists:
        day = days[posted.note]
        if today < day + c.KNOCK_DAYS:
            row = StoredList(desk, found.gen, day, posted.version, posted.salt, posted.entries)
            knocks.put(connection, posted.note, row)
    return True
