# SPDX-License-Identifier: AGPL-3.0-or-later
"""Questions of desks: whatever is asked and answered, what is shown and sent follows from it alone."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchstring.protocol import constants as c
from latchstring.protocol.answers import (
    NEEDED,
    NO_TEXT,
    TOO_MUCH,
    Answer,
    Answers,
    Problem,
    check,
    chosen,
    is_date,
    kept,
    shown,
)
from latchstring.protocol.directory import check_directory, sign_directory
from latchstring.protocol.encoding import ProtocolError, decode_cbor, encode_cbor
from latchstring.protocol.letter import LetterBody, room_left
from latchstring.protocol.questions import (
    Kind,
    Question,
    check_questions,
    decode_questions,
    encode_questions,
    in_language,
    questions_size,
)
from tests.asked import ASKED, MORE, RANK, question_lists
from tests.builders import found


@st.composite
def asked_and_answered(draw: st.DrawFn) -> tuple[tuple[Question, ...], dict[str, Answer]]:
    """Questions, and answers that may be to them, may fit, or may not."""
    asked = draw(question_lists())
    ids = st.sampled_from(["c0", "c1", "c2", "c9"])
    line = st.sampled_from(["", " ", "x", "2024-05", "2024-02-30", "c0", "x" * 301])
    answer = line | st.lists(ids, max_size=3).map(tuple)
    names = [q.id for q in asked] or ["q0"]
    return asked, draw(st.dictionaries(st.sampled_from([*names, "other"]), answer, max_size=9))


@given(question_lists())
def test_what_keeps_the_rules_comes_back(asked: tuple[Question, ...]) -> None:
    check_questions(asked)
    items = decode_cbor(encode_cbor(encode_questions(asked)))
    assert isinstance(items, list)
    assert decode_questions(items) == asked


@given(question_lists(), st.data())
def test_a_list_with_one_value_spoiled_is_refused_or_says_what_it_says(
    asked: tuple[Question, ...], data: st.DataObject
) -> None:
    items = encode_questions(asked)
    if not items:
        return
    item = data.draw(st.sampled_from(items))
    assert isinstance(item, dict)
    odd = st.sampled_from([None, 0, 3, True, "q0", "", [], ["q0", ["c0"]], [["c0", {}]], {}, {"en": ""}, b"x"])
    item[data.draw(st.sampled_from([*item, "if", "choices", "needed", "help", "x"]))] = data.draw(odd)
    try:
        again = decode_questions(items)
    except ProtocolError:
        return
    check_questions(again)
    assert encode_questions(again) == items


@given(asked_and_answered())
def test_a_question_is_shown_exactly_when_its_condition_holds(
    case: tuple[tuple[Question, ...], dict[str, Answer]],
) -> None:
    asked, answers = case
    found_ids = [q.id for q in shown(asked, answers)]
    assert found_ids == [q.id for q in asked if q.id in found_ids]  # in their order
    for q in asked:
        holds = q.only_if is None or (
            q.only_if.question in found_ids
            and any(choice in chosen(answers.get(q.only_if.question, ())) for choice in q.only_if.choices)
        )
        assert (q.id in found_ids) == holds


@given(asked_and_answered())
def test_what_is_sent_needs_nothing_dropped_and_nothing_mended(
    case: tuple[tuple[Question, ...], dict[str, Answer]],
) -> None:
    asked, answers = case
    sent = kept(asked, answers)
    assert kept(asked, sent) == sent
    assert [q.id for q in shown(asked, sent)] == [q.id for q in shown(asked, answers)]
    problems = check(asked, answers)
    assert [p for p in check(asked, sent)] == [p for p in problems if p.what != "not-asked"]
    if not problems and sent:
        assert Answers.parse(Answers(1, sent).encode()).given == sent
    for q in shown(asked, answers):
        if q.needed and q.id not in sent:
            assert Problem(q.id, NEEDED) in problems


def test_what_a_desk_insists_on_is_not_asked_of_whom_it_does_not_concern() -> None:
    assert check(ASKED, {"what": "money"}) == ()
    assert check(ASKED, {"what": "order", "who": ("general",)}) == (Problem(RANK.id, NEEDED),)


@pytest.mark.parametrize("text", ["2024", "2024-05", "2024-02-29", "0001-01-01"])
def test_dates(text: str) -> None:
    assert is_date(text)


@pytest.mark.parametrize(
    "text", ["", "24", "2023-02-29", "2024-13", "2024-5", "2024-05-31x", "٢٠٢٤", "0000", "2024-05-"]
)
def test_no_dates(text: str) -> None:
    assert not is_date(text)


def test_half_a_character_is_named_and_not_encoded() -> None:
    assert check((replace(MORE, step=1),), {"more": "\ud800"}) == (Problem("more", NO_TEXT),)


def test_answers_that_are_too_much_together() -> None:
    asked = tuple(Question(f"q{n}", Kind.LONG, {"en": "How?"}) for n in range(64))
    longest: dict[str, Answer] = {q.id: "я" * c.ANSWER_LONG for q in asked}
    assert check(asked, longest) == (Problem("", TOO_MUCH),)
    with pytest.raises(ProtocolError):
        Answers(1, longest).encode()
    fewer = dict(list(longest.items())[:32])
    assert check(asked, fewer) == ()
    assert len(Answers(1, fewer).encode()) <= c.MAX_ANSWERS


def test_a_reader_gets_their_language_or_the_next_best() -> None:
    texts = {"fr": "Où?", "en": "Where?", "uk": "Де?"}
    assert [in_language(texts, tag) for tag in ("uk", "uk-UA", "ar")] == ["Де?", "Де?", "Where?"]
    assert in_language({"fr": "Où?", "ru": "Где?"}, "ar") == "Où?"
    assert in_language({}, "en") == ""


def test_the_questions_of_all_desks_together_have_a_limit() -> None:
    asked = tuple(
        Question(f"q{n}", Kind.TEXT, {"en": "x" * 300}, {"en": "y" * 1000}) for n in range(c.MAX_DESK_QUESTIONS // 1400)
    )
    assert c.MAX_DESK_QUESTIONS * 0.9 < questions_size(asked) <= c.MAX_DESK_QUESTIONS
    founding = found("many questions", ("a", "b", "c"))
    two = tuple(replace(d, questions=asked if d.id != "c" else ()) for d in founding.directory.desks)
    check_directory(replace(founding.directory, desks=two))
    three = tuple(replace(d, questions=asked) for d in founding.directory.desks)
    with pytest.raises(ProtocolError, match="all desks' questions"):
        check_directory(replace(founding.directory, desks=three))


def test_a_directory_that_nobody_would_read_is_not_signed() -> None:
    founding = found("long")
    desk = founding.directory.desks[0]
    texts = {f"e{chr(97 + n // 26)}{chr(97 + n % 26)}": "я" * 4000 for n in range(60)}
    with pytest.raises(ProtocolError, match="at most are read"):
        sign_directory(replace(founding.directory, desks=(replace(desk, greetings=texts),)), founding.root)


def test_answers_take_room_in_a_letter() -> None:
    body = LetterBody("en", "client", "x")
    full = replace(body, answers=Answers(1, {"more": "y" * 1500}))
    assert room_left(full) == room_left(body) - len(full.encode()) + len(body.encode())
    with pytest.raises(ProtocolError, match="too long for one envelope"):
        replace(body, answers=Answers(1, {"more": "y" * 1600})).encode()
