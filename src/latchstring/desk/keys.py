# SPDX-License-Identifier: AGPL-3.0-or-later
"""Keys of the coming days: a transport key for each of 28, an epoch with signature and wrap for each of 15.

An epoch waits until the log holds the member's transport key of its day. What was made is stored first and posted
then, and posted again until the log holds it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from latchstring.desk.identity import Identity
from latchstring.desk.secrets import (
    epoch_secrets,
    keep_epoch_secret,
    keep_transport_secret,
    transport_secret,
)
from latchstring.desk.vault import Vault
from latchstring.protocol.constants import EPOCH_DAYS_AHEAD, TRANSPORT_DAYS_AHEAD
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.entry import Kind
from latchstring.protocol.epoch import EpochNote, EpochSignature, OpenEpoch, TransportNote, Wrap
from latchstring.protocol.hpke import NotOurs, OpenKey
from latchstring.protocol.keystate import KeyState, Note, is_valid
from latchstring.protocol.root import Door

Random = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class EpochPlan:
    """Make an epoch for `day` with version `v`."""

    day: int
    v: int


@dataclass(frozen=True, slots=True)
class KeyPlan:
    """What is to be made. `lost`: days whose fixed note is not ours to open any more."""

    transports: tuple[int, ...]
    epochs: tuple[EpochPlan, ...]
    lost: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class KeysHeld:
    """What the vault holds: days with a transport secret; those of them whose note is logged; hashes of epoch notes
    with their secret; and (gen, day) of notes that were made and are not logged yet.
    """

    transports: frozenset[int]
    logged: frozenset[int]
    epochs: frozenset[bytes] = field(repr=False)
    waiting: frozenset[tuple[int, int]]


def plan_keys(state: KeyState, today: int, desk_id: str, held: KeysHeld) -> KeyPlan:
    """Pure: what a desk of one makes on day `today`. ProtocolError when the directory has no such desk."""
    desk = state.directory.desk(desk_id)
    if desk is None:
        raise ProtocolError("a directory without this desk")
    transports = tuple(d for d in range(today, today + TRANSPORT_DAYS_AHEAD) if d not in held.transports)
    epochs, lost = [], []
    for day in range(today, today + EPOCH_DAYS_AHEAD + 1):
        fixed = state.fixed.get((desk_id, desk.gen, day))
        if fixed is not None:
            if fixed not in held.epochs:
                lost.append(day)
            continue
        logged = [e for e in state.epochs.values() if (e.note.desk, e.note.gen, e.note.day) == (desk_id, desk.gen, day)]
        valid = [e for e in logged if is_valid(desk, e)]
        best = max(valid, key=lambda e: (e.note.v, -e.order), default=None)
        if (best is not None and best.note.hash in held.epochs) or (desk.gen, day) in held.waiting:
            continue
        if day in held.logged:
            epochs.append(EpochPlan(day, 1 + max((e.note.v for e in valid), default=0)))
    return KeyPlan(transports, tuple(epochs), tuple(lost))


def keys_held(vault: Vault) -> KeysHeld:
    """Read the vault."""
    transports = vault.rows("SELECT day FROM secret WHERE kind = 'transport'")
    logged = vault.rows("SELECT day FROM transport_note WHERE logged IS NOT NULL")
    waiting = vault.rows("SELECT raw FROM waiting_note WHERE kind = 'epoch'")
    notes = [EpochNote.parse(raw) for (raw,) in waiting]
    return KeysHeld(
        frozenset(row[0] for row in transports),
        frozenset(row[0] for row in logged),
        frozenset(s.note_hash for s in epoch_secrets(vault)),
        frozenset((n.gen, n.day) for n in notes),
    )


def make_keys(vault: Vault, who: Identity, state: KeyState, today: int, random: Random) -> KeyPlan:
    """Make and store what is due, in one transaction; posting is another step."""
    plan = plan_keys(state, today, who.desk, keys_held(vault))
    desk = state.directory.desk(who.desk)
    if desk is None:
        raise ProtocolError("a directory without this desk")
    door = state.directory.door
    with vault.transaction():
        # the server takes neither any more, and would refuse what is posted with them
        vault.do("DELETE FROM waiting_note WHERE (gen > 0 AND gen < ?) OR day < ?", desk.gen, today)
        for day in plan.transports:
            secret = random(32)
            public = OpenKey.from_secret(secret).seal_key()
            transport = TransportNote.make(door, who.desk, who.member, day, public, who.sign_seed)
            keep_transport_secret(vault, day, secret)
            vault.do("INSERT INTO transport_note (day, raw) VALUES (?, ?)", day, transport.raw)
            _wait(vault, day, 0, (Kind.TRANSPORT, transport.raw))
        for item in plan.epochs:
            epoch = OpenEpoch.make(random(32), door, who.desk, desk.gen, item.v, item.day)
            keep_epoch_secret(vault, epoch)
            for note in epoch_notes(vault, who, epoch):
                _wait(vault, item.day, desk.gen, note)
    return plan


def epoch_notes(vault: Vault, who: Identity, epoch: OpenEpoch) -> tuple[Note, ...]:
    """The epoch note, the member's signature, and the wrap to their own transport key of that day."""
    raw = vault.rows("SELECT raw FROM transport_note WHERE day = ?", epoch.note.day)[0][0]
    signature = EpochSignature.make(epoch.note.hash, who.member, who.sign_seed)
    wrap = Wrap.make(epoch, TransportNote.parse(raw))
    return ((Kind.EPOCH, epoch.note.raw), (Kind.SIGNATURE, signature.raw), (Kind.WRAP, wrap.raw))


def _wait(vault: Vault, day: int, gen: int, note: Note) -> None:
    kind, raw = note
    vault.do("INSERT OR IGNORE INTO waiting_note (kind, day, gen, raw) VALUES (?, ?, ?, ?)", kind.value, day, gen, raw)


def waiting_notes(vault: Vault) -> tuple[Note, ...]:
    """What is to be posted, in order of making."""
    return tuple((Kind(kind), raw) for kind, raw in vault.rows("SELECT kind, raw FROM waiting_note ORDER BY number"))


def note_logged(vault: Vault, who: Identity, door: Door, batch: int, notes: Sequence[Note]) -> None:
    """Part of a transaction: the log holds `notes`. Ours need no posting any more; wraps to us are opened.

    A wrap whose epoch we do not hold comes from another program of this member, or from before the vault was put back.
    """
    epochs = {note.hash: note for note in (EpochNote.parse(raw) for kind, raw in notes if kind is Kind.EPOCH)}
    for kind, raw in notes:
        vault.do("DELETE FROM waiting_note WHERE raw = ?", raw)
        if kind is Kind.TRANSPORT:
            vault.do("UPDATE transport_note SET logged = ? WHERE raw = ? AND logged IS NULL", batch, raw)
        elif kind is Kind.WRAP:
            wrap = Wrap.parse(raw)
            note = epochs.get(wrap.note_hash)
            if wrap.member == who.member and note is not None and (note.door, note.desk) == (door, who.desk):
                _unwrap(vault, wrap, note)


def _unwrap(vault: Vault, wrap: Wrap, note: EpochNote) -> None:
    secret = transport_secret(vault, note.day)
    if secret is None:
        return
    try:
        epoch = wrap.open(note, OpenKey.from_secret(secret))
    except (NotOurs, ProtocolError):
        return  # not sealed to this key, or another epoch's secret: `plan_keys` reports the day if it matters
    keep_epoch_secret(vault, epoch)
