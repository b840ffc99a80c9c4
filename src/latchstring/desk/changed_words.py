# SPDX-License-Identifier: AGPL-3.0-or-later
"""Changes of passphrases, passed on to a member who could not open the letter: their machine must not go on sealing
replies to the old keys.

Fact: {"kind": "changed", "thread": its id before, "batch", "seal", "dh", "psk"}. It is a member's word: the proof, c0,
is kept by nobody. It acts like the change itself, after its batch, and only where none of that thread was followed.
"""

from typing import Final

from latchstring.desk.changes import pend_change
from latchstring.desk.facts import At, Told
from latchstring.desk.identity import identity
from latchstring.desk.vault import Vault
from latchstring.protocol.constants import HASH_SIZE
from latchstring.protocol.encoding import Fields, ProtocolError
from latchstring.protocol.memo import Fact
from latchstring.protocol.source_keys import ThreadKeys

KIND: Final = "changed"
_LAST: Final = 4095  # a change acts after its batch: behind every letter of it


def apply_changed(vault: Vault, told: Told, fields: Fields) -> None:
    """Part of a transaction: the change waits until the end of a batch, as one does that was opened here."""
    old, batch = fields.raw("thread", HASH_SIZE), fields.count("batch", 0, 1 << 38)
    keys = ThreadKeys.parse(fields.raw("seal"), fields.raw("dh"), fields.raw("psk", 32))
    fields.done()
    if batch > told.at.batch:
        raise ProtocolError("changed: in a batch that was not closed yet")
    pend_change(vault, batch, old, keys.thread(told.reader.door, told.reader.desk), keys)


def again_changed(vault: Vault, first: int, last: int) -> list[tuple[int, str, Fact]]:
    """Changes followed from place `first` to `last` of the log, with the keys that the thread has now."""
    rows = vault.rows(
        "SELECT m.batch, m.old, t.seal_key, t.dh, t.psk FROM moved_thread m JOIN thread t ON t.id = m.thread"
        " WHERE m.old IS NOT NULL ORDER BY m.batch, m.number"
    )
    told: list[tuple[int, str, Fact]] = []
    me = identity(vault).member if rows else ""
    for batch, old, seal_key, dh, psk in rows:
        at = At(batch, _LAST, 0).number
        if first <= at <= last:
            told.append((at, me, {"kind": KIND, "thread": old, "batch": batch, "seal": seal_key, "dh": dh, "psk": psk}))
    return told
