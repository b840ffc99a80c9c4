# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which reply goes where: never two in a slot, the earliest sheet, one shape, at most 26 placings."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchstring.desk.pages import (
    COPIES,
    Blank,
    Content,
    Wanting,
    add_copies,
    choose_sheets,
    choose_slots,
    coming_sheets,
    make_page,
    own_pages,
    placings,
    skips_sheets,
)
from latchstring.protocol import constants as c
from latchstring.protocol.directory import PageOwner
from latchstring.protocol.hpke import OpenKey, SealKey
from latchstring.protocol.pair import pair_of_source
from latchstring.protocol.primitives import mac, x25519_shared
from latchstring.protocol.reply import Place, ReplyBody, open_reply, reply_tag
from latchstring.protocol.sheet import page_size
from latchstring.protocol.source_keys import source_keys
from tests.builders import Stream, found, make_epoch

NOW = 100  # the last closed sheet

rooms = st.dictionaries(st.sampled_from(list(coming_sheets(NOW))), st.integers(0, 3), max_size=28)
planned = st.none() | st.integers(NOW - 5, NOW + 30)


@st.composite
def wantings(draw: st.DrawFn) -> list[Wanting]:
    lasts = draw(st.lists(st.tuples(st.none() | st.integers(0, NOW), planned), max_size=40))
    return [Wanting(i.to_bytes(16, "big"), i, last, plan) for i, (last, plan) in enumerate(lasts)]


@given(wantings(), rooms)
def test_no_sheet_gets_more_than_it_holds_and_nobody_comes_too_early(want: list[Wanting], room: dict[int, int]) -> None:
    chosen = choose_sheets(want, room)
    used = Counter(chosen.values())
    assert all(used[sheet] <= room[sheet] for sheet in used)
    for w in want:
        if w.id in chosen and w.last is not None:
            assert chosen[w.id] >= w.last + c.REPLACE_FROM_SHEETS


@given(wantings(), rooms)
def test_nobody_waits_while_there_is_room(want: list[Wanting], room: dict[int, int]) -> None:
    chosen = choose_sheets(want, room)
    used = Counter(chosen.values())
    for w in want:
        first = 0 if w.last is None else w.last + c.REPLACE_FROM_SHEETS
        free = [s for s in room if s >= first and room[s] > used[s]]
        if w.id not in chosen:
            assert not free
        elif chosen[w.id] != w.planned:
            assert all(s >= chosen[w.id] for s in free)  # the earliest that has room


@given(wantings(), rooms)
def test_new_replies_come_first_and_in_order(want: list[Wanting], room: dict[int, int]) -> None:
    """Whatever is published already takes nothing from a new reply."""
    new = [w for w in want if w.last is None]
    alone = choose_sheets(new, room)
    together = choose_sheets(want, room)
    assert {k: v for k, v in together.items() if k in {w.id for w in new}} == alone
    fresh = [alone.get(w.id, 10**9) for w in new if w.planned not in room]
    assert fresh == sorted(fresh)


@given(wantings(), rooms)
def test_what_was_placed_keeps_its_sheet(want: list[Wanting], room: dict[int, int]) -> None:
    """The next session, with nothing new and the same sheets ahead, changes nothing."""
    chosen = choose_sheets(want, room)
    again = choose_sheets([replace(w, planned=chosen.get(w.id)) for w in want], room)
    assert again == chosen


@given(wantings(), rooms, st.integers(1, 3), st.text(max_size=8))
def test_never_two_replies_in_a_slot(want: list[Wanting], room: dict[int, int], pages: int, seed: str) -> None:
    blanks = [Blank(sheet, page, slots) for sheet, slots in room.items() if slots for page in range(pages)]
    chosen = choose_sheets(want, {sheet: slots * pages for sheet, slots in room.items()})
    filled = choose_slots(list(chosen.items()), blanks, Stream(seed))
    placed = [reply for inside in filled.values() for reply in inside.values()]
    assert sorted(placed) == sorted(chosen)
    assert set(filled) == {(b.sheet, b.page) for b in blanks}
    for blank in blanks:
        inside = filled[(blank.sheet, blank.page)]
        assert all(0 <= slot < blank.slots for slot in inside)
        assert all(chosen[reply] == blank.sheet for reply in inside.values())


@given(wantings(), rooms, st.text(max_size=8))
def test_copies_take_what_room_is_left_and_no_more(want: list[Wanting], room: dict[int, int], seed: str) -> None:
    chosen = choose_sheets(want, room)
    placed = add_copies(chosen, room)
    assert placed[: len(chosen)] == list(chosen.items())
    assert len(set(placed)) == len(placed), "never twice in one sheet"
    used = Counter(sheet for _, sheet in placed)
    assert all(used[sheet] <= room[sheet] for sheet in used)
    for reply, first in chosen.items():
        missing = {first + n for n in range(4)} - {sheet for other, sheet in placed if other == reply}
        assert all(used[sheet] == room.get(sheet, 0) for sheet in missing)
    blanks = [Blank(sheet, 0, slots) for sheet, slots in room.items() if slots]
    filled = choose_slots(placed, blanks, Stream(seed))
    assert Counter(reply for inside in filled.values() for reply in inside.values()) == Counter(r for r, _ in placed)


