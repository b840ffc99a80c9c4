# SPDX-License-Identifier: AGPL-3.0-or-later
"""Knocks: both sides make the same, a list has one shape whatever it holds, and versions cannot be compared."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchstring.protocol import constants as c
from latchstring.protocol import knock as module
from latchstring.protocol.encoding import ProtocolError, lp
from latchstring.protocol.epoch import OpenEpoch
from latchstring.protocol.knock import (
    NO_KNOCK,
    Knock,
    KnockList,
    dummy,
    entry_of,
    knocks_of,
    make_list,
    read_header,
)
from latchstring.protocol.pair import pair_of_desk, pair_of_source
from latchstring.protocol.primitives import mac
from latchstring.protocol.source_keys import SourceKeys, source_keys
from tests.builders import Stream, found

DOOR = found("vectors").door
SOURCES = [source_keys(Stream(f"knocking {i}")(32), DOOR, "news") for i in range(c.KNOWN_THREADS + 1)]
SOURCE = SOURCES[0]


def epoch(day: int = 3, gen: int = 1) -> OpenEpoch:
    return OpenEpoch.make(Stream(f"knock epoch {day} {gen}")(32), DOOR, "news", gen, 1, day)


def held(made: KnockList, knock: Knock) -> bool:
    return knock.note == made.note and entry_of(made.salt, knock.value) in made.each()


def theirs(source: SourceKeys, of: OpenEpoch) -> tuple[Knock, ...]:
    return knocks_of(pair_of_source(source, of.note))


def test_source_and_desk_make_the_same_four() -> None:
    four = theirs(SOURCE, epoch())
    assert four == knocks_of(pair_of_desk(epoch(), SOURCE.thread_keys))
    assert len({k.value for k in four}) == 4 == c.KNOCKS_A_THREAD


def test_a_knock_is_its_threads_its_epochs_and_its_desks_alone() -> None:
    other_desk = source_keys(Stream("knocking 0")(32), DOOR, "legal")
    legal = OpenEpoch.make(Stream("legal")(32), DOOR, "legal", 1, 1, 3)
    groups = [
        theirs(SOURCE, epoch()),
        theirs(SOURCES[1], epoch()),
        theirs(SOURCE, epoch(4)),
        theirs(SOURCE, epoch(gen=2)),
        theirs(other_desk, legal),
        tuple(dummy(epoch(), i) for i in range(256)),
    ]
    values = [knock.value for group in groups for knock in group]
    assert len(set(values)) == len(values)


@pytest.mark.parametrize("marked", [0, 1, 17, c.KNOWN_THREADS])
def test_a_list_holds_the_marked_and_dummies_in_one_shape(marked: int) -> None:
    of = epoch()
    made = make_list(of, [s.thread_keys for s in SOURCES[:marked]], 40)
    assert KnockList.parse(made.raw) == made
    assert len(made.each()) == len(set(made.each())) == 256
    assert len(made.raw) == len(make_list(of, [], 1).raw)
    for source in SOURCES[:marked]:
        assert all(held(made, knock) for knock in theirs(source, of))
    assert not any(held(made, knock) for knock in theirs(SOURCES[marked], of))
    dummies = [dummy(of, i) for i in range(256 - 4 * marked)]
    assert all(held(made, knock) for knock in dummies)
    assert len(dummies) >= 64


def test_more_threads_than_fit_are_refused() -> None:
    with pytest.raises(ProtocolError):
        make_list(epoch(), [s.thread_keys for s in SOURCES], 40)


def test_two_members_with_the_same_marks_make_the_same_bytes() -> None:
    keys = [s.thread_keys for s in SOURCES[:5]]
    assert make_list(epoch(), keys, 40) == make_list(epoch(), keys[::-1], 40)


def common(a: KnockList, b: KnockList) -> int:
    return len(set(a.each()) & set(b.each()))


def test_versions_of_a_list_share_no_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the server saw in the difference when, and how many, threads were marked."""
    keys = [s.thread_keys for s in SOURCES[:3]]
    before, after = make_list(epoch(), keys[:2], 40), make_list(epoch(), keys, 41)
    same_version = make_list(epoch(), keys, 40)
    assert common(before, after) == common(before, same_version) == common(after, same_version) == 0
    monkeypatch.setattr(module, "entry_of", lambda _salt, value: lp("x", value)[-32:])
    assert common(make_list(epoch(), keys[:2], 40), make_list(epoch(), keys, 41)) == 252


def test_a_list_of_another_shape_is_refused() -> None:
    made = make_list(epoch(), [], 1)
    each = made.each()
    for entries in (
        made.entries[:-32],
        made.entries + b"\xff" * 32,
        b"".join(each[::-1]),
        b"".join([each[0], *each[:-1]]),
    ):
        with pytest.raises(ProtocolError):
            KnockList.parse(replace(made, entries=entries).raw)
    for short in (replace(made, salt=b"s"), replace(made, note=b"n")):
        with pytest.raises(ProtocolError):
            KnockList.parse(short.raw)


# --- the header ------------------------------------------------------------------------------------


def test_a_header_comes_back_and_all_have_one_length() -> None:
    four = theirs(SOURCE, epoch())
    assert [read_header(knock.header()) for knock in four] == list(four)
    assert {len(k.header()) for k in four} == {len(NO_KNOCK)} == {128}


@pytest.mark.parametrize("text", [None, "", NO_KNOCK, "0" * 127, "0" * 129, "A" * 128, "g" * 128, "٣" * 128, " 0" * 64])
def test_what_is_no_knock(text: str | None) -> None:
    assert read_header(text) is None


@given(st.text(max_size=140))
def test_any_header_is_read_or_is_none(text: str) -> None:
    found = read_header(text)
    assert found is None or found.header() == text


def test_nothing_secret_is_shown() -> None:
    knock = theirs(SOURCE, epoch())[0]
    assert knock.value.hex() not in repr(knock)
    assert repr(knock.value) not in repr(knock)


def test_the_bytes_are_those_of_the_text() -> None:
    of = epoch()
    key = pair_of_source(SOURCE, of.note).key("knock")
    assert theirs(SOURCE, of)[2].value == mac(key, lp("knock", 3, 2))
    assert dummy(of, 7).value == mac(of.desk_key, lp("knock-dummy", 3, 7))
