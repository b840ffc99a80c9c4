# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the log says of the desk's keys beside its key state: everybody's transport keys, and which wraps there are."""

from latchstring.desk.identity import Identity
from latchstring.desk.keyplan import Known
from latchstring.desk.vault import Vault
from latchstring.protocol.directory import Desk
from latchstring.protocol.epoch import TransportNote


def keep_transport(vault: Vault, note: TransportNote, sign_key: bytes, at: int) -> None:
    """Part of a transaction: the newest transport key of its member and day. `sign_key`: under which it was signed."""
    vault.do(
        "INSERT INTO desk_transport (member, day, sign_key, at, raw) VALUES (?, ?, ?, ?, ?) ON CONFLICT (member, day)"
        " DO UPDATE SET sign_key = excluded.sign_key, at = excluded.at, raw = excluded.raw",
        note.member,
        note.day,
        sign_key,
        at,
        note.raw,
    )


def keep_wrap(vault: Vault, note_hash: bytes, member: str, day: int, at: int, opened: bool) -> None:
    """Part of a transaction: a wrap of the desk's epoch is logged. `opened`: whether it is ours and we hold it now."""
    vault.do(
        "INSERT INTO desk_wrap (note, member, day, at, opened) VALUES (?, ?, ?, ?, ?) ON CONFLICT (note, member)"
        " DO UPDATE SET at = excluded.at, opened = max(opened, excluded.opened)",
        note_hash,
        member,
        day,
        at,
        int(opened),
    )


def known(vault: Vault, desk: Desk) -> Known:
    """Of the desk's present members, under their present keys."""
    keys = {m.id: m.sign_key for m in desk.members}
    transports = vault.rows("SELECT member, day, sign_key, at FROM desk_transport")
    wraps = vault.rows("SELECT note, member, at FROM desk_wrap")
    return Known(
        {(member, day): at for member, day, sign_key, at in transports if keys.get(member) == sign_key},
        {(note, member): at for note, member, at in wraps},
    )


def transport_of(vault: Vault, member: str, day: int) -> TransportNote:
    """The newest logged transport key; KeyError when there is none."""
    rows = vault.rows("SELECT raw FROM desk_transport WHERE member = ? AND day = ?", member, day)
    if not rows:
        raise KeyError("no transport key of that day")
    return TransportNote.parse(rows[0][0])


def in_vain(vault: Vault, who: Identity, today: int) -> tuple[int, ...]:
    """Days from `today` on for which we were given wraps, and none opens. One that was logged before a transport key of
    ours is another's: of whoever had this name before, with other keys."""
    rows = vault.rows(
        "SELECT DISTINCT w.day FROM desk_wrap w JOIN desk_transport t ON t.member = w.member AND t.day = w.day"
        " WHERE w.member = ? AND w.day >= ? AND t.sign_key = ? AND w.at > t.at AND NOT w.opened"
        " AND NOT EXISTS (SELECT 1 FROM secret s WHERE s.kind = 'epoch' AND s.name = w.note) ORDER BY w.day",
        who.member,
        today,
        who.sign_public,
    )
    return tuple(row[0] for row in rows)
