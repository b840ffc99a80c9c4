# SPDX-License-Identifier: AGPL-3.0-or-later
"""Finding one's own replies in the sheets that everyone downloads. Pure: the server learns nothing of it."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from latchstring.client.visit import VerifiedVisit
from latchstring.protocol.constants import TAG_SIZE
from latchstring.protocol.directory import NO_HASH
from latchstring.protocol.encoding import ProtocolError
from latchstring.protocol.epoch import EpochNote
from latchstring.protocol.hpke import NotOurs
from latchstring.protocol.pair import Pair, pair_of_source
from latchstring.protocol.reply import OpenedReply, Place, open_reply, reply_tag
from latchstring.protocol.sheet import Sheet
from latchstring.protocol.source_keys import SourceKeys


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply as the source reads it. `at`: Unix seconds of the first sheet it was found in. `text` is None when this
    version cannot read it."""

    id: bytes = field(repr=False)
    at: int
    text: str | None = field(repr=False)
    acks: tuple[bytes, ...] = field(repr=False)
    known: bool


def find_replies(visit: VerifiedVisit, keys: SourceKeys) -> tuple[Reply, ...]:
    """Every reply of one thread in the sheets of the last three weeks, oldest first; a re-placed one once."""
    pairs: dict[bytes, tuple[Pair, bytes]] = {}
    found: dict[bytes, Reply] = {}
    for sheet in visit.sheets:
        for page, head in enumerate(sheet.heads):
            if head.desk != keys.desk or head.note == NO_HASH:
                continue
            if head.note not in pairs:
                pair = _pair(keys, visit.notes[head.note])
                if pair is None:
                    continue
                pairs[head.note] = (pair, pair.key("tag"))
            pair, tag_key = pairs[head.note]
            for opened in _open_page(sheet, page, head.slots, pair, tag_key, keys):
                if opened.reply_id not in found:
                    found[opened.reply_id] = _reply(opened, visit.directory.policy.closes_at(sheet.close))
    return tuple(found.values())


def _pair(keys: SourceKeys, note: EpochNote) -> Pair | None:
    try:
        return pair_of_source(keys, note)
    except ProtocolError:
        return None  # a desk that published a bad value can place no reply under it


def _open_page(
    sheet: Sheet, page: int, slots: int, pair: Pair, tag_key: bytes, keys: SourceKeys
) -> Iterator[OpenedReply]:
    r = sheet.r(page)
    for slot in range(slots):
        raw = sheet.slot(page, slot)
        place = Place(sheet.n, page, r, slot)
        if raw[:TAG_SIZE] != reply_tag(tag_key, place):
            continue
        try:
            yield open_reply(pair, keys.open_key, place, raw)
        except (NotOurs, ProtocolError):
            continue  # a tag without a reply behind it: noise


def _reply(opened: OpenedReply, at: int) -> Reply:
    body = opened.body
    if body is None:
        return Reply(opened.reply_id, at, None, (), False)
    return Reply(opened.reply_id, at, body.text, body.acks, body.known)
