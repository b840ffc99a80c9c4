# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the server takes in and what it refuses, and that a refusal keeps nothing."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latchstring.protocol import constants as c
from latchstring.protocol.directory import sign_directory
from latchstring.protocol.encoding import encode_cbor, h
from latchstring.protocol.entry import Kind, entry
from latchstring.protocol.epoch import EpochSignature, OpenEpoch, TransportNote
from latchstring.protocol.hpke import OpenKey
from latchstring.protocol.keystate import Note
from latchstring.protocol.receipt import open_page_receipt, open_receipt
from latchstring.protocol.sheet import noise_page
from latchstring.server import accept
from latchstring.server.accept import (
    Refusal,
    Refused,
    accept_directory,
    accept_key_notes,
    accept_letters,
    accept_page,
)
from latchstring.store import letters, notes
from tests.builders import STARTED, Founding, Stream, found, make_epoch, successor
from tests.faults import Core, cbor_notes, check_published, letter


def refused(core: Core, act: Callable[[], object], why: Refusal) -> None:
    rows = core.sql.dump()
    with pytest.raises(Refused) as caught:
        act()
    assert caught.value.why is why
    assert core.sql.dump() == rows, "a refusal keeps nothing"


# --- letters ---------------------------------------------------------------------------------------


def test_a_receipt_says_what_was_taken_and_by_when() -> None:
    core = Core.opened(letters=2, queue=8)
    outcomes = core.send(31, 1, 2, 3)
    for number, outcome in zip((1, 2, 3), outcomes, strict=True):
        assert isinstance(outcome, bytes)
        receipt = open_receipt(outcome, core.keys.receipt_public)
        assert receipt.leaf == entry(Kind.LETTER, letter(number))
        assert (receipt.origin, receipt.publish_by) == ("door.example/log", 36)


def test_a_letter_is_placed_as_soon_as_there_is_room_whatever_was_promised() -> None:
    core = Core.opened(letters=2, queue=32)
    core.send(31, *range(1, 7))
    for batch in (32, 33, 34):
        core.close(batch)
        pack = core.private.get(f"packs/{batch}")
        assert sum(pack.count(letter(i)) for i in range(1, 7)) == 2
    check_published(core)


def test_the_same_bytes_get_the_same_receipt_for_as_long_as_they_are_kept() -> None:
    core = Core.opened(letters=2, queue=2)
    first = core.send(31, 1, 1)
    assert first[0] == first[1]
    core.send(31, 2)
    assert core.send(31, 3) == [Refusal.FULL]
    assert core.send(31, 1) == first[:1], "a full queue does not change the answer"
    core.close(33)
    assert core.send(200, 1) == first[:1]
    check_published(core)


@pytest.mark.parametrize("size", [0, 1, 4095, 4097])
def test_a_letter_of_another_size_is_refused(size: int) -> None:
    core = Core.opened()
    rows = core.sql.dump()
    assert accept_letters(core.intake, core.cache, [bytes(size)], core.at(31)) == [Refusal.LETTER_SIZE]
    assert core.sql.dump() == rows
    mixed = accept_letters(core.intake, core.cache, [bytes(size), letter(1)], core.at(31))
    assert mixed[0] is Refusal.LETTER_SIZE
    assert isinstance(mixed[1], bytes)


def test_no_letters_before_the_first_directory_is_in_the_log() -> None:
    core = Core.make()
    assert core.send(30, 1) == [Refusal.NOT_OPEN]
    core.post_directory(30)
    assert core.send(30, 1) == [Refusal.NOT_OPEN]
    core.close(30)
    assert isinstance(core.send(30, 1)[0], bytes)


def test_no_letters_once_the_directory_has_expired() -> None:
    core = Core.opened()
    early = core.send(31, 1)
    expires = core.founding.directory.expires
    assert isinstance(core.send(expires - 1, 2)[0], bytes)
    assert core.send(expires, 3) == [Refusal.EXPIRED]
    assert core.send(expires, 1) == early
    new = successor(core.founding, expires=expires + 1000)
    accept_directory(core.intake, new.signed, core.at(expires))
    core.close(expires)
    assert isinstance(core.send(expires, 3)[0], bytes)


