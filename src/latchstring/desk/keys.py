# SPDX-License-Identifier: AGPL-3.0-or-later
"""Keys of the coming days: a transport key for each of 28, an epoch with signatures and wraps for each of 15.

An epoch waits until the log holds the member's transport key of its day. What was made is stored first and posted
then, and posted again until the log holds it. `keyplan.py` says what is due.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from latchstring.desk.colleagues import keep_transport, keep_wrap, known, transport_of
from latchstring.desk.errors import DeskError
from latchstring.desk.identity import Identity
from latchstring.desk.keyplan import LATE_DAYS, KeyPlan, KeysHeld, Known, plan_keys, position
from latchstring.desk.presence import NoLongerHere, is_here
from latchstring.desk.secrets import (
    EpochSecret,
    epoch_secrets,
    keep_epoch_secret,
    keep_transport_secret,
    transport_secrets,
)
from latchstring.desk.vault import Vault
from latchstring.protocol.constants import day_of
from latchstring.protocol.directory import Desk, SignedDirectory, check_successor
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.entry import Kind
from latchstring.protocol.epoch import EpochNote, EpochSignature, OpenEpoch, TransportNote, Wrap
from latchstring.protocol.hpke import NotOurs, OpenKey
from latchstring.protocol.keystate import KeyState, Note

Random = Callable[[int], bytes]


def keys_held(vault: Vault) -> KeysHeld:
    """Read the vault."""
    transports = vault.rows("SELECT day FROM secret WHERE kind = 'transport'")
    logged = vault.rows("SELECT day FROM transport_note WHERE logged IS NOT NULL")
    waiting = waiting_notes(vault)
    epochs = [EpochNote.parse(raw) for kind, raw in waiting if kind is Kind.EPOCH]
    wraps = [Wrap.parse(raw) for kind, raw in waiting if kind is Kind.WRAP]
    return KeysHeld(
        frozenset(row[0] for row in transports),
        frozenset(row[0] for row in logged),
        frozenset(s.note_hash for s in epoch_secrets(vault)),
        frozenset((n.gen, n.day) for n in epochs),
        frozenset(EpochSignature.parse(raw).note_hash for kind, raw in waiting if kind is Kind.SIGNATURE),
        frozenset((w.note_hash, w.member) for w in wraps),
    )


def make_keys(
    vault: Vault, who: Identity, state: KeyState, batch: int, random: Random, *, tidy: bool = True
) -> KeyPlan:
    """Make and store what is due once `batch` is the newest, in one transaction; posting is another step. `tidy`: drop
    what waits and cannot be logged any more.
    """
    desk = state.directory.desk(who.desk)
    if desk is None:
        raise ProtocolError("a directory without this desk")
    log = known(vault, desk)
    plan = plan_keys(state, batch, desk, who.member, keys_held(vault), log)
    with vault.transaction():
        if tidy:
            _tidy(vault, desk, day_of(batch))
        for day in plan.transports:
            _make_transport(vault, who, state, day, random)
        for item in plan.epochs:
            epoch = OpenEpoch.make(random(32), state.directory.door, who.desk, desk.gen, item.v, item.day)
            keep_epoch_secret(vault, epoch)
            for note in epoch_notes(vault, who, epoch, desk, log):
                _wait(vault, item.day, desk.gen, note)
        held = {s.note_hash: s for s in epoch_secrets(vault)}
        for note_hash in plan.signatures:
            _wait(vault, held[note_hash].day, desk.gen, _signature(who, note_hash))
        for note_hash, member in plan.wraps:
            _wait(vault, held[note_hash].day, desk.gen, _late_wrap(vault, held[note_hash], member))
    return plan


def prepare_keys(vault: Vault, who: Identity, state: KeyState, coming: SignedDirectory, random: Random) -> None:
    """Make and store the keys of a directory that is signed and not logged yet, so that a new gen is open at once.

    DeskError when it does not follow the one in force, or does not name us.
    """
    try:
        if state.current is None or state.roots is None or coming.root != state.roots.number:
            raise ProtocolError("a directory under other root keys than those in force")
        check_successor(state.current, coming)
    except ProtocolError:
        raise DeskError(
            "That directory does not follow the one that is in force at this door.",
            "Ask the organisation for the newest one, then sync again.",
        ) from None
    if not is_here(coming.directory, who):
        raise NoLongerHere(who.desk)
    make_keys(vault, who, replace(state, current=coming), state.batch, random, tidy=False)


def _tidy(vault: Vault, desk: Desk, today: int) -> None:
    """Drop what the server does not take any more: it would refuse what is posted with it."""
    vault.do("DELETE FROM waiting_note WHERE (gen > 0 AND gen < ?) OR day < ?", desk.gen, today - LATE_DAYS)
    vault.do("DELETE FROM waiting_note WHERE kind IN ('transport', 'epoch') AND day < ?", today)
    for kind, raw in waiting_notes(vault):
        if kind is Kind.WRAP and desk.member(Wrap.parse(raw).member) is None:
            vault.do("DELETE FROM waiting_note WHERE raw = ?", raw)


def _make_transport(vault: Vault, who: Identity, state: KeyState, day: int, random: Random) -> None:
    """A transport key for `day`; one made before is kept beside it, since wraps to it may be on their way."""
    secret = random(32)
    public = OpenKey.from_secret(secret).seal_key()
    transport = TransportNote.make(state.directory.door, who.desk, who.member, day, public, who.sign_seed)
    keep_transport_secret(vault, day, secret)
    vault.do("INSERT OR REPLACE INTO transport_note (day, raw) VALUES (?, ?)", day, transport.raw)
    _wait(vault, day, 0, (Kind.TRANSPORT, transport.raw))


def epoch_notes(vault: Vault, who: Identity, epoch: OpenEpoch, desk: Desk, log: Known) -> tuple[Note, ...]:
    """The epoch note, the member's signature, and a wrap for every member with a transport key of that day."""
    own = vault.rows("SELECT raw FROM transport_note WHERE day = ?", epoch.note.day)[0][0]
    wraps = [Wrap.make(epoch, TransportNote.parse(own))]
    wraps += [
        Wrap.make(epoch, transport_of(vault, m.id, epoch.note.day))
        for m in desk.members
        if m.id != who.member and (m.id, epoch.note.day) in log.transports
    ]
    signature = _signature(who, epoch.note.hash)
    return ((Kind.EPOCH, epoch.note.raw), signature, *((Kind.WRAP, wrap.raw) for wrap in wraps))


