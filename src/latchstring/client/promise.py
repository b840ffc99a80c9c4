# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a server's answer to a letter is worth: its signed receipt, checked before anyone relies on it."""

from latchstring.client.visit import VerifiedVisit
from latchstring.protocol import constants as c
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.receipt import Receipt, open_receipt


def check_receipt(visit: VerifiedVisit, leaf: bytes, raw: bytes) -> Receipt:
    """The server's promise to log `leaf` soon. ProtocolError for another letter, another time or a bad signature."""
    directory = visit.directory
    receipt = open_receipt(raw, directory.receipt_key)
    if (receipt.origin, receipt.leaf) != (directory.origin, leaf):
        raise ProtocolError("a receipt for something else")
    latest = visit.manifest.n + c.VISIT_FRESH_TICKS + directory.policy.queue // directory.policy.letters + 4
    if not visit.manifest.n < receipt.publish_by <= latest:
        raise ProtocolError("a receipt for another time")
    return receipt
