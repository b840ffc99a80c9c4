# SPDX-License-Identifier: AGPL-3.0-or-later
"""Letters of batches followed before: those that the server owed, and those whose key came late."""

from latchstring.desk.facts import FactKinds, Reader
from latchstring.desk.follow import OTHER_LETTERS, Step, absent, counting, fetch_pack, jobs_of, same_leaves, split_pack
from latchstring.desk.identity import Identity
from latchstring.desk.keeping import keep_outcomes, settle
from latchstring.desk.line import Line
from latchstring.desk.opening import Opener
from latchstring.desk.progress import MissingPack, drop_missing, missing_packs
from latchstring.desk.secrets import epoch_secrets
from latchstring.desk.seen import add_gap, close_gap
from latchstring.desk.tally import Tally
from latchstring.desk.unopened import never_opened, now_opened, openable, unopened
from latchstring.desk.vault import Vault
from latchstring.protocol import constants as c
from latchstring.protocol.keystate import KeyState


def retry_missing(vault: Vault, line: Line, who: Identity, state: KeyState, kinds: FactKinds) -> Tally:
    """Ask again for letters that the server owes; give up on those that it need not keep any more."""
    tally = Tally()
    for owed in missing_packs(vault):
        tally = tally.plus(_open(vault, line, who, state, kinds, owed))
    return tally


def open_late(vault: Vault, line: Line, who: Identity, state: KeyState, kinds: FactKinds, step: Step) -> Tally:
    """Fetch once more the letters of batches for which a key has come since."""
    tally, late = Tally(), openable(vault)
    for number, pack in enumerate(late, 1):
        tally = tally.plus(_open(vault, line, who, state, kinds, pack))
        step("late", number, len(late))
    return tally


def _open(vault: Vault, line: Line, who: Identity, state: KeyState, kinds: FactKinds, owed: MissingPack) -> Tally:
    pack = fetch_pack(line, owed.batch, owed.pack)
    if pack is None:
        tally = absent(owed.batch, state.batch)
        if tally.lost:
            with vault.transaction():
                drop_missing(vault, owed.batch)
                add_gap(vault, owed.batch, owed.batch)
                tally = tally.plus(settle(vault))
        return tally
    tally, letters = Tally(), split_pack(pack)
    if owed.leaves is not None and not same_leaves(owed.leaves, letters):
        tally = Tally(faults=(OTHER_LETTERS.format(owed.batch),))
    counts = counting(state, who.desk, owed.gen, owed.batch)
    with Opener(epoch_secrets(vault)) as opener:
        outcomes = opener.open_many(jobs_of(opener, letters, owed.batch, frozenset(counts)))
    if set(counts) - {s.note_hash for s in opener.secrets} - never_opened(vault, owed.batch):
        late = f"The server handed out the letters of batch {owed.batch} only after keys to them were erased."
        tally = tally.plus(Tally(closed_days=(c.day_of(owed.batch),), faults=(late,)))
    reader = Reader(state.directory.door, who.desk, who.member)
    with vault.transaction():
        tally = tally.plus(keep_outcomes(vault, kinds, reader, owed.batch, outcomes))
        drop_missing(vault, owed.batch)
        now_opened(vault, owed.batch)
        if not any(left.batch == owed.batch for left in unopened(vault)):
            close_gap(vault, (owed.batch, owed.batch))
        tally = tally.plus(settle(vault))
    return tally
