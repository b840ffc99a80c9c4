# SPDX-License-Identifier: AGPL-3.0-or-later
"""A rotation of the root keys as a file: LP("root-chain", CBOR [root note, ...]), all from the founding on.

It is no secret and counts for nothing by itself: only with a directory that its new keys sign.
"""

from typing import Final

from latchstring.org.errors import OrgError
from latchstring.protocol.encoding import ProtocolError, decode_cbor, encode_cbor, lp, parse_lp
from latchstring.protocol.root_note import RootChain, RootNote

_NONE: Final = "This is not a rotation file, or it is cut or damaged. Use your other copy."


def format_rotation(roots: RootChain) -> bytes:
    """The file's bytes; the last note is the rotation, the others lead to it."""
    return lp("root-chain", encode_cbor(list(roots.raws)))


def parse_rotation(raw: bytes) -> RootChain:
    """The chain, whosever door it is; OrgError when it does not hold."""
    try:
        (packed,) = parse_lp("root-chain", 1, raw)
        items = decode_cbor(packed)
        if not isinstance(items, list) or not items:
            raise ProtocolError("no list")
        notes = [item for item in items if isinstance(item, bytes)]
        if len(notes) != len(items):
            raise ProtocolError("not notes")
        return RootChain(RootNote.parse(notes[0]).door).follow(notes)
    except ProtocolError:
        raise OrgError(_NONE) from None


def rotated_by(roots: RootChain, rotation: RootChain) -> RootChain:
    """The door's chain with a rotation that follows it; OrgError when it does not, in words that say why."""
    if rotation.door != roots.door:
        raise OrgError("This rotation is another door's. Nothing was signed.")
    if RootChain(rotation.door, rotation.notes[: roots.number]).head != roots.head:
        raise OrgError(
            "Another rotation came first, so this one counts for nothing any more. Sign with the root keys in force, "
            "and make a new spare with them: latchstring org root rotate"
        )
    if rotation.number == roots.number:
        raise OrgError("This rotation is done already. Sign without --rotation.")
    return rotation
