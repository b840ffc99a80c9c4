# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a letter means for what is there already, whichever way it came: opened here, or passed on by a member."""

from latchstring.desk.replies import mark_read
from latchstring.desk.search import index_letter
from latchstring.desk.shared_replies import acknowledged_already
from latchstring.desk.vault import Vault
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.letter import LetterBody


def letter_came(vault: Vault, thread: bytes, msg_id: bytes, batch: int, verified: bool, cbor: bytes) -> int | None:
    """Part of the transaction that keeps the letter. How many replies it names that were not known as read before; None
    when this version cannot read it."""
    if acknowledged_already(vault, thread, msg_id):
        vault.do("UPDATE letter SET acked = 1 WHERE thread = ? AND msg_id = ?", thread, msg_id)
    try:
        body = LetterBody.parse(cbor)
    except ProtocolError:
        return None
    index_letter(vault, thread, msg_id, body)
    if not verified:
        return 0
    by = vault.rows("SELECT passed_on_by FROM letter WHERE thread = ? AND msg_id = ?", thread, msg_id)
    return mark_read(vault, thread, body.read, batch, passed_on=by not in ([], [(None,)]))
