# SPDX-License-Identifier: AGPL-3.0-or-later
"""Was the promise of a receipt kept? Judged on a whole log that was verified, so that the answer names its evidence."""

from dataclasses import dataclass
from enum import Enum

from latchstring.log.verify import Examined
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.receipt import Receipt, open_receipt


class Verdict(Enum):
    """What became of a promise."""

    KEPT = "kept"
    NOT_DUE = "not due yet"
    LATE = "broken: logged later than promised"
    MISSING = "broken: not in the log"


@dataclass(frozen=True, slots=True)
class Judged:
    """`index`, `batch`: where the leaf is, None when it is nowhere; `due`: the batch by which it had to be there, None
    while there is none; `newest`: the log's newest batch."""

    verdict: Verdict
    receipt: Receipt
    newest: int
    due: int | None
    index: int | None = None
    batch: int | None = None


def open_any(raw: bytes, keys: frozenset[bytes]) -> Receipt:
    """A letter's receipt, signed by one of the receipt keys that the log's directories ever named; ProtocolError
    otherwise."""
    for key in keys:
        try:
            return open_receipt(raw, key)
        except ProtocolError:
            continue
    raise ProtocolError("no receipt for a letter that this door's server signed")


def judge(raw: bytes, log: Examined) -> Judged:
    """ProtocolError when the receipt is not one of this log's server. `log` must have verified."""
    receipt = open_any(raw, log.receipt_keys)
    if receipt.origin != log.origin:
        raise ProtocolError("a receipt for another log")
    due = next((n for n, _ in log.batches if n >= receipt.publish_by), None)
    newest = log.batches[-1][0]
    try:
        index = log.entries.index(receipt.leaf)
    except ValueError:
        verdict = Verdict.NOT_DUE if due is None else Verdict.MISSING
        return Judged(verdict, receipt, newest, due)
    batch = max((n for n, first in log.batches if first <= index), default=newest)
    verdict = Verdict.LATE if due is not None and batch > due else Verdict.KEPT
    return Judged(verdict, receipt, newest, due, index, batch)
