# SPDX-License-Identifier: AGPL-3.0-or-later
"""Finding one's own replies: all of them, once each, in order, and nobody else's."""

from dataclasses import dataclass, replace

import pytest

from latchstring.client.visit import VerifiedVisit
from latchstring.protocol import constants as c
from latchstring.protocol.encoding import lp
from latchstring.protocol.epoch import EpochNote, OpenEpoch
from latchstring.protocol.hpke import OpenKey
from latchstring.protocol.pair import Pair, pair_of_desk, pair_of_source
from latchstring.protocol.primitives import mac
from latchstring.protocol.reply import Place, ReplyBody, noise_slot, reply_tag, seal_reply
from latchstring.protocol.source_keys import SourceKeys, source_keys
from latchstring.source import thread as module
from latchstring.source.thread import Reply, find_replies
from tests.builders import Stream
from tests.visits import FOUNDING, Parts, check, epoch_of, make_parts, make_sheets

PAGE = {"legal": 0, "news": 1}
ANNA, BORIS = (source_keys(Stream(name)(32), FOUNDING.door, "news") for name in ("anna", "boris"))


@dataclass(frozen=True)
class At:
    """A reply in one place. `under`: the epoch of another day or secret than the sheet's."""

    keys: SourceKeys
    text: str
    sheet: int = 8
    slot: int = 0
    number: int | None = None  # the reply's id; else one of its own
    under: OpenEpoch | None = None

    @property
    def id(self) -> bytes:
        return Stream(f"{self.text}")(16) if self.number is None else bytes([self.number]) * 16


def r_of(sheet: int, page: int) -> bytes:
    return Stream(f"r {sheet} {page}")(c.PAGE_RANDOM)


def place_of(at: At) -> Place:
    page = PAGE[at.keys.desk]
    return Place(at.sheet, page, r_of(at.sheet, page), at.slot)


def slot_of(at: At, epoch: OpenEpoch) -> bytes:
    body = ReplyBody(at.text, (bytes(8),), True)
    return seal_reply(pair_of_desk(at.under or epoch, at.keys.thread_keys), place_of(at), at.id, body)


def door(*replies: At, **raw: bytes) -> Parts:
    """A door whose last two sheets hold these replies; `raw`: whole slots, `s8p1j0=...`."""

    def page(sheet: int, number: int, epoch: OpenEpoch) -> bytes:
        slots = [noise_slot(Stream(f"noise {sheet} {number} {j}")) for j in range(FOUNDING.directory.policy.slots)]
        for at in replies:
            if (at.sheet, PAGE[at.keys.desk]) == (sheet, number):
                slots[at.slot] = slot_of(at, epoch)
        for j in range(len(slots)):
            slots[j] = raw.get(f"s{sheet}p{number}j{j}", slots[j])
        return r_of(sheet, number) + b"".join(slots)

    return make_parts(page)


def read(parts: Parts, keys: SourceKeys = ANNA) -> list[str | None]:
    return [reply.text for reply in find_replies(check(parts.raw), keys)]


def test_ones_own_and_nobody_elses() -> None:
    legal = source_keys(Stream("anna")(32), FOUNDING.door, "legal")
    parts = door(At(ANNA, "for A"), At(BORIS, "for B", slot=1), At(legal, "from the lawyers", slot=2))
    assert read(parts) == ["for A"]
    assert read(parts, BORIS) == ["for B"]
    assert read(parts, legal) == ["from the lawyers"]
    assert read(parts, source_keys(bytes(32), FOUNDING.door, "news")) == []


def test_what_a_reply_says() -> None:
    visit = check(door(At(ANNA, "Thank you.", sheet=7)).raw)
    at = visit.directory.policy.closes_at(7 * c.TICKS_PER_SHEET)
    assert find_replies(visit, ANNA) == (Reply(At(ANNA, "Thank you.").id, at, "Thank you.", (bytes(8),), True),)


def test_oldest_first() -> None:
    parts = door(At(ANNA, "2", slot=1), At(ANNA, "1", sheet=7, slot=2), At(ANNA, "3", slot=2))
    assert read(parts) == ["1", "2", "3"]


def test_a_reply_that_was_placed_again_is_read_once() -> None:
    parts = door(
        At(ANNA, "first", sheet=7, number=1), At(ANNA, "first", number=1), At(ANNA, "second", slot=1, number=2)
    )
    assert read(parts) == ["first", "second"]
    visit = check(parts.raw)
    assert find_replies(visit, ANNA)[0].at == visit.directory.policy.closes_at(252)


@pytest.mark.parametrize("change", [{"sheet": 7}, {"slot": 1}, {"page": 0}, {"r": bytes(16)}], ids=str)
def test_a_reply_counts_in_its_own_place_only(change: dict[str, int]) -> None:
    """The server copies a slot to another place: the tag does not fit there, and the MAC would not either."""
    at = At(ANNA, "once")
    slot = slot_of(at, epoch_of(FOUNDING, "news", 2))
    assert read(door(s8p1j0=slot)) == ["once"]
    moved = replace(place_of(at), **change)  # type: ignore[arg-type]  # a test's shorthand
    assert read(door(**{f"s{moved.sheet}p{moved.page}j{moved.slot}": slot if "r" not in change else bytes(3072)})) == []