def test_the_queue_is_as_long_as_the_directory_says_and_no_longer() -> None:
    """Half of it, for letters without a knock: up to a quarter all are taken, then fewer and fewer."""
    core = Core.opened(letters=2, queue=40)
    outcomes = core.send(31, *range(2000))
    taken = [i for i, outcome in enumerate(outcomes) if isinstance(outcome, bytes)]
    assert taken[:11] == list(range(11))
    assert 11 < len(taken) <= 20
    assert {o for o in outcomes if isinstance(o, Refusal)} == {Refusal.FULL}
    core.queue_limit = 4000  # more than catching up after an outage could place as promised
    assert isinstance(core.send(31, 0)[0], bytes)
    assert len([o for o in core.send(31, *range(2000, 3000)) if isinstance(o, bytes)]) <= 20 - len(taken)
    core.close(2000)
    core.close(2001)
    check_published(core)


def test_the_operator_may_make_the_queue_shorter() -> None:
    core = Core.opened(letters=2, queue=40)
    core.queue_limit = 8
    assert sum(isinstance(outcome, bytes) for outcome in core.send(31, *range(2000))) <= 4


def test_a_clock_behind_the_log_promises_nothing_that_is_past() -> None:
    core = Core.opened()
    core.close(60)
    outcome = core.send(5, 1)[0]
    assert isinstance(outcome, bytes)
    assert open_receipt(outcome, core.keys.receipt_public).publish_by == 65
    core.close(61)
    check_published(core)


def test_no_time_and_nothing_of_the_sender_is_kept() -> None:
    core = Core.opened()
    core.send(31, 1)
    with core.sql.read() as connection:
        row = connection.exec_driver_sql("SELECT * FROM letters").mappings().one()
    assert dict(row) == {
        "id": 1,
        "leaf": entry(Kind.LETTER, letter(1)),
        "body": letter(1),
        "publish_by": 36,
        "batch": None,
    }


# --- directories -----------------------------------------------------------------------------------


def test_a_directory_is_taken_once_whoever_sends_it() -> None:
    core = Core.make()
    core.post_directory(30)
    again = sign_directory(core.founding.directory, core.founding.root)  # ML-DSA signs with new randomness
    assert again != core.founding.signed
    accept_directory(core.intake, again, core.at(30))
    with core.sql.read() as connection:
        assert len(notes.waiting(connection)) == 1


def test_a_chain_of_directories_may_wait_for_one_batch() -> None:
    core = Core.opened()
    second = successor(core.founding, addresses=("http://b.example",))
    third = successor(second, addresses=("http://c.example",))
    refused(core, lambda: accept_directory(core.intake, third.signed, core.at(31)), Refusal.NOT_NEXT)
    accept_directory(core.intake, second.signed, core.at(31))
    accept_directory(core.intake, third.signed, core.at(31))
    refused(core, lambda: accept_directory(core.intake, second.signed, core.at(31)), Refusal.NOT_NEXT)
    core.close(32)
    check_published(core)


def wrong_directories(founding: Founding) -> list[tuple[bytes, Refusal]]:
    def signed(**changes: object) -> bytes:
        new = replace(successor(founding).directory, **changes)  # type: ignore[arg-type]  # a test's shorthand
        return sign_directory(new, founding.root)

    raw = signed()
    policy = founding.directory.policy
    return [
        (b"", Refusal.NOT_THIS_DOOR),
        (raw[:-1], Refusal.NOT_THIS_DOOR),
        (raw[:-1] + bytes([raw[-1] ^ 1]), Refusal.NOT_THIS_DOOR),
        (found("another").signed, Refusal.NOT_THIS_DOOR),
        (signed(log_key=b"\x11" * 32), Refusal.NOT_THIS_DOOR),
        (signed(receipt_key=b"\x11" * 32), Refusal.NOT_THIS_DOOR),
        (signed(request_key=bytes([9, *bytes(31)])), Refusal.NOT_THIS_DOOR),
        (signed(previous=bytes(31) + b"x"), Refusal.NOT_NEXT),
        (signed(seq=3), Refusal.NOT_NEXT),
        (signed(origin="elsewhere/log"), Refusal.NOT_NEXT),
        (signed(policy=replace(policy, tick=11)), Refusal.NOT_NEXT),
        (signed(policy=replace(policy, started=STARTED + 1)), Refusal.NOT_NEXT),
        (signed(expires=31), Refusal.EXPIRY),
        (signed(expires=31 + 94 * 144), Refusal.EXPIRY),
    ]


@pytest.mark.parametrize("case", range(14))
def test_directories_that_are_refused(case: int) -> None:
    core = Core.opened()
    raw, why = wrong_directories(core.founding)[case]
    refused(core, lambda: accept_directory(core.intake, raw, core.at(31)), why)


def test_the_first_directory_has_seq_1() -> None:
    core = Core.make()
    second = successor(core.founding)
    refused(core, lambda: accept_directory(core.intake, second.signed, core.at(1)), Refusal.NOT_NEXT)


