# SPDX-License-Identifier: AGPL-3.0-or-later
"""Knocks at the server: what counts and for how long, what is kept, what is refused, and both fates of each write."""

from dataclasses import dataclass, replace

import pytest

from latchstring.protocol import constants as c
from latchstring.protocol.encoding import encode_cbor, h
from latchstring.protocol.epoch import OpenEpoch
from latchstring.protocol.knock import HEADER, Knock, KnockList, dummy, entry_of, make_list
from latchstring.protocol.request import Asked, request_key_of_member, sign_request
from latchstring.server.accept import Refusal, Refused, accept_directory, accept_letters
from latchstring.server.api import Answer, Api, Request
from latchstring.server.knocking import MAX_LISTS, accept_knocks
from latchstring.server.spending import spend_knock
from latchstring.store import knocks, letters
from latchstring.store.sql import StoreFailed
from tests.builders import Stream, make_epoch, successor
from tests.faults import Core, letter

FATES = pytest.mark.parametrize("stored", [False, True], ids=["fails-not-stored", "fails-but-stored"])


@dataclass
class Side:
    """A door of one desk at batch `now`, whose epochs of some days we hold."""

    core: Core
    epochs: dict[int, OpenEpoch]
    now: int

    @classmethod
    def make(cls, **policy: int) -> "Side":
        """Batch 146, day 1; lists of days 0 to 3 are posted. The queue takes 8, the lottery three of them."""
        core = Core.opened(letters=2, **{"queue": 8, **policy})
        side = cls(core, {}, 31)
        for day in range(4):
            side.epochs[day] = make_epoch(core.founding, "news", day, Stream(f"epoch {day} 1"), 1)[0]
        for day in (1, 2, 3):
            core.post_notes(31, day)
        core.close(144)
        core.close(146)
        side.now = 146
        side.post(*(make_list(side.epochs[day], [], 146) for day in range(4)))
        return side

    def post(self, *lists: KnockList, member: str = "news-1") -> None:
        raw = encode_cbor([made.raw for made in lists])
        accept_knocks(self.core.intake, member, raw, self.core.at(self.now))

    def send(self, number: int, knock: Knock | None = None) -> bytes | Refusal:
        at = self.core.at(self.now)
        return accept_letters(self.core.intake, self.core.cache, [letter(number)], at, [knock])[0]

    def fill(self) -> None:
        """Until the lottery lets nobody in."""
        self.core.send(self.now, *range(1000, 1004))
        assert self.send(1999) is Refusal.FULL

    def waiting(self) -> int:
        with self.core.sql.read() as connection:
            return letters.waiting(connection)

    def knock(self, number: int = 0, day: int = 1) -> Knock:
        return dummy(self.epochs[day], number)


@pytest.fixture(scope="module")
def first() -> Side:
    return Side.make()


@pytest.fixture
def side(first: Side) -> Side:
    return Side(first.core.copy(), first.epochs, first.now)


# --- using one -------------------------------------------------------------------------------------


def test_a_knock_lets_one_letter_in_when_room_is_short(side: Side) -> None:
    side.fill()
    first = side.send(1, side.knock())
    assert isinstance(first, bytes)
    assert side.send(2, side.knock()) is Refusal.KNOCK, "spent"
    assert side.send(1, side.knock()) == side.send(1) == first, "the same bytes, before the knock is looked at"
    assert side.send(1, side.knock(1)) == first
    assert isinstance(side.send(2, side.knock(1)), bytes), "so that this one was not spent"


def test_a_knock_is_not_looked_at_while_there_is_room(side: Side) -> None:
    assert isinstance(side.send(1, side.knock()), bytes)
    assert isinstance(side.send(2, Knock(bytes(32), bytes(32))), bytes)
    side.fill()
    assert isinstance(side.send(3, side.knock()), bytes)


def test_a_queue_that_is_wholly_full_takes_no_knock_and_spends_none(side: Side) -> None:
    side.fill()
    number = 0
    while side.waiting() < 8:
        assert isinstance(side.send(number, side.knock(number)), bytes)
        number += 1
    assert side.send(number, side.knock(number)) is Refusal.FULL
    side.core.close(147)
    side.now = 147
    assert isinstance(side.send(number, side.knock(number)), bytes)


def test_letters_without_a_knock_never_take_the_reserve(side: Side) -> None:
    side.core.send(side.now, *range(1000, 3000))
    assert 3 <= side.waiting() <= 4
    for number in range(4):
        assert isinstance(side.send(number, side.knock(number)), bytes)


