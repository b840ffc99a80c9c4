# SPDX-License-Identifier: AGPL-3.0-or-later
"""The secrets that are erased on their day: transport keys T_{m,d} and epoch secrets e_d.

They lie in a table of their own, which is written anew and dropped at each erasure: SQLite may leave copies of rows in
the gaps of pages that it rearranged, and dropping the table overwrites all of its pages.
"""

from dataclasses import dataclass, field

from latchstring.desk.vault import Vault
from latchstring.protocol.constants import LONE_ERASE_DAYS
from latchstring.protocol.directory import Directory
from latchstring.protocol.epoch import EpochNote, OpenEpoch


@dataclass(frozen=True, slots=True)
class EpochSecret:
    """An epoch that this member made or unwrapped."""

    note_hash: bytes
    gen: int
    day: int
    raw: bytes = field(repr=False)
    secret: bytes = field(repr=False)

    def open(self) -> OpenEpoch:
        """The keys; ProtocolError when the vault holds a secret of another note."""
        return OpenEpoch.of_note(self.secret, EpochNote.parse(self.raw))


def keep_transport_secret(vault: Vault, day: int, secret: bytes) -> None:
    """Store a T_{m,day}; there may be several, one for each time that the member asked anew."""
    vault.do("INSERT INTO secret (kind, day, name, secret) VALUES ('transport', ?, x'', ?)", day, secret)


def transport_secrets(vault: Vault, day: int) -> tuple[bytes, ...]:
    """All T_{m,day}, the newest first; none when none was made or they are erased."""
    found = vault.rows("SELECT secret FROM secret WHERE kind = 'transport' AND day = ? ORDER BY rowid DESC", day)
    return tuple(row[0] for row in found)


def keep_epoch_secret(vault: Vault, epoch: OpenEpoch) -> None:
    """Store e and its note; harmless when it is there already."""
    note = epoch.note
    if vault.rows("SELECT 1 FROM secret WHERE kind = 'epoch' AND name = ?", note.hash):
        return
    vault.do(
        "INSERT OR IGNORE INTO epoch_note (hash, gen, day, raw) VALUES (?, ?, ?, ?)",
        note.hash,
        note.gen,
        note.day,
        note.raw,
    )
    vault.do(
        "INSERT INTO secret (kind, day, name, secret) VALUES ('epoch', ?, ?, ?)", note.day, note.hash, epoch.secret
    )


def epoch_secrets(vault: Vault) -> tuple[EpochSecret, ...]:
    """All live epochs, newest day first."""
    rows = vault.rows(
        "SELECT n.hash, n.gen, n.day, n.raw, s.secret FROM secret s JOIN epoch_note n ON n.hash = s.name"
        " WHERE s.kind = 'epoch' ORDER BY n.day DESC, n.hash"
    )
    return tuple(EpochSecret(*row) for row in rows)


def due_before(today: int, erase_days: int) -> int:
    """Secrets of days before this one are due, `erase_days` after the start of their day."""
    return today - erase_days + 1


def erase_days(directory: Directory, desk_id: str) -> int:
    """W of the policy; 14 days for a desk of one, which has nobody to tell it what it missed."""
    desk = directory.desk(desk_id)
    return LONE_ERASE_DAYS if desk is not None and len(desk.members) == 1 else directory.policy.erase_days


def erase_before(vault: Vault, day: int) -> tuple[int, ...]:
    """Erase all secrets of days before `day`, for good; the days that had any. Opens its own transaction."""
    days = tuple(row[0] for row in vault.rows("SELECT DISTINCT day FROM secret WHERE day < ? ORDER BY day", day))
    if not days:
        return ()
    with vault.transaction():
        vault.do(
            "CREATE TABLE secret_kept (kind TEXT NOT NULL, day INTEGER NOT NULL, name BLOB NOT NULL,"
            " secret BLOB NOT NULL) STRICT"
        )
        vault.do("INSERT INTO secret_kept SELECT kind, day, name, secret FROM secret WHERE day >= ?", day)
        vault.do("DROP TABLE secret")
        vault.do("ALTER TABLE secret_kept RENAME TO secret")
        vault.do("DELETE FROM epoch_note WHERE day < ?", day)
        vault.do("DELETE FROM transport_note WHERE day < ?", day)
        vault.do("DELETE FROM waiting_note WHERE day < ?", day)
        vault.do("DELETE FROM desk_transport WHERE day < ?", day)
        vault.do("DELETE FROM desk_wrap WHERE day < ?", day)
    return days
