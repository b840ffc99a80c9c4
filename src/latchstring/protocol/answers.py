# SPDX-License-Identifier: AGPL-3.0-or-later
"""Answers to a desk's questions, and which questions apply once some are answered.

In a letter: [asked, {id: answer}], `asked` being the seq of the directory whose questions these are (directories are in
the log for ever, so that a desk shows the question as it was asked); an answer is a text, a choice's id, or a list of
them. Whether an answer fits its question is for the source's side: a desk reads whatever keeps to the sizes.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from latchstring.protocol import constants as c
from latchstring.protocol.encoding import ProtocolError, decode_cbor, encode_cbor
from latchstring.protocol.names import is_name
from latchstring.protocol.questions import Kind, Question

Answer = str | tuple[str, ...]
"""A text, a date, a place, the id of one choice; or the ids of several."""

_DATE: Final = re.compile(r"(\d{4})(?:-(\d{2}))?(?:-(\d{2}))?\Z", re.ASCII)

# what can be wrong with an answer: keys under which whoever shows it has its words
NEEDED: Final = "needed"
TOO_LONG: Final = "too-long"
NO_DATE: Final = "no-date"
NO_CHOICE: Final = "no-choice"
NO_TEXT: Final = "no-text"  # half a character
NOT_ASKED: Final = "not-asked"
TOO_MUCH: Final = "too-much"  # of all answers together


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with the answer to a question; `question` is empty where all together are too much."""

    question: str
    what: str


@dataclass(frozen=True, slots=True)
class Answers:
    """At least one answer. `asked`: the seq of the directory in which the questions stand."""

    asked: int
    given: Mapping[str, Answer] = field(repr=False)

    def as_item(self) -> list[object]:
        """As CBOR has it. ProtocolError when a part is not what it must be."""
        given = {name: answer if isinstance(answer, str) else list(answer) for name, answer in self.given.items()}
        item: list[object] = [self.asked, given]
        parse_answers(item)
        return item

    def encode(self) -> bytes:
        """What an attachment holds when a letter has no room; ProtocolError when it is too long even for that."""
        raw = encode_cbor(self.as_item())
        if len(raw) > c.MAX_ANSWERS:
            raise ProtocolError("answers that are too long")
        return raw

    @classmethod
    def parse(cls, raw: bytes) -> "Answers":
        """ProtocolError for anything else than what `encode` gives."""
        if len(raw) > c.MAX_ANSWERS:
            raise ProtocolError("answers that are too long")
        return parse_answers(decode_cbor(raw))


def parse_answers(item: object) -> Answers:
    """ProtocolError for anything else than what `as_item` gives."""
    match item:
        case [int(asked), dict(given)] if not isinstance(asked, bool) and 1 <= asked < 1 << 63:
            if not 1 <= len(given) <= c.MAX_QUESTIONS or not all(map(is_name, given)):
                raise ProtocolError("answers: none, too many, or to questions that cannot be")
            return Answers(asked, {name: _answer(answer) for name, answer in given.items()})
        case _:
            raise ProtocolError("something else than answers")


def _answer(value: object) -> Answer:
    match value:
        case str(text) if text and len(text) <= c.ANSWER_LONG:
            return text
        case [*chosen] if 1 <= len(chosen) <= c.MAX_CHOICES:
            ids = tuple(choice for choice in chosen if isinstance(choice, str) and is_name(choice))
            if len(ids) == len(chosen) == len(set(ids)):
                return ids
    raise ProtocolError("answers: one that is not a text, nor choices")


# --- which apply, and what is wrong ----------------------------------------------------------------


def chosen(answer: Answer) -> tuple[str, ...]:
    """An answer as the ids of choices."""
    return (answer,) if isinstance(answer, str) else answer


def shown(questions: Sequence[Question], given: Mapping[str, Answer]) -> tuple[Question, ...]:
    """Those that apply once these answers are given: whose condition, if any, an earlier one that applies fulfils."""
    found = dict[str, Question]()
    for question in questions:
        only_if = question.only_if
        if only_if is None or (
            only_if.question in found and set(chosen(given.get(only_if.question, ()))) & set(only_if.choices)
        ):
            found[question.id] = question
    return tuple(found.values())


def kept(questions: Sequence[Question], given: Mapping[str, Answer]) -> dict[str, Answer]:
    """The answers to send: of questions that apply, in their order, without those that are empty."""
    return {q.id: given[q.id] for q in shown(questions, given) if q.id in given and not _empty(given[q.id])}


def _empty(answer: Answer) -> bool:
    return not (answer.strip() if isinstance(answer, str) else answer)


def check(questions: Sequence[Question], given: Mapping[str, Answer]) -> tuple[Problem, ...]:
    """What is wrong, in the questions' order; nothing when these answers can be sent. An answer to a question that no
    longer applies is passed over, as `kept` drops it."""
    known = {q.id for q in questions}
    problems = [Problem(name, NOT_ASKED) for name in given if name not in known]
    answers = kept(questions, given)
    for question in shown(questions, given):
        if question.id in answers:
            problems += [Problem(question.id, what) for what in _wrong(question, answers[question.id])]
        elif question.needed:
            problems.append(Problem(question.id, NEEDED))
    if not problems and answers and len(encode_cbor(Answers(1 << 62, answers).as_item())) > c.MAX_ANSWERS:
        problems.append(Problem("", TOO_MUCH))
    return tuple(problems)


def _wrong(question: Question, answer: Answer) -> Iterator[str]:
    if question.kind is Kind.SEVERAL:
        if isinstance(answer, str) or len(set(answer)) != len(answer) or not all(map(question.choice, answer)):
            yield NO_CHOICE
    elif not isinstance(answer, str) or (question.kind is Kind.ONE and question.choice(answer) is None):
        yield NO_CHOICE
    elif not _is_text(answer):
        yield NO_TEXT
    elif len(answer) > (c.ANSWER_LONG if question.kind is Kind.LONG else c.ANSWER_LINE):
        yield TOO_LONG
    elif question.kind is Kind.DATE and not is_date(answer):
        yield NO_DATE


def _is_text(answer: str) -> bool:
    try:
        answer.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_date(text: str) -> bool:
    """A year, a month (2024-05) or a day (2024-05-31) that the calendar has?"""
    found = _DATE.match(text)
    if found is None:
        return False
    year, month, day = (int(part) if part else 1 for part in found.groups())
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True