@pytest.mark.parametrize(
    ("numbers", "skips"),
    [([], False), ([7], False), ([1, 2, 3], False), ([1, 3], True), ([1, *range(3, 31)], False)],
)
def test_a_door_that_skipped_a_sheet_in_the_last_week_skips(numbers: list[int], skips: bool) -> None:
    assert skips_sheets(numbers) is skips


def test_slots_are_drawn_evenly() -> None:
    """A reply's slot is worth nothing to whoever guesses: each of 8 comes up about as often."""
    random = Stream("even")
    blanks = [Blank(1, 0, 4), Blank(1, 3, 4)]
    seen = Counter(
        (page, slot)
        for _ in range(4000)
        for (_, page), inside in choose_slots([(b"r", 1)], blanks, random).items()
        for slot in inside
    )
    assert len(seen) == 8
    assert all(420 < times < 580 for times in seen.values())  # 500 expected, deviation 21


def test_a_reply_is_placed_at_most_26_times_and_stays_in_sight() -> None:
    """Session after session: every gap is at most 84 sheets, so that a copy is always in /visit for a year."""
    placed: list[int] = []
    for now in range(0, 1700, 4):  # one session a day
        placed += [s for s in plan_at(now, placed) if s not in placed]
        if len(placed) == c.MAX_PLACINGS:
            break
    gaps = [b - a for a, b in pairwise(placed)]
    assert len(placed) == c.MAX_PLACINGS == 26
    assert all(57 <= gap <= 84 for gap in gaps)


def plan_at(now: int, placed: list[int]) -> list[int]:
    last = max((s for s in placed if s <= now), default=None)
    ahead = next((s for s in placed if s > now), None)
    chosen = choose_sheets([Wanting(b"r", 0, last, ahead)], dict.fromkeys(coming_sheets(now), 1))
    return list(chosen.values())


def test_own_pages_are_the_member_s_alone() -> None:
    founding = found(desks=("news", "law"))
    directory = replace(
        founding.directory,
        pages=(PageOwner("news", "news-1"), PageOwner("law", "law-1"), PageOwner("news", "news-1")),
    )
    assert own_pages(directory, "news", "news-1") == (0, 2)
    assert own_pages(directory, "law", "law-1") == (1,)
    assert own_pages(directory, "law", "news-1") == ()


@pytest.mark.parametrize("replies", [0, 1, 3])
def test_a_page_has_one_shape_whatever_it_holds(replies: int) -> None:
    founding, random = found(), Stream("page")
    epoch, _ = make_epoch(founding, "news", 3, random)
    sources = [source_keys(random(32), founding.door, "news") for _ in range(replies)]
    filled = {i: Content(random(16), s.thread_keys, ReplyBody("x" * 500 * i, ())) for i, s in enumerate(sources)}
    page = make_page(Blank(13, 1, 4), epoch, filled, random)
    assert len(page) == page_size(4)
    for i, source in enumerate(sources):
        pair = pair_of_source(source, epoch.note)
        place = Place(13, 1, page[:16], i)
        slot = page[16 + i * c.SLOT_SIZE : 16 + (i + 1) * c.SLOT_SIZE]
        assert slot[:16] == reply_tag(pair.key("tag"), place)
        assert open_reply(pair, source.open_key, place, slot).reply_id == filled[i].id


def test_every_session_s_pages_differ_in_every_slot() -> None:
    """What stays the same between two uploads would tell the server which slots hold a reply."""
    founding, random = found(), Stream("again")
    epoch, _ = make_epoch(founding, "news", 3, random)
    source = source_keys(random(32), founding.door, "news")
    filled = {0: Content(random(16), source.thread_keys, ReplyBody("hello", ()))}
    a, b = (make_page(Blank(13, 1, 3), epoch, filled, random) for _ in range(2))
    size = 16
    for i in range(0, len(a), size):
        assert a[i : i + size] != b[i : i + size]


def work_of_a_page(replies: int, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each costly step is taken for one page of four slots."""
    founding, random = found(), Stream("work")
    epoch, _ = make_epoch(founding, "news", 3, random)
    sources = [source_keys(random(32), founding.door, "news") for _ in range(replies)]
    filled = {i: Content(random(16), s.thread_keys, ReplyBody("hello", ())) for i, s in enumerate(sources)}
    done: Counter[str] = Counter()

    def counted(name: str, step: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            done[name] += 1
            return step(*args)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(SealKey, "seal", counted("seal", SealKey.seal))
        patch.setattr(OpenKey, "from_secret", counted("key", OpenKey.from_secret))
        patch.setattr("latchstring.protocol.pair.x25519_shared", counted("agree", x25519_shared))
        patch.setattr("latchstring.protocol.reply.mac", counted("mac", mac))
        make_page(Blank(13, 1, 4), epoch, filled, random)
    return done


def test_a_page_takes_the_same_work_whatever_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    empty = work_of_a_page(0, monkeypatch)
    assert empty == work_of_a_page(1, monkeypatch) == work_of_a_page(4, monkeypatch)
    assert empty == Counter(seal=4, key=4, agree=4, mac=8)


@pytest.mark.parametrize(
    ("sheets", "count"),
    [([], 0), ([7], 1), ([7, 8, 9, 10], 1), ([7, 9], 1), ([7, 11], 2), ([7, 10, 67, 69, 70], 2), ([0, 1, 57, 60], 2)],
)
def test_copies_in_a_row_are_one_placing(sheets: list[int], count: int) -> None:
    assert placings(sheets) == count
    assert COPIES < c.REPLACE_FROM_SHEETS
