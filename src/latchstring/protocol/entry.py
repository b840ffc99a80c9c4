# SPDX-License-Identifier: AGPL-3.0-or-later
"""Log entries: 32 bytes each, H(LP("entry", kind, bytes)), so that a body can be pruned and its entry stay."""

from enum import StrEnum

from latchstring.protocol.encoding import h, lp


class Kind(StrEnum):
    """What a log entry stands for."""

    LETTER = "letter"
    DIRECTORY = "directory"
    ROOT = "root"
    TRANSPORT = "transport"
    EPOCH = "epoch"
    SIGNATURE = "signature"
    WRAP = "wrap"
    SHEET = "sheet"
    MANIFEST = "manifest"


ROOT_NOTES = frozenset({Kind.ROOT, Kind.DIRECTORY})  # go before key notes, in order of arrival
KEY_NOTES = frozenset({Kind.TRANSPORT, Kind.EPOCH, Kind.SIGNATURE, Kind.WRAP})


def entry(kind: Kind, body: bytes) -> bytes:
    """The 32-byte log entry of `body`."""
    return h(lp("entry", kind.value, body))