def _signature(who: Identity, note_hash: bytes) -> Note:
    return Kind.SIGNATURE, EpochSignature.make(note_hash, who.member, who.sign_seed).raw


def _late_wrap(vault: Vault, secret: EpochSecret, member: str) -> Note:
    return Kind.WRAP, Wrap.make(secret.open(), transport_of(vault, member, secret.day)).raw


def _wait(vault: Vault, day: int, gen: int, note: Note) -> None:
    kind, raw = note
    vault.do("INSERT OR IGNORE INTO waiting_note (kind, day, gen, raw) VALUES (?, ?, ?, ?)", kind.value, day, gen, raw)


def waiting_notes(vault: Vault) -> tuple[Note, ...]:
    """What is to be posted, in order of making."""
    return tuple((Kind(kind), raw) for kind, raw in vault.rows("SELECT kind, raw FROM waiting_note ORDER BY number"))


def note_logged(vault: Vault, who: Identity, state: KeyState, batch: int, notes: Sequence[Note]) -> None:
    """Part of a transaction: the log holds `notes`, and `state` is the one after their batch. Ours need no posting any
    more; wraps to us are opened; what is there of others' is remembered.

    A wrap whose epoch we do not hold comes from another member, or from another program of this one.
    """
    desk = state.directory.desk(who.desk)
    for index, (kind, raw) in enumerate(notes):
        vault.do("DELETE FROM waiting_note WHERE raw = ?", raw)
        at = position(batch, index)
        if kind is Kind.TRANSPORT:
            transport = TransportNote.parse(raw)
            member = desk.member(transport.member) if desk else None
            if member is not None and transport.desk == who.desk:
                keep_transport(vault, transport, member.sign_key, at)
            vault.do("UPDATE transport_note SET logged = ? WHERE raw = ? AND logged IS NULL", batch, raw)
        elif kind is Kind.WRAP:
            wrap = Wrap.parse(raw)
            logged = state.epochs.get(wrap.note_hash)
            if logged is not None and logged.note.desk == who.desk:
                opened = wrap.member == who.member and _unwrap(vault, wrap, logged.note)
                keep_wrap(vault, wrap.note_hash, wrap.member, logged.note.day, at, opened)


def _unwrap(vault: Vault, wrap: Wrap, note: EpochNote) -> bool:
    """Open a wrap to us and keep the secret; False when no transport key of that day opens it, or it holds another
    epoch's secret: such a note is never signed, and `colleagues.in_vain` reports the day.
    """
    if any(s.note_hash == note.hash for s in epoch_secrets(vault)):
        return True
    for secret in transport_secrets(vault, note.day):
        try:
            keep_epoch_secret(vault, wrap.open(note, OpenKey.from_secret(secret)))
            return True
        except (NotOurs, ProtocolError):
            continue
    return False