# --- key notes -------------------------------------------------------------------------------------


def post(core: Core, posted: list[Note], member: str = "news-1", batch: int = 31) -> int:
    return accept_key_notes(core.intake, member, cbor_notes(posted), core.at(batch))


def test_notes_are_taken_as_a_whole_and_once() -> None:
    core = Core.opened()
    _, posted = make_epoch(core.founding, "news", 1, Stream("e"))
    assert post(core, posted) == 4
    assert post(core, posted) == 0
    bad = [*make_epoch(core.founding, "news", 2, Stream("f"))[1], (Kind.WRAP, b"")]
    refused(core, lambda: post(core, bad), Refusal.NOTES_BAD)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff",
        encode_cbor([]),
        encode_cbor({}),
        encode_cbor([["transport"]]),
        encode_cbor([["letter", b""]]),
        encode_cbor([["directory", b""]]),
        encode_cbor([["sheet", b""]]),
        encode_cbor([["transport", b"x"]]),
        encode_cbor([["epoch", bytes(9000)]]),
        encode_cbor([["wrap", b"x"]] * 513),
        encode_cbor([["wrap", "text"]]),
    ],
)
def test_bytes_that_are_not_notes(raw: bytes) -> None:
    core = Core.opened()
    refused(core, lambda: accept_key_notes(core.intake, "news-1", raw, core.at(31)), Refusal.NOTES_BAD)


@settings(max_examples=30)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_and_nothing_else(raw: bytes) -> None:
    core = _shared()
    for act in (
        lambda: accept_key_notes(core.intake, "news-1", raw, core.at(31)),
        lambda: accept_directory(core.intake, raw, core.at(31)),
        lambda: accept_page(core.intake, core.cache, "news-1", 1, 0, 1, raw),
    ):
        with pytest.raises(Refused):
            act()


_CORES: list[Core] = []


def _shared() -> Core:
    if not _CORES:
        _CORES.append(Core.opened())
    return _CORES[0]


def test_a_member_posts_for_their_own_desk_only() -> None:
    core = Core.make()
    core.founding = found("two", ("law", "news"), tick=10, letters=2, queue=8, slots=1)
    core.restart()
    core.post_directory(30)
    core.close(30)
    random = Stream("x")
    _, of_law = make_epoch(core.founding, "law", 1, random)
    for note in of_law:
        own = post(core, [note], "law-1")
        assert own == 1
        refused(core, lambda note=note: post(core, [note], "news-1"), Refusal.NOTES_FOREIGN)  # type: ignore[misc]  # a default binds the loop's value
    refused(core, lambda: post(core, of_law, "nobody"), Refusal.NOTES_FOREIGN)


def test_an_epoch_of_another_gen_than_this_or_the_coming_one_or_of_another_door_is_refused() -> None:
    core = Core.opened()
    coming = core.founding.directory.seq + 1
    for gen in (0, coming + 1):
        epoch = OpenEpoch.make(bytes(32), core.founding.door, "news", gen, 1, 1)
        refused(core, partial(post, core, [(Kind.EPOCH, epoch.note.raw)]), Refusal.NOTES_FOREIGN)
    epoch = OpenEpoch.make(bytes(32), core.founding.door, "news", coming, 1, 1)
    assert post(core, [(Kind.EPOCH, epoch.note.raw)]) == 1
    foreign = OpenEpoch.make(bytes(32), found("another").door, "news", 1, 1, 1)
    refused(core, lambda: post(core, [(Kind.EPOCH, foreign.note.raw)]), Refusal.NOTES_BAD)


def test_a_note_that_another_key_signed_is_refused() -> None:
    core = Core.opened()
    epoch, _ = make_epoch(core.founding, "news", 1, Stream("e"))
    forged = EpochSignature.make(epoch.note.hash, "news-1", bytes(32))
    refused(core, lambda: post(core, [(Kind.SIGNATURE, forged.raw)]), Refusal.NOTES_BAD)
    key = OpenKey.from_secret(bytes(32)).seal_key()
    transport = TransportNote.make(core.founding.door, "news", "news-1", 1, key, bytes(32))
    refused(core, lambda: post(core, [(Kind.TRANSPORT, transport.raw)]), Refusal.NOTES_BAD)


