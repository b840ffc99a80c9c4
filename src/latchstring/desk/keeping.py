# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a batch brought goes into the vault: letters into their threads, memos' facts into what the desk shares."""

from collections.abc import Mapping, Sequence

from latchstring.desk.arrival import letter_came
from latchstring.desk.changes import forget_outlived, keep_change, place_of, settle_changes
from latchstring.desk.facts import FactKinds, Reader, apply_facts
from latchstring.desk.letters import keep_letter
from latchstring.desk.opening import Malformed, MemoCame, Opened, Outcome
from latchstring.desk.outbox import delivered
from latchstring.desk.promises import drop_sealing, sealings
from latchstring.desk.tally import Tally, together
from latchstring.desk.vault import Vault
from latchstring.protocol.constants import BODY_DAYS, TICKS_PER_DAY
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.memo import MemoBody


def keep_outcomes(vault: Vault, kinds: FactKinds, reader: Reader, batch: int, outcomes: Sequence[Outcome]) -> Tally:
    """Part of a transaction: the letters and memos of one batch, all of its pack in order."""
    found: list[Tally] = []
    for position, outcome in enumerate(outcomes):
        if isinstance(outcome, Malformed):
            found.append(Tally(malformed=1))
        elif isinstance(outcome, Opened):
            found.append(_keep_letter(vault, batch, position, outcome))
        elif isinstance(outcome, MemoCame):
            found.append(_keep_memo(vault, kinds, reader, batch, position, outcome))
    return together(found)


def _keep_letter(vault: Vault, batch: int, position: int, letter: Opened) -> Tally:
    forget_outlived(vault, letter.thread, batch)
    if letter.new_thread is not None:
        if not letter.verified:
            return Tally(unchanged=1)
        return Tally() if keep_change(vault, letter, batch) else Tally(repeated=1)
    if not keep_letter(vault, letter, batch, position):
        return Tally(repeated=1)
    place = place_of(vault, letter, batch)
    verified = letter.verified and not place.stale
    read = letter_came(vault, place.thread, letter.msg_id, batch, verified, letter.cbor)
    return Tally(new=1, unverified=int(not verified), unreadable=int(read is None), read=read or 0)


def settle(vault: Vault) -> Tally:
    """Part of a transaction, after a batch: follow the changes of passphrases that may act now."""
    settled = settle_changes(vault)
    return Tally(changed=settled.done, unchanged=settled.refused)


def _keep_memo(vault: Vault, kinds: FactKinds, reader: Reader, batch: int, position: int, memo: MemoCame) -> Tally:
    """A memo counts as a letter does: within the 72 hours of an epoch that is the desk's. One that does not is sealed
    anew by whoever sent it; one that came already is nothing."""
    if not memo.verified:
        return Tally()
    try:
        body = MemoBody.parse(memo.cbor)
    except ProtocolError:
        _keep_unread(vault, batch, position, memo.cbor)
        return Tally(memos=1, facts_unknown=1)
    if not first_time(vault, body.member, memo.msg_id, batch):
        return Tally()
    taken = apply_facts(vault, kinds, reader, body, batch, position)
    return Tally(memos=1, facts=taken.applied, facts_unknown=taken.unknown, facts_malformed=taken.malformed)


def first_time(vault: Vault, member: str, msg_id: bytes, batch: int) -> bool:
    """Part of a transaction: False when a memo of that member with that id was taken in before."""
    new = vault.do("INSERT OR IGNORE INTO memo_seen (member, msg_id, batch) VALUES (?, ?, ?)", member, msg_id, batch)
    return bool(new)


def forget_seen(vault: Vault, batch: int) -> None:
    """Part of a transaction: memos older than the bodies that the server keeps cannot come again."""
    vault.do("DELETE FROM memo_seen WHERE batch < ?", batch - BODY_DAYS * TICKS_PER_DAY)


def _keep_unread(vault: Vault, batch: int, position: int, cbor: bytes) -> None:
    """A memo of a later version, whole: a newer program may read it."""
    vault.do("INSERT OR IGNORE INTO memo_kept (batch, letter, cbor) VALUES (?, ?, ?)", batch, position, cbor)


def shared_now(
    vault: Vault,
    kinds: FactKinds,
    reader: Reader,
    batch: int,
    leaves: Sequence[bytes],
    counts: frozenset[bytes],
) -> int:
    """Part of the transaction that stores a batch, before what was opened: our memos whose `leaves` it logged.

    How many count: their facts are shared now, whether or not this vault can still open them.
    """
    places: Mapping[bytes, int] = {leaf: position for position, leaf in enumerate(leaves)}
    count = 0
    for sealing in sealings(vault):
        position = places.get(sealing.leaf)
        if position is None:
            continue
        drop_sealing(vault, sealing.leaf)
        if sealing.note not in counts:
            continue  # too late for its epoch: it is sealed anew
        facts = delivered(vault, sealing.msg_id)
        if first_time(vault, reader.member, sealing.msg_id, batch):
            apply_facts(vault, kinds, reader, MemoBody(reader.member, facts), batch, position)
            count += 1
    return count