@pytest.mark.parametrize("batch", [143, 144, 146, 287, 288, 431, 432])
def test_a_list_counts_on_its_day_and_the_next(side: Side, batch: int) -> None:
    with side.core.sql.write() as connection:
        directory = side.core.founding.directory
        assert spend_knock(connection, directory, batch, side.knock(0, 1)) == (1 <= batch // 144 <= 2)


def test_what_is_in_no_list_does_not_count(side: Side) -> None:
    side.fill()
    knock = side.knock()
    for wrong in (
        replace(knock, value=h(knock.value)),
        replace(knock, note=side.epochs[2].note.hash),
        replace(knock, note=bytes(32)),
        side.knock(256),
        side.knock(0, 2),  # of tomorrow
    ):
        assert side.send(1, wrong) is Refusal.KNOCK
    assert isinstance(side.send(1, knock), bytes)


def test_of_one_epoch_no_more_are_spent_than_a_list_holds(side: Side) -> None:
    """Else a member could post new lists for ever and have the reserve to themselves."""
    directory, epoch, own = side.core.founding.directory, side.epochs[1], Stream("malicious")
    used = 0
    for _ in range(3):
        values = [own(32) for _ in range(256)]
        entries = b"".join(sorted(entry_of(bytes(32), value) for value in values))
        side.post(KnockList(epoch.note.hash, 146, bytes(32), entries))
        with side.core.sql.write() as connection:
            used += sum(spend_knock(connection, directory, 146, Knock(epoch.note.hash, v)) for v in values)
    assert used == 256


# --- versions --------------------------------------------------------------------------------------


def test_the_highest_version_wins_and_spent_stays_spent(side: Side) -> None:
    side.fill()
    assert isinstance(side.send(1, side.knock(0)), bytes)
    side.core.close(147)
    side.now = 147
    other = make_list(side.epochs[1], [], 147)
    side.post(other)
    side.fill()
    assert side.send(2, side.knock(0)) is Refusal.KNOCK
    assert isinstance(side.send(2, side.knock(1)), bytes)
    rows = side.core.sql.dump()
    side.post(make_list(side.epochs[1], [], 146))
    assert side.core.sql.dump() == rows, "an older one is passed over"
    side.post(other)
    assert side.core.sql.dump() == rows, "the same again changes nothing"


def test_a_rise_of_gen_voids_what_was_posted(side: Side) -> None:
    desk = side.core.founding.directory.desks[0]
    side.core.founding = successor(side.core.founding, desks=(replace(desk, gen=2),))
    accept_directory(side.core.intake, side.core.founding.signed, side.core.at(146))
    side.core.close(147)
    side.now = 147
    side.fill()
    assert side.send(1, side.knock()) is Refusal.KNOCK
    refused(side, Refusal.KNOCKS_FOREIGN, make_list(side.epochs[1], [], 147))


# --- posting ---------------------------------------------------------------------------------------


def refused(side: Side, why: Refusal, *lists: KnockList, member: str = "news-1") -> None:
    rows = side.core.sql.dump()
    with pytest.raises(Refused) as caught:
        side.post(*lists, member=member)
    assert caught.value.why is why
    assert side.core.sql.dump() == rows, "a refusal keeps nothing"


def test_lists_for_other_keys_versions_ahead_and_nonsense_are_refused(side: Side) -> None:
    good = make_list(side.epochs[1], [], 146)
    strange = OpenEpoch.make(Stream("other")(32), side.core.founding.door, "news", 1, 1, 1)
    refused(side, Refusal.KNOCKS_FOREIGN, make_list(strange, [], 146))
    refused(side, Refusal.KNOCKS_FOREIGN, good, make_list(strange, [], 146))
    refused(side, Refusal.KNOCKS_AHEAD, make_list(side.epochs[1], [], 147))
    refused(side, Refusal.NOT_A_MEMBER, good, member="nobody")
    refused(side, Refusal.KNOCKS_BAD, replace(good, entries=good.entries[32:]))
    refused(side, Refusal.KNOCKS_BAD, *[good] * (MAX_LISTS + 1))
    refused(side, Refusal.KNOCKS_BAD)
    for raw in (b"", encode_cbor([1]), encode_cbor(good.raw)):
        with pytest.raises(Refused) as caught:
            accept_knocks(side.core.intake, "news-1", raw, side.core.at(146))
        assert caught.value.why is Refusal.KNOCKS_BAD


def test_lists_of_days_that_are_past_are_passed_over(side: Side) -> None:
    side.core.close(288)
    side.now = 288
    side.post(make_list(side.epochs[0], [], 288), make_list(side.epochs[1], [], 288))
    with side.core.sql.read() as connection:
        assert knocks.of_note(connection, side.epochs[0].note.hash) is None
        kept = knocks.of_note(connection, side.epochs[1].note.hash)
    assert kept is not None
    assert kept.version == 288


def test_old_lists_and_what_was_spent_of_them_are_forgotten(side: Side) -> None:
    side.fill()
    assert isinstance(side.send(1, side.knock(0, 0)), bytes)
    assert isinstance(side.send(2, side.knock(0, 1)), bytes)
    side.core.close(288)  # day 2: day 1 still counts
    text = "\n".join(row for row in side.core.sql.dump() if "spent_knocks" in row or "knock_lists" in row)
    assert side.epochs[0].note.hash.hex().upper() not in text
    assert text.count(side.epochs[1].note.hash.hex().upper()) == 2


def test_what_is_kept_of_a_spent_knock_names_no_letter(side: Side) -> None:
    side.fill()
    side.send(1, side.knock())
    with side.core.sql.read() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM spent_knocks").mappings().all()
    assert [dict(row) for row in rows] == [{"note": side.knock().note, "knock": h(side.knock().value)}]


# --- over HTTP ---------------------------------------------------------------------------------------


def ask(side: Side, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
    api = Api(side.core.intake, side.core.shelves)
    return api.handle(Request(method, path, "", headers or {}, body), "door.example", side.core.at(side.now))


def signed(side: Side, body: bytes, nonce: str = "n") -> Answer:
    member = side.core.founding.member("news")
    directory = side.core.founding.directory
    key = request_key_of_member(directory.origin, member.request_seed, directory.request_key)
    asked = Asked("POST", "door.example", "/v1/knocks", "", body)
    headers = sign_request(asked, key, member.id, side.core.at(side.now), Stream(nonce)(24))
    return ask(side, "POST", "/v1/knocks", body, headers)


def test_the_endpoints(side: Side) -> None:
    raw = encode_cbor([make_list(side.epochs[1], [], 146).raw])
    assert signed(side, raw).status == 201
    assert signed(side, b"no", "m").status == 400
    assert ask(side, "POST", "/v1/knocks", raw).status == 401
    assert ask(side, "GET", "/v1/knocks").status == 405
    assert ask(side, "POST", "/v1/knocks", bytes(96 * 1024 + 1)).status == 413
    side.fill()
    assert ask(side, "POST", "/v1/letters", letter(1)).status == 503
    wrong = replace(side.knock(), value=bytes(32)).header()
    assert ask(side, "POST", "/v1/letters", letter(1), {HEADER: wrong}).status == 409
    assert ask(side, "POST", "/v1/letters", letter(1), {HEADER: "nonsense"}).status == 503
    assert ask(side, "POST", "/v1/letters", letter(1), {HEADER: side.knock().header()}).status == 201


def test_every_list_of_a_session_fits_one_request() -> None:
    raw = make_list(OpenEpoch.make(bytes(32), Core.make().founding.door, "news", 1, 1, 1), [], (1 << 62)).raw
    assert len(encode_cbor([raw] * MAX_LISTS)) < 96 * 1024
    assert c.NOTE_FIXED_DAYS_AHEAD + c.KNOCK_DAYS < MAX_LISTS


# --- in pairs ----------------------------------------------------------------------------------------


@FATES
def test_posting(side: Side, stored: bool) -> None:
    side.core.close(147)
    side.now = 147
    made = make_list(side.epochs[1], [], 147)
    side.core.fuse.arm(1, stored)
    with pytest.raises(StoreFailed):
        side.post(made)
    side.core.fuse.disarm()
    with side.core.sql.read() as connection:
        held = knocks.of_note(connection, made.note)
    assert held is not None
    assert held.version == (147 if stored else 146)
    side.post(made)
    with side.core.sql.read() as connection:
        held = knocks.of_note(connection, made.note)
    assert held is not None
    assert (held.version, held.entries) == (147, made.entries)


@FATES
def test_spending(side: Side, stored: bool) -> None:
    """Letter and knock are kept together or not at all; the same bytes again get the receipt either way."""
    side.fill()
    side.core.fuse.arm(1, stored)
    with pytest.raises(StoreFailed):
        side.send(1, side.knock())
    side.core.fuse.disarm()
    with side.core.sql.read() as connection:
        spent = connection.exec_driver_sql("SELECT count(*) FROM spent_knocks").scalar_one()
    assert (side.waiting(), spent) == ((4, 1) if stored else (3, 0))
    side.core.restart()
    assert isinstance(side.send(1, side.knock()), bytes)
    assert side.send(2, side.knock()) is Refusal.KNOCK
    assert side.waiting() == 4