def test_another_desks_page_is_not_looked_at() -> None:
    """A reply of the newsroom on the lawyers' page: their page is theirs, whoever can fill it."""
    place = Place(8, 0, r_of(8, 0), 0)
    pair = pair_of_desk(epoch_of(FOUNDING, "news", 2), ANNA.thread_keys)
    assert read(door(s8p0j0=seal_reply(pair, place, bytes(16), ReplyBody("grafted")))) == []


def test_only_the_sheets_own_epoch_counts() -> None:
    for under in (epoch_of(FOUNDING, "news", 1), epoch_of(FOUNDING, "news", 2, secret="another")):
        assert read(door(At(ANNA, "under another key", under=under))) == []


def test_a_tag_alone_is_noise() -> None:
    """Somebody who learned the tag cannot put a reply behind it: not noise, not a true seal without the MAC's key."""
    at = At(ANNA, "forged")
    pair = pair_of_desk(epoch_of(FOUNDING, "news", 2), ANNA.thread_keys)
    tag = reply_tag(pair.key("tag"), place_of(at))
    true = slot_of(at, epoch_of(FOUNDING, "news", 2))
    info = lp("reply", FOUNDING.door, "news", pair.note.hash, 8, 1, r_of(8, 1), 0)
    rest = lp("reply-body", bytes(16), ReplyBody("forged").encode())
    forged = ANNA.thread_keys.seal_key.seal((rest + mac(bytes(32), rest)).ljust(c.REPLY_PLAIN, b"\0"), info)
    garbage = OpenKey.from_secret(bytes(32)).seal_key().seal(bytes(c.REPLY_PLAIN), info)
    for behind in (bytes(c.REPLY_SEALED), true[16:-1] + bytes([true[-1] ^ 1]), forged, garbage):
        assert read(door(At(ANNA, "the next one", slot=1), s8p1j0=tag + behind)) == ["the next one"]


def test_the_forgery_would_be_read_without_the_mac(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = pair_of_desk(epoch_of(FOUNDING, "news", 2), ANNA.thread_keys)
    info = lp("reply", FOUNDING.door, "news", pair.note.hash, 8, 1, r_of(8, 1), 0)
    rest = lp("reply-body", bytes(16), ReplyBody("forged").encode())
    forged = ANNA.thread_keys.seal_key.seal((rest + bytes(32)).ljust(c.REPLY_PLAIN, b"\0"), info)
    parts = door(s8p1j0=reply_tag(pair.key("tag"), place_of(At(ANNA, ""))) + forged)
    assert read(parts) == []
    monkeypatch.setattr("latchstring.protocol.reply.same", lambda *_: True)
    assert "forged" in read(parts)


def test_a_reply_of_a_newer_program_is_still_seen() -> None:
    at = At(ANNA, "")
    pair = pair_of_desk(epoch_of(FOUNDING, "news", 2), ANNA.thread_keys)

    class Newer(ReplyBody):
        def encode(self) -> bytes:
            return b"\xa1\x61v\x02"

    parts = door(s8p1j0=seal_reply(pair, place_of(at), at.id, Newer("")))
    assert [(r.text, r.acks) for r in find_replies(check(parts.raw), ANNA)] == [(None, ())]


def test_a_sheet_without_a_note_holds_nothing() -> None:
    sheet = make_sheets(FOUNDING)[1]
    visit = check(door().raw)
    closed = replace(sheet, heads=tuple(replace(k, note=bytes(32)) for k in sheet.heads))
    assert find_replies(replace(visit, sheets=(closed,)), ANNA) == ()


def test_a_note_with_a_bad_value_hides_only_its_own_sheets(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = door(At(ANNA, "yesterday", sheet=7), At(ANNA, "today"))
    visit = check(parts.raw)
    bad = epoch_of(FOUNDING, "news", 2).note
    low = replace(bad, dh=bytes(32))  # gives a secret of zeros with everyone
    notes = {**visit.notes, bad.hash: low}
    assert [r.text for r in find_replies(replace(visit, notes=notes), ANNA)] == ["yesterday"]


def test_reading_asks_for_one_pair_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many sheets there are: the work is one X25519 for each day, and one HMAC for each slot."""
    count = 0

    def counted(keys: SourceKeys, note: EpochNote) -> Pair:
        nonlocal count
        count += 1
        return pair_of_source(keys, note)

    monkeypatch.setattr(module, "pair_of_source", counted)
    visit: VerifiedVisit = check(door(At(ANNA, "1"), At(ANNA, "2", sheet=7)).raw)
    find_replies(replace(visit, sheets=visit.sheets * 20), ANNA)
    assert count == 2