def test_notes_are_for_days_near_the_present_one() -> None:
    core = Core.opened()
    member = core.founding.member("news")
    key = OpenKey.from_secret(bytes(32)).seal_key()
    now = 10 * c.TICKS_PER_DAY

    def epoch(day: int) -> int:
        note = OpenEpoch.make(bytes(32), core.founding.door, "news", 1, 1, day).note
        return post(core, [(Kind.EPOCH, note.raw)], batch=now)

    def transport(day: int) -> int:
        note = TransportNote.make(core.founding.door, "news", "news-1", day, key, member.sign_seed)
        return post(core, [(Kind.TRANSPORT, note.raw)], batch=now)

    for act, last in ((epoch, 10 + 14 + 1), (transport, 10 + 28 + 1)):
        for day in (9, 10, last):
            assert act(day) == 1
        for day in (0, 8, last + 1, 1 << 40):
            refused(core, lambda act=act, day=day: act(day), Refusal.NOTES_DAY)  # type: ignore[misc]  # as above


def test_a_member_posts_so_many_notes_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accept, "MAX_NOTES_A_DAY", 6)
    core = Core.opened()  # four notes on day 0
    days = [make_epoch(core.founding, "news", day, Stream(str(day)))[1] for day in (1, 2)]
    refused(core, lambda: post(core, days[0]), Refusal.NOTES_MANY)
    assert post(core, days[0][:2]) == 2
    assert post(core, days[0][:2]) == 0
    refused(core, lambda: post(core, days[1]), Refusal.NOTES_MANY)
    assert post(core, days[1], batch=144) == 4


# --- pages -----------------------------------------------------------------------------------------


PAGE = noise_page(1, Stream("page"))


def test_the_highest_version_of_a_page_wins() -> None:
    core = Core.opened()
    other = noise_page(1, Stream("other"))
    receipt = accept_page(core.intake, core.cache, "news-1", 1, 0, 5, PAGE)
    assert open_page_receipt(receipt, core.keys.receipt_public).page_hash == h(PAGE)
    assert accept_page(core.intake, core.cache, "news-1", 1, 0, 5, PAGE) == receipt
    refused(core, lambda: accept_page(core.intake, core.cache, "news-1", 1, 0, 5, other), Refusal.PAGE_OLD)
    refused(core, lambda: accept_page(core.intake, core.cache, "news-1", 1, 0, 4, other), Refusal.PAGE_OLD)
    newer = accept_page(core.intake, core.cache, "news-1", 1, 0, 6, other)
    assert open_page_receipt(newer, core.keys.receipt_public).version == 6


def test_pages_that_are_refused() -> None:
    core = Core.opened()
    core.close(36)

    def put(member: str = "news-1", sheet: int = 2, page: int = 0, body: bytes = PAGE) -> object:
        return accept_page(core.intake, core.cache, member, sheet, page, 1, body)

    refused(core, lambda: put(sheet=1), Refusal.SHEET_CLOSED)
    refused(core, lambda: put(sheet=0), Refusal.SHEET_CLOSED)
    refused(core, lambda: put(sheet=1 + 28 + 3), Refusal.PAGE_FAR)
    refused(core, lambda: put(body=PAGE[:-1]), Refusal.PAGE_SIZE)
    refused(core, lambda: put(body=PAGE + b"x"), Refusal.PAGE_SIZE)
    refused(core, lambda: put(page=1), Refusal.PAGE_FOREIGN)
    refused(core, lambda: put(member="law-1"), Refusal.PAGE_FOREIGN)
    put(sheet=1 + 28 + 2)
    put(sheet=2)


def test_a_new_owner_starts_with_versions_of_their_own() -> None:
    core = Core.opened()
    accept_page(core.intake, core.cache, "news-1", 1, 0, 1000, PAGE)
    desk = core.founding.directory.desks[0]
    new_member = replace(found("other").members[0].public, id="news-2")
    new = successor(
        core.founding,
        desks=(replace(desk, gen=2, members=(new_member,)),),
        pages=(replace(core.founding.directory.pages[0], member="news-2"),),
    )
    accept_directory(core.intake, new.signed, core.at(31))
    core.close(32)
    refused(core, lambda: accept_page(core.intake, core.cache, "news-1", 1, 0, 1001, PAGE), Refusal.PAGE_FOREIGN)
    mine = noise_page(1, Stream("mine"))
    accept_page(core.intake, core.cache, "news-2", 1, 0, 1, mine)
    core.close(36)
    assert core.public.get("sheets/1").endswith(mine)


def test_waiting_is_counted_as_it_is() -> None:
    core = Core.opened()
    core.send(31, 1, 2, 3)
    core.close(32)
    with core.sql.read() as connection:
        assert letters.waiting(connection) == len(letters.oldest(connection, 10)) == 1
